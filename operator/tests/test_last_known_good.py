"""A plan that leaves endpoints without addresses: applied as it is, or their last answer kept."""

from dataclasses import replace

import pytest
from drive import A, B, Driven, deletes, flips, plan, rules, run, safe

from holdfast.core.actor import Rules
from holdfast.core.enactor import enact
from holdfast.core.guards import AWS_2025, SAFE, Cleanup, Fence, Switch
from holdfast.core.intents import Create
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan
from holdfast.core.places import AtPick
from holdfast.core.planner import wanted
from holdfast.core.rounds import Applied, Withheld
from holdfast.fake import FakeApi

KEEPS = {"last_known_good": Switch.ENABLED}
ANSWER = ("10.0.0.1",)
NAMES = ("dynamodb", "kinesis")


def partly(generation: int, address: str = "10.0.0.9") -> Plan:
    """A plan with addresses for dynamodb, and none for kinesis."""
    full = EndpointPlan("dynamodb", (FrontEnd(address, 100),))
    return Plan(generation, (full, EndpointPlan("kinesis", ())))


def enacted(how: Rules, *names: str) -> FakeApi:
    api = FakeApi()
    api.perform(Create(plan(1, *names)))
    Driven(enact(A, how), api).finish()
    return api


@pytest.mark.parametrize("fence", Fence)
def test_unguarded_a_bare_plan_is_a_plan(fence: Fence) -> None:
    """The best of fences lets it through: it is the newest."""
    how = rules(fence)
    api = enacted(how, "dynamodb")
    api.perform(Create(plan(2, addresses=())))
    assert Driven(enact(A, how), api).finish() == Applied(2)
    assert api.answer("dynamodb") == ()


@pytest.mark.parametrize("fence", Fence)
def test_guarded_it_is_not_applied_and_not_picked_again(fence: Fence) -> None:
    how = rules(fence, **KEEPS)
    api = enacted(how, "dynamodb")
    writes = len(api.writes)
    api.perform(Create(plan(2, addresses=())))
    outcome = Driven(enact(A, how), api).finish()
    assert outcome == Withheld(2)
    assert outcome.then == AtPick(2)
    assert flips(api.writes[writes:]) == deletes(api.writes[writes:]) == []
    assert api.answer("dynamodb") == ANSWER
    assert run(api, A, how, 3) == Applied(3)


def test_one_that_begins_with_it_has_nothing_to_keep_and_nothing_to_show() -> None:
    api = FakeApi()
    api.perform(Create(plan(1, addresses=())))
    assert Driven(enact(A, safe()), api).finish() == Withheld(1)
    assert api.alias("dynamodb") is None
    assert run(api, A, safe(), 2) == Applied(2)


@pytest.mark.parametrize("fence", Fence)
def test_an_endpoint_that_is_left_bare_stays_and_the_others_go_on(fence: Fence) -> None:
    how = rules(fence, **KEEPS)
    api = enacted(how, *NAMES)
    api.perform(Create(partly(2)))
    assert Driven(enact(A, how), api).finish() == Applied(2)
    assert (api.answer("dynamodb"), api.answer("kinesis")) == (("10.0.0.9",), ANSWER)
    kinesis = api.alias("kinesis")
    assert kinesis is not None
    assert kinesis.generation == 1
    assert "kinesis-p2" not in api.trees(), "nothing is built that nobody may name"
    writes = len(api.writes)
    assert Driven(enact(B, how), api).finish() == Applied(2), "live wherever it can be"
    assert len(api.writes) == writes
    api.perform(Create(plan(3, *NAMES)))
    assert Driven(enact(A, how), api).finish() == Applied(3)
    assert (api.answer("dynamodb"), api.answer("kinesis")) == (ANSWER, ANSWER)


def test_the_last_good_tree_is_not_too_old_to_be_kept_where_pins_keep_it() -> None:
    """Ten plans without an address for kinesis: its tree is the only one that answers."""
    how = Rules(SAFE, 1, 10.0)
    api = FakeApi(admission=True)
    api.perform(Create(plan(1, *NAMES)))
    Driven(enact(A, how), api).finish()
    for generation in range(2, 12):
        api.perform(Create(partly(generation)))
        for me in (A, B):
            Driven(enact(me, how), api).finish()
    assert (api.answer("dynamodb"), api.answer("kinesis")) == (("10.0.0.9",), ANSWER)
    assert "dynamodb-p2" not in api.trees()


@pytest.mark.parametrize("cleanup", Cleanup)
def test_by_age_alone_the_answer_that_is_kept_loses_its_tree(cleanup: Cleanup) -> None:
    """The guard keeps the alias, and a cleaner that knows only ages takes its tree: a live one."""
    how = rules(Fence.GENERATION, cleanup=cleanup, retention=1, **KEEPS)
    api = enacted(how, *NAMES)
    for generation in (2, 3):
        api.perform(Create(partly(generation)))
        Driven(enact(A, how), api).finish()
    assert (api.answer("kinesis") == ()) == (cleanup is Cleanup.BY_AGE)


def test_a_planner_that_keeps_the_last_good_publishes_no_bare_plan() -> None:
    assert wanted(NAMES, (), keeps_last_good=True) == ()
    assert [e.front_ends for e in wanted(NAMES, (), keeps_last_good=False)] == [(), ()]
    fleet = (FrontEnd("10.0.0.1", 100),)
    assert wanted(NAMES, fleet, True) == wanted(NAMES, fleet, False)


def test_the_guard_is_off_as_aws_ran_it_and_on_in_safe() -> None:
    assert (AWS_2025.keeps_last_good, SAFE.keeps_last_good) == (False, True)
    assert replace(AWS_2025, last_known_good=Switch.ENABLED).keeps_last_good
