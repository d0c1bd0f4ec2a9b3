"""A thousand endpoints of ten addresses: how fast one enactor rolls a plan out, what every role's
process takes in memory, and what it takes of the CPU when there is nothing to do.

The rate is held against bare loops in the same minutes and the same namespace: for each endpoint
POST of a headless Service, POST of its EndpointSlice, and POST (at first) or PUT (later, with uid
and resourceVersion) of an ExternalName Service, of the same bodies as the enactor's but for a label
that hides them from it, by the operator's own thin client. Nothing is read and nothing proved. One
loop works in series, the other with as many at once as the enactor has lanes.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import track

from e2e.bench import processes
from e2e.bench.figures import Goal
from e2e.bench.ground import REGION, Ground, ground
from holdfast.core.names import GENERATION_ANNOTATION, KIND_LABEL, slice_name, tree_name
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.live.api import Json
from holdfast.live.watch import follow
from holdfast.live.wire import ALIAS_SELECTOR, GROUP_PATH, TREE_SELECTOR, path_of, render

ADDRESSES = tuple(f"198.51.100.{n}" for n in range(1, 11))
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
LANES = 4
BARE = {KIND_LABEL: "bare"}
SETTLE_SECONDS = 5.0
PATIENCE_SECONDS = 900.0


class BareLoop:
    """What an enactor writes, and nothing besides."""

    def __init__(self, there: Ground, endpoints: int) -> None:
        self._there, self._endpoints = there, endpoints
        self._aliases: dict[str, Json] = {}
        self._generation = 0

    async def run(self, width: int) -> float:
        """Endpoints a second."""
        self._generation += 1
        left = iter(range(self._endpoints))
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(self._lane(left))
        return self._endpoints / (time.perf_counter() - began)

    async def _lane(self, left: Iterator[int]) -> None:
        for number in left:
            await self._endpoint(f"bare-{number:04d}")

    async def _endpoint(self, endpoint: str) -> None:
        tree = Tree(tree_name(endpoint, self._generation), endpoint, self._generation)
        uid = (await self._post(tree))["metadata"]["uid"]
        name = slice_name(tree.name, uid, "IPv4")
        await self._post(Slice(name, tree.name, uid, "IPv4", ADDRESSES))
        there = self._aliases.get(endpoint)
        wanted = Alias(endpoint, tree.name, self._generation)
        if there is None:
            self._aliases[endpoint] = await self._post(wanted)
            return
        body = self._body(wanted)
        for key in ("uid", "resourceVersion"):
            body["metadata"][key] = there["metadata"][key]
        answer = await self._there.api.replace(f"{self._services}/{endpoint}", body)
        assert answer.ok, answer
        self._aliases[endpoint] = answer.body

    async def _post(self, obj: Alias | Tree | Slice) -> Json:
        answer = await self._there.api.create(
            path_of(type(obj), self._there.space), self._body(obj)
        )
        assert answer.ok, answer
        return answer.body

    def _body(self, obj: Alias | Tree | Slice) -> Json:
        body = render(obj, self._there.space, REGION)
        body["metadata"]["labels"] |= BARE
        return body

    @property
    def _services(self) -> str:
        return path_of(Alias, self._there.space)

    async def tidy(self) -> None:
        """Take away the trees of the last run."""
        names = [
            tree_name(f"bare-{number:04d}", self._generation) for number in range(self._endpoints)
        ]
        gate = asyncio.Semaphore(8)

        async def delete(name: str) -> None:
            async with gate:
                await self._there.api.delete(f"{self._services}/{name}")

        await asyncio.gather(*(delete(n) for n in names))


class Live:
    """Which generation each alias is at, by our own watch, and since when."""

    def __init__(self, there: Ground) -> None:
        self._there = there
        self.generations: dict[str, int] = {}
        self.last = 0.0
        self.planned: dict[int, float] = {}

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._aliases())
            group.create_task(self._plans())

    async def _aliases(self) -> None:
        path = path_of(Alias, self._there.space)
        async for change in follow(self._there.admin, path, ALIAS_SELECTOR):
            if change.event in ("ADDED", "MODIFIED"):
                meta = change.obj["metadata"]
                self.generations[meta["name"]] = int(meta["annotations"][GENERATION_ANNOTATION])
                self.last = time.perf_counter()

    async def _plans(self) -> None:
        path = f"{GROUP_PATH}/namespaces/{self._there.space}/dnsplans"
        async for change in follow(self._there.admin, path):
            if change.event == "ADDED":
                generation = int(change.obj["spec"]["planGeneration"])
                self.planned[generation] = time.perf_counter()

    async def rolled_out(self, generation: int, endpoints: int) -> float:
        """Endpoints a second, from the plan to the last alias that names its tree."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.generations) < endpoints or min(self.generations.values()) < generation:
                await asyncio.sleep(0.05)
        return endpoints / (self.last - self.planned[generation])


