"""Every rung by values: which of them lose the incident's order of events, and which do not.

The order is always the same: A stands still with plan 2 while B goes on to plan 5, B lists A's tree
among its victims, A goes on, and then B deletes.
"""

import pytest
from drive import A, B, Driven, deletes, flips, plan, rules, run

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import enact
from holdfast.core.guards import Cleanup, Fence, Rollback
from holdfast.core.intents import Create, Delete, Get, Overwrite, PatchAlias, Pin, Reach, Replace
from holdfast.core.intents import Step as At
from holdfast.core.objects import Lease, Tree
from holdfast.core.places import AtCheck, AtPick, AtTurn
from holdfast.core.replies import Absent, Conflict, Missed, Overloaded
from holdfast.core.rounds import Applied, Deferred, Refused, Round, Stale
from holdfast.fake import FakeApi

LATER = 20.0
"""When what was held at 0 has expired: locks, and the leader's Lease."""
ANSWER = ("10.0.0.1",)


class Incident:
    """A at a step with plan 2, B at delete with plan 5."""

    def __init__(self, how: Rules, at: At = "turn") -> None:
        self.api, self.how = FakeApi(), how
        run(self.api, A, how, 1)
        self.api.perform(Create(plan(2)))
        self.a = Driven(enact(A, how), self.api).to(at)
        for generation in (3, 4):
            run(self.api, B, how, generation, LATER)
        self.api.perform(Create(plan(5)))
        self.b = Driven(enact(B, how), self.api).to("delete", LATER)

    def victims(self) -> tuple[int, ...]:
        assert isinstance(self.b.pending, Reach)
        return self.b.pending.victims

    def go_on(self) -> Round:
        """A acts, then B deletes; what came of A."""
        outcome = self.a.finish(LATER)
        self.b.finish(LATER)
        return outcome

    def live(self) -> int:
        alias = self.api.alias("dynamodb")
        assert alias is not None
        return alias.generation

    def answer(self) -> tuple[str, ...]:
        return self.api.answer("dynamodb")


LOSE: list[tuple[Fence, At]] = [
    (Fence.NONE, "turn"),
    (Fence.NONE, "flip"),
    (Fence.CHECK_ONCE, "turn"),
    (Fence.CHECK_EACH, "turn"),
    (Fence.LEADER_ONLY, "read"),
    (Fence.LEADER_ONLY, "flip"),
    (Fence.RESOURCE_VERSION, "turn"),
    (Fence.RESOURCE_VERSION, "flip"),
]


@pytest.mark.parametrize(("fence", "at"), LOSE)
def test_rungs_that_lose_the_incident(fence: Fence, at: At) -> None:
    race = Incident(rules(fence), at)
    assert race.victims() == (2,)
    assert race.go_on() == Applied(2)
    assert race.live() == 2, "an older plan went live"
    assert race.answer() == (), "and then its tree was deleted"
    outcome = run(race.api, B, race.how, 6, 2 * LATER)
    assert isinstance(outcome, Refused)
    assert "dynamodb-p2 does not exist" in outcome.reason
    assert race.answer() == (), "coupled: no plan heals it"


HOLD: list[tuple[Fence, At, type[Round]]] = [
    (Fence.CHECK_IN_LOCK, "turn", Stale),
    (Fence.CHECK_IN_LOCK, "read", Stale),
    (Fence.CHECK_IN_LOCK, "flip", Deferred),
    (Fence.GENERATION, "turn", Stale),
    (Fence.GENERATION, "read", Stale),
    (Fence.GENERATION, "flip", Stale),
    # These do not hold in general: here A notices, for once, before it writes.
    (Fence.CHECK_EACH, "tree", Stale),
    (Fence.LEADER_ONLY, "turn", Deferred),
    (Fence.CHECK_ONCE, "flip", Deferred),
]


@pytest.mark.parametrize(("fence", "at", "ends"), HOLD)
def test_rungs_and_steps_that_do_not(fence: Fence, at: At, ends: type[Round]) -> None:
    race = Incident(rules(fence), at)
    outcome = race.go_on()
    assert isinstance(outcome, ends)
    assert race.live() == 5
    assert race.answer() == ANSWER
    if isinstance(outcome, Deferred) and fence is Fence.CHECK_IN_LOCK:
        again = Driven(enact(A, race.how, outcome.then), race.api).finish(LATER)
        assert again == Stale(2, 5, "read", "dynamodb")
        alias = race.api.alias("dynamodb")
        assert alias is not None
        assert alias.lock == "", "who drops a plan gives the lock back"


