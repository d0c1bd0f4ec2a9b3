"""The rules of core.policy against the API server's: the same changes, the same decisions.

Also how long a Region's guard takes to be in force, and what a guarded write costs.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Iterator

import pytest

from e2e.policy_lives import Life, Settled
from e2e.policy_spaces import NO_REGION, REGION, region, spaces
from holdfast.core.intents import Create, Intent, Replace
from holdfast.core.objects import Alias
from holdfast.core.replies import ADMISSION_POLICY, Rejected, Reply, Written
from holdfast.fake import FakeApi
from holdfast.live import admission
from holdfast.live.api import Api, connect
from holdfast.live.perform import Performer
from holdfast.live.wire import GROUP_PATH, path_of, render

pytestmark = pytest.mark.cluster

SPACE, GUARDED = "policies-lives", "policies-guarded"
FRESH, UNGUARDED = "policies-fresh", "policies-unguarded"
SEED = 20251020
LIVES = 50
AT_ONCE = 8
REASONS = {
    "goes down",
    "goes up by",
    "of its own generation",
    "an alias is never deleted",
    "a pinned tree is never deleted",
    "named and owned by its tree",
    "go with their tree",
    "never change",
}
"""A word of each rule that values of ours can break."""


@pytest.fixture(scope="module", autouse=True)
def objects() -> Iterator[None]:
    with spaces(SPACE, GUARDED, FRESH, UNGUARDED, NO_REGION):
        region(GUARDED, {"profile": "safe"})
        region(UNGUARDED, {"profile": "aws-2025"})
        yield


class Memory:
    def __init__(self) -> None:
        self.api = FakeApi()

    async def __call__(self, intent: Intent) -> Reply:
        return self.api.perform(intent)


async def in_memory(number: int) -> Life:
    world = Memory()
    life = Life(SEED, number, world)
    await life.begin()
    world.api.admission = True
    await life.live()
    return life


async def on_the_cluster() -> list[Life]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(doing: Awaitable[None]) -> None:
        async with gate:
            await doing

    async with connect("holdfast-policies") as api:
        world = Settled(Performer(api, SPACE, REGION))
        lives = [Life(SEED, number, world) for number in range(LIVES)]
        await asyncio.gather(*(gated(life.begin()) for life in lives))
        region(SPACE, {"profile": "safe"})
        assert await admission.until_in_force(api, SPACE) == ""
        await asyncio.gather(*(gated(life.live()) for life in lives))
        return lives


def test_the_api_server_decides_as_the_rules_in_memory_do() -> None:
    began = time.monotonic()
    real = asyncio.run(on_the_cluster())
    seconds = time.monotonic() - began
    why: Counter[str] = Counter()
    taken = 0
    for life in real:
        told = asyncio.run(in_memory(life.number))
        for here, there in zip(told.told, life.told, strict=True):
            assert here == there, f"life {life.number}: in memory, then on the cluster"
        for here, there in zip(told.refusals, life.refusals, strict=True):
            assert bool(here) == bool(there)
            why.update(word for word in REASONS if word in here)
            assert all(word in there for word in REASONS if word in here), there
        taken += sum(line.endswith("Deleted") or "-> Written" in line for line in life.told)
    refused, decisions = why.total(), sum(len(life.told) for life in real)
    print(f"\n{decisions} decisions, {taken} taken, {refused} refused, {seconds:.1f} s: {why}")
    assert decisions >= 500
    assert taken >= 200
    assert set(why) == REASONS
    assert min(why.values()) >= 10
    assert seconds < 60


def test_what_a_policy_refuses_is_told_from_everything_else() -> None:
    """The thin client's reply, by the message of a 403; an account without rights gets another."""

    async def attempt() -> tuple[Reply, int, str]:
        async with connect("holdfast-policies") as api:
            assert await admission.until_in_force(api, GUARDED) == ""
            perform = Performer(api, GUARDED, REGION)
            reply = await perform(Create(Alias("told", "told-p2", 1)))
            body = render(Alias("told", "told-p2", 1), GUARDED, REGION)
            answer = await api.create(path_of(Alias, GUARDED), body)
            return reply, answer.status, str(answer.body["reason"])

    reply, status, reason = asyncio.run(attempt())
    assert isinstance(reply, Rejected)
    assert reply.reason == ADMISSION_POLICY
    assert "told at 1 must be of type ExternalName and name told-p1." in reply.message
    assert (status, reason) == (403, "Forbidden")


