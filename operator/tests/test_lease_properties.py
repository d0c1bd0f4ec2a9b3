"""What holds of a lease manager whatever its guards are and whatever happens to it, when."""

from dataclasses import replace
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.guards import (
    Concurrency,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    OnStart,
    Order,
    QueueAdmission,
    Retry,
)
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.manager import End, Manager, Taken
from holdfast.core.leases.rules import BUDGET_MAX, RETRY_BUDGET, queue_bound

RUNGS = st.builds(
    LeaseGuards,
    *map(
        st.sampled_from,
        (QueueAdmission, Expired, Dedupe, Retry, Order, Concurrency, Grace, OnStart),
    ),
)
FLEETS = st.builds(
    Fleet,
    droplets=st.integers(1, 6),
    workers=st.integers(1, 4),
    period=st.sampled_from([0.1, 1.0, 3.0]),
    timeout=st.sampled_from([0.3, 1.0]),
    admit_at_most=st.sampled_from([None, None, 0, 3]),
)
ENDS: tuple[End, ...] = ("held", "late", "failed", "conflict", "theirs")
Event: TypeAlias = tuple[str, float, int, End]
EVENTS: st.SearchStrategy[list[Event]] = st.lists(
    st.tuples(
        st.sampled_from(["beat", "beat", "take", "take", "ended", "ended", "know", "restart"]),
        st.sampled_from([0.0, 0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 2.95, 3.0, 30.0]),
        st.integers(0, 5),
        st.sampled_from(ENDS),
    ),
    max_size=60,
)


class World:
    """A manager, and what a naive onlooker knows of it."""

    def __init__(self, fleet: Fleet, rungs: LeaseGuards) -> None:
        self.fleet, self.rungs, self.now = fleet, rungs, 0.0
        names = fleet.names("us-east-1a")
        self.manager = Manager(fleet, rungs, names, 0.0, lambda: 0.5)
        self.under_way: list[Taken] = []
        self.told = [0.0] * len(names)
        self.beats = 0

    def happen(self, event: Event) -> None:
        what, later, number, end = event
        self.now += later
        unit = number % len(self.told)
        match what:
            case "beat":
                self.manager.beat(self.now)
                assert self.manager.wake() > self.now
                self.beats += len(self.told)  # at most: each once, however long it slept
            case "take":
                one = self.manager.take(self.now)
                if one is not None:
                    self.took(one)
            case "ended" if self.under_way:
                one = self.under_way.pop(number % len(self.under_way))
                self.manager.ended(one, end, self.now, self.now + 5.0)
                if end == "held":
                    self.told[one.work.unit] = self.now + 5.0
            case "know":
                self.told[unit] = 0.0 if end == "theirs" else self.now + 4.0
                self.manager.know(unit, self.told[unit], self.now)
            case "restart":
                self.manager.restart(self.now)
        self.judge()

    def took(self, one: Taken) -> None:
        self.under_way.append(one)
        assert one.deadline == one.work.queued + self.fleet.timeout
        assert one.age == self.now - one.work.queued >= 0
        if self.rungs.expired is Expired.DROP:
            assert self.now + one.cost <= one.deadline

    def judge(self) -> None:
        manager, fleet = self.manager, self.fleet
        assert manager.under_way == len(self.under_way) <= fleet.workers
        assert 1 <= manager.limit <= fleet.workers
        bounded = self.rungs.admission is QueueAdmission.QUEUE_BOUND
        lines = 2 if self.rungs.order is Order.RENEWALS_FIRST else 1
        if bounded:
            assert len(manager.queue) <= lines * queue_bound(fleet)
        if fleet.admit_at_most is not None:
            assert len(manager.queue) <= lines * fleet.admit_at_most
        if self.rungs.dedupe is Dedupe.BY_DROPLET:
            at_work = [t.work.unit for t in self.under_way]
            assert len(set(at_work)) == len(at_work)
        assert manager.held(self.now) == sum(expires > self.now for expires in self.told)
        if self.rungs.retry is Retry.BUDGETED_JITTER:
            saved = BUDGET_MAX * (1 + manager.figures.restarts)
            assert manager.figures.retried <= saved + RETRY_BUDGET * self.beats + 1e-6

    def waiting(self) -> list[int]:
        """Who waits; takes them out."""
        found = []
        while (work := self.manager.queue.take()) is not None:
            found.append(work.unit)
        return found


@settings(max_examples=300, deadline=None)
@given(FLEETS, RUNGS, EVENTS)
def test_whatever_happens(fleet: Fleet, rungs: LeaseGuards, events: list[Event]) -> None:
    world = World(fleet, rungs)
    for event in events:
        world.happen(event)
    waiting = world.waiting()
    if rungs.dedupe is Dedupe.BY_DROPLET:
        assert len(set(waiting)) == len(waiting)


@settings(max_examples=200, deadline=None)
@given(FLEETS, RUNGS, EVENTS, st.sampled_from([1.0, 3.0]))
def test_nothing_is_lost_without_being_counted(
    fleet: Fleet, rungs: LeaseGuards, events: list[Event], period: float
) -> None:
    """Whatever was due is waiting, under way, has ended, or stands among the figures: each unit's
    heartbeat once for each time that its moment has passed, however many periods ago."""
    rungs = replace(rungs, on_start=OnStart.SPREAD, retry=Retry.IMMEDIATE, grace=Grace.NONE)
    world = World(replace(fleet, period=period), rungs)
    count, beats = len(world.told), 0
    due = [period / count * unit for unit in range(count)]
    for event in events:
        if event[0] == "restart":
            continue
        world.happen(event)
        if event[0] == "beat":
            beats += sum(at <= world.now for at in due)
            due = [_after(at, world.now, period) for at in due]
    figures = world.manager.figures
    ended = figures.succeeded + figures.late + figures.failed + figures.conflicts + figures.theirs
    refused = figures.full + figures.throttled + figures.deduped + figures.dropped
    assert figures.started == ended + len(world.under_way)
    waiting = len(world.manager.queue)
    assert figures.started + refused + waiting == beats + figures.retried


def _after(due: float, now: float, period: float) -> float:
    while due <= now:
        due += period
    return due
