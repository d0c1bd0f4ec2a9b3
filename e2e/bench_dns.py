"""Figures of the DNS loops on the cluster, as ratios within one run: `make bench-dns`.

- latency: plan appended → changed answer, against a bare PUT → changed answer, in turns, for each
  fence, with three enactors
- emptiness: ordinary flips under a probe as fast as one process can ask
- idle: CPU of the whole operator with nothing to do

Nothing here is a timed test: figures are printed and written, never asserted. Calls are made as a
ServiceAccount, for administrators escape the API server's flow control.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dns.message
import yaml
from rich.console import Console
from rich.progress import track

from e2e.cluster_tools import AUTHORITATIVE, NAME, SYSTEM, ask, items, kubectl, metrics, run, until
from holdfast.core.intents import Create
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan
from holdfast.live.api import Api, connect
from holdfast.live.perform import Performer

HOLDFAST = Path(sys.executable).with_name("holdfast")
SCENARIO, ARM = "bench", "flips"
SPACE = f"{SCENARIO}-{ARM}"
BARE = "bare"
BARE_NAME = f"{BARE}.us-east-1.cloud.test"
MANAGED = {"holdfast.dev/managed": "true"}
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.001
"""Between two queries of the customer whose clock it is: without it the customer takes a core."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of one thing over all its samples."""

    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def spread(seconds: list[float]) -> Spread:
    ordered = sorted(s * 1000 for s in seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return Spread(len(ordered), round(statistics.median(ordered), 1), at(0.9), at(0.99), at(1.0))


class NoAnswer(Exception):
    """The name does not answer as it should; the message shows the state of things."""


class Customer:
    """One UDP socket that asks one name and returns the raw answer: cheap enough to poll with."""

    def __init__(self, name: str) -> None:
        self._packet = dns.message.make_query(name, "A").to_wire()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1.0)
        self._socket.connect(("127.0.0.1", AUTHORITATIVE))

    def ask(self) -> bytes:
        """The answer, b"" if none came."""
        try:
            self._socket.send(self._packet)
            return self._socket.recv(4096)
        except OSError:
            return b""

    def until(self, label: bytes) -> None:
        """Ask until the answer's CNAME begins with this label. NoAnswer after a while."""
        wanted = bytes([len(label)]) + label
        end = time.monotonic() + PATIENCE_SECONDS
        while wanted not in self.ask():
            time.sleep(POLL_SECONDS)
            if time.monotonic() > end:
                status = run(str(HOLDFAST), "dns", "status", "-n", SPACE).stdout
                raise NoAnswer(f"no answer with {label!r} in {PATIENCE_SECONDS} s\n{status}")


@asynccontextmanager
async def region(fence: str) -> AsyncIterator[Api]:
    """An arm with three enactors, and a client that is an ordinary ServiceAccount in it."""
    remove()
    document = {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": SCENARIO},
        "spec": {
            "deadlineSeconds": 3600,
            "settleSeconds": 600,
            "region": {"planHistory": 10},
            "arms": [
                {
                    "name": ARM,
                    "guards": {"dns": {"fence": fence}},
                    "expect": "OutagePrevented",
                }
            ],
        },
    }
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(document))
    try:
        until(lambda: len(ask().addresses) == 3, "the name is served by three front ends", 120)
        kubectl("create", "serviceaccount", "bench", "-n", SPACE)
        for name, rule in {
            "bench-plans": ("--verb=create,list", "--resource=dnsplans.holdfast.dev"),
            "bench-services": ("--verb=create,get,update", "--resource=services"),
            "bench-slices": ("--verb=create,get", "--resource=endpointslices.discovery.k8s.io"),
        }.items():
            kubectl("create", "role", name, "-n", SPACE, *rule)
            account = f"--serviceaccount={SPACE}:bench"
            kubectl("create", "rolebinding", name, "-n", SPACE, f"--role={name}", account)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump(kubeconfig(), file)
            file.flush()
            async with connect("bench", file.name) as api:
                yield api
    finally:
        remove()


def kubeconfig() -> dict[str, Any]:
    """The present cluster, as the ServiceAccount `bench`."""
    shown = kubectl("config", "view", "--raw", "--minify", "-o", "json")
    raw: dict[str, Any] = json.loads(shown)
    token = kubectl("create", "token", "bench", "-n", SPACE, "--duration=1h").strip()
    raw["users"] = [{"name": "bench", "user": {"token": token}}]
    raw["contexts"][0]["context"]["user"] = "bench"
    return raw


def remove() -> None:
    run("kubectl", "delete", "scenario", SCENARIO, "--ignore-not-found", "--wait")
    until(
        lambda: SPACE not in {n["metadata"]["name"] for n in items("namespaces")},
        "the namespace is gone",
        120,
    )


class Plans:
    """Appends plans as the planner would: unchanged content, the next generation."""

    def __init__(self, api: Api) -> None:
        self._perform = Performer(api, SPACE, "us-east-1")
        plans = items("dnsplans", "-n", SPACE)
        newest = max(plans, key=lambda p: int(p["spec"]["planGeneration"]))
        self._generation = int(newest["spec"]["planGeneration"])
        addresses = newest["spec"]["endpoints"][0]["addresses"]
        self._front_ends = tuple(FrontEnd(a["address"], a["weight"]) for a in addresses)

    async def append(self) -> bytes:
        """The label of the new tree."""
        self._generation += 1
        plan = Plan(self._generation, (EndpointPlan("dynamodb", self._front_ends),))
        await self._perform(Create(plan))
        return f"dynamodb-p{self._generation}".encode()