async def rollout(endpoints: int, repeats: int, idle_seconds: int) -> dict[str, Any]:
    console = Console()
    async with ground(operated=True) as there:
        live, bare = Live(there), BareLoop(there, endpoints)
        watch = asyncio.create_task(live.watch())
        with _alone(ZONES[0]):
            await there.front_ends(len(ADDRESSES))
            rates: dict[str, list[float]] = {"enactor": [], "bareInSeries": [], "bareInLanes": []}
            for number in track(range(1, repeats + 1), "rollouts and bare loops"):
                for name, width in (("bareInSeries", 1), ("bareInLanes", LANES)):
                    rates[name].append(round(await bare.run(width), 1))
                    await bare.tidy()
                await asyncio.sleep(SETTLE_SECONDS)
                if number == 1:
                    await there.begin(_region(endpoints))
                else:
                    await there.weigh(100 + number)
                rates["enactor"].append(round(await live.rolled_out(number, endpoints), 1))
                await _until_settled(there, endpoints, number)
                console.print({name: found[-1] for name, found in rates.items()})
        await _until_settled(there, endpoints, repeats)
        await asyncio.sleep(SETTLE_SECONDS * 2)
        found = await asyncio.to_thread(_idle, there.space, idle_seconds)
        watch.cancel()
        ratios = {
            name: round(statistics.median(map(_over, rates["enactor"], rates[name])), 3)
            for name in ("bareInSeries", "bareInLanes")
        }
        return {
            "endpoints": endpoints,
            "addresses": len(ADDRESSES),
            "lanes": LANES,
            "endpointsPerSecond": rates,
            "medianRatioTo": ratios,
            "processes": found,
        }


def _over(one: float, other: float) -> float:
    return one / other


def _region(endpoints: int) -> dict[str, Any]:
    return {
        "endpoints": [f"endpoint-{n:04d}" for n in range(endpoints)],
        "guards": {"dns": {"fence": "Generation", "selfRepair": "Enabled"}},
        "retention": 1,
        "enactor": {"parallel": LANES},
    }


@contextmanager
def _alone(zone: str) -> Iterator[None]:
    """No enactor but this zone's; the others come back at the end."""
    others = [z for z in ZONES if z != zone]
    for other in others:
        processes.scale(other, 0)
    try:
        yield
    finally:
        for other in others:
            processes.scale(other, 1)


async def _until_settled(there: Ground, endpoints: int, generation: int) -> None:
    """Until the cleaner has left no tree that is too old."""
    kept = min(generation, 2) * endpoints
    path = path_of(Tree, there.space)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await there.admin.need("GET", path, labelSelector=TREE_SELECTOR)
            if len(found["items"]) <= kept:
                return
            await asyncio.sleep(2.0)


def _idle(space: str, seconds: int) -> dict[str, Any]:
    """Memory of every process, and the share of a core that each takes with nothing to do."""
    running = processes.of_operator() + processes.of_namespace(space)
    before, began = {p.name: processes.use(p) for p in running}, time.monotonic()
    for _ in track(range(seconds), "all settled: nothing to do"):
        time.sleep(1)
    after, took = {p.name: processes.use(p) for p in running}, time.monotonic() - began
    return {
        name: {
            "rssMb": now.rss_mb,
            "peakMb": now.peak_mb,
            "coreShare": round((now.cpu_seconds - before[name].cpu_seconds) / took, 4),
        }
        for name, now in after.items()
    }


def goals(found: Mapping[str, Any]) -> list[Goal]:
    operator = {n: p for n, p in found["processes"].items() if n.startswith("holdfast-")}
    busiest = max(p["coreShare"] for p in operator.values())
    return [
        Goal(
            f"{found['endpoints']} endpoints: rollout / bare loop in series",
            found["medianRatioTo"]["bareInSeries"],
            at_least=0.8,
        ),
        Goal(
            f"the same / bare loop of {found['lanes']} at once",
            found["medianRatioTo"]["bareInLanes"],
        ),
        Goal(
            "no-op reconcile, busiest role's process",
            round(busiest * 100, 2),
            at_most=1,
            unit="% of a core",
        ),
    ]
