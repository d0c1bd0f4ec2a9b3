"""A lease manager event by event: what each rung of its guards does, and what it believes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from lease_drive import INCIDENT, Drive, always, begun, guards, half

from holdfast.core.guards import AWS_LEASES, SAFE_LEASES, LeaseGuards
from holdfast.core.leases.attempt import Outcome
from holdfast.core.leases.fleet import CostOf, Fleet
from holdfast.core.leases.manager import End, Manager, Taken, end_of

SMALL = Fleet(droplets=4)
NAMES = SMALL.names("us-east-1a")


def made(
    rungs: LeaseGuards | None = None,
    fleet: Fleet = SMALL,
    held: bool = True,
    chance: Callable[[], float] = half,
) -> Manager:
    """A manager at 0 s that holds all of its leases until 9 s, or none."""
    names = fleet.names("us-east-1a")
    manager = Manager(fleet, rungs or guards(onStart="Spread"), names, 0.0, chance)
    if held:
        for unit in range(len(names)):
            manager.know(unit, fleet.duration, 0.0)
    return manager


def taken(manager: Manager, now: float) -> list[Taken]:
    """All that free workers get."""
    found = []
    while (one := manager.take(now)) is not None:
        found.append(one)
    return found


def units(works: Sequence[Taken]) -> list[int]:
    return [t.work.unit for t in works]


def all_ended(manager: Manager, now: float, end: End = "held") -> list[int]:
    """Which units were taken, and ended so at once."""
    found = taken(manager, now)
    for one in found:
        manager.ended(one, end, now, now + 9.0)
    return units(found)


def once(manager: Manager, now: float, end: End, expires: float = 0.0) -> Taken:
    """The next of the queue taken and ended at once."""
    one = manager.take(now)
    assert one is not None
    manager.ended(one, end, now, expires)
    return one


# --- heartbeats


def test_heartbeats_come_one_by_one_and_keep_their_moment_of_the_period() -> None:
    manager = made()
    seen = []
    while (now := manager.wake()) < 6.0:
        manager.beat(now)
        seen += [(now, unit) for unit in all_ended(manager, now)]
    assert seen == [
        (0.0, 0),
        (0.75, 1),
        (1.5, 2),
        (2.25, 3),
        (3.0, 0),
        (3.75, 1),
        (4.5, 2),
        (5.25, 3),
    ]


def test_a_manager_that_was_stopped_for_long_skips_what_it_slept_through() -> None:
    """And whoever has come late together does not stay together: that would be a burst for ever."""
    manager = made()
    manager.beat(0.0)
    manager.queue.clear()
    manager.beat(1000.0)
    assert sorted(units(taken(manager, 1000.0))) == [0, 1, 2, 3]
    gaps, before = [], 1000.0
    for _ in range(8):
        now = manager.wake()
        manager.queue.clear()
        manager.beat(now)
        assert len(manager.queue) == 1
        gaps.append(now - before)
        before = now
    assert gaps[1:] == [pytest.approx(0.75)] * 7


def test_a_moment_that_is_no_binary_fraction_is_one_heartbeat_too() -> None:
    """0.5 // 0.1 is 4."""
    manager = made(fleet=Fleet(droplets=1, period=0.1))
    manager.beat(0.5)
    assert (len(manager.queue), manager.wake()) == (1, pytest.approx(0.6))


def test_a_shorter_period_is_obeyed_from_the_next_heartbeat_on() -> None:
    manager = made()
    manager.beat(0.0)
    manager.obey(replace(SMALL, period=1.0), manager.guards)
    times: list[tuple[float, int]] = []
    while (now := manager.wake()) < 4.0:
        manager.queue.clear()
        manager.beat(now)
        times += [(now, unit) for unit in all_ended(manager, now)]
    assert [t for t, unit in times if unit == 0] == [3.0]
    assert [t for t, unit in times if unit == 1] == [0.75, 1.75, 2.75, 3.75]


# --- on start


def joined_at_once(manager: Manager, now: float) -> int:
    manager.beat(now)
    return len(manager.queue)


