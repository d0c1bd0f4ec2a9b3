"""The enactor's flow by values: the race, the fence, the coupling, and a cut after every yield."""

import pytest
from drive import A, B, Driven, deletes, flips, plan, rules, run

from holdfast.core.enactor import START, enact
from holdfast.core.guards import Cleanup, Fence, Rollback
from holdfast.core.intents import (
    Create,
    Get,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Reach,
    Replace,
    Step,
)
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.places import AtPick, AtTurn, Place
from holdfast.core.replies import (
    Exists,
    Overloaded,
    Picked,
    Read,
    Rejected,
    TimedOut,
    Unproven,
)
from holdfast.core.rounds import Applied, Deferred, Refused, Round, Stale
from holdfast.fake import FakeApi

FENCES = list(Fence)
CLEANUPS = list(Cleanup)
NO_PINS = [c for c in Cleanup if c is not Cleanup.PIN_LIVE]


@pytest.mark.parametrize("fence", FENCES)
def test_first_plan_gives_birth_to_the_alias(fence: Fence) -> None:
    api = FakeApi()
    assert run(api, A, rules(fence), 1) == Applied(1)
    assert (flips(api.writes), deletes(api.writes)) == ([("dynamodb", 1)], [])
    alias = api.alias("dynamodb")
    assert alias is not None
    assert (alias.target, alias.rollback, alias.lock) == ("dynamodb-p1", "", "")
    assert api.answer("dynamodb") == ("10.0.0.1",)


@pytest.mark.parametrize("cleanup", NO_PINS)
@pytest.mark.parametrize("fence", FENCES)
def test_next_plans_flip_keep_the_rollback_and_clean_by_age(fence: Fence, cleanup: Cleanup) -> None:
    api, how = FakeApi(), rules(fence, cleanup=cleanup)
    for generation in (1, 2, 3):
        run(api, A, how, generation)
    written = len(api.writes)
    assert run(api, A, how, 4) == Applied(4)
    assert flips(api.writes[written:]) == [("dynamodb", 4)]
    assert deletes(api.writes) == deletes(api.writes[written:]) == ["dynamodb-p1"]
    alias = api.alias("dynamodb")
    assert alias is not None
    assert (alias.target, alias.rollback, alias.generation) == ("dynamodb-p4", "dynamodb-p3", 4)
    assert api.trees() == {"dynamodb-p2", "dynamodb-p3", "dynamodb-p4"}


@pytest.mark.parametrize("fence", FENCES)
def test_a_plan_that_is_live_is_written_by_nobody_again(fence: Fence) -> None:
    api = FakeApi()
    run(api, A, rules(fence), 1)
    writes = len(api.writes)
    assert run(api, B, rules(fence), 1) == Applied(1)
    assert len(api.writes) == writes


def stalled(api: FakeApi, fence: Fence, at: Step, rollback: Rollback) -> Driven[Round]:
    """A holds plan 2 at a step while B applies 3, 4 and 5; B stands at delete with 2 condemned."""
    run(api, B, rules(fence, rollback), 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, rules(fence, rollback)), api).to(at)
    for generation in (3, 4):
        run(api, B, rules(fence, rollback), generation)
    return a


@pytest.mark.parametrize("rollback", list(Rollback))
def test_the_incident(rollback: Rollback) -> None:
    """A's check is stale, its lock is good: the live tree goes, and B deletes it."""
    api = FakeApi()
    a = stalled(api, Fence.CHECK_ONCE, "turn", rollback)
    api.perform(Create(plan(5)))
    b = Driven(enact(B, rules(Fence.CHECK_ONCE, rollback)), api).to("delete")
    a.finish()
    alias = api.alias("dynamodb")
    assert alias is not None
    assert alias.generation == 2
    assert api.answer("dynamodb") == ("10.0.0.1",)
    b.finish()
    assert api.answer("dynamodb") == ()

    outcome = run(api, B, rules(Fence.CHECK_ONCE, rollback), 6)
    alias = api.alias("dynamodb")
    assert alias is not None
    if rollback is Rollback.COUPLED:
        assert isinstance(outcome, Refused)
        assert "dynamodb-p2 does not exist" in outcome.reason
        assert api.answer("dynamodb") == ()
        assert alias.lock == "", "a failed apply must not sit on the lock"
    else:
        assert isinstance(outcome, Applied)
        assert api.answer("dynamodb") == ("10.0.0.1",)
        assert alias.rollback == ""


