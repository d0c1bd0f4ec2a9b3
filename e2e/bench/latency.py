"""Plan appended → changed answer, against a bare PUT → changed answer, in turns, with three
enactors."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.progress import track

from e2e.bench.customer import Customer, NoAnswer
from e2e.bench.figures import Goal, spread
from e2e.bench.ground import REGION, Ground, ground
from e2e.bench.plans import Plans
from holdfast.live.api import Api, Json

BARE = "bare"
MANAGED = {"holdfast.dev/managed": "true"}
GUARDS: Mapping[str, Mapping[str, Any]] = {
    "Generation": {"dns": {"fence": "Generation"}},
    "CheckOnce": {"dns": {"fence": "CheckOnce"}},
    "safe": {"profile": "safe", "dns": {"selfRepair": "Disabled"}},
}
"""Plans are appended here and not by the planner. With selfRepair it would append one above each,
as above any that is not its own."""
REST_SECONDS = 0.5
"""After a flip, for the other enactors and the cleaner. Their LISTs are answered by the API
server's watch cache once it knows that it is fresh, for which it asks etcd at most every 100 ms: a
plan that comes within that of the last cleaner's LIST has its own check wait for the rest."""


async def latency(samples: int) -> dict[str, Any]:
    return {name: await _latency(name, samples) for name in GUARDS}


async def _latency(name: str, samples: int) -> dict[str, Any]:
    async with ground(operated=True) as there:
        await there.front_ends(3)
        bare = await Bare.create(there)  # before policies: it is no tree of a plan
        await there.begin({"guards": GUARDS[name], "planHistory": 10})
        plans = await Plans.after_the_first(there)
        customer = Customer(there.server, f"dynamodb.{REGION}.cloud.test")
        customer.until(b"dynamodb-p1")
        planned: list[float] = []
        put: list[float] = []
        struck = None
        for _ in track(range(samples), f"{name}: plan → answer, and bare PUT → answer"):
            began = time.perf_counter()
            label = await plans.append()
            try:
                customer.until(label)
            except NoAnswer:
                if name != "CheckOnce" or await there.alias_names_a_tree("dynamodb"):
                    raise
                struck = label.decode()  # the incident's race, unscripted: it stays so for ever
                break
            planned.append(time.perf_counter() - began)
            await asyncio.sleep(REST_SECONDS)
            put.append(await bare.flip())
            await asyncio.sleep(0.02)
        one, other = spread(planned), spread(put)
        return {
            "planToAnswer": asdict(one),
            "barePutToAnswer": asdict(other),
            "ratioP50": round(one.p50_ms / other.p50_ms, 2),
            **({"raceStruckByItselfAt": struck} if struck else {}),
        }


def goals(found: Mapping[str, Any]) -> list[Goal]:
    return [
        goal
        for name, one in found.items()
        if name in GUARDS
        for goal in (
            Goal(f"{name}: plan → answer p50 / bare PUT's", one["ratioP50"], at_most=7, unit="×"),
            Goal(
                f"{name}: plan → answer p99",
                one["planToAnswer"]["p99_ms"],
                at_most=300,
                unit="ms",
            ),
        )
    ]


class Bare:
    """An ExternalName Service that is PUT to and fro between two Services that are served all the
    time, with nothing of ours in between."""

    def __init__(self, there: Ground, body: Json) -> None:
        self._api: Api = there.api
        self._space, self._path = there.space, f"{there.core}/services/{BARE}"
        self._body, self._turn = body, 0
        self._customer = Customer(there.server, f"{BARE}.{REGION}.cloud.test")

    @classmethod
    async def create(cls, there: Ground) -> "Bare":
        services = f"{there.core}/services"
        for turn in (0, 1):
            headless = {"clusterIP": "None", "ports": [{"port": 8080}]}
            await there.api.ensure(services, _service(f"{BARE}-{turn}", headless))
            await there.api.ensure(
                f"/apis/discovery.k8s.io/v1/namespaces/{there.space}/endpointslices",
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
        alias = {"type": "ExternalName", "externalName": _target(there.space, 0)}
        found = cls(there, await there.api.ensure(services, _service(BARE, alias)))
        found._customer.until(f"{BARE}-0".encode())
        return found

    async def flip(self) -> float:
        """Seconds from sending the PUT to the changed answer."""
        self._turn = 1 - self._turn
        self._body["spec"]["externalName"] = _target(self._space, self._turn)
        began = time.perf_counter()
        answer = await self._api.replace(self._path, self._body)
        self._customer.until(f"{BARE}-{self._turn}".encode())
        took = time.perf_counter() - began
        self._body = answer.body
        return took


def _service(name: str, spec: Json) -> Json:
    meta = {"name": name, "labels": MANAGED}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _target(space: str, turn: int) -> str:
    return f"{BARE}-{turn}.{space}.svc.{REGION}.cloud.test"