def test_relist_all_queues_everything_at_once_and_only_then() -> None:
    manager = made(guards(), INCIDENT)
    assert joined_at_once(manager, 0.0) == 40
    each = []
    for _ in range(80):
        manager.queue.clear()
        each.append(joined_at_once(manager, manager.wake()))
    assert each == [1] * 80


def test_spread_queues_everything_once_over_a_period() -> None:
    manager = made(guards(onStart="Spread"), INCIDENT)
    assert joined_at_once(manager, 0.0) == 1
    assert joined_at_once(manager, 1.5) == 21
    assert joined_at_once(manager, 2.99) == 40


def test_a_new_fleet_is_built_up_with_half_of_the_workers() -> None:
    """40 leases of 0.5 s each, for 2 workers: 10 s; from then on a heartbeat a period."""
    manager = Manager(INCIDENT, guards(), INCIDENT.names("z"), 0.0, half, is_new=True)
    assert joined_at_once(manager, 0.0) == 1
    manager.beat(2.9)
    assert len(manager.queue) + manager.figures.full == 12, "or refused: its birth is bounded"
    drive = Drive(Manager(INCIDENT, guards(), INCIDENT.names("z"), 0.0, half, is_new=True), always)
    assert drive.until(60).stays_whole(10.3)


@pytest.mark.parametrize(("rung", "at_once"), [("RelistAll", 40), ("Spread", 1)])
def test_a_restart_is_a_start(rung: str, at_once: int) -> None:
    """What waited is gone, and counted; what is held stays, for it is read again."""
    manager = made(guards(onStart=rung), INCIDENT)
    manager.beat(2.9)
    waited = len(manager.queue)
    manager.restart(3.5)
    assert len(manager.queue) == 0
    assert joined_at_once(manager, 3.5) == at_once
    assert (manager.figures.dropped, manager.figures.restarts) == (waited, 1)
    assert manager.held(3.5) == 40


def test_a_restart_forgets_retries_limits_and_the_dark() -> None:
    manager = made(guards("safe"))
    manager.beat(0.0)
    once(manager, 0.1, "failed")
    manager.beat(0.75)
    once(manager, 0.8, "late")
    once(manager, 0.8, "failed")
    assert (manager.limit, manager.wake()) == (2.0, pytest.approx(0.9))
    manager.restart(0.85)
    manager.beat(1.0)
    assert (manager.limit, len(manager.queue)) == (4.0, 1)
    manager.queue.clear()
    manager.beat(6.0)
    once(manager, 6.0, "held", 15.0)
    assert manager.figures.resets == 0


# --- what is taken, and when it counts


def test_as_aws_ran_it_a_unit_waits_as_often_as_it_was_queued_first_come_first() -> None:
    manager = made(fleet=replace(SMALL, workers=8))
    for now in (0.0, 2.9, 5.9):
        manager.beat(now)
    found = taken(manager, 5.9)
    assert units(found) == [0, 1, 2, 3, 0, 1, 2, 3]
    assert [t.work.queued for t in found] == [0.0, *[2.9] * 3, *[5.9] * 4]
    assert [t.deadline for t in found][:2] == [1.0, 3.9]
    assert found[0].age == pytest.approx(5.9)


def test_its_deadline_runs_from_its_queueing() -> None:
    manager = made()
    manager.beat(0.0)
    found = manager.take(0.5)
    assert found is not None
    assert (found.deadline, found.age, found.cost) == (1.0, 0.5, 0.05)


def test_what_it_costs_is_decided_when_it_is_taken() -> None:
    manager = made()
    manager.beat(8.9)
    assert manager.take(8.95) is not None
    lost = manager.take(9.0)
    assert lost is not None
    assert (lost.work.establishes, lost.cost) == (False, 0.5)


def test_a_dearer_call_downstream_is_told_by_what_is_under_way() -> None:
    manager = made(fleet=replace(SMALL, cost_of=CostOf.DOWNSTREAM, cost_scale=2.0))
    manager.beat(2.9)
    assert [t.cost for t in taken(manager, 2.9)] == pytest.approx([0.05, 0.075, 0.1, 0.125])