def test_the_fence_drops_the_plan_on_its_own_re_read() -> None:
    api = FakeApi()
    a = stalled(api, Fence.GENERATION, "turn", Rollback.COUPLED)
    assert a.finish() == Stale(2, 4, "read", "dynamodb", conflicted=False)
    assert not any(isinstance(i, Replace) for i in a.intents)


def test_the_fence_refuses_a_write_that_was_read_before() -> None:
    api = FakeApi()
    a = stalled(api, Fence.GENERATION, "flip", Rollback.COUPLED)
    writes = len(api.writes)
    assert a.finish() == Stale(2, 4, "read", "dynamodb", conflicted=True)
    assert any(isinstance(i, Replace) for i in a.intents)
    assert len(api.writes) == writes


def test_the_one_check_drops_a_plan_older_than_what_is_live() -> None:
    api = FakeApi()
    run(api, A, rules(Fence.CHECK_ONCE), 7)
    api.perform(Create(plan(8)))
    b = Driven(enact(B, rules(Fence.CHECK_ONCE)), api).to("check")
    for generation in (9,):
        run(api, A, rules(Fence.CHECK_ONCE), generation)
    assert b.finish() == Stale(8, 9, "check")


def test_a_lost_lock_carries_the_plan_past_tree_and_check() -> None:
    api = FakeApi()
    run(api, A, rules(Fence.CHECK_ONCE), 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, rules(Fence.CHECK_ONCE)), api).to("read")  # A has the lock
    b = Driven(enact(B, rules(Fence.CHECK_ONCE)), api)
    outcome = b.finish()
    assert isinstance(outcome, Deferred)
    assert "the lock is held: us-east-1a/a" in outcome.reason
    assert outcome.then == AtTurn(plan(2), "dynamodb")
    a.finish()
    written = len(api.writes)
    again = Driven(enact(B, rules(Fence.CHECK_ONCE), outcome.then), api)
    assert again.finish() == Applied(2)
    assert (flips(api.writes[written:]), deletes(api.writes[written:])) == ([], [])
    assert not any(isinstance(i, Prove | Create) for i in again.intents)


def test_an_expired_lock_is_taken_over() -> None:
    api = FakeApi()
    run(api, A, rules(Fence.CHECK_ONCE), 1)
    api.perform(Create(plan(2)))
    Driven(enact(A, rules(Fence.CHECK_ONCE)), api).to("read", now=100.0)  # A dies with the lock
    assert isinstance(run(api, B, rules(Fence.CHECK_ONCE), 2, now=109.9), Deferred)
    assert isinstance(run(api, B, rules(Fence.CHECK_ONCE), 2, now=110.0), Applied)


def test_a_tree_deleted_during_its_test_is_not_flipped_to() -> None:
    api = FakeApi()
    api.perform(Create(plan(1)))
    a = Driven(enact(A, rules(Fence.GENERATION)), api)
    while not isinstance(a.pending, Prove):
        a.advance()
    a.advance()
    assert a.pending == Get(Tree, "dynamodb-p1")
    a.advance(reply=Read(Tree("dynamodb-p1", "dynamodb", 1, uid="another"), 0.0))
    assert a.finish() == Deferred(AtPick(0), "dynamodb-p1 was deleted while it was tested")


