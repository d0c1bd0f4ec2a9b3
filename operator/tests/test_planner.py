from drive import Driven, plan

from holdfast.core.enactor import Actor, Rules, enact
from holdfast.core.guards import AWS_2025
from holdfast.core.intents import Create, Delete
from holdfast.core.names import plan_name
from holdfast.core.objects import Alias, FrontEnd, Plan
from holdfast.core.planner import Planned, Seen, Unplanned, append, look, trim, wanted
from holdfast.core.replies import Overloaded, TimedOut
from holdfast.fake import FakeApi

FLEET = (FrontEnd("10.0.0.2", 100), FrontEnd("10.0.0.1", 50))


def test_content_is_every_front_end_for_every_endpoint_in_a_fixed_order() -> None:
    content = wanted(("b", "a", "a"), FLEET)
    assert [e.endpoint for e in content] == ["a", "b"]
    assert content[0].addresses() == ("10.0.0.1", "10.0.0.2")
    assert wanted(("a",), reversed(FLEET)) == wanted(("a",), FLEET)


def test_no_front_end_no_plan() -> None:
    assert wanted(("a",), ()) == ()


def test_plans_are_numbered_one_after_the_other() -> None:
    api = FakeApi()
    content = wanted(("dynamodb",), FLEET)
    assert Driven(append(content, 0), api).finish() == Planned(Plan(1, content))
    assert Driven(append(content, 1), api).finish() == Planned(Plan(2, content))


def test_a_generation_is_never_used_twice_also_after_a_crash() -> None:
    """Cut after the create whose reply is lost: the planner that starts anew sees it."""
    api = FakeApi()
    content = wanted(("dynamodb",), FLEET)
    flow = Driven(append(content, 0), api)
    assert flow.pending == Create(Plan(1, content))
    api.perform(flow.pending)
    flow.advance(reply=TimedOut(0.0))
    assert isinstance(flow.outcome, Unplanned)
    taken = Driven(append(content, 0), api).finish()
    assert taken == Unplanned("generation 1 is taken", 1)
    assert Driven(append(content, 1), api).finish() == Planned(Plan(2, content))
    assert sorted(name for kind, name in api.objects if kind is Plan) == [
        plan_name(1),
        plan_name(2),
    ]


def test_numbers_do_not_start_again_when_all_plans_are_deleted_by_hand() -> None:
    api = FakeApi()
    api.perform(Create(Alias("dynamodb", "dynamodb-p41", 41)))
    assert Driven(look(), api).finish() == Seen(41, ())


def test_which_list_was_not_answered_and_how_is_said() -> None:
    api = FakeApi()
    for calls, lost in ((0, TimedOut(0.0)), (1, Overloaded(0.0))):
        flow = Driven(look(), api)
        for _ in range(calls):
            flow.advance()
        flow.advance(reply=lost)
        assert flow.outcome == Unplanned(f"not seen: {type(lost).__name__}", 0)


def test_trim_keeps_history_and_every_plan_whose_tree_stands() -> None:
    api = FakeApi()
    rules = Rules(AWS_2025, retention=1, lock_seconds=10.0)
    for generation in range(1, 8):
        api.perform(Create(plan(generation)))
        if generation == 1:
            Driven(enact(Actor("a", "a/a"), rules), api).finish()
    assert Driven(trim(3), api).finish() == (2, 3, 4)
    assert [w for w in api.writes if isinstance(w, Delete)] == [
        Delete(Plan, plan_name(g)) for g in (2, 3, 4)
    ]