async def latency(fence: str, samples: int) -> dict[str, Any]:
    """One plan, then one bare PUT, in turns."""
    async with region(fence) as api:
        plans, customer = Plans(api), Customer(NAME)
        bare = await Bare.create(api)
        planned: list[float] = []
        put: list[float] = []
        struck = None
        for _ in track(range(samples), f"{fence}: plan → answer, and bare PUT → answer"):
            began = time.perf_counter()
            label = await plans.append()
            try:
                customer.until(label)
            except NoAnswer as seen:
                if fence != "CheckOnce" or "WHICH DOES NOT EXIST" not in str(seen):
                    raise
                struck = label.decode()  # the incident's race, unscripted: it stays so for ever
                break
            planned.append(time.perf_counter() - began)
            await asyncio.sleep(0.15)  # the other enactors and the cleaner come to rest
            put.append(await bare.flip())
            await asyncio.sleep(0.02)
        one, other = spread(planned), spread(put)
        return {
            "fence": fence,
            "planToAnswer": asdict(one),
            "barePutToAnswer": asdict(other),
            "ratioP50": round(one.p50_ms / other.p50_ms, 2),
            **({"raceStruckByItselfAt": struck} if struck else {}),
        }


class Bare:
    """An ExternalName Service that is PUT to and fro between two Services that are served all the
    time, with nothing of ours in between."""

    def __init__(self, api: Api, body: dict[str, Any]) -> None:
        self._api, self._body, self._turn = api, body, 0
        self._customer = Customer(BARE_NAME)

    @classmethod
    async def create(cls, api: Api) -> "Bare":
        path = f"/api/v1/namespaces/{SPACE}/services"
        for turn in (0, 1):
            headless = {"clusterIP": "None", "ports": [{"port": 8080}]}
            await api.ensure(path, cls._service(f"{BARE}-{turn}", headless))
            await api.ensure(
                f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices",
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {
                        "name": f"{BARE}-{turn}",
                        "labels": MANAGED | {"kubernetes.io/service-name": f"{BARE}-{turn}"},
                    },
                    "addressType": "IPv4",
                    "endpoints": [{"addresses": ["10.0.0.1"]}],
                    "ports": [{"port": 8080}],
                },
            )
        alias = {"type": "ExternalName", "externalName": cls._target(0)}
        return cls(api, await api.ensure(path, cls._service(BARE, alias)))

    @staticmethod
    def _service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
        meta = {"name": name, "labels": MANAGED}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    @staticmethod
    def _target(turn: int) -> str:
        return f"{BARE}-{turn}.{SPACE}.svc.us-east-1.cloud.test"

    async def flip(self) -> float:
        """Seconds from sending the PUT to the changed answer."""
        self._turn = 1 - self._turn
        self._body["spec"]["externalName"] = self._target(self._turn)
        began = time.perf_counter()
        answer = await self._api.replace(f"/api/v1/namespaces/{SPACE}/services/{BARE}", self._body)
        self._customer.until(f"{BARE}-{self._turn}".encode())
        took = time.perf_counter() - began
        self._body = answer.body
        return took


def ask_as_fast_as_it_goes(stop: Any, told: Any) -> None:
    """Counts answers by what they hold: runs in a process of its own."""
    customer = Customer(NAME)
    good = empty = missing = 0
    episodes: list[float] = []
    began = time.monotonic()
    while not stop.is_set():
        answer = customer.ask()
        if not answer:
            missing += 1
        elif answer[3] & 0x0F == 0 and int.from_bytes(answer[6:8]) >= 2:
            good += 1  # NOERROR with a CNAME and at least one address
        else:
            empty += 1
            episodes.append(round(time.monotonic() - began, 3))
    seconds = time.monotonic() - began
    told.put(
        {
            "queries": good + empty + missing,
            "queriesPerSecond": round((good + empty + missing) / seconds),
            "good": good,
            "empty": empty,
            "missing": missing,
            "firstEmptyAt": episodes[:5],
        }
    )


async def emptiness(fence: str, flips: int) -> dict[str, Any]:
    async with region(fence) as api:
        plans, customer = Plans(api), Customer(NAME)
        stop = multiprocessing.Event()
        told: Any = multiprocessing.Queue()
        prober = multiprocessing.Process(target=ask_as_fast_as_it_goes, args=(stop, told))
        prober.start()
        try:
            for _ in track(range(flips), f"{fence}: flips under a probe at full speed"):
                customer.until(await plans.append())
        finally:
            stop.set()
        counted: dict[str, Any] = told.get(timeout=10)
        prober.join()
        return {"fence": fence, "flips": flips, **counted}


def cpu_seconds() -> dict[str, float]:
    """CPU used by each process of the operator since it started."""
    used: dict[str, float] = {}
    for pod in items("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/part-of=holdfast"):
        name = pod["metadata"]["labels"]["holdfast.dev/process"]
        told = metrics(pod["metadata"]["name"])
        found = re.search(r"^process_cpu_seconds_total (\S+)", told, re.M)
        assert found, name
        used[name] = float(found[1])
    return used


def idle(seconds: int) -> dict[str, Any]:
    remove()
    time.sleep(5)
    before, began = cpu_seconds(), time.monotonic()
    for _ in track(range(seconds), "idle"):
        time.sleep(1)
    after, took = cpu_seconds(), time.monotonic() - began
    cores = {name: round((after[name] - before[name]) / took, 4) for name in before}
    return {"seconds": seconds, "cores": round(sum(cores.values()), 4), "byProcess": cores}


async def measure(samples: int, flips: int, seconds: int) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "idle": idle(seconds),
        "latency": [await latency(fence, samples) for fence in ("Generation", "CheckOnce")],
        "emptiness": await emptiness("Generation", flips),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--idle-seconds", type=int, default=30)
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.samples, arguments.flips, arguments.idle_seconds))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    Console().print_json(data=found)


if __name__ == "__main__":
    main()
