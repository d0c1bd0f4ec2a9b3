"""Every combination of guards at a small bound: which of them keep what, and how far that goes.

Three plans are the fewest with an outage: a tree is condemned by a plan two generations newer.
"""

from dataclasses import replace
from functools import cache

import pytest

from holdfast.check.ablation import (
    WEIGHT,
    Finding,
    changes,
    combinations,
    explore,
    smallest,
)
from holdfast.check.dns import Setting
from holdfast.check.report import check
from holdfast.core.acts import Order
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import (
    AWS_2025,
    SAFE,
    Cleanup,
    DnsGuards,
    Fence,
    Rollback,
    Switch,
    effective,
)
from holdfast.core.invariants import OUTAGE, Invariant
from holdfast.core.starts import Start
from holdfast.core.verdict import BY_EMPTY_PLAN, FROM_THE_START, HOLDS, guards_missing

SMALL = Bounds(plans=3)
UNHURRIED = Bounds(plans=3, budgets=Budgets(lock_expiries=0))
"""No lock expires, and no Lease but an idle leader's."""
ALL = combinations()
SINGLE = tuple(g for g in ALL if len(changes(g)) == 1)
SWITCHED = (
    replace(AWS_2025, admission=Switch.ENABLED),
    replace(AWS_2025, self_repair=Switch.ENABLED),
    replace(AWS_2025, last_known_good=Switch.ENABLED),
)
"""Guards that are there or not: they are not combined, but their advice is held to the same."""


@cache
def explored(guards: DnsGuards) -> Finding:
    return explore(guards, SMALL)


def only(fence: Fence) -> DnsGuards:
    return DnsGuards(fence, AWS_2025.cleanup, AWS_2025.rollback)


def test_there_are_fifty_six_combinations_worst_first() -> None:
    assert len(set(ALL)) == len(ALL) == 7 * 4 * 2
    assert len(SINGLE) == 6 + 3 + 1
    assert ALL[0] == DnsGuards(Fence.NONE, Cleanup.BY_AGE, Rollback.COUPLED)
    assert changes(ALL[-1]) == {
        "dns.fence=Generation",
        "dns.cleanup=PinLive",
        "dns.rollback=Decoupled",
    }
    assert changes(AWS_2025) == frozenset()


@pytest.mark.parametrize("guards", [*SINGLE, *SWITCHED], ids=lambda g: next(iter(changes(g))))
def test_advice_names_exactly_the_single_changes_that_hold(guards: DnsGuards) -> None:
    """The table behind `guardsMissing`, derived from the explorer."""
    broke, breaks = explored(AWS_2025).broken, explored(guards).broken
    holds = frozenset(i for i in broke if i not in breaks)
    (change,) = changes(guards)
    named = {i for i, guards_that_do in HOLDS.items() if change in guards_that_do}
    assert named - {Invariant.FROZEN_STAYS} == holds, "nobody freezes anything here"


@pytest.mark.parametrize("fence", Fence)
def test_advice_for_a_freeze_names_the_fences_that_keep_it(fence: Fence) -> None:
    """One enactor and a human are enough to break it."""
    bounds = Bounds(enactors=1, plans=2)
    checked = check(only(fence), bounds, setting=Setting(orders=(Order("freeze"),)))
    kept = Invariant.FROZEN_STAYS not in checked.broken
    assert (f"dns.fence={fence}" in HOLDS[Invariant.FROZEN_STAYS]) is kept
    assert kept is (fence not in (Fence.NONE, Fence.LEADER_ONLY))


@pytest.mark.parametrize("guards", [*SINGLE, *SWITCHED], ids=lambda g: next(iter(changes(g))))
def test_advice_for_an_empty_plan_is_the_one_guard_against_it(guards: DnsGuards) -> None:
    """Two plans, one of which may be bare: too few for the race."""
    bare = Bounds(plans=2, bare_plans=1)
    (change,) = changes(guards)
    kept = Invariant.NON_EMPTY not in check(guards, bare).broken
    assert (change in BY_EMPTY_PLAN[Invariant.NON_EMPTY]) is kept
    assert kept is guards.keeps_last_good
    assert Invariant.NON_EMPTY in check(AWS_2025, bare).broken


