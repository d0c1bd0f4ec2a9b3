"""The lease manager's role beside its attempts: what it makes, mends and says of leases."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from lease_shelf import ZONE, Shelf

from holdfast.core.leases.attempt import Attempt, Outcome
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.lease import DropletLease, Lease, may_take
from holdfast.core.leases.manager import Manager
from holdfast.core.reasons import Notice, Reason
from holdfast.core.region import region_of
from holdfast.live import lease_book
from holdfast.live.api import Answer, ApiError
from holdfast.live.lease_book import FUTURE_SECONDS
from holdfast.live.lease_calls import LeaseCalls
from holdfast.live.lease_role import LeaseManager
from holdfast.live.lease_wire import by_a_hand, digest, parse_lease, stamp
from holdfast.live.watch import follow

ME, OTHER = f"{ZONE}/me", f"{ZONE}/other"
SPEC = {"fleet": {"droplets": 2, "durationSeconds": 9}, "guards": {"profile": "safe"}}
RAW = {"metadata": {"name": "us-east-1", "namespace": "ns", "uid": "region"}, "spec": SPEC}
FLEET = Fleet(droplets=2)
FIRST, SECOND = FLEET.names(ZONE)
YEAR_9999 = "9999-12-31T23:59:59.000000Z"


class Stage:
    """A manager over a shelf. Its watch is the test's: `see` shows it what is there."""

    def __init__(self) -> None:
        self.shelf, self.heard = Shelf(), list[Notice]()
        region = region_of("ns", "us-east-1", SPEC)
        api: Any = self.shelf
        self.role = LeaseManager(api, ZONE, ME, region, RAW)
        self.role._book._tell = self.heard.append
        self.role._index = {FIRST: 0, SECOND: 1}
        self.role._book.synced = True

    def see(self, raw: dict[str, Any]) -> None:
        told = digest(raw)
        self.role._book.seen(told["value"], told["hand"])

    def there(self, name: str = FIRST) -> Lease:
        return parse_lease(self.shelf.leases[name])

    async def held(self) -> None:
        """Both leases made, and held by us since a second ago."""
        await self.role._book.make(FLEET)
        for name in (FIRST, SECOND):
            now = self.role.clock() - 1.0
            mine = replace(self.there(name), holder=ME, agent="a", phase="Held", transitions=1)
            await self.role._book.write(replace(mine, acquired=now, renewed=now))

    async def settle(self) -> None:
        while self.role._tasks:
            await asyncio.gather(*self.role._tasks)

    @property
    def reasons(self) -> list[Reason]:
        return [n.reason for n in self.heard]


def on(story: Callable[[Stage], Awaitable[None]], seconds: float = 5) -> None:
    async def play() -> None:
        async with asyncio.timeout(seconds):
            await story(Stage())

    asyncio.run(play())


# --- making


def test_what_is_missing_is_made_once() -> None:
    async def story(stage: Stage) -> None:
        await stage.role._book.make(FLEET)
        await stage.role._book.make(FLEET)
        assert stage.shelf.sent == [("POST", FIRST), ("POST", SECOND)]
        assert stage.heard == []

    on(story)


def test_one_lost_answer_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_book, "ANSWER_SECONDS", 0.05)

    async def story(stage: Stage) -> None:
        stage.shelf.lost = 1
        await stage.role._book.make(FLEET)
        assert set(stage.role._book.leases) == {SECOND}
        await stage.role._book.make(FLEET)  # it is there after all: it is read
        assert stage.shelf.sent[-2:] == [("POST", FIRST), ("GET", FIRST)]
        assert set(stage.role._book.leases) == {FIRST, SECOND}

    on(story)


def test_a_lease_that_was_deleted_is_made_anew_and_then_told() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        stage.role._book.deleted(parse_lease(stage.shelf.delete(FIRST)))
        assert stage.heard == [], "it may only have lost its labels"
        await stage.role._book.make(FLEET)
        assert stage.reasons == [Reason.LEASE_DELETED]
        assert stage.there().holder == ""

    on(story)


def test_a_lease_whose_labels_were_taken_off_gets_them_back() -> None:
    """It is out of the watch's sight, which tells that it was deleted."""

    async def story(stage: Stage) -> None:
        await stage.held()
        stage.shelf.take_labels_off(FIRST)
        stage.role._book.deleted(stage.role._book.leases[FIRST])
        await stage.role._book.make(FLEET)
        assert stage.shelf.leases[FIRST]["metadata"]["labels"]["holdfast.dev/zone"] == ZONE
        assert stage.reasons == [Reason.LEASE_EDITED]
        assert "labels" in stage.heard[0].message
        assert stage.role._book.leases[FIRST].holder == ME

    on(story)