def test_no_more_are_under_way_than_workers() -> None:
    manager = made(fleet=replace(SMALL, workers=3))
    manager.beat(2.9)
    assert len(taken(manager, 2.9)) == manager.under_way == 3


@pytest.mark.parametrize(
    ("rung", "begun_", "vain", "dropped"), [("DoAnyway", 4, 4, 0), ("Drop", 1, 0, 4)]
)
def test_what_cannot_end_in_time(rung: str, begun_: int, vain: int, dropped: int) -> None:
    """At 3.48 s, what was queued at 2.5 s has 0.02 s left: not even a renewal fits."""
    manager = made(guards(onStart="Spread", expired=rung))
    manager.beat(2.5)
    manager.beat(3.0)
    assert len(taken(manager, 3.48)) == begun_
    assert (manager.figures.vain, manager.figures.dropped) == (vain, dropped)


def test_drop_looks_at_what_the_work_needs() -> None:
    """0.5 s are left: enough to renew; to establish exactly enough, and 0.01 s later no more."""
    for now, held, fits in ((0.5, True, 1), (0.5, False, 1), (0.51, True, 1), (0.51, False, 0)):
        manager = made(guards(onStart="Spread", expired="Drop"), held=held)
        manager.beat(0.0)
        assert len(taken(manager, now)) == fits


def test_the_bound_refuses_and_counts_what_the_workers_could_not_do_in_time() -> None:
    manager = made(guards(admission="QueueBound"), INCIDENT)
    manager.beat(0.0)
    assert (len(manager.queue), manager.figures.full) == (6, 34)
    assert len(taken(manager, 0.0)) == 4
    manager.beat(0.5)
    assert (len(manager.queue), manager.queue.bound) == (2, 6)


def test_a_humans_throttle_admits_so_many_and_is_taken_back() -> None:
    manager = made(guards(), INCIDENT)
    manager.obey(replace(INCIDENT, admit_at_most=6), manager.guards)
    manager.beat(0.0)
    assert (len(manager.queue), manager.figures.throttled) == (6, 35 - 1)
    manager.obey(INCIDENT, manager.guards)
    manager.beat(1.5)
    assert len(manager.queue) == 6 + 20


def test_dedupe_keeps_a_unit_from_waiting_beside_itself_under_way() -> None:
    manager = made(guards(onStart="Spread", dedupe="ByDroplet"), replace(SMALL, workers=8))
    manager.beat(0.0)
    first = manager.take(0.0)
    manager.beat(3.0)
    manager.beat(6.0)
    assert first is not None
    assert sorted(units(taken(manager, 6.0))) == [1, 2, 3]
    assert manager.figures.deduped == 4 + 1
    manager.ended(first, "held", 6.0, 15.0)
    manager.beat(9.0)
    assert units(taken(manager, 9.0)) == [0]


def test_renewals_go_before_what_is_lost() -> None:
    manager = made(guards(onStart="Spread", order="RenewalsFirst"), held=False)
    for unit in (1, 3):
        manager.know(unit, 9.0, 0.0)
    manager.beat(2.9)
    assert units(taken(manager, 2.9)) == [1, 3, 0, 2]


# --- retries


def test_an_immediate_retry_waits_at_the_end_with_a_deadline_of_its_own() -> None:
    manager = made()
    manager.beat(1.5)
    once(manager, 1.6, "failed")
    found = taken(manager, 1.6)
    assert [(t.work.unit, t.work.tries, t.deadline) for t in found] == [
        (1, 0, 2.5),
        (2, 0, 2.5),
        (0, 1, 2.6),
    ]
    assert manager.figures.retried == 1


def test_a_retry_with_a_budget_waits_for_its_back_off() -> None:
    manager = made(guards(onStart="Spread", retry="BudgetedJitter"))
    manager.beat(0.0)
    once(manager, 0.1, "failed")
    assert manager.take(0.1) is None
    assert manager.wake() == pytest.approx(0.2)
    manager.beat(0.2)
    again = manager.take(0.2)
    assert again is not None
    assert (again.work.unit, again.work.tries, again.work.queued) == (0, 1, 0.2)
    manager.ended(again, "failed", 0.25)
    assert manager.wake() == pytest.approx(0.45)


