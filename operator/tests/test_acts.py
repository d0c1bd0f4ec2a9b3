"""Acts, orders, bad starts and what else an arm may say, from YAML to values."""

from typing import Any

import pytest
import yaml

from holdfast.core.acts import Act, ActWatch, Order, Scale, act_of
from holdfast.core.holds import NOTHING_SEEN, ActorView, Condition, Names, hold_of
from holdfast.core.invariants import Invariant
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.scenario import Scenario, scenario_of
from holdfast.core.starts import THE_DEAD, Start, alias_of, kinds_of, slice_of, tree_of
from holdfast.core.verdict import Outcome

A, B = "us-east-1a", "us-east-1b"


def scenario(text: str) -> Scenario:
    return scenario_of("s", "uid", yaml.safe_load(text))


EVERYTHING = """
mode: Timeline
seed: 7
deadlineSeconds: 60
settleSeconds: 8
check: {enactors: 1, plans: 2, barePlans: 1}
region: {name: us-east-9, retention: 3}
timeline:
  - hold: {role: enactor, zone: us-east-1a, at: turn}
    until: {condemned: us-east-1a}
  - lostReply: {role: enactor, zone: us-east-1b, at: flip, when: {plansBehind: 2}}
  - operator: {command: override, endpoint: dynamodb, plan: 3}
    when: {empty: dynamodb}
    reactionSeconds: 8
  - scale: {role: store, zone: us-east-1c, replicas: 0}
    when: {recovered: dynamodb, afterSeconds: 5}
  - operator: {command: thaw}
    when: {held: us-east-1a}
arms:
  - name: shared
    guards: {profile: aws-2025}
    expect: OutageReproduced
    recoveredBy: operator
    keeps: [FrozenStays]
    breaks: [Monotone, NonEmpty]
  - name: own
    guards: {profile: safe}
    expect: Either
    start: LockOfTheDead
    settleSeconds: 3
    timeline:
      - operator: {command: override, endpoint: kinesis, addresses: [192.0.2.1], freeze: false}
        when: {afterSeconds: 1}
  - name: none
    expect: OutagePrevented
    timeline: []
"""


def test_every_field_of_an_arm_and_of_a_timeline() -> None:
    found = scenario(EVERYTHING)
    shared, own, none = found.arms
    assert (found.name, found.uid, found.seed, found.deadline_seconds) == ("s", "uid", 7, 60)
    assert (found.region_name, found.region, found.jitter) == ("us-east-9", {"retention": 3}, False)
    assert (found.bounds.enactors, found.bounds.plans, found.bounds.bare_plans) == (1, 2, 1)
    assert found.namespace_of("own") == "s-own"

    one, two = (hold_of(h) for h in shared.holds)
    assert (one.name, one.zone, one.at, one.loses) == ("hold-1", A, "turn", False)
    assert one.until == Condition(condemned=A)
    assert (two.name, two.zone, two.at, two.loses) == ("hold-2", B, "flip", True)
    assert two.when == Condition(plans_behind=2)
    assert shared.acts == (
        Act("act-3", Order("override", "dynamodb", 3), Condition(empty="dynamodb"), 8.0),
        Act(
            "act-4",
            Scale("store", 0, "us-east-1c"),
            Condition(recovered="dynamodb", after_seconds=5),
        ),
        Act("act-5", Order("thaw"), Condition(held=A)),
    )
    assert (shared.expect, shared.recovered_by) == (Outcome.REPRODUCED, "operator")
    assert shared.keeps == (Invariant.FROZEN_STAYS,)
    assert shared.breaks == (Invariant.MONOTONE, Invariant.NON_EMPTY)
    assert (shared.start, shared.settle_seconds) == (None, 8)

    order = Order("override", "kinesis", 0, ("192.0.2.1",), freeze=False)
    assert own.acts == (Act("act-1", order, Condition(after_seconds=1)),)
    assert (own.expect, own.start, own.holds) == (None, Start.DEAD_LOCK, ())
    assert own.settle_seconds == 3
    assert (none.holds, none.acts) == ((), ()), "an empty timeline is none, not the shared one"