# --- hands


@pytest.mark.parametrize(
    "spec",
    [
        {"holder": OTHER},
        {"renewed": YEAR_9999},
        {"holder": OTHER, "renewed": YEAR_9999},
        {"durationSeconds": 86400},
    ],
)
@pytest.mark.parametrize("later", [0.0, 5.0])
def test_an_edit_of_ours_is_written_back(spec: dict[str, Any], later: float) -> None:
    """In the very second of our own write, too."""

    async def story(stage: Stage) -> None:
        await stage.held()
        before = stage.there()
        stage.see(stage.shelf.edit(FIRST, time.time() + later, **spec))
        await stage.settle()
        after = stage.there()
        assert replace(after, resource_version="") == replace(before, resource_version="")
        assert stage.reasons == [Reason.LEASE_EDITED]

    on(story)


def test_transitions_count_on_from_what_a_hand_has_made_them() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        stage.see(stage.shelf.edit(FIRST, transitions=1000))
        await stage.settle()
        assert stage.there().transitions == 1000

    on(story)


def test_a_holder_that_was_taken_out_is_a_hands_work_although_nobody_owns_the_field() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        raw = copy.deepcopy(stage.shelf.leases[FIRST])
        del raw["spec"]["holder"]
        stage.shelf._store(FIRST, raw, "")
        stage.see(copy.deepcopy(stage.shelf.leases[FIRST]))
        await stage.settle()
        assert stage.there().holder == ME
        assert stage.reasons == [Reason.LEASE_EDITED]

    on(story)


def test_our_own_renewal_is_no_edit_whoever_has_written_in_its_second() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        raw = stage.shelf.edit(FIRST, renewed=stamp(stage.role.clock() - 0.5))
        assert by_a_hand(raw)
        stage.see(raw)
        assert (stage.heard, stage.role._tasks) == ([], set())

    on(story)


def test_what_another_manager_has_taken_is_its_own() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        raw = copy.deepcopy(stage.shelf.leases[FIRST])
        raw["spec"]["holder"] = OTHER
        stage.shelf._store(FIRST, raw, "holdfast-leases-us-east-1a")
        stage.see(copy.deepcopy(stage.shelf.leases[FIRST]))
        assert (stage.heard, stage.role._tasks) == ([], set())

    on(story)


# --- stamps that are ahead


def test_a_lease_of_the_future_is_none() -> None:
    async def story(stage: Stage) -> None:
        now = stage.role.clock()
        lease = DropletLease(FIRST, ZONE, 1, 9.0, holder=OTHER, acquired=now, renewed=now)

        def may(**changed: Any) -> bool:
            return may_take(stage.role._book.worth(replace(lease, **changed)), ME, now)

        assert not may()
        assert not may(renewed=now + 600.0), "their clock may be wrong, or ours"
        assert may(renewed=now + FUTURE_SECONDS + 60.0)
        ours = stage.role._book.worth(replace(lease, holder=ME, renewed=now + 600.0))
        assert ours.expires < now, "our clock has gone back: it is acquired anew"
        near = replace(lease, holder=ME, renewed=now + 1.0)
        assert stage.role._book.worth(near) == near

    on(story)


def test_what_is_stamped_with_the_last_second_there_is_can_be_said_to_have_run_out() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        raw = stage.shelf.edit(FIRST, renewed=YEAR_9999, holder=OTHER)
        stage.role._book.leases[FIRST] = parse_lease(raw)
        await stage.role._book.say_expired("")
        assert stage.there().phase == "Expired"

    on(story)
    assert stamp(1e15) == YEAR_9999


# --- attempts