def test_a_version_read_after_the_decision_is_no_fence_even_when_it_conflicts() -> None:
    race = Incident(rules(Fence.RESOURCE_VERSION), "flip")
    race.a.advance()
    assert isinstance(race.a.pending, Replace)
    race.a.advance()
    assert isinstance(race.a.pending, Reach), "409: it reads again"
    assert race.a.finish() == Applied(2), "and does not look at what it reads"


def test_conflict_upon_conflict_waits_before_its_turn() -> None:
    api, how = FakeApi(), rules(Fence.RESOURCE_VERSION)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, how), api)
    for _ in range(2):
        a.to_intent(Replace)
        a.advance(reply=Conflict(0.0))
    assert a.outcome == Deferred(AtTurn(plan(2), "dynamodb"), "conflict upon conflict")


def test_blind_writes_bear_no_precondition_and_the_lock_is_none_of_their_business() -> None:
    for fence in (Fence.NONE, Fence.LEADER_ONLY):
        race = Incident(rules(fence), "flip")
        race.go_on()
        puts = [i for i in race.a.intents if isinstance(i, Overwrite)]
        assert [(p.obj.name, p.obj.uid, p.obj.resource_version) for p in puts] == [
            ("dynamodb", "", "")
        ]
        assert not any(isinstance(i, PatchAlias) for i in race.a.intents)


def test_without_a_fence_nothing_is_checked_at_all() -> None:
    """Even a plan that is stale when it is picked goes live."""
    api, how = FakeApi(), rules(Fence.NONE)
    run(api, B, how, 5)
    a = Driven(enact(A, how, AtPick(0)), api).to_intent(Get)
    assert not any(isinstance(i, Reach) and i.step == "check" for i in a.intents)


def test_check_each_checks_before_a_turn_that_is_tried_again() -> None:
    api, how = FakeApi(), rules(Fence.CHECK_EACH)
    run(api, A, how, 1)
    api.perform(Create(plan(2)))
    Driven(enact(A, how), api).to("read")  # A has the lock
    outcome = Driven(enact(B, how), api).finish()
    assert isinstance(outcome, Deferred)
    assert outcome.then == AtCheck(plan(2), "dynamodb")
    run(api, A, how, 3, LATER)
    again = Driven(enact(B, how, outcome.then), api)
    assert again.finish(LATER) == Stale(2, 3, "check", "dynamodb")


class TestLeader:
    """The Lease: who gains it, keeps it, and loses it."""

    how = rules(Fence.LEADER_ONLY)

    def leader(self, api: FakeApi) -> Lease:
        (lease,) = (o for o in api.objects.values() if isinstance(o, Lease))
        return lease

    def test_one_leads_and_the_others_wait_with_their_plan(self) -> None:
        api = FakeApi()
        run(api, A, self.how, 1)
        assert self.leader(api).holder == A.identity
        outcome = run(api, B, self.how, 2)
        assert outcome == Deferred(AtTurn(plan(2), "dynamodb"), f"the leader is {A.identity}")
        assert run(api, A, self.how, 2) == Applied(2)

    def test_the_leader_renews_in_the_second_half_of_its_term(self) -> None:
        api = FakeApi()
        run(api, A, self.how, 1, now=0.0)
        run(api, A, self.how, 2, now=4.0)
        assert self.leader(api).renewed == 0.0
        run(api, A, self.how, 3, now=6.0)
        assert self.leader(api).renewed == 6.0
        assert isinstance(run(api, B, self.how, 4, now=15.9), Deferred)
        assert run(api, B, self.how, 4, now=16.0) == Applied(4)
        assert self.leader(api).holder == B.identity

    def test_two_that_are_elected_at_once_are_one(self) -> None:
        for first in (True, False):
            api = FakeApi()
            if not first:
                run(api, Actor("us-east-1c", "us-east-1c/c"), self.how, 1)
            api.perform(Create(plan(2)))
            kind = Create if first else Replace
            rivals = []
            for me in (A, B):
                rival = Driven(enact(me, self.how), api).to("turn", LATER)
                rivals.append(rival.to_intent(kind, LATER))
            assert rivals[0].finish(LATER) == Applied(2)
            assert rivals[1].finish(LATER) == Deferred(
                AtTurn(plan(2), "dynamodb"), "another enactor was elected"
            )

    def test_no_answer_about_the_lease_is_no_leadership(self) -> None:
        api = FakeApi()
        api.perform(Create(plan(1)))
        a = Driven(enact(A, self.how), api).to("turn")
        a.advance()
        assert isinstance(a.pending, Get)
        a.advance(reply=Overloaded(0.0))
        assert isinstance(a.outcome, Deferred)
        assert a.outcome.then == AtTurn(plan(1), "dynamodb")


