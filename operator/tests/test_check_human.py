"""A human among the actors, under the checker: freeze and override, at any moment of any
interleaving."""

import pytest

from holdfast.check.dns import Setting, dns_model, world_of
from holdfast.check.explorer import Exploration, Explorer
from holdfast.check.liveness import stuck
from holdfast.check.model import DONE
from holdfast.check.report import TRACED, arm_document, check
from holdfast.core.acts import Act, Order
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import SAFE, Cleanup, DnsGuards, Fence, Rollback
from holdfast.core.holds import Condition
from holdfast.core.invariants import OF_LEASES, Invariant
from holdfast.core.objects import Alias
from holdfast.core.scenario import Arm
from holdfast.core.starts import Start
from holdfast.core.verdict import Outcome

NONE = Budgets(lock_expiries=0)
ONE = Bounds(enactors=1, plans=2, budgets=NONE)
TWO = Bounds(enactors=2, plans=2, budgets=NONE)
BLIND = frozenset({Fence.NONE, Fence.LEADER_ONLY})
OVERRIDE = Setting(orders=(Order("override", "dynamodb"),))
FREEZE = Setting(orders=(Order("freeze"),))
THAW = Setting(orders=(Order("freeze"), Order("thaw")))
BOLD = Setting(orders=(Order("override", "dynamodb", freeze=False),))


def aws(fence: Fence) -> DnsGuards:
    return DnsGuards(fence, Cleanup.BY_AGE, Rollback.COUPLED)


@pytest.mark.parametrize("fence", Fence)
def test_only_blind_writes_move_what_is_frozen(fence: Fence) -> None:
    """One enactor is enough to break it, two are not enough to break it elsewhere."""
    alone = check(aws(fence), ONE, setting=OVERRIDE)
    among = check(aws(fence), TWO, setting=FREEZE)
    for checked in (alone, among):
        assert checked.found.exhaustive
        assert (Invariant.FROZEN_STAYS in checked.broken) == (fence in BLIND)
        assert checked.stuck == 0


def explored(guards: DnsGuards, bounds: Bounds, setting: Setting) -> tuple[Explorer, Exploration]:
    explorer = Explorer(dns_model(guards, bounds, setting))
    return explorer, explorer.explore()


@pytest.mark.parametrize("guards", [*(aws(f) for f in Fence if f not in BLIND), SAFE], ids=str)
def test_once_the_human_is_done_the_name_is_his_in_every_state(guards: DnsGuards) -> None:
    word = Setting(orders=(Order("override", "dynamodb", addresses=("192.0.2.9",)),))
    explorer, found = explored(guards, ONE, word)
    human = len(explorer.locals) - 1
    seen = {
        explorer.world_of(s)
        for s in found.parents
        if explorer.locals[human].all[explorer.local_of(s, human)].memory is DONE
    }
    his = 0
    for world in seen:
        objects = explorer.worlds.all[world].objects
        for alias in (o for o in objects.values() if isinstance(o, Alias)):
            assert alias.frozen
            assert alias.target == alias.rollback, "his tree, and nothing to roll back to"
            assert alias.target in world_of(objects).trees, "and it answers"
            his += 1
    assert his > 10


def test_without_a_freeze_an_old_plan_may_undo_him() -> None:
    """The lock is nobody's any more, so a carried plan takes it: the race again. With the check in
    the lock it is dropped."""
    assert Invariant.MONOTONE in check(aws(Fence.CHECK_ONCE), ONE, setting=BOLD).broken
    assert Invariant.MONOTONE not in check(aws(Fence.CHECK_IN_LOCK), ONE, setting=BOLD).broken


@pytest.mark.parametrize(
    "setting", [OVERRIDE, BOLD, FREEZE, THAW], ids=["override", "bold", "freeze", "thaw"]
)
def test_behind_the_safe_guards_nothing_breaks(setting: Setting) -> None:
    checked = check(SAFE, ONE, setting=setting)
    assert checked.broken == frozenset()
    assert checked.found.exhaustive


def test_nor_with_two_enactors_and_a_thaw() -> None:
    checked = check(SAFE, TWO, setting=THAW)
    assert checked.broken == frozenset()
    assert checked.found.states == 92_184


def test_time_never_passes_the_lock_of_a_freeze() -> None:
    """Leases let time pass for nothing: a freeze outlasts it, and the states are finite."""
    explorer, _ = explored(aws(Fence.LEADER_ONLY), ONE, FREEZE)
    assert max(w.epoch for w in explorer.worlds.all) < 5


def test_a_human_who_crashes_enters_the_command_again() -> None:
    bounds = Bounds(1, 1, 1, 1, Budgets(crashes=1, lock_expiries=0))
    explorer, found = explored(SAFE, bounds, OVERRIDE)
    assert not found.broken
    assert not stuck(explorer, found)
    generations = {
        o.generation
        for w in explorer.worlds.all
        for o in w.objects.values()
        if isinstance(o, Alias)
    }
    assert max(generations) == 3, "his plan, and another after the crash"


def test_who_waits_for_an_empty_name_does_not_begin_before() -> None:
    """Nor can he fail before: a bad start is what he waits for."""
    word = Setting(on_empty=(Order("override", "dynamodb", addresses=("192.0.2.9",)),))
    bounds = Bounds(1, 2, 1, 1, Budgets(crashes=1, lost_replies=1, lock_expiries=0))
    explorer, found = explored(SAFE, bounds, word)
    human = len(explorer.locals) - 1
    assert {explorer.local_of(s, human) for s in found.parents} == {explorer.locals[human].start}
    begins = Setting(Start.NAMES_NOTHING, on_empty=word.on_empty)
    explorer, found = explored(aws(Fence.CHECK_ONCE), Bounds(1, 2, budgets=NONE), begins)
    assert len({explorer.local_of(s, human) for s in found.parents}) > 10
    assert not stuck(explorer, found), "nobody gets out of it but he"
    explorer, found = explored(
        aws(Fence.CHECK_ONCE), Bounds(1, 2, budgets=NONE), Setting(Start.NAMES_NOTHING)
    )
    assert stuck(explorer, found)


def test_a_frozen_alias_that_moved_is_told_with_its_trace_and_the_fences_that_hold() -> None:
    act = Act("act-1", Order("freeze"), Condition(after_seconds=1))
    arm = Arm("blind", aws(Fence.NONE), {}, Outcome.PREVENTED, (), (act,))
    document = arm_document(arm, ONE, check(arm.guards, ONE, setting=FREEZE))
    assert document["invariantsBroken"] == ["FrozenStays"]
    assert document["trace"]["to"] == "FrozenStays"
    assert (
        "PUT alias dynamodb → dynamodb-p2, unconditionally" in document["trace"]["rows"][-1]["call"]
    )
    assert "dns.fence=CheckOnce" in document["guardsMissing"]
    assert set(TRACED) == set(Invariant) - OF_LEASES