class Calls:
    """Performs attempts without anything around them: what comes of each is given."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self._outcomes = list(outcomes)

    async def drive(self, flow: Attempt) -> Outcome:
        flow.close()
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def one_attempt(stage: Stage, calls: Any) -> Manager:
    """Of the first lease."""
    role = stage.role
    assert role.region.fleet is not None
    guards, now = role.region.lease_guards, role._now()
    manager = Manager(role.region.fleet, guards, (FIRST, SECOND), now, lambda: 0.5)
    role._manager = manager
    manager.beat(now)
    taken = manager.take(now)
    assert taken is not None
    assert manager.names[taken.work.unit] == FIRST
    await role._attempt(manager, calls, taken)
    return manager


def test_a_conflict_of_which_the_watch_has_not_told_is_read() -> None:
    """A watch that is behind, or that told of a deletion before what was before it."""

    async def story(stage: Stage) -> None:
        await stage.held()
        stage.shelf.edit(FIRST, time.time() + 5, holder=OTHER)
        manager = await one_attempt(stage, Calls(Outcome("WriteConflict", told="Conflict")))
        await stage.settle()
        assert stage.reasons == [Reason.LEASE_EDITED]
        assert manager.figures.conflicts == 1
        stage.shelf.delete(FIRST)
        await one_attempt(stage, Calls(Outcome("WriteConflict", told="Absent")))
        assert FIRST not in stage.role._book.leases, "it is made anew"

    on(story)


def test_an_attempt_that_breaks_off_leaves_its_worker_free() -> None:
    async def story(stage: Stage) -> None:
        await stage.held()
        with pytest.raises(KeyError):
            await one_attempt(stage, Calls(KeyError("metadata")))
        assert stage.role._manager is not None
        assert stage.role._manager.under_way == 0
        assert stage.role._manager.figures.failed == 1

    on(story)


def test_a_lease_that_ran_out_after_the_check_was_queued_is_not_taken() -> None:
    """The role says when it was queued; what the flow makes of that is the flow's."""

    class Unasked:
        async def drive(self, flow: Attempt) -> Outcome:
            with pytest.raises(StopIteration) as stop:
                next(flow)
            outcome: Outcome = stop.value.value
            return outcome

    async def story(stage: Stage) -> None:
        await stage.held()
        now = stage.role.clock()
        theirs = replace(stage.role._book.leases[FIRST], holder=OTHER, renewed=now - 8.99)
        stage.role._book.leases[FIRST] = theirs
        manager = await one_attempt(stage, Unasked())
        assert manager.figures.theirs == 1

    on(story)


# --- reports


def test_a_manager_that_has_nothing_new_reports_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last words stand there when it is gone: they bear a time."""

    async def story(stage: Stage) -> None:
        role, times = stage.role, iter([100.0, 104.0, 105.5])
        role._manager = Manager(FLEET, role.region.lease_guards, (FIRST, SECOND), 1e9, lambda: 0.5)
        monkeypatch.setattr(role, "_now", lambda: next(times))
        monkeypatch.setattr(role._notices, "look", lambda *_: None)
        for _ in range(3):
            await role._tell()
        first, then = stage.shelf.told
        assert {k: v for k, v in first.items() if k != "reported"} == {
            k: v for k, v in then.items() if k != "reported"
        }
        assert first["reported"] <= then["reported"] <= stamp(time.time() + 1)

    on(story)


# --- watches that end


class Watched:
    """Every watch ends at once: with 410, or without a word."""

    def __init__(self, told: int | None, events: int = 0) -> None:
        self.listings = self.watches = 0
        self._told, self._events = told, events

    async def need(self, *_: Any, **__: Any) -> dict[str, Any]:
        self.listings += 1
        return {"items": [], "metadata": {"resourceVersion": "7"}}

    async def stream(self, path: str, **_: str) -> AsyncIterator[dict[str, Any]]:
        self.watches += 1
        for _ in range(self._events):
            yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}}
        if self._told:
            raise ApiError("WATCH", path, self._told, {})


def watched(api: Any, seconds: float = 1.3) -> None:
    async def listen() -> None:
        try:
            async with asyncio.timeout(seconds):
                async for _ in follow(api, "/things"):
                    pass
        except TimeoutError:
            pass

    asyncio.run(listen())


@pytest.mark.parametrize("told", [410, None])
def test_watches_that_end_at_once_are_asked_for_ever_more_seldom(told: int | None) -> None:
    api = Watched(told)
    watched(api)
    assert 2 <= max(api.listings, api.watches) <= 5


def test_an_event_that_came_begins_the_pauses_anew() -> None:
    api = Watched(410, events=1)
    watched(api)
    assert api.listings >= 6


def test_a_put_without_an_answer_is_given_up_with_the_period() -> None:
    """Or it would hold a worker, and keep the heartbeats of its lease out."""

    class Silent:
        async def replace(self, *_: Any) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

    async def story() -> None:
        spec = {"fleet": {"heartbeatMilliseconds": 100, "timeoutMilliseconds": 50}}
        api: Any = Silent()
        region = region_of("ns", "us-east-1", spec)
        calls = LeaseCalls(api, region, "region", tuple, dict, time.time)
        try:
            async with asyncio.timeout(2):
                assert (await calls._put("/x", {})).status == 0
        finally:
            await calls.close()

    asyncio.run(story())