@pytest.mark.parametrize("cleanup", [Cleanup.SKIP_LIVE_WHEN_LISTING, Cleanup.REREAD_BEFORE_DELETE])
def test_cleanups_that_lose_the_incident(cleanup: Cleanup) -> None:
    race = Incident(rules(cleanup=cleanup))
    assert race.victims() == (2,)
    race.go_on()
    assert (race.live(), race.answer()) == (2, ())


@pytest.mark.parametrize("cleanup", [Cleanup.SKIP_LIVE_WHEN_LISTING, Cleanup.REREAD_BEFORE_DELETE])
def test_both_spare_what_is_live_when_they_look(cleanup: Cleanup) -> None:
    how = rules(cleanup=cleanup)
    api = FakeApi()
    run(api, A, how, 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, how), api).to("turn")
    for generation in (3, 4):
        run(api, B, how, generation)
    api.perform(Create(plan(5)))
    b = Driven(enact(B, how), api).to("list")
    if cleanup is Cleanup.REREAD_BEFORE_DELETE:
        b.advance()
        b.to("list")  # it has listed, and is about to read again
    a.finish()
    assert b.finish() == Applied(5)
    assert api.answer("dynamodb") == ANSWER
    assert deletes(api.writes) == ["dynamodb-p1"], "plan 2 is live: spared"


def test_the_reread_bears_the_version_of_a_tree_that_no_flip_moves() -> None:
    race = Incident(rules(cleanup=Cleanup.REREAD_BEFORE_DELETE))
    race.a.finish()
    race.b.advance()
    delete = race.b.pending
    assert isinstance(delete, Delete)
    tree = race.api.objects[Tree, "dynamodb-p2"]
    assert (delete.uid, delete.resource_version) == (tree.uid, tree.resource_version)


def test_the_reread_is_made_for_every_victim_and_a_failed_one_spares_it() -> None:
    how = rules(cleanup=Cleanup.REREAD_BEFORE_DELETE)
    api = FakeApi()
    for generation in (1, 2):
        Driven(enact(A, rules(retention=9)), _with(api, generation)).finish()
    api.perform(Create(plan(7)))
    b = Driven(enact(B, how), api).to("delete")
    assert isinstance(b.pending, Reach)
    assert b.pending.victims == (1, 2)
    b.advance()
    b.advance()
    assert isinstance(b.pending, Reach)
    assert b.pending.step == "list"
    b.advance()
    b.advance(reply=Overloaded(0.0))
    assert b.outcome == Applied(7)
    assert deletes(api.writes) == ["dynamodb-p1"]


def _with(api: FakeApi, generation: int) -> FakeApi:
    api.perform(Create(plan(generation)))
    return api