SOUND = frozenset(
    [*changes(SAFE), "dns.fence=CheckInLock"],
)
"""The rungs that anybody would advise."""


@pytest.mark.parametrize("start", Start)
def test_advice_after_a_bad_start_names_what_gets_out_of_it(start: Start) -> None:
    """Not what would have kept out of it: a fence gives no lost tree back."""
    bad = Setting(start)
    stuck = {
        next(iter(changes(g))): check(g, SMALL, setting=bad).stuck for g in (*SINGLE, *SWITCHED)
    }
    heals = {change for change in SOUND if not stuck[change]}
    if check(AWS_2025, SMALL, setting=bad).stuck:
        assert set(FROM_THE_START[start][Invariant.CONVERGES]) == heals
    else:
        assert heals == SOUND
        assert Invariant.CONVERGES not in FROM_THE_START[start]


def test_advice_after_a_bad_start_about_what_was_lost_before_it_is_none() -> None:
    for start in (Start.NAMES_NOTHING, Start.NO_ADDRESSES):
        assert Invariant.NON_EMPTY in check(SAFE, SMALL, setting=Setting(start)).broken
        assert FROM_THE_START[start][Invariant.NON_EMPTY] == ()
    assert check(SAFE, SMALL, setting=Setting(Start.DEAD_LOCK)).broken == frozenset()


@pytest.mark.parametrize("pins", ["dns.cleanup=PinLive", "dns.admission=Enabled"])
@pytest.mark.parametrize("cleanup", [c for c in Cleanup if c is not Cleanup.PIN_LIVE], ids=str)
@pytest.mark.parametrize("fence", [Fence.NONE, Fence.RESOURCE_VERSION, Fence.GENERATION], ids=str)
def test_advice_about_the_rollback_record_holds_beside_other_guards(
    fence: Fence, cleanup: Cleanup, pins: str
) -> None:
    """What is told is exactly what the explorer finds. Four plans: a blind write needs them."""
    record = Invariant.ROLLBACK_NAMES_A_TREE
    before = DnsGuards(fence, cleanup, AWS_2025.rollback)
    if pins == "dns.admission=Enabled":
        after = replace(before, admission=Switch.ENABLED)
    else:
        after = replace(before, cleanup=Cleanup.PIN_LIVE)
    told = pins in guards_missing([record], effective(before))
    assert told is (record not in check(after, Bounds(plans=4)).broken)


def calls(guards: DnsGuards, invariant: Invariant = Invariant.NON_EMPTY) -> int:
    return len(explored(guards).traces[invariant])


def test_as_aws_ran_it_everything_breaks_but_whole_plans() -> None:
    found = explored(AWS_2025)
    assert found.broken == frozenset(WEIGHT) - {Invariant.WHOLE_PLAN}
    assert HOLDS[Invariant.WHOLE_PLAN] == ()
    assert calls(AWS_2025) == 24


LOSERS = frozenset(Fence) - {Fence.CHECK_IN_LOCK, Fence.GENERATION}
OPEN = frozenset(Cleanup) - {Cleanup.PIN_LIVE}


@pytest.mark.parametrize("cleanup", Cleanup)
@pytest.mark.parametrize("fence", Fence)
def test_the_outage_over_all_combinations(fence: Fence, cleanup: Cleanup) -> None:
    """30 of 56: five fences, under the three cleanups that do not pin, whatever the rollback."""
    for rollback in Rollback:
        found = check(DnsGuards(fence, cleanup, rollback), UNHURRIED, whole=False)
        assert bool(found.broken & OUTAGE) is (fence in LOSERS and cleanup in OPEN)