def test_retries_of_one_unit_that_are_due_at_the_same_moment() -> None:
    rungs = guards(retry="BudgetedJitter")
    manager = made(rungs, replace(SMALL, droplets=1), chance=lambda: 0.0)
    manager.beat(0.0)
    once(manager, 0.0, "failed")
    manager.beat(3.0)
    assert all_ended(manager, 3.0, "failed") == [0, 0]
    manager.beat(3.0)
    assert sorted(t.work.tries for t in taken(manager, 3.0)) == [1, 2]


@pytest.mark.parametrize("end", ["failed", "late", "conflict"])
def test_without_a_budget_left_it_waits_for_the_next_heartbeat(end: End) -> None:
    """Ten may be saved up; each heartbeat adds a tenth."""
    manager = made(guards(onStart="Spread", retry="BudgetedJitter"), chance=lambda: 0.0)
    manager.beat(0.0)
    for _ in range(11):
        once(manager, 0.0, end)
        manager.beat(0.0)
    assert (manager.figures.retried, manager.figures.denied_retries) == (10, 1)
    assert manager.take(0.0) is None


def test_no_more_than_ten_retries_are_saved_up() -> None:
    manager = made(guards(onStart="Spread", retry="BudgetedJitter"), chance=lambda: 0.0)
    for n in range(200):
        manager.beat(3.0 * n)
        all_ended(manager, 3.0 * n)
    for _ in range(20):
        manager.beat(600.0)
        all_ended(manager, 600.0, "failed")
    assert (manager.figures.retried, manager.figures.denied_retries) == (10, 4)


def test_what_is_anothers_is_not_retried() -> None:
    manager = made()
    manager.beat(0.0)
    once(manager, 0.1, "theirs")
    assert (manager.take(0.1), manager.figures.theirs) == (None, 1)


def test_however_much_fails_a_budget_keeps_the_work_at_a_tenth_more() -> None:
    fleet = replace(INCIDENT, workers=400)
    storm = begun(fleet, guards(retry="Immediate"), never).until(300)
    calm = begun(fleet, guards(retry="BudgetedJitter"), never).until(300)
    beats = 300 / fleet.period * fleet.units + fleet.units
    assert calm.manager.figures.started <= 1.1 * beats + 10
    assert calm.manager.figures.denied_retries > 0
    assert storm.manager.figures.started > 10 * beats


def never(now: float) -> bool:
    return not always(now)


# --- adaptive concurrency


def test_the_limit_grows_by_one_a_round_and_halves_on_a_miss() -> None:
    manager = made(guards("safe"), held=False)
    steps: list[tuple[End, float]] = [
        ("held", 4.0),
        ("late", 2.0),
        ("late", 1.0),
        ("late", 1.0),
        ("held", 2.0),
        ("held", 2.5),
        ("conflict", 2.5),
        ("theirs", 2.5),
        ("failed", 2.5),
        ("held", 2.9),
    ]
    for n, (end, limit) in enumerate(steps):
        manager.queue.clear()
        manager.beat(3.0 * n)
        once(manager, 3.0 * n, end, 3.0 * n + 9)
        assert manager.limit == pytest.approx(limit)


def test_the_limit_is_what_is_taken() -> None:
    manager = made(guards("safe", admission="Unlimited"))
    manager.beat(0.0)
    once(manager, 0.0, "late")
    manager.beat(3.0)
    assert (manager.limit, len(taken(manager, 3.0))) == (2.0, 2)


def test_a_fixed_limit_is_the_workers() -> None:
    manager = made()
    manager.beat(0.0)
    once(manager, 0.0, "late")
    assert manager.limit == 4.0


def test_fewer_workers_are_obeyed_at_once_and_more_are_grown_into() -> None:
    manager = made(guards("safe"))
    manager.obey(replace(SMALL, workers=2), manager.guards)
    assert manager.limit == 2.0
    manager.obey(replace(SMALL, workers=8), manager.guards)
    assert manager.limit == 2.0
    manager.obey(replace(SMALL, workers=8), guards("safe", concurrency="Fixed"))
    assert manager.limit == 8.0