def test_a_tree_that_is_never_served_is_given_up_after_ninety_seconds() -> None:
    api = FakeApi()
    api.perform(Create(plan(1)))
    a = Driven(enact(A, rules(Fence.GENERATION)), api)
    waited = 0.0
    while a.pending is not None:
        unserved = isinstance(a.pending, Prove)
        waited += a.pending.deadline_seconds if isinstance(a.pending, Prove) else 0.0
        a.advance(reply=Unproven("NXDOMAIN", 0.0) if unserved else None)
    assert waited == 90.0
    assert a.outcome == Deferred(AtPick(0), "dynamodb-p1 is not served: NXDOMAIN")
    assert api.alias("dynamodb") is None


def test_a_late_enactor_never_gives_a_deleted_tree_back() -> None:
    """A builds the tree of plan 2 so slowly that a cleaner takes it: A starts over, at plan 6."""
    api = FakeApi()
    run(api, B, rules(Fence.CHECK_ONCE), 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, rules(Fence.CHECK_ONCE)), api)
    while not isinstance(a.pending, Prove):
        a.advance()
    for generation in (3, 4, 5, 6):
        run(api, B, rules(Fence.CHECK_ONCE), generation)
    assert "dynamodb-p2" not in api.trees()
    assert a.finish() == Deferred(AtPick(1), "dynamodb-p2 was deleted while it was tested")
    assert "dynamodb-p2" not in api.trees()
    assert api.answer("dynamodb") == ("10.0.0.1",)


def test_a_slice_that_belongs_to_a_former_tree_is_no_success() -> None:
    api = FakeApi()
    api.perform(Create(plan(1)))
    a = Driven(enact(A, rules(Fence.GENERATION)), api)
    while not (isinstance(a.pending, Create) and isinstance(a.pending.obj, Slice)):
        a.advance()
    piece = a.pending.obj
    a.advance(reply=Exists(0.0))
    a.advance(reply=Read(Slice(piece.name, piece.tree, "dead", "IPv4", piece.addresses), 0.0))
    assert isinstance(a.outcome, Refused)
    assert "foreign slice" in a.outcome.reason


CALLS = (Get, Create, Replace, Overwrite, PatchAlias, Pin)
FAULTS = [TimedOut(0.0), Overloaded(0.0), Rejected("Forbidden", "no", 0.0)]


