"""A frozen alias under every rung of the fence: wherever an enactor stands when the freeze falls,
only the two blind rungs move it, and what waits for the thaw is the newest plan of that time."""

import pytest
from drive import A, Driven, flips, plan, rules, run, safe

from holdfast.core.enactor import enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import LOCKS, Fence
from holdfast.core.intents import Create, Overwrite, PatchAlias, Replace, Step
from holdfast.core.invariants import overrides_a_freeze
from holdfast.core.objects import Alias, Tree
from holdfast.core.override import Failed, freeze, thaw
from holdfast.core.places import AtPick, AtTurn
from holdfast.core.replies import TimedOut
from holdfast.core.rounds import Applied, Deferred, Frozen, Round
from holdfast.fake import FakeApi

BLIND = frozenset({Fence.NONE, Fence.LEADER_ONLY})
WHY = "the name is empty"
ORDER = Freeze("alice", FOREVER, WHY)
STANDS: tuple[Step, ...] = ("pick", "check", "tree", "turn", "read", "flip")
CASES = [(f, s) for f in Fence for s in STANDS if (f, s) != (Fence.NONE, "check")]


def freezes(api: FakeApi, order: Freeze = ORDER, now: float = 0.0) -> dict[str, str]:
    found = Driven(freeze(order), api).finish(now)
    assert not isinstance(found, Failed), found
    return found


def alias(api: FakeApi, endpoint: str = "dynamodb") -> Alias:
    found = api.alias(endpoint)
    assert found is not None
    return found


def stands(fence: Fence, at: Step) -> tuple[FakeApi, Driven[Round]]:
    """Plan 1 is live; A stands at a step with plan 2."""
    api = FakeApi()
    run(api, A, rules(fence), 1)
    api.perform(Create(plan(2)))
    return api, Driven(enact(A, rules(fence)), api).to(at)


@pytest.mark.parametrize(("fence", "at"), CASES)
def test_wherever_it_stands_no_write_moves_a_frozen_alias(fence: Fence, at: Step) -> None:
    """But for a blind write that was already decided upon."""
    api, a = stands(fence, at)
    freezes(api)
    before = alias(api)
    written = len(api.writes)
    outcome = a.finish()
    moved = flips(api.writes[written:])
    if fence in BLIND and at == "flip":
        assert (outcome, moved) == (Applied(2), [("dynamodb", 2)])
        assert overrides_a_freeze(before, alias(api))
        return
    assert moved == []
    assert alias(api) == before
    if isinstance(outcome, Deferred):  # its lock was no longer its own: it has not read why
        assert (fence in LOCKS, at) in ((True, "read"), (True, "flip"))
        outcome = Driven(enact(A, rules(fence), outcome.then), api).finish()
    assert outcome == Frozen(2, "dynamodb", ORDER.text())
    assert flips(api.writes[written:]) == []


@pytest.mark.parametrize("fence", Fence)
def test_what_the_thaw_lets_loose_is_the_newest_plan_of_that_time(fence: Fence) -> None:
    api, a = stands(fence, "turn")
    freezes(api)
    outcome = a.finish()
    assert outcome.then == AtPick(1), "the plan is not carried"
    for generation in (3, 4):
        api.perform(Create(plan(generation)))
        outcome = Driven(enact(A, rules(fence), outcome.then), api).finish()
        assert isinstance(outcome, Frozen)
    Driven(thaw(), api).finish()
    assert alias(api).lock == alias(api).frozen == ""
    written = len(api.writes)
    assert Driven(enact(A, rules(fence), outcome.then), api).finish() == Applied(4)
    assert flips(api.writes[written:]) == [("dynamodb", 4)]


@pytest.mark.parametrize("fence", Fence)
def test_a_plan_that_was_carried_before_the_freeze_is_dropped_too(fence: Fence) -> None:
    api, _ = stands(fence, "turn")
    freezes(api)
    written = len(api.writes)
    carried = Driven(enact(A, rules(fence), AtTurn(plan(2), "dynamodb")), api)
    assert carried.finish() == Frozen(2, "dynamodb", ORDER.text())
    assert api.writes[written:] == []


