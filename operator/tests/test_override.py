"""What a human may do with every process of ours dead: override, freeze and thaw, by values."""

import re
from collections.abc import Generator
from typing import Any

import pytest
from drive import A, B, Driven, plan, rules, run
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.core.enactor import enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import Fence
from holdfast.core.intents import (
    MUTATIONS,
    Create,
    Delete,
    Get,
    Intent,
    List,
    Pin,
    Prove,
    Reach,
    Replace,
    Unpin,
)
from holdfast.core.lock import Lock
from holdfast.core.names import GENERATION_MAX, pin_annotation, pin_holder
from holdfast.core.objects import Alias, Plan, Slice, Tree
from holdfast.core.override import (
    Failed,
    Overridden,
    Override,
    freeze,
    override,
    pin_of,
    thaw,
)
from holdfast.core.replies import Absent, Overloaded, Rejected, Reply, TimedOut, Unproven
from holdfast.fake import FakeApi

HOW = rules(Fence.GENERATION)
WORD = Freeze("alice", FOREVER, "the name is empty")
GIVEN = ("192.0.2.7", "192.0.2.8")


def orders(**given: Any) -> Override:
    return Override("alice", "dynamodb", **{"freeze": WORD, **given})


def overridden(api: FakeApi, order: Override) -> Overridden:
    found = Driven(override(order), api).finish()
    assert isinstance(found, Overridden), found
    return found


def alias(api: FakeApi, endpoint: str = "dynamodb") -> Alias:
    found = api.alias(endpoint)
    assert found is not None
    return found


def enacted(*generations: int) -> FakeApi:
    api = FakeApi()
    for generation in generations:
        run(api, A, HOW, generation)
    return api


def test_a_name_out_of_nothing_but_addresses() -> None:
    """No plan, no alias, nobody alive."""
    api = FakeApi()
    found = overridden(api, orders(addresses=GIVEN[::-1]))
    assert found == Overridden(1, "dynamodb-p1", was="", locks={})
    assert api.answer("dynamodb") == GIVEN
    born = alias(api)
    assert (born.target, born.rollback, born.generation) == ("dynamodb-p1", "dynamodb-p1", 1)
    assert (born.writer, born.frozen) == ("operator/alice", WORD.text())
    assert api.newest_plan() is not None


@pytest.mark.parametrize("order", [orders(), orders(plan=7)])
def test_without_any_plan_the_way_out_is_named(order: Override) -> None:
    api = FakeApi()
    found = Driven(override(order), api).finish()
    assert isinstance(found, Failed)
    assert "give --addresses" in found.reason
    assert api.writes == []