@pytest.mark.parametrize("cleanup", CLEANUPS)
@pytest.mark.parametrize("fence", FENCES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
def test_each_kind_of_failure_at_every_call_ends_the_round_and_is_survived(
    fence: Fence, cleanup: Cleanup, fault: TimedOut | Overloaded | Rejected
) -> None:
    """The call had no effect, and the reply says so or is lost. What B held has expired when A
    begins, and what A held when B goes on."""
    at, how = 0, rules(fence, cleanup=cleanup)
    while True:
        api = FakeApi()
        for generation in (1, 2, 3):
            run(api, B, how, generation)
        api.perform(Create(plan(4)))
        a = Driven(enact(A, how), api)
        calls, cleaning = 0, False
        while a.pending is not None:
            # The cleaner is another matter: what it cannot read or delete is left behind.
            cleaning |= isinstance(a.pending, Reach) and a.pending.step == "list"
            is_call = not cleaning and isinstance(a.pending, CALLS)
            calls += is_call
            a.advance(20.0, fault if is_call and calls == at + 1 else None)
        if calls <= at:
            break
        at += 1
        expected = Refused if isinstance(fault, Rejected) else Deferred
        assert isinstance(a.outcome, expected), (at, a.outcome)
        assert api.answer("dynamodb") == ("10.0.0.1",)
        assert isinstance(run(api, B, how, 4, now=40.0), Applied)
        assert api.answer("dynamodb") == ("10.0.0.1",)
    assert at >= 5


@pytest.mark.parametrize("cleanup", CLEANUPS)
@pytest.mark.parametrize("fence", FENCES)
@pytest.mark.parametrize("lost", [True, False], ids=["reply-lost", "crash"])
def test_cut_after_every_yield_and_restarted_it_converges(
    fence: Fence, cleanup: Cleanup, lost: bool
) -> None:
    """Cut the flow after each reply, start anew (or go on from a time-out whose write was done):
    the same end state, the same creates and deletes as the undisturbed run, never an empty name."""
    reference, how = FakeApi(), rules(fence, cleanup=cleanup)
    endpoints = ("dynamodb", "kinesis")
    for generation in (1, 2, 3, 4):
        reference.perform(Create(plan(generation, *endpoints)))
        Driven(enact(A, how), reference).finish()

    cut = 0
    while True:
        api = FakeApi()
        for generation in (1, 2, 3):
            api.perform(Create(plan(generation, *endpoints)))
            Driven(enact(A, how), api).finish()
        api.perform(Create(plan(4, *endpoints)))
        a = Driven(enact(A, how), api)
        for _ in range(cut):
            if a.pending is None:
                break
            a.advance()
        if a.pending is None:
            break
        cut += 1
        here: Place = START
        if lost and isinstance(a.pending, CALLS) and not isinstance(a.pending, Get):
            api.perform(a.pending)  # it had its effect, nobody heard
            a.advance(reply=TimedOut(0.0))
            assert isinstance(a.outcome, Deferred)
            here = a.outcome.then
        for endpoint in endpoints:
            assert api.answer(endpoint) == ("10.0.0.1",)
        outcome = Driven(enact(A, how, here), api).finish()
        assert isinstance(outcome, Applied), (cut, outcome)
        for endpoint in endpoints:
            alias, wanted = api.alias(endpoint), reference.alias(endpoint)
            assert alias is not None
            assert wanted is not None
            assert (alias.target, alias.rollback, alias.lock) == (
                wanted.target,
                wanted.rollback,
                wanted.lock,
            )
        assert api.trees() == reference.trees()
        assert sum(_makes(w) for w in api.writes) == sum(_makes(w) for w in reference.writes)
    assert cut >= 25


def _makes(write: object) -> bool:
    return isinstance(write, Create) and isinstance(write.obj, Tree | Slice | Alias)


def test_a_namespace_on_its_way_out_ends_it() -> None:
    api = FakeApi()
    api.perform(Create(plan(1)))
    a = Driven(enact(A, rules(Fence.GENERATION)), api).to("tree")
    a.advance()
    a.advance(reply=Rejected("NamespaceTerminating", "no", 0.0))
    assert isinstance(a.outcome, Refused)
    assert a.outcome.final


def test_a_refused_birth_is_read_again() -> None:
    """Whoever created the alias first: the next round reads it and goes on from there."""
    api = FakeApi()
    api.perform(Create(plan(1)))
    a = Driven(enact(A, rules(Fence.GENERATION)), api)
    while not (isinstance(a.pending, Create) and isinstance(a.pending.obj, Alias)):
        a.advance()
    a.advance(reply=Exists(0.0))
    assert isinstance(a.outcome, Deferred)


def test_a_pick_waits_for_a_plan_newer_than_the_last() -> None:
    api = FakeApi()
    a = Driven(enact(A, rules()), api).to_intent(Pick)
    assert a.waits
    outcome = run(api, B, rules(), 1)
    assert not a.waits, "the first plan will do"
    again = Driven(enact(B, rules(), outcome.then), api).to_intent(Pick)
    assert again.waits
    for generation in (2, 3):
        api.perform(Create(plan(generation)))
    assert again.api.perform(Pick(1)) == Picked(plan(3), 0.0), "the newest, not the next"
    assert again.finish() == Applied(3)


def test_a_failed_apply_may_pick_the_same_plan_again() -> None:
    assert Refused(7, "dynamodb", "why").then == AtPick(6)
    assert Stale(7, 9, "check").then == Applied(7).then == AtPick(7)