def test_jitter_is_a_mode_and_the_default_is_a_timeline() -> None:
    arms = "arms: [{name: a, expect: Either}]"
    assert scenario(f"mode: Jitter\n{arms}").jitter
    assert not scenario(arms).jitter


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        ({"name": "a"}, "expect"),
        ({"name": "a", "expect": "Nothing"}, "'Nothing'"),
        ({"name": "a", "expect": "Either", "start": "Badly"}, "'Badly'"),
        ({"name": "a", "expect": "Either", "keeps": ["Money"]}, "'Money'"),
        ({"name": "a", "expect": "Either", "guards": {"dns": {"selfRepair": "On"}}}, "'On'"),
    ],
)
def test_what_no_engine_can_run_is_named(arm: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, KeyError), match=says):
        scenario_of("s", "uid", {"arms": [arm]})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            {"command": "override", "endpoint": "dynamodb"},
            ["override", "dynamodb", "--why=scripted override", "--no-wait", "--plan=newest"],
        ),
        (
            {"command": "override", "endpoint": "dynamodb", "plan": 3},
            ["override", "dynamodb", "--why=scripted override", "--no-wait", "--plan=3"],
        ),
        (
            {
                "command": "override",
                "endpoint": "dynamodb",
                "addresses": ["192.0.2.1", "2001:db8::1"],
            },
            [
                "override",
                "dynamodb",
                "--why=scripted override",
                "--no-wait",
                "--addresses=192.0.2.1,2001:db8::1",
            ],
        ),
        (
            {"command": "override", "endpoint": "dynamodb", "freeze": False},
            [
                "override",
                "dynamodb",
                "--why=scripted override",
                "--no-wait",
                "--plan=newest",
                "--no-freeze",
            ],
        ),
        ({"command": "freeze"}, ["freeze", "--why=scripted freeze"]),
        ({"command": "thaw"}, ["thaw", "--why=scripted thaw"]),
    ],
)
def test_an_order_as_it_is_entered(raw: dict[str, Any], words: list[str]) -> None:
    act = act_of("act-1", {"operator": raw, "when": {"afterSeconds": 1}})
    assert isinstance(act.does, Order)
    assert act.does.words() == words


DUE = Act("a", Order("freeze"), Condition(empty="dynamodb"), 5.0)
EMPTY, RECOVERED = Names(frozenset({"dynamodb"})), Names(recovered=frozenset({"dynamodb"}))


def test_an_act_is_due_once_when_its_condition_has_been_true_for_a_reaction() -> None:
    watch = ActWatch()
    assert watch.due(1.0, (DUE,), {}, 1, NOTHING_SEEN) == ()
    assert watch.due(2.0, (DUE,), {}, 1, EMPTY) == ()
    assert watch.due(6.9, (DUE,), {}, 1, RECOVERED) == ()
    assert watch.due(7.0, (DUE,), {}, 1, RECOVERED) == (DUE,), "it was true once"
    assert watch.due(8.0, (DUE,), {}, 1, EMPTY) == ()
    assert watch.begun == {"a": 7.0}
    assert watch.undone((DUE,)) == ("a",)
    watch.done["a"] = 8.5
    assert watch.undone((DUE,)) == ()


@pytest.mark.parametrize(
    ("when", "names", "actors", "newest", "t", "due"),
    [
        (Condition(after_seconds=3), NOTHING_SEEN, {}, 1, 2.9, False),
        (Condition(after_seconds=3), NOTHING_SEEN, {}, 1, 3.0, True),
        (Condition(plans_behind=4), NOTHING_SEEN, {}, 3, 9.0, False),
        (Condition(plans_behind=4), NOTHING_SEEN, {}, 4, 9.0, True),
        (Condition(empty="dynamodb"), EMPTY, {}, 1, 9.0, True),
        (Condition(empty="kinesis"), EMPTY, {}, 1, 9.0, False),
        (Condition(recovered="dynamodb"), RECOVERED, {}, 1, 9.0, True),
        (Condition(recovered="dynamodb"), EMPTY, {}, 1, 9.0, False),
        (Condition(held=A), NOTHING_SEEN, {A: ActorView(A, "turn", 1)}, 1, 9.0, False),
        (Condition(held=A), NOTHING_SEEN, {A: ActorView(A, "turn", 1, hold="h")}, 1, 9.0, True),
        (Condition(held=A), NOTHING_SEEN, {}, 1, 9.0, False),
        (Condition(empty="dynamodb", after_seconds=9), EMPTY, {}, 1, 8.0, False),
    ],
)
def test_conditions_of_an_act_are_an_outsiders(
    when: Condition, names: Names, actors: dict[str, ActorView], newest: int, t: float, due: bool
) -> None:
    act = Act("a", Scale("planner", 0), when)
    assert ActWatch().due(t, (act,), actors, newest, names) == ((act,) if due else ())


def test_the_last_act_is_known_once_all_are_done() -> None:
    other = Act("b", Scale("planner", 1), Condition())
    watch = ActWatch()
    assert watch.last(2.0, ()) == 2.0
    watch.done["a"] = 5.0
    assert watch.last(2.0, (DUE, other)) is None
    watch.done["b"] = 4.0
    assert watch.last(2.0, (DUE, other)) == 5.0


@pytest.mark.parametrize(
    ("start", "kinds"),
    [
        (Start.NAMES_NOTHING, ()),
        (Start.NO_ADDRESSES, (Tree,)),
        (Start.DEAD_LOCK, (Tree, Slice)),
    ],
)
def test_what_the_loops_find(start: Start, kinds: tuple[type, ...]) -> None:
    alias = alias_of(start, "dynamodb", now=100.0)
    assert kinds_of(start) == kinds
    assert (alias.target, alias.generation) == ("dynamodb-p1", 1)
    assert tree_of("dynamodb").name == slice_of("dynamodb", "u-1").tree == alias.target
    assert alias.lock == (f"{THE_DEAD} 1000100.000" if start is Start.DEAD_LOCK else "")
    assert isinstance(alias, Alias)