def test_going_back_is_going_forward_with_old_content() -> None:
    api = FakeApi()
    for generation, address in ((1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.3")):
        api.perform(Create(plan(generation, addresses=(address,))))
        Driven(enact(A, HOW), api).finish()
    found = overridden(api, orders(plan=1))
    assert found == Overridden(4, "dynamodb-p4", was="dynamodb-p3", locks={})
    assert api.answer("dynamodb") == ("10.0.0.1",)
    assert alias(api).rollback == "dynamodb-p4", "nothing else is to be rolled back to"
    refused = Driven(override(orders(plan=9)), api).finish()
    assert refused == Failed("plan 9 has no addresses for 'dynamodb'; plans that have: 1, 2, 3, 4")


def test_the_newest_that_has_addresses_and_not_the_newest() -> None:
    api = enacted(1, 2)
    api.perform(Create(plan(3, addresses=())))
    assert overridden(api, orders()).generation == 4
    assert api.answer("dynamodb") == ("10.0.0.1",)
    bare = Driven(override(orders(plan=3)), api).finish()
    assert isinstance(bare, Failed)


def test_it_is_above_every_alias_too_when_all_plans_are_gone() -> None:
    api = FakeApi()
    api.perform(Create(Alias("kinesis", "kinesis-p41", 41)))
    assert overridden(api, orders(addresses=GIVEN)).generation == 42


def test_the_other_names_keep_what_the_newest_plan_says_of_them() -> None:
    api = FakeApi()
    for generation in (1, 2):
        api.perform(
            Create(plan(generation, "dynamodb", "kinesis", addresses=(f"10.0.0.{generation}",)))
        )
        Driven(enact(A, HOW), api).finish()
    overridden(api, orders(plan=1, freeze=None))
    made = api.newest_plan()
    assert made is not None
    assert {e.endpoint: e.addresses() for e in made.endpoints} == {
        "dynamodb": ("10.0.0.1",),
        "kinesis": ("10.0.0.2",),
    }
    Driven(enact(A, HOW), api).finish()
    assert (api.answer("dynamodb"), api.answer("kinesis")) == (("10.0.0.1",), ("10.0.0.2",))


def test_both_families_and_an_address_given_twice() -> None:
    api = FakeApi()
    overridden(api, orders(addresses=("2001:db8::1", "192.0.2.7", "192.0.2.7")))
    assert api.answer("dynamodb") == ("192.0.2.7", "2001:db8::1")


def test_all_names_are_frozen_before_anything_else_is_done() -> None:
    api = FakeApi()
    api.perform(Create(plan(1, "dynamodb", "kinesis")))
    Driven(enact(A, HOW), api).finish()
    human = Driven(override(orders()), api).to("pick")
    human.to_intent(Create)
    assert alias(api).frozen == alias(api, "kinesis").frozen == WORD.text()
    assert alias(api).target == "dynamodb-p1"


def test_whose_lock_it_was_is_told_of_every_name() -> None:
    api, lock = FakeApi(), Lock(B.identity, 99.0).text()
    for endpoint in ("dynamodb", "kinesis"):
        api.perform(Create(Alias(endpoint, f"{endpoint}-p1", 1, lock=lock)))
    human = Driven(override(orders(addresses=GIVEN)), api)
    for _ in range(2):
        human.to_intent(Replace)
        human.advance()
    found = human.finish()
    assert isinstance(found, Overridden)
    assert found.locks == {"dynamodb": B.identity, "kinesis": B.identity}


def test_whose_lock_it_was_is_told_when_the_freeze_needed_a_second_look() -> None:
    """The first name is frozen, the second changes under it, all are read anew."""
    api, lock = FakeApi(), Lock(B.identity, 99.0).text()
    for endpoint in ("dynamodb", "kinesis"):
        api.perform(Create(Alias(endpoint, f"{endpoint}-p1", 1, lock=lock)))
    human = Driven(freeze(WORD), api).to_intent(Replace)
    human.advance()
    changed = alias(api, "kinesis")
    api.perform(Replace(_with(changed, writer="somebody else")))
    assert human.finish() == {"dynamodb": B.identity, "kinesis": B.identity}
    assert alias(api).frozen == alias(api, "kinesis").frozen == WORD.text()


def _with(found: Alias, **changes: object) -> Alias:
    every = {name: getattr(found, name) for name in Alias.__dataclass_fields__}
    return Alias(**every | changes)


def test_a_taken_generation_is_left_to_who_took_it() -> None:
    """The planner, or another human, was quicker: the create is the compare-and-swap."""
    api = enacted(1)
    human = Driven(override(orders()), api).to_intent(Create)
    assert isinstance(human.pending, Create)
    assert human.pending.obj.name == plan(2).name
    api.perform(Create(plan(2, addresses=("10.9.9.9",))))
    found = human.finish()
    assert isinstance(found, Overridden)
    assert found.generation == 3
    made = api.objects[Plan, plan(3).name]
    assert isinstance(made, Plan)
    assert made.of("dynamodb") == plan(2, addresses=("10.9.9.9",)).of("dynamodb"), "looked again"


def test_a_write_to_the_alias_in_between_is_read_and_written_over() -> None:
    api = enacted(1)
    human = Driven(override(orders(freeze=None)), api).to("turn").to_intent(Replace)
    api.perform(Replace(_with(alias(api), lock=Lock(B.identity, 99.0).text())))
    found = human.finish()
    assert found == Overridden(2, "dynamodb-p2", "dynamodb-p1", {"dynamodb": B.identity})
    assert alias(api).lock == "", "a flip in flight finds its lock gone"


def test_what_went_live_meanwhile_is_overtaken_by_another_plan() -> None:
    api = enacted(1)
    human = Driven(override(orders(freeze=None)), api).to("turn")
    run(api, A, HOW, 3)
    found = human.finish()
    assert found == Overridden(4, "dynamodb-p4", "dynamodb-p3", {})
    assert api.answer("dynamodb") == ("10.0.0.1",)


def test_an_alias_that_is_born_meanwhile_is_no_obstacle() -> None:
    api = FakeApi()
    api.perform(Create(plan(1)))
    human = Driven(override(orders(plan=1)), api).to("turn")
    human.advance()
    human.advance()
    assert isinstance(human.pending, Create)
    Driven(enact(A, HOW), api).finish()
    found = human.finish()
    assert isinstance(found, Overridden)
    assert found.was == "dynamodb-p2", "an enactor gave birth to the human's own plan"
    assert alias(api).writer == "operator/alice"


def test_an_alias_that_is_deleted_meanwhile_is_born_again() -> None:
    api = enacted(1)
    human = Driven(override(orders()), api).to("turn").to_intent(Replace)
    api.perform(Delete(Alias, "dynamodb"))
    found = human.finish()
    assert found == Overridden(2, "dynamodb-p2", "", {})
    assert alias(api).frozen == WORD.text()


def test_a_tree_that_an_enactor_has_begun_is_finished_and_pinned() -> None:
    """Not frozen, so an enactor builds the tree of the human's plan as well."""
    api = enacted(1)
    human = Driven(override(orders(freeze=None)), api).to("tree")
    rival = Driven(enact(A, HOW), api).to_intent(Prove)
    found = human.finish()
    assert isinstance(found, Overridden)
    tree = api.objects[Tree, found.tree]
    assert isinstance(tree, Tree)
    assert tree.pins == ("operator/alice",)
    rival.finish()
    assert (alias(api).target, api.answer("dynamodb")) == (found.tree, ("10.0.0.1",))


def test_it_does_not_turn_to_a_tree_that_is_not_served() -> None:
    """Unless it is told not to ask: the servers may be out of reach."""
    api = enacted(1)
    human = Driven(override(orders()), api)
    while human.pending is not None:
        unserved = isinstance(human.pending, Prove)
        human.advance(reply=Unproven("NXDOMAIN", 0.0) if unserved else None)
    assert human.outcome == Failed("dynamodb-p2 is not served: NXDOMAIN")
    assert alias(api).target == "dynamodb-p1"
    bold = Driven(override(orders(proves=False)), api)
    bold.finish()
    assert not any(isinstance(i, Prove) for i in bold.intents)
    assert alias(api).target == "dynamodb-p3"


@pytest.mark.parametrize("holds", [plan(GENERATION_MAX), Alias("dynamodb", "", GENERATION_MAX)])
def test_above_the_highest_generation_there_is_nothing_but_a_way_down(holds: Plan | Alias) -> None:
    api = enacted(1)
    if isinstance(holds, Alias):
        api.perform(Replace(_with(alias(api), generation=GENERATION_MAX)))
    else:
        api.perform(Create(holds))
    found = Driven(override(orders()), api).finish()
    told = f"no plan above {GENERATION_MAX}: it is the highest there is; delete the plans of too"
    assert isinstance(found, Failed)
    assert found.reason.startswith(told)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (TimedOut(0.0), "no answer from the API server"),
        (Overloaded(0.0), "the API server is overloaded"),
        (Absent(0.0), "not there (404)"),
    ],
)
def test_what_went_wrong_is_said_in_words(reply: Reply, says: str) -> None:
    human = Driven(freeze(WORD), enacted(1)).to_intent(Replace)
    human.advance(reply=reply)
    told = f"alias dynamodb: {says}: try again; if it stays so, look at the API server"
    assert human.outcome == Failed(told)