# --- how long until it is in force ----------------------------------------------------------------

ROUNDS = 10


async def seconds_until_in_force(api: Api) -> float:
    """From the reply to the Region's creation to the last forbidden change that was sent after it
    and taken, by eight that ask all the time; 0 if there was none."""
    name = f"{GROUP_PATH}/namespaces/{FRESH}/regions"
    await api.delete(f"{name}/{REGION}")
    body = render(admission.FORBIDDEN, FRESH, REGION)

    async def taken() -> bool:
        return (await api.create(path_of(Alias, FRESH), body, dryRun="All")).ok

    while not await taken():
        await asyncio.sleep(0.01)
    last = [0.0]

    async def ask() -> None:
        while True:
            asked = time.monotonic()
            if not await taken():
                return
            last[0] = max(last[0], asked)

    asking = [asyncio.create_task(ask()) for _ in range(8)]
    await asyncio.sleep(0.05)
    spec = {"paused": True, "guards": {"profile": "safe"}}
    raw = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "Region", "spec": spec}
    await api.need("POST", name, {**raw, "metadata": {"name": REGION}})
    created = time.monotonic()
    await asyncio.gather(*asking)
    return max(0.0, last[0] - created)


def test_a_guard_is_in_force_soon_after_its_region_is_made() -> None:
    async def measure() -> list[float]:
        async with connect("holdfast-policies") as api:
            return [await seconds_until_in_force(api) for _ in range(ROUNDS)]

    found = asyncio.run(measure())
    print(f"\ntaken for so long after creation, ms: {sorted(round(1000 * s, 1) for s in found)}")
    assert max(found) < 5.0


def test_waiting_for_a_guard_ends_when_it_is_in_force_and_not_before() -> None:
    async def attempt() -> tuple[str, str]:
        async with connect("holdfast-policies") as api:
            name = f"{GROUP_PATH}/namespaces/{UNGUARDED}/regions/{REGION}"
            never = await admission.until_in_force(api, UNGUARDED, deadline=1.0)
            guard = {"spec": {"guards": {"dns": {"admission": "Enabled"}}}}
            soon = asyncio.create_task(admission.until_in_force(api, UNGUARDED))
            await asyncio.sleep(0.5)
            assert not soon.done()
            assert (await api.merge_patch(name, guard)).ok
            found = await soon
            guard["spec"]["guards"]["dns"]["admission"] = "Disabled"
            assert (await api.merge_patch(name, guard)).ok
            return never, found

    never, found = asyncio.run(attempt())
    assert never == "no policy in force after 1 s (201: it took a forbidden change)"
    assert found == ""


# --- what it costs --------------------------------------------------------------------------------

PUTS = 400
COST_MAX = 1.5
"""Of a guarded write of an alias, against the same where no Region is. Measured: 1.08 to 1.2."""


def test_a_guarded_write_costs_little_more() -> None:
    async def measure() -> dict[str, float]:
        async with connect("holdfast-policies") as api:
            assert await admission.until_in_force(api, GUARDED) == ""
            worlds = {s: Performer(api, s, REGION) for s in (NO_REGION, UNGUARDED, GUARDED)}
            took: dict[str, list[float]] = {space: [] for space in worlds}
            live: dict[str, Alias] = {}
            for space, perform in worlds.items():
                reply = await perform(Create(Alias("cost", "cost-p1", 1)))
                assert isinstance(reply, Written), reply
                assert isinstance(reply.obj, Alias)
                live[space] = reply.obj
            for turn in range(PUTS):
                for space, perform in worlds.items():
                    was = live[space]
                    wanted = Alias("cost", f"cost-p{turn + 2}", turn + 2)
                    fenced = Replace(
                        Alias(
                            "cost",
                            wanted.target,
                            wanted.generation,
                            uid=was.uid,
                            resource_version=was.resource_version,
                        )
                    )
                    began = time.perf_counter()
                    reply = await perform(fenced)
                    took[space].append(time.perf_counter() - began)
                    assert isinstance(reply, Written), reply
                    assert isinstance(reply.obj, Alias)
                    live[space] = reply.obj
            return {space: statistics.median(t) for space, t in took.items()}

    found = asyncio.run(measure())
    print({space: f"{1000 * seconds:.2f} ms" for space, seconds in found.items()})
    assert found[GUARDED] <= COST_MAX * found[NO_REGION]
