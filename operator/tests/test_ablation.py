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
from holdfast.check.report import check
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import AWS_2025, Cleanup, DnsGuards, Fence, Rollback
from holdfast.core.invariants import OUTAGE, Invariant
from holdfast.core.verdict import HOLDS

SMALL = Bounds(plans=3)
UNHURRIED = Bounds(plans=3, budgets=Budgets(lock_expiries=0))
"""No lock expires, and no Lease but an idle leader's."""
ALL = combinations()
SINGLE = tuple(g for g in ALL if len(changes(g)) == 1)


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


@pytest.mark.parametrize("guards", SINGLE, ids=lambda g: next(iter(changes(g))))
def test_advice_names_exactly_the_single_changes_that_hold(guards: DnsGuards) -> None:
    """The table behind `guardsMissing`, derived from the explorer."""
    broke, breaks = explored(AWS_2025).broken, explored(guards).broken
    holds = frozenset(i for i in broke if i not in breaks)
    (change,) = changes(guards)
    assert {i for i, guards_that_do in HOLDS.items() if change in guards_that_do} == holds


def calls(guards: DnsGuards, invariant: Invariant = Invariant.NON_EMPTY) -> int:
    return len(explored(guards).traces[invariant])


def test_as_aws_ran_it_everything_breaks_but_whole_plans() -> None:
    found = explored(AWS_2025)
    assert found.broken == frozenset(WEIGHT) - {Invariant.WHOLE_PLAN}
    assert HOLDS[Invariant.WHOLE_PLAN] == HOLDS[Invariant.ROLLBACK_NAMES_A_TREE] == ()
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
    assert explored(pinned).broken == {Invariant.MONOTONE, Invariant.ROLLBACK_NAMES_A_TREE}
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


def test_a_skipped_generation_breaks_the_rollback_record_behind_the_best_guards() -> None:
    best = DnsGuards(Fence.GENERATION, Cleanup.PIN_LIVE, Rollback.DECOUPLED)
    assert explored(best).broken == {Invariant.ROLLBACK_NAMES_A_TREE}
    last = explored(best).traces[Invariant.ROLLBACK_NAMES_A_TREE][-1]
    assert (last.step, last.world) == ("delete", ("p3", "p3"))


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