FAULTS = [TimedOut(0.0), Overloaded(0.0), Rejected("Forbidden", "not you", 0.0)]
COMMANDS: dict[str, Any] = {
    "override": lambda: override(orders()),
    "override --no-freeze": lambda: override(orders(freeze=None)),
    "freeze": lambda: freeze(WORD),
    "thaw": thaw,
}


def is_call(intent: Intent | None) -> bool:
    return isinstance(intent, (Get, List, *MUTATIONS))


def prepared(command: str) -> FakeApi:
    api = enacted(1, 2)
    if command == "thaw":
        for _ in range(2):
            overridden(api, orders())
    return api


@pytest.mark.parametrize("has_effect", [False, True], ids=["lost", "done"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_fails_is_told_and_the_same_command_again_does_it(
    command: str, fault: Reply, has_effect: bool
) -> None:
    """At every call, and nobody's answer is lost by it. What a thaw cannot unpin is left behind."""
    at = 0
    while True:
        api = prepared(command)
        human: Driven[Any] = Driven(COMMANDS[command](), api)
        for _ in range(at):
            if human.pending is not None:
                human.advance()
        if human.pending is None:
            break
        at += 1
        if not is_call(human.pending):
            continue
        failing = human.pending
        if has_effect and isinstance(fault, TimedOut):
            api.perform(failing)
        human.advance(reply=fault)
        left_behind = failing == List(Tree) or isinstance(failing, Unpin)
        assert isinstance(human.outcome, Failed) != left_behind
        if isinstance(human.outcome, Failed):
            assert ("not you" in human.outcome.reason) == isinstance(fault, Rejected)
        assert api.answer("dynamodb") == ("10.0.0.1",)
        assert not isinstance(Driven(COMMANDS[command](), api).finish(), Failed)
        assert api.answer("dynamodb") == ("10.0.0.1",)
        assert bool(alias(api).frozen) == (command in ("override", "freeze"))
        assert command != "override" or alias(api).writer == "operator/alice"
    assert at >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_cut_after_every_call_and_entered_again_it_does_it(command: str) -> None:
    cut = 0
    while True:
        api = enacted(1, 2)
        human: Driven[Any] = Driven(COMMANDS[command](), api)
        for _ in range(cut):
            if human.pending is not None:
                human.advance()
        if human.pending is None:
            break
        cut += 1
        assert api.answer("dynamodb") == ("10.0.0.1",)
        assert not isinstance(Driven(COMMANDS[command](), api).finish(), Failed)
        assert api.answer("dynamodb") == ("10.0.0.1",)
    assert cut >= 3


def test_a_command_can_be_left_at_any_place_and_begun_there_again() -> None:
    """What the checker relies on: a place is all that the command knows."""
    api = enacted(1, 2)
    human: Driven[Any] = Driven(override(orders()), api)
    places = 0
    while human.pending is not None:
        if isinstance(human.pending, Reach):
            places += 1
            twin = FakeApi(api.objects, api.version)
            assert human.pending.memory is not None
            again = Driven(override(orders(), human.pending.memory), twin).finish()  # type: ignore[arg-type]
            assert isinstance(again, Overridden)
            assert (again.generation, again.was) == (3, "dynamodb-p2")
        human.advance()
    assert places == 4


def test_a_freeze_of_nothing_is_no_failure() -> None:
    assert Driven(freeze(WORD), FakeApi()).finish() == {}


def test_a_freeze_entered_twice_writes_once_and_another_humans_takes_its_place() -> None:
    api = enacted(1)
    Driven(freeze(WORD), api).finish()
    writes = len(api.writes)
    Driven(freeze(WORD), api).finish()
    assert len(api.writes) == writes
    bob = Freeze("bob", FOREVER, "mine now")
    assert Driven(freeze(bob), api).finish() == {}, "a freeze's lock is nobody's work"
    assert (alias(api).frozen, alias(api).lock) == (bob.text(), Lock("freeze/bob", FOREVER).text())


def test_a_thaw_takes_only_what_a_freeze_has_put_there() -> None:
    api = enacted(1, 2)
    working = Lock(B.identity, 99.0).text()
    api.perform(Replace(_with(alias(api), lock=working)))
    Driven(thaw(), api).finish()
    assert alias(api).lock == working


def test_a_thaw_takes_the_humans_pins_off_what_no_name_needs() -> None:
    api = enacted(1)
    first, second = (overridden(api, orders(addresses=GIVEN)).tree for _ in range(2))
    api.perform(Pin(first, _tree(api, first).uid, A.identity))
    Driven(thaw(), api).finish()
    assert _tree(api, first).pins == (A.identity,), "an enactor's own it leaves"
    assert _tree(api, second).pins == ("operator/alice",), "it is live"


def _tree(api: FakeApi, name: str) -> Tree:
    found = api.objects[Tree, name]
    assert isinstance(found, Tree)
    return found


def test_a_thaw_looks_again_when_a_name_changed_under_it() -> None:
    api = enacted(1)
    Driven(freeze(WORD), api).finish()
    human = Driven(thaw(), api).to_intent(Replace)
    Driven(freeze(Freeze("bob", FOREVER, "no")), api).finish()
    assert human.finish() == ("dynamodb",)
    assert alias(api).frozen == alias(api).lock == "", "the last word counts"


@given(st.text())
@example("a" * 53 + "-" + "b" * 99)
@example("日本")
def test_anybodys_pin_is_a_name_that_an_annotation_takes(who: str) -> None:
    annotation = pin_annotation(pin_of(who)).removeprefix("pin.holdfast.dev/")
    assert len(annotation) <= 63
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", annotation)
    assert pin_holder(pin_annotation(pin_of(who))) == pin_of(who)


def test_a_slice_that_a_hand_has_put_there_is_written_over() -> None:
    """Of the new tree's own uid: whoever made it, the human's word counts."""
    api = enacted(1)
    human = Driven(override(orders(addresses=GIVEN)), api)
    while not (isinstance(human.pending, Create) and isinstance(human.pending.obj, Slice)):
        human.advance()
    piece = human.pending.obj
    wrong = Slice(piece.name, piece.tree, piece.tree_uid, "IPv4", ("192.0.2.99",))
    api.perform(Create(wrong))
    assert isinstance(human.finish(), Overridden)
    assert api.answer("dynamodb") == GIVEN


def never_ends(flow: Generator[Intent, Reply, object]) -> bool:
    """Whether it asks for ever without an answer that lets it end."""
    api = FakeApi()
    human = Driven(flow, api)
    for _ in range(1000):
        if human.pending is None:
            return False
        human.advance(reply=Overloaded(0.0) if is_call(human.pending) else None)
    return True


@pytest.mark.parametrize("command", COMMANDS)
def test_an_overloaded_server_ends_it(command: str) -> None:
    assert not never_ends(COMMANDS[command]())
