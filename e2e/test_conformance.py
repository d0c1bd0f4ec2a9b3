"""The fake API server against the real one: the same operations, the same replies and objects.

What the decisions rely on, and the checker believes, is asked of a real API server here: a fence
that only the fake keeps would be no fence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest

from e2e import conformance_matrix as matrix
from e2e import conformance_stories as stories
from e2e.conformance_random import Life
from e2e.conformance_told import Teller
from e2e.conformance_watch import as_changed, as_watched
from e2e.conformance_worlds import SPACE, InMemory, World, namespace, on_the_cluster
from holdfast.core.intents import Create, Delete, Replace
from holdfast.core.objects import Alias
from holdfast.core.replies import Written
from holdfast.live.wire import path_of

pytestmark = pytest.mark.cluster

AT_ONCE = 8
LIVES = 60
SEED = 20251020


@pytest.fixture(scope="module", autouse=True)
def space() -> Iterator[None]:
    with namespace():
        yield


Play = Callable[[World], Awaitable[Teller]]


def differences(plays: Sequence[tuple[str, Play]], zero: bool = False) -> list[str]:
    """Where the two servers tell different stories; `AT_ONCE` at a time on the cluster."""

    async def compare(name: str, play: Play, real: World, gate: asyncio.Semaphore) -> str:
        told = (await play(InMemory())).lines
        async with gate:
            seen = (await play(real)).lines
        for here, there in zip(told, seen, strict=True):
            if here != there:
                return f"{name}\n  fake: {here}\n  real: {there}"
        return ""

    async def everywhere() -> list[str]:
        gate = asyncio.Semaphore(AT_ONCE)
        async with on_the_cluster(zero) as cluster:
            return await asyncio.gather(*(compare(n, p, cluster, gate) for n, p in plays))

    return [difference for difference in asyncio.run(everywhere()) if difference]


def playing(case: matrix.Case) -> Play:
    async def play(world: World) -> Teller:
        teller = Teller(world, (case.name,))
        await matrix.play(case, teller)
        return teller

    return play


def living(number: int) -> Play:
    async def play(world: World) -> Teller:
        life = Life(SEED, number)
        teller = Teller(world, life.names)
        await life.play(teller)
        return teller

    return play


def telling(story: stories.Story) -> Play:
    async def play(world: World) -> Teller:
        teller = Teller(world, stories.STORIES[story])
        await story(teller)
        return teller

    return play


def test_every_intent_in_every_state() -> None:
    plays = [(str(case), playing(case)) for case in matrix.cases("m")]
    assert differences(plays) == []


def test_version_zero_is_no_precondition() -> None:
    blind = [case for case in matrix.cases("z") if case.act in matrix.BLIND]
    assert differences([(str(case), playing(case)) for case in blind], zero=True) == []


def test_random_lives() -> None:
    assert differences([(f"life {n}", living(n)) for n in range(LIVES)]) == []


def test_stories() -> None:
    assert differences([(story.__name__, telling(story)) for story in stories.STORIES]) == []


@pytest.mark.parametrize("rivals", stories.ONE_WINS + stories.ALL_WIN)
def test_rivals_at_once(rivals: stories.Rivals) -> None:
    async def for_real() -> dict[str, int]:
        async with on_the_cluster() as cluster:
            return await stories.race(cluster, rivals)

    told = asyncio.run(stories.race(InMemory(), rivals))
    assert asyncio.run(for_real()) == told
    winners = 1 if rivals in stories.ONE_WINS else stories.RIVALS
    assert told.get("Written", told.get("Deleted")) == winners


def test_a_watch_delivers_every_change_in_order() -> None:
    numbers = range(LIVES, LIVES + 10)

    async def happen(world: World) -> None:
        for number in numbers:
            await living(number)(world)

    async def for_real() -> list[list[str]]:
        async with on_the_cluster() as cluster:
            names = frozenset(name for n in numbers for name in Life(SEED, n).names)
            return await as_watched(cluster, happen, names)

    assert asyncio.run(for_real()) == asyncio.run(as_changed(happen))


def test_an_old_version_without_the_uid_brings_a_deleted_service_back() -> None:
    """Why every fenced write bears both."""

    async def attempt() -> list[str]:
        async with on_the_cluster() as cluster:
            alias = Alias("undead", "undead-p1", 1)
            made = await cluster(Create(alias))
            assert isinstance(made, Written)
            path = f"{path_of(Alias, SPACE)}/undead"
            raw = (await cluster.api.get(path)).body
            await cluster(Delete(Alias, "undead"))
            known = made.obj
            fenced = await cluster(Replace(known))
            del raw["metadata"]["uid"]
            unfenced = await cluster.api.call("PUT", path, raw)
            return [type(fenced).__name__, str(unfenced.status)]

    assert asyncio.run(attempt()) == ["Conflict", "201"]


def test_a_missed_test_is_told_by_empty_details_alone() -> None:
    """422 with reason Invalid is also what a schema says; it says more."""

    async def attempt() -> list[tuple[int, str, object]]:
        async with on_the_cluster() as cluster:
            await cluster(Create(Alias("tested", "tested-p1", 1)))
            path = f"{path_of(Alias, SPACE)}/tested"
            lock = "/metadata/annotations/holdfast.dev~1lock"
            missed = [{"op": "test", "path": lock, "value": "somebody"}]
            passed = [{"op": "test", "path": lock, "value": ""}]
            nowhere = [{"op": "add", "path": "/metadata/nowhere/x", "value": ""}]
            no_name = [{"op": "replace", "path": "/spec/externalName", "value": "_"}]
            answers = [
                await cluster.api.json_patch(path, missed),
                await cluster.api.json_patch(path, passed + nowhere),
                await cluster.api.json_patch(path, passed + no_name),
            ]
            return [(a.status, a.body["reason"], a.body.get("details")) for a in answers]

    missed, nowhere, refused = asyncio.run(attempt())
    assert missed == nowhere == (422, "Invalid", {})
    assert refused[:2] == (422, "Invalid")
    assert "causes" in str(refused[2])
