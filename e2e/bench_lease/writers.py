"""Writers of leases, so many at once, each of its own: fenced, as a lease manager writes, and bare.

The bare one knows nothing of leases: one object each, its body kept, in which a stamp changes and
the resourceVersion of the last answer stands, over a plain aiohttp session. A custom resource takes
no PUT without a resourceVersion, so this is the least that there can be.
"""

import asyncio
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import aiohttp
import orjson
from rich.progress import Progress

from e2e.bench.ground import REGION, Ground, ground
from e2e.bench_lease.access import Access, access, client, may_use_leases
from holdfast.core.leases.fleet import Fleet, Mode
from holdfast.core.leases.lease import Lease, renewed
from holdfast.core.leases.making import wanted
from holdfast.live.api import Api, Json
from holdfast.live.lease_wire import parse_lease, path_of_leases, render_lease, stamp

WRITERS = 16
OBJECTS = 4 * WRITERS
ZONE = "us-east-1a"
ME = f"{ZONE}/bench"
AGENT = "bench"
RACK = 100
"""Leases in an object, in mode Rack."""
FLEET = {
    "mode": "Droplet",
    "racks": OBJECTS,
    "droplets": 2,
    "agents": 1,
    "durationSeconds": 600,
    "heartbeatMilliseconds": 180_000,
    "timeoutMilliseconds": 10_000,
}
"""Two droplets a rack: one of each is renewed by the fenced writers, the other by the bare ones."""

Work: TypeAlias = Callable[[int], Awaitable[None]]
"""One call for the object of this number."""


@dataclass(frozen=True, slots=True)
class Field:
    """A namespace with a Region that is paused, so that nobody acts there but the writers."""

    there: Ground
    api: Api
    access: Access
    region_uid: str

    async def make(self, lease: Lease) -> Json:
        """The object of a lease, as it is stored: held by us already."""
        now, kind = time.time(), Mode.RACK if hasattr(lease, "packed") else Mode.DROPLET
        held = renewed(lease, ME, AGENT, now, frozenset(range(lease.leases)))
        body = render_lease(held, REGION, self.region_uid)
        return await self.api.need("POST", path_of_leases(kind, self.there.space), body)


@asynccontextmanager
async def field_of_leases() -> AsyncIterator[Field]:
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(ground(operated=False))
        await may_use_leases(there.admin, there.space)
        way = stack.enter_context(access(there.space))
        api = await stack.enter_async_context(client(way))
        await there.begin({"paused": True})  # leases are owned by a Region, or are collected
        region = await there.admin.need("GET", there.region)
        yield Field(there, api, way, region["metadata"]["uid"])


def leases_of(mode: Mode, droplet: int = 1) -> list[Lease]:
    """One of each of `OBJECTS` racks, held by nobody: the droplet of this number, or the rack."""
    droplets = RACK if mode is Mode.RACK else 2
    seconds, heartbeat, timeout = 600.0, 180.0, 10.0
    fleet = Fleet(OBJECTS, droplets, mode, seconds, heartbeat, timeout)
    every = wanted(fleet, ZONE)
    return list(every if mode is Mode.RACK else every[droplet - 1 :: 2])


class Fenced:
    """As a lease manager renews: core's values, our own client, uid and resourceVersion."""

    def __init__(self, on: Field, mode: Mode, made: Sequence[Json]) -> None:
        self._on, self._path = on, path_of_leases(mode, on.there.space)
        self.leases = [parse_lease(raw) for raw in made]
        self._all = frozenset(range(self.leases[0].leases))

    @classmethod
    async def create(cls, on: Field, mode: Mode, droplet: int = 1) -> "Fenced":
        return cls(on, mode, [await on.make(lease) for lease in leases_of(mode, droplet)])

    async def __call__(self, number: int) -> None:
        lease = renewed(self.leases[number], ME, AGENT, time.time(), self._all)
        body = render_lease(lease, REGION, self._on.region_uid)
        answer = await self._on.api.replace(f"{self._path}/{lease.name}", body)
        assert answer.ok, answer
        self.leases[number] = parse_lease(answer.body)


class Bare:
    """The same objects' kind and size, and nothing of ours in between."""

    def __init__(self, on: Field, session: aiohttp.ClientSession, made: Sequence[Json]) -> None:
        self._session, self._bodies = session, list(made)
        self._path = f"{on.access.host}{path_of_leases(Mode.DROPLET, on.there.space)}"
        for body in self._bodies:
            del body["metadata"]["managedFields"]  # as in every PUT of ours

    @classmethod
    async def create(cls, on: Field, session: aiohttp.ClientSession, droplet: int = 2) -> "Bare":
        leases = leases_of(Mode.DROPLET, droplet)
        return cls(on, session, [await on.make(lease) for lease in leases])

    async def __call__(self, number: int) -> None:
        body = self._bodies[number]
        body["spec"]["renewed"] = stamp(time.time())
        url = f"{self._path}/{body['metadata']['name']}"
        async with self._session.put(url, data=orjson.dumps(body)) as response:
            raw = await response.read()
            assert response.status == 200, raw
        body["metadata"]["resourceVersion"] = orjson.loads(raw)["metadata"]["resourceVersion"]


@asynccontextmanager
async def bare_session(of: Access) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cafile=of.authority)
    headers = {"Authorization": f"Bearer {of.token}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0, ssl=tls)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield session


async def rate(work: Work, calls: int) -> float:
    """Calls a second: `WRITERS` at once, each with its own objects in turn. `calls` in all."""

    async def writer(first: int) -> None:
        for call in range(calls // WRITERS):
            await work((first + call * WRITERS) % OBJECTS)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for first in range(WRITERS):
            group.create_task(writer(first))
    return calls // WRITERS * WRITERS / (time.perf_counter() - began)


@dataclass(slots=True)
class Rates:
    """Of each variant in each round, a second."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def ratios(self, of: str, to: str, weight: float = 1.0) -> Json:
        """Round by round, and their median. `weight`: what one call of the first is worth."""
        rounds = [
            round(weight * one / other, 3)
            for one, other in zip(self.found[of], self.found[to], strict=True)
        ]
        return {"ofEachRound": rounds, "median": round(statistics.median(rounds), 3)}

    def medians(self) -> dict[str, float]:
        return {name: round(statistics.median(rates), 1) for name, rates in self.found.items()}


async def in_turns(variants: Mapping[str, Work], rounds: int, calls: int, title: str) -> Rates:
    """So many rounds; in each every variant once, another first each time. A round that is not
    counted goes before."""
    rates = Rates({name: [] for name in variants})
    order = list(variants)
    with Progress() as progress:
        task = progress.add_task(title, total=(rounds + 1) * len(order))
        for number in range(rounds + 1):
            first = number % len(order)
            for name in order[first:] + order[:first]:
                a_second = await rate(variants[name], calls if number else min(calls, OBJECTS))
                if number:
                    rates.found[name].append(round(a_second, 1))
                progress.advance(task)
    return rates


def told(rates: Rates, calls: int) -> dict[str, Any]:
    """What every part of this kind says."""
    return {
        "writers": WRITERS,
        "rounds": len(next(iter(rates.found.values()))),
        "callsEach": calls,
        "perSecond": rates.found,
        "medianPerSecond": rates.medians(),
    }