@pytest.mark.parametrize("fence", Fence)
def test_a_freeze_with_an_end_ends_by_itself(fence: Fence) -> None:
    api, how = FakeApi(), rules(fence)
    run(api, A, how, 1)
    freezes(api, Freeze("alice", 100.0, WHY))
    assert run(api, A, how, 2, now=99.9) == Frozen(2, "dynamodb", alias(api).frozen)
    assert run(api, A, how, 2, now=100.0) == Applied(2)
    assert run(api, A, how, 3, now=101.0) == Applied(3)


@pytest.mark.parametrize("fence", Fence)
def test_a_freeze_that_a_hand_has_spoilt_holds(fence: Fence) -> None:
    """Whoever edits the annotation and takes the lock away has not thawed."""
    api, how = FakeApi(), rules(fence)
    run(api, A, how, 1)
    found = alias(api)
    api.perform(Overwrite(Alias("dynamodb", found.target, found.generation, frozen="do not touch")))
    assert run(api, A, how, 2, now=FOREVER - 1) == Frozen(2, "dynamodb", "do not touch")
    assert flips(api.writes)[-1] != ("dynamodb", 2)


def test_one_frozen_name_keeps_the_whole_plan_waiting() -> None:
    """Plans cover a region, and so does a freeze: names are not let drift apart under it."""
    api, how = FakeApi(), rules(Fence.GENERATION)
    for generation in (1, 2):
        api.perform(Create(plan(generation, "dynamodb", "kinesis")))
        if generation == 1:
            Driven(enact(A, how), api).finish()
    kinesis = alias(api, "kinesis")
    api.perform(Replace(Alias(**_fields(kinesis) | {"frozen": ORDER.text()})))
    written = len(api.writes)
    outcome = Driven(enact(A, how), api).finish()
    assert outcome == Frozen(2, "kinesis", ORDER.text())
    assert flips(api.writes[written:]) == []


def _fields(found: Alias) -> dict[str, object]:
    return {name: getattr(found, name) for name in Alias.__dataclass_fields__}


@pytest.mark.parametrize("fence", Fence)
def test_a_lost_reply_leads_to_a_second_look_and_not_to_a_second_write(fence: Fence) -> None:
    """The flip had its effect, nobody heard; the freeze falls; the enactor reads, and stops."""
    api, a = stands(fence, "flip")
    a.advance()
    assert isinstance(a.pending, Replace | Overwrite | PatchAlias)
    api.perform(a.pending)
    a.advance(reply=TimedOut(0.0))
    assert isinstance(a.outcome, Deferred)
    assert alias(api).generation == 2
    freezes(api)
    written = len(api.writes)
    again = Driven(enact(A, rules(fence), a.outcome.then), api).finish()
    assert again == Frozen(2, "dynamodb", ORDER.text())
    assert api.writes[written:] == []


def test_a_repair_gives_a_frozen_name_its_tree_back_and_moves_nothing() -> None:
    api, how = FakeApi(admission=True), safe()
    run(api, A, how, 1)
    freezes(api)
    before = alias(api)
    del api.objects[Tree, "dynamodb-p1"]
    assert api.answer("dynamodb") == ()
    outcome = Driven(enact(A, how, AtPick(1)), api).finish()
    assert isinstance(outcome, Frozen)
    assert alias(api) == before
    assert api.answer("dynamodb") == ("10.0.0.1",)


def test_a_frozen_alias_that_names_another_thing_waits_for_the_thaw() -> None:
    """Even if it names nothing: the human has it."""
    api, how = FakeApi(), safe()
    run(api, A, how, 1)
    freezes(api)
    api.perform(Replace(Alias(**_fields(alias(api)) | {"target": "dynamodb-p4711"})))
    for _ in range(3):
        outcome = Driven(enact(A, how, AtPick(1)), api).finish()
        assert isinstance(outcome, Frozen)
        assert (alias(api).target, api.answer("dynamodb")) == ("dynamodb-p4711", ())
    Driven(thaw(), api).finish()
    assert Driven(enact(A, how, outcome.then), api).finish() == Applied(1)
    assert api.answer("dynamodb") == ("10.0.0.1",)
