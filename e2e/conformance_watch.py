"""What watchers are told of a life, on a real API server and by the fake."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from e2e.conformance_told import Symbols
from e2e.conformance_worlds import SPACE, InMemory, OnCluster, World
from holdfast.core.intents import Create
from holdfast.core.names import KIND_LABEL
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.replies import Written
from holdfast.fake import Key
from holdfast.live.api import Json
from holdfast.live.watch import follow
from holdfast.live.wire import parse, path_of

_COLLECTIONS: tuple[tuple[type[Any], ...], ...] = ((Alias, Tree), (Slice,), (Lease,), (Plan,))
_LAST_PLAN = 2_000_000
_DEADLINE_SECONDS = 60.0

Happen = Callable[[World], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Event:
    event: str
    key: Key
    obj: Stored | None

    def told(self, symbols: Symbols) -> str:
        what = self.key[1] if self.obj is None else symbols.obj(self.obj)
        return f"{self.event} {self.key[0].__name__} {what}"


async def as_changed(happen: Happen) -> list[list[str]]:
    """By the fake's list of changes, a collection at a time."""
    world = InMemory()
    await happen(world)
    return [_changes(world, kinds, Symbols()) for kinds in _COLLECTIONS]


async def as_watched(cluster: OnCluster, happen: Happen, mine: frozenset[str]) -> list[list[str]]:
    """By a watch of each collection; of objects with these names. What happens begins when every
    watch has synced, and the watches end at an object that is made after all others."""
    ready = [asyncio.Event() for _ in _COLLECTIONS]
    watching = [
        asyncio.create_task(_events(cluster, kinds, synced))
        for kinds, synced in zip(_COLLECTIONS, ready, strict=True)
    ]
    async with asyncio.timeout(_DEADLINE_SECONDS):
        for synced in ready:
            await synced.wait()
        await happen(cluster)
        for last in await _lasts(cluster):
            assert isinstance(await cluster(Create(last)), Written)
        seen = await asyncio.gather(*watching)
    told = []
    for events in seen:
        symbols = Symbols()
        told.append([e.told(symbols) for e in events if e.key[1] in mine])
    return told


def _changes(world: InMemory, kinds: tuple[type[Any], ...], symbols: Symbols) -> list[str]:
    told: list[str] = []
    there: set[Key] = set()
    for change in world.api.changes:
        if change.obj is None:
            event = "DELETED"
            there.discard(change.key)
        else:
            event = "MODIFIED" if change.key in there else "ADDED"
            there.add(change.key)
        if change.key[0] in kinds:
            told.append(Event(event, change.key, change.obj).told(symbols))
    return told


async def _lasts(cluster: OnCluster) -> list[Stored]:
    tree = await cluster(Create(Tree("last-p1", "last", 1)))
    assert isinstance(tree, Written)
    plan = Plan(_LAST_PLAN, (EndpointPlan("a", (FrontEnd("10.0.0.1", 100),)),))
    piece = Slice("last", "last-p1", tree.obj.uid, "IPv4", ("10.0.0.1",))
    return [Alias("last", "last-p1", 1), piece, Lease("last", "a", 1000.0, 15.0), plan]


async def _events(
    cluster: OnCluster, kinds: tuple[type[Any], ...], synced: asyncio.Event
) -> list[Event]:
    found: list[Event] = []
    async for change in follow(cluster.api, path_of(kinds[0], SPACE)):
        if change.event == "SYNCED":
            synced.set()
        if change.listed:
            continue
        obj = parse(_kind(kinds, change.obj), change.obj)
        if obj.name in ("last", f"plan-{_LAST_PLAN:010d}"):
            break
        shown = None if change.event == "DELETED" else obj
        found.append(Event(change.event, (type(obj), obj.name), shown))
    return found


def _kind(kinds: tuple[type[Any], ...], raw: Json) -> type[Any]:
    labelled = raw["metadata"].get("labels", {}).get(KIND_LABEL, "")
    return next((k for k in kinds if k.__name__.lower() == labelled), kinds[0])