def test_pins_keep_the_answer_and_not_the_order() -> None:
    pinned = replace(AWS_2025, cleanup=Cleanup.PIN_LIVE)
    assert explored(pinned).broken == {Invariant.MONOTONE}
    *_, before, after = explored(pinned).traces[Invariant.MONOTONE]
    assert (before.world[0], after.world[0]) == ("p2", "p1"), "older, and it answers"


def test_a_look_before_the_delete_costs_the_race_one_call() -> None:
    for cleanup in (Cleanup.SKIP_LIVE_WHEN_LISTING, Cleanup.REREAD_BEFORE_DELETE):
        assert calls(replace(AWS_2025, cleanup=cleanup)) == calls(AWS_2025) + 1


def test_the_version_alone_loses_in_fewer_calls_than_the_lock() -> None:
    """The ladder has `ResourceVersion` well above `CheckOnce`, and above `LeaderOnly`."""
    shortest = {f: calls(only(f)) for f in Fence if explored(only(f)).outage}
    assert shortest == {
        Fence.NONE: 20,
        Fence.RESOURCE_VERSION: 22,
        Fence.CHECK_ONCE: 24,
        Fence.CHECK_EACH: 26,
        Fence.LEADER_ONLY: 27,
    }


def test_leadership_loses_although_every_write_is_the_leaders_own() -> None:
    """The plan is checked when it is picked, and waits for leadership: by the time A is elected,
    the leader before has deleted its tree. No delete is of a live tree."""
    found = explore(only(Fence.LEADER_ONLY), UNHURRIED)
    assert found.outage
    assert Invariant.NO_LIVE_DELETE not in found.broken
    rows = found.traces[Invariant.NON_EMPTY]
    elected = [(r.actor, r.reply) for r in rows if r.call.startswith(("POST lease", "PUT lease"))]
    assert elected == [("us-east-1b", "done"), ("us-east-1a", "done")]
    assert (rows[-1].actor, rows[-1].world) == ("us-east-1a", ("p1!", "p3"))


def test_a_skipped_generation_breaks_the_rollback_record_behind_a_fence_and_pins_keep_it() -> None:
    fenced = only(Fence.GENERATION)
    assert explored(fenced).broken == {Invariant.ROLLBACK_NAMES_A_TREE}
    last = explored(fenced).traces[Invariant.ROLLBACK_NAMES_A_TREE][-1]
    assert (last.step, last.world) == ("delete", ("p3", "p3"))
    assert explored(replace(fenced, cleanup=Cleanup.PIN_LIVE)).broken == frozenset()


@pytest.mark.parametrize(
    ("fence", "states"),
    [(Fence.NONE, 3_321), (Fence.RESOURCE_VERSION, 3_890), (Fence.GENERATION, 3_283)],
)
def test_how_many_states_there_are(fence: Fence, states: int) -> None:
    assert explored(only(fence)).states == states


def made_up(guards: DnsGuards, *broken: Invariant) -> Finding:
    return Finding(guards, dict.fromkeys(broken, ()), 1, 1, 1, 1, 0, 0.0)


def test_the_smallest_sets_contain_no_other() -> None:
    """Made up: two changes are needed together, or a third alone."""
    together = frozenset({"dns.cleanup=PinLive", "dns.rollback=Decoupled"})
    findings = [
        made_up(g)
        if together <= changes(g) or g.fence is Fence.GENERATION
        else made_up(g, Invariant.MONOTONE)
        for g in ALL
    ]
    wanted = frozenset({Invariant.MONOTONE})
    assert smallest(findings, wanted) == (frozenset({"dns.fence=Generation"}), together)
    assert smallest(findings, frozenset({Invariant.NON_EMPTY})) == (frozenset(),)
    never = [made_up(g, Invariant.MONOTONE) for g in ALL]
    assert smallest(never, wanted) == ()
