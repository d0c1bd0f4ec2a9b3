"""The checker pinned: states, worlds and calls; what each reduction leaves as it is."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.check.dns import dns_model
from holdfast.check.explorer import BUDGET_BITS, EXPIRIES, Exploration, Explorer, TooLarge
from holdfast.check.liveness import stuck
from holdfast.check.report import arm_document, check
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import Cleanup, DnsGuards, Fence, Rollback
from holdfast.core.invariants import Invariant
from holdfast.core.scenario import Arm
from holdfast.core.verdict import Outcome

SMALL = Bounds(enactors=2, plans=3, retention=1, budgets=Budgets(lock_expiries=0))
ONE_EXPIRY = Bounds(enactors=2, plans=3, retention=1)
RACE = {"NonEmpty", "Monotone", "NoLiveDelete", "RollbackNamesATree", "Converges"}


def aws(fence: Fence = Fence.CHECK_ONCE, cleanup: Cleanup = Cleanup.BY_AGE) -> DnsGuards:
    return DnsGuards(fence, cleanup, Rollback.COUPLED)


PINNED = {
    (Fence.NONE, Cleanup.BY_AGE): (3321, 88, 6889, 46, 20),
    (Fence.CHECK_ONCE, Cleanup.BY_AGE): (9006, 174, 18833, 60, 24),
    (Fence.CHECK_EACH, Cleanup.BY_AGE): (10639, 174, 22399, 65, 26),
    (Fence.LEADER_ONLY, Cleanup.BY_AGE): (35300, 344, 71251, 81, 27),
    (Fence.RESOURCE_VERSION, Cleanup.BY_AGE): (3890, 86, 8094, 55, 22),
    (Fence.CHECK_IN_LOCK, Cleanup.BY_AGE): (8030, 144, 17059, 47, None),
    (Fence.GENERATION, Cleanup.BY_AGE): (3283, 76, 6982, 44, None),
    (Fence.CHECK_ONCE, Cleanup.SKIP_LIVE_WHEN_LISTING): (12044, 174, 25331, 65, 25),
    (Fence.CHECK_ONCE, Cleanup.REREAD_BEFORE_DELETE): (9469, 174, 19749, 61, 25),
    (Fence.CHECK_ONCE, Cleanup.PIN_LIVE): (36898, 854, 75523, 91, None),
}
"""States, worlds, transitions, depth, and calls to the outage, if there is a way."""


@pytest.mark.parametrize(("fence", "cleanup"), PINNED, ids=str)
def test_what_is_explored_is_pinned(fence: Fence, cleanup: Cleanup) -> None:
    checked = check(aws(fence, cleanup), SMALL)
    found = checked.found
    way = checked.traces.get("NonEmpty")
    seen = (found.states, found.worlds, found.transitions, found.depth, way and len(way))
    assert found.exhaustive
    assert seen == PINNED[fence, cleanup]


def test_the_counterexample_of_aws_2025_is_the_incident() -> None:
    """The order of events of the day: A has an old plan, B overtakes, A comes back, B deletes."""
    rows = check(aws(), SMALL).traces["NonEmpty"]
    story = [(r.actor, r.step, r.world) for r in rows if r.step in ("pick", "flip", "delete")]
    a, b = "us-east-1a", "us-east-1b"
    assert story == [
        (a, "pick", ("-", "-")),
        (b, "pick", ("-", "p1")),
        (a, "flip", ("p1", "p1 p3")),
        (b, "delete", ("p1!", "p3")),
    ]
    assert rows[-1].call == "DELETE tree dynamodb-p1"


def test_coupled_gets_stuck_and_decoupled_heals() -> None:
    coupled = check(aws(), SMALL)
    decoupled = check(DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.DECOUPLED), SMALL)
    assert coupled.broken == RACE
    assert coupled.stuck == 60
    assert decoupled.broken == RACE - {"Converges"}
    assert decoupled.stuck == 0


def test_leadership_is_no_fence() -> None:
    """Nobody stands still even: A's old plan waits for leadership, B leads, is done, and lets its
    Lease run out; A is elected, asks, and writes, with a clear conscience, to a deleted tree."""
    checked = check(aws(Fence.LEADER_ONLY), SMALL)
    calls = [(r.actor, r.call) for r in checked.traces["NonEmpty"]]
    assert ("us-east-1b", "DELETE tree dynamodb-p1") in calls
    assert calls[-1] == ("us-east-1a", "PUT alias dynamodb → dynamodb-p1, unconditionally")
    assert "NoLiveDelete" not in checked.broken
    assert "NoLiveDelete" in check(aws(Fence.LEADER_ONLY), ONE_EXPIRY).broken


def test_three_enactors_lose_too() -> None:
    bounds = Bounds(enactors=3, plans=4, retention=2, budgets=Budgets(lock_expiries=0))
    checked = check(aws(), bounds, whole=False)
    assert len(checked.traces["NonEmpty"]) == 25
    assert not checked.found.exhaustive


@pytest.mark.parametrize("budgets", [Budgets(crashes=1), Budgets(lost_replies=1)], ids=str)
@pytest.mark.parametrize("fence", [Fence.GENERATION, Fence.CHECK_IN_LOCK])
def test_the_safe_fences_hold_whatever_fails_once(fence: Fence, budgets: Budgets) -> None:
    checked = check(aws(fence), Bounds(2, 3, 1, 1, budgets))
    assert checked.broken == {"RollbackNamesATree"}
    assert checked.stuck == 0


def test_the_fence_holds_with_lists_that_lag() -> None:
    bounds = Bounds(2, 3, 1, 1, Budgets(stale_reads=1, lock_expiries=0))
    assert check(aws(Fence.GENERATION), bounds).broken == {"RollbackNamesATree"}


def explored(guards: DnsGuards, bounds: Bounds, **switches: bool) -> tuple[Explorer, Exploration]:
    explorer = Explorer(dns_model(guards, bounds), **switches)
    return explorer, explorer.explore()


@pytest.mark.parametrize("off", ["forget", "symmetry"])
@pytest.mark.parametrize("fence", [Fence.GENERATION, Fence.RESOURCE_VERSION, Fence.CHECK_ONCE])
def test_a_reduction_changes_no_verdict(off: str, fence: Fence) -> None:
    """With it off there are more states; worlds, invariants, liveness and the length of every
    shortest way are the same."""
    one, reduced = explored(aws(fence), SMALL)
    two, full = explored(aws(fence), SMALL, **{off: False})
    assert full.states >= reduced.states
    assert (full.states > reduced.states) == (off == "forget" or one.model.symmetric)
    assert full.worlds == reduced.worlds
    assert set(full.broken) == set(reduced.broken)
    assert {n: _depth(full, b) for n, (b, _) in full.broken.items()} == {
        n: _depth(reduced, b) for n, (b, _) in reduced.broken.items()
    }
    assert bool(stuck(one, reduced)) == bool(stuck(two, full))


@pytest.mark.parametrize("fence", [Fence.GENERATION, Fence.CHECK_ONCE])
def test_with_two_endpoints_the_reductions_change_no_verdict_either(fence: Fence) -> None:
    bounds = Bounds(2, 2, 1, 2, Budgets(lock_expiries=0))
    _, reduced = explored(aws(fence), bounds)
    _, full = explored(aws(fence), bounds, forget=False, symmetry=False)
    assert (full.worlds, set(full.broken)) == (reduced.worlds, set(reduced.broken))


def _depth(found: Exploration, state: int) -> int:
    depth = 0
    while found.parents[state] != state:
        state, depth = found.parents[state], depth + 1
    return depth


@pytest.mark.parametrize(
    ("fence", "budgets"),
    [(Fence.CHECK_ONCE, Budgets(0, 1, 0, 1)), (Fence.GENERATION, Budgets(1, 0, 1, 0))],
    ids=str,
)
def test_the_quick_successors_are_the_moves_told_in_full(fence: Fence, budgets: Budgets) -> None:
    bounds = Bounds(2, 2, 1, 1, budgets)
    explorer = Explorer(dns_model(aws(fence), bounds))
    found = explorer.explore()
    for state in list(found.parents)[::97]:
        quick = sorted(explorer.successors(state))
        assert quick == sorted(explorer.canonical(m.state) for m in explorer.moves(state))


def test_a_limit_of_states_is_no_verdict() -> None:
    explorer = Explorer(dns_model(aws(), Bounds(3, 5, 2, 1)))
    with pytest.raises(TooLarge, match="more than 1000 states"):
        explorer.explore(max_states=1000)


def test_what_was_not_explored_whole_is_never_a_prevention() -> None:
    arm = Arm("fenced", aws(), {}, Outcome.PREVENTED, ())
    assert arm_document(arm, SMALL, check(aws(), SMALL, whole=False))["verdict"] == "Fail"
    checked = check(aws(Fence.GENERATION), SMALL)
    checked.found.exhaustive = False
    assert arm_document(arm, SMALL, checked)["verdict"] == "Inconclusive"


@pytest.mark.parametrize(
    ("expects", "verdict", "why"),
    [
        ({}, "Pass", "as expected"),
        ({"recovered_by": "nobody"}, "Pass", "as expected"),
        ({"recovered_by": "nextPlan"}, "Fail", "some states cannot recover, although nextPlan"),
        ({"recovered_by": "selfRepair"}, "Fail", "although selfRepair should"),
        ({"recovered_by": "operator"}, "Pass", "as expected"),
        ({"keeps": (Invariant.WHOLE_PLAN,)}, "Pass", "as expected"),
        ({"keeps": (Invariant.MONOTONE,)}, "Fail", "Monotone breaks although it was expected"),
        ({"breaks": (Invariant.MONOTONE,)}, "Pass", "as expected"),
        ({"breaks": (Invariant.WHOLE_PLAN,)}, "Fail", "WholePlan holds although it was expected"),
        ({"expect": None}, "Pass", "as expected"),
    ],
)
def test_what_an_arm_expects_besides_the_outage(
    expects: dict[str, Any], verdict: str, why: str
) -> None:
    """As AWS ran it some states are stuck. What a human does once helps no state after it."""
    arm = replace(Arm("aws", aws(), {}, Outcome.REPRODUCED, ()), **expects)
    document = arm_document(arm, SMALL, check(aws(), SMALL))
    assert document["verdict"] == verdict, document["message"]
    assert why in document["message"]
    assert document["expect"] == ("Either" if arm.expect is None else "OutageReproduced")


def test_nobody_is_not_expected_where_every_state_can_recover() -> None:
    decoupled = DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.DECOUPLED)
    arm = Arm("any", decoupled, {}, Outcome.REPRODUCED, (), recovered_by="nobody")
    document = arm_document(arm, SMALL, check(decoupled, SMALL))
    assert document["verdict"] == "Fail"
    assert "every state can recover, although nobody was expected to" in document["message"]
    healed = replace(arm, recovered_by="nextPlan")
    assert arm_document(healed, SMALL, check(decoupled, SMALL))["verdict"] == "Pass"


@pytest.fixture(scope="module")
def mortal() -> tuple[Explorer, Exploration]:
    """Two enactors under a lock, one of which may die, and one lock of the living may expire."""
    bounds = Bounds(2, 2, 1, 1, Budgets(crashes=1, lock_expiries=1))
    return explored(aws(Fence.CHECK_IN_LOCK), bounds)


def test_a_lock_of_the_dead_expires_without_touching_the_budget(
    mortal: tuple[Explorer, Exploration],
) -> None:
    """Both ways round: after a free expiry the paid one is still to be had."""
    explorer, found = mortal
    epochs = {
        (explorer.worlds.all[explorer.world_of(s)].epoch, left(explorer, s)) for s in found.parents
    }
    assert epochs == {(0, 1), (1, 1), (1, 0), (2, 0)}


def left(explorer: Explorer, state: int) -> int:
    """Expiries that the budget still holds."""
    return state >> explorer.budget_shift + BUDGET_BITS * EXPIRIES


def test_a_crash_brings_another_pod_or_the_same(mortal: tuple[Explorer, Exploration]) -> None:
    explorer, found = mortal
    crashes: set[tuple[str, bool]] = set()
    for state in list(found.parents)[::53]:
        for move in explorer.moves(state):
            if move.who is not None and move.label.startswith("crashes"):
                table = explorer.locals[move.who]
                before = table.identity(explorer.local_of(state, move.who))
                after = table.identity(explorer.local_of(move.state, move.who))
                crashes.add((move.label, before == after))
    assert crashes == {
        ("crashes and starts again", False),
        ("crashes and starts again in its Pod", True),
    }