# --- grace


def darkened(now: float, rungs: LeaseGuards) -> Manager:
    """A manager whose checks have failed since 0 s, with all that was due in a period waiting."""
    manager, at = made(rungs), 0.0
    while at <= now - 3.0:
        manager.beat(at)
        all_ended(manager, at, "failed")
        manager.queue.clear()
        at += 0.25
    manager.beat(now)
    return manager


GRACE = guards(onStart="Spread", grace="ResetTimers")


@pytest.mark.parametrize("end", ["held", "late"])
@pytest.mark.parametrize(("now", "resets"), [(3.5, 0), (3.9, 0), (4.0, 1), (30.0, 1)])
def test_timers_are_reset_when_it_was_dark_for_a_period_and_the_timeout(
    now: float, resets: int, end: End
) -> None:
    """A late answer, too, says that what was gone is back."""
    manager = darkened(now, GRACE)
    waited, again = len(manager.queue) - 1, int(end == "late")
    once(manager, now, end, now + 9.0)
    assert manager.figures.resets == resets
    if resets:
        assert (len(manager.queue), manager.figures.dropped) == (again, waited)
        manager.beat(now + 2.9)
        assert len(manager.queue) == 4 + again
    else:
        assert len(manager.queue) == waited + again


def test_what_ran_out_in_the_dark_is_renewed_and_not_established() -> None:
    manager = darkened(30.0, GRACE)
    assert manager.held(30.0) == 0
    assert [t.cost for t in taken(manager, 30.0)] == [0.05] * 4


def test_forgiveness_ends_with_the_first_success() -> None:
    manager = darkened(30.0, GRACE)
    once(manager, 30.0, "held", 31.0)
    manager.beat(33.0)
    costs = {t.work.unit: t.cost for t in taken(manager, 33.0)}
    assert sorted(costs.values()) == [0.05, 0.05, 0.05, 0.5]


def test_what_another_took_is_not_forgiven() -> None:
    manager = made(GRACE)
    manager.know(0, 0.0, 1.0)
    manager.beat(1.0)
    assert [t.cost for t in taken(manager, 1.0)] == [0.5, 0.05]


def test_without_grace_what_ran_out_is_lost_and_timers_stay() -> None:
    manager = darkened(30.0, guards(onStart="Spread"))
    found = taken(manager, 30.0)
    assert [t.cost for t in found] == [0.5] * 4
    manager.ended(found[0], "held", 30.0, 39.0)
    assert manager.figures.resets == 0


def test_a_manager_whose_first_check_fails_is_not_in_the_dark() -> None:
    manager = made(GRACE, held=False)
    manager.beat(1.5)
    once(manager, 1.5, "failed")
    once(manager, 1.5, "held", 10.5)
    assert manager.figures.resets == 0


@pytest.mark.parametrize("racks", [2, 3, 8])
@pytest.mark.parametrize("start", ["RelistAll", "Spread"])
@pytest.mark.parametrize("profile", ["safe", "aws-2025"])
def test_one_lost_rack_never_resets_the_timers(racks: int, start: str, profile: str) -> None:
    """Not even where a single other is well, whose answers are a whole period apart."""
    fleet = Fleet(racks=racks, droplets=1)
    rungs = guards(profile, grace="ResetTimers", onStart=start, retry="BudgetedJitter")
    for lost in range(racks):
        drive = begun(fleet, rungs, always, lost=frozenset({lost})).until(120)
        assert drive.manager.figures.resets == 0
        assert drive.held[-1][1] == racks - 1


def test_with_immediate_retries_one_lost_rack_takes_everything_along() -> None:
    """Nothing but its own checks fails; they come again at once, and never end."""
    fleet = Fleet(racks=8, droplets=5)
    lost = frozenset(range(5))
    aws = begun(fleet, guards(), always, lost=lost).until(120)
    budget = begun(fleet, guards(retry="BudgetedJitter"), always, lost=lost).until(120)
    assert (aws.held[-1][1], budget.held[-1][1]) == (0, 35)
    assert aws.goodput(60, 120) == 0