class TestPins:
    """PinLive with CheckOnce: the alias goes back, and its tree is still there."""

    how = rules(cleanup=Cleanup.PIN_LIVE)

    def pins(self, api: FakeApi) -> dict[int, tuple[str, ...]]:
        trees = (o for o in api.objects.values() if isinstance(o, Tree))
        return {t.generation: t.pins for t in trees}

    def test_the_regression_happens_and_the_outage_does_not(self) -> None:
        race = Incident(self.how)
        assert race.victims() == ()
        assert race.go_on() == Applied(2)
        assert (race.live(), race.answer()) == (2, ANSWER)
        assert run(race.api, B, race.how, 6, LATER) == Applied(6), "coupled, and yet it heals"
        assert race.answer() == ANSWER

    def test_a_pin_after_the_listing_makes_the_delete_miss(self) -> None:
        race = Incident.__new__(Incident)
        race.api, race.how = FakeApi(), self.how
        run(race.api, B, self.how, 1)
        race.api.perform(Create(plan(2)))
        race.a = Driven(enact(A, self.how), race.api).to_intent(Pin)
        for generation in (3, 4):
            run(race.api, B, self.how, generation)
        race.api.perform(Create(plan(5)))
        race.b = Driven(enact(B, self.how), race.api).to("delete")
        assert race.victims() == (1, 2), "listed before it was pinned; 1 was to roll back to"
        assert race.go_on() == Applied(2)
        assert (race.live(), race.answer()) == (2, ANSWER)
        assert deletes(race.api.writes) == ["dynamodb-p1"], "the other delete missed"

    def test_a_tree_deleted_before_its_pin_is_not_flipped_to(self) -> None:
        api = FakeApi()
        api.perform(Create(plan(2)))
        a = Driven(enact(A, self.how), api).to_intent(Pin)
        tree = api.objects[Tree, "dynamodb-p2"]
        api.perform(Delete(Tree, "dynamodb-p2", tree.uid, tree.resource_version))
        assert a.finish() == Deferred(AtPick(1), "dynamodb-p2 was deleted before it was pinned")

    @pytest.mark.parametrize("reply", [Missed(0.0), Absent(0.0)])
    def test_a_pin_that_does_not_hold_starts_over(self, reply: Missed | Absent) -> None:
        api = FakeApi()
        api.perform(Create(plan(2)))
        a = Driven(enact(A, self.how), api).to_intent(Pin)
        a.advance(reply=reply)
        assert isinstance(a.outcome, Deferred)
        assert a.outcome.then == AtPick(1)
        assert flips(api.writes) == []

    def test_pins_of_former_plans_go_and_their_trees_after_them(self) -> None:
        api = FakeApi()
        for generation in range(1, 7):
            run(api, A, self.how, generation)
        mine = (A.identity,)
        assert self.pins(api) == {4: (), 5: mine, 6: mine}, "5 is the tree to roll back to"

    def test_a_leaked_pin_costs_a_tree_and_nothing_else(self) -> None:
        api = FakeApi()
        run(api, B, self.how, 1)
        api.perform(Create(plan(2)))
        Driven(enact(A, self.how), api).to("turn")  # pinned, and dead
        reborn = Actor(A.zone, "us-east-1a/a2")
        for generation in range(3, 9):
            run(api, B, self.how, generation)
            run(api, reborn, self.how, generation)
            assert api.answer("dynamodb") == ANSWER
        assert self.pins(api)[2] == (A.identity,), "nobody else removes it, its heir neither"
        assert set(self.pins(api)) == {2, 6, 7, 8}
        assert isinstance(run(api, A, self.how, 9), Applied), "but the one that comes back does"
        assert self.pins(api)[2] == ()

    def test_a_pin_of_a_tree_that_is_live_stays(self) -> None:
        """A flips back to plan 2: B, whose own tree it is not, must not take it; nor A its pin."""
        race = Incident(self.how)
        race.go_on()
        assert self.pins(race.api)[2] == (A.identity,)
        failed = Driven(enact(B, self.how, AtPick(4)), race.api)
        failed.finish(LATER)
        assert "dynamodb-p2" in race.api.trees()


def test_decoupled_heals_with_the_next_plan_on_every_losing_rung() -> None:
    for fence, at in LOSE:
        race = Incident(rules(fence, Rollback.DECOUPLED), at)
        race.go_on()
        assert race.answer() == ()
        assert run(race.api, B, race.how, 6, 2 * LATER) == Applied(6)
        assert race.answer() == ANSWER


@pytest.mark.parametrize("cleanup", list(Cleanup))
def test_a_service_that_somebody_labelled_as_a_tree_is_left_alone(cleanup: Cleanup) -> None:
    api, how = FakeApi(), rules(Fence.GENERATION, cleanup=cleanup)
    api.perform(Create(Tree("foo", "dynamodb", 0)))
    for generation in (1, 2, 3, 4):
        assert run(api, A, how, generation) == Applied(generation)
    assert "foo" in api.trees()
    assert "dynamodb-p1" not in api.trees() or cleanup is Cleanup.PIN_LIVE