# --- what it believes


def test_held_is_what_it_was_told() -> None:
    manager = made(held=False)
    assert manager.held(0.0) == 0
    manager.know(0, 9.0, 0.0)
    manager.know(1, 5.0, 0.0)
    assert [manager.held(t) for t in (0.0, 4.9, 5.0, 8.9, 9.0)] == [2, 2, 1, 1, 0]
    assert manager.figures.lost == 2


def test_a_lease_that_is_cut_short_runs_out_then() -> None:
    manager = made(held=False)
    manager.know(0, 9.0, 0.0)
    manager.know(0, 5.0, 1.0)
    assert (manager.held(4.9), manager.held(5.0), manager.figures.lost) == (1, 0, 1)
    assert (manager.held(9.0), manager.figures.lost) == (0, 1)


def test_a_lease_that_is_told_of_after_it_ran_out_is_not_lost_again() -> None:
    manager = made(held=False)
    manager.know(0, 9.0, 0.0)
    assert manager.held(9.0) == 0
    for now in (9.5, 10.0):
        manager.know(0, 9.0, now)
        manager.beat(now)
    manager.know(0, 0.0, 10.5)
    assert manager.figures.lost == 1


def test_a_lease_that_another_takes_is_lost_once() -> None:
    manager = made(held=False)
    manager.know(0, 9.0, 0.0)
    manager.know(0, 0.0, 4.0)
    manager.know(0, 0.0, 4.5)
    assert (manager.held(5.0), manager.held(10.0), manager.figures.lost) == (0, 0, 1)


def test_a_lease_that_was_lost_before_the_start_is_not_lost_by_this_manager() -> None:
    manager = made(held=False)
    manager.know(0, 9.0, 100.0)
    manager.beat(101.0)
    assert (manager.held(101.0), manager.figures.lost) == (0, 0)


def test_the_oldest_that_waits() -> None:
    manager = made()
    assert manager.oldest(1.0) == 0.0
    manager.beat(0.0)
    manager.beat(2.0)
    assert manager.oldest(2.5) == 2.5
    taken(manager, 2.5)
    assert manager.oldest(2.5) == 0.0


def test_without_leases_there_is_nothing_to_do() -> None:
    manager = Manager(SMALL, guards(), (), 0.0, half)
    manager.beat(0.0)
    assert (manager.take(0.0), manager.wake(), manager.held(0.0)) == (None, math.inf, 0)


@pytest.mark.parametrize(
    ("why", "end"),
    [
        ("", "held"),
        ("Late", "late"),
        ("WriteConflict", "conflict"),
        ("LeaseOfAnother", "theirs"),
        ("NameEmpty", "failed"),
        ("StoreUnreachable", "failed"),
        ("StoreOverloaded", "failed"),
        ("AgentSilent", "failed"),
        ("AgentOfAnother", "failed"),
        ("WriteFailed", "failed"),
    ],
)
def test_what_a_manager_makes_of_an_outcome(why: Any, end: End) -> None:
    assert end_of(Outcome(why)) == end


def test_a_fleet_is_born_under_safe_guards_and_then_obeys_its_own() -> None:
    """Nothing has been done to it yet: what makes it ill shall be the Scenario's fault."""
    fleet = Fleet(racks=1, droplets=2, workers=2)
    manager = Manager(fleet, AWS_LEASES, ("a", "b"), 0.0, lambda: 0.5, is_new=True)
    assert manager.guards == SAFE_LEASES
    manager.obey(fleet, AWS_LEASES)
    assert manager.guards == SAFE_LEASES, "its own are kept for later"
    for now in (0.0, 0.5):
        manager.beat(now)
        taken = manager.take(now)
        assert taken is not None
        manager.ended(taken, "held", now + 0.1, now + 9.0)
    assert manager.guards == AWS_LEASES
    assert manager.queue.bound is None
    again = Manager(fleet, AWS_LEASES, ("a", "b"), 0.0, lambda: 0.5)
    assert again.guards == AWS_LEASES, "one that finds its fleet is no birth"
