"""Holds and conditions by values: dns-race's own timeline is the example."""

from dataclasses import replace

import pytest
import yaml

from holdfast.cli.files import read_scenario
from holdfast.core.guards import AWS_2025, Cleanup, Fence, Rollback
from holdfast.core.holds import (
    ActorView,
    Condition,
    Hold,
    actor_of,
    actor_status,
    catcher,
    condemned,
    hold_of,
    is_met,
)
from holdfast.core.scenario import Scenario, scenario_of
from holdfast.core.timeline import HoldWatch, stale_attempts

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"


def race() -> Scenario:
    return scenario_of("dns-race", "uid", read_scenario("dns-race")["spec"])


def holds(arm: int = 0) -> tuple[Hold, ...]:
    return tuple(hold_of(h) for h in race().arms[arm].holds)


def test_condemned_needs_another_at_delete_with_the_held_plan_among_its_victims() -> None:
    a = ActorView(A, "turn", generation=3)
    b = ActorView(B, "delete", generation=6, victims=(2, 3))
    assert condemned(A, {A: a, B: b})
    assert not condemned(A, {A: replace(a, generation=4), B: b})
    assert not condemned(A, {A: a, B: replace(b, step="list")})
    assert not condemned(B, {A: a, B: replace(b, victims=(6,))})
    assert not condemned(C, {A: a, B: b})


def test_a_hold_catches_once_and_only_when_its_condition_is_true() -> None:
    one, two, three, four = holds()
    a = ActorView(A, "turn", generation=1)
    assert catcher(holds(), a, {}, 1) == one
    assert catcher(holds(), replace(a, caught=("hold-1",)), {}, 1) is None
    assert catcher((replace(one, released=True),), a, {}, 1) is None
    b = ActorView(B, "delete", generation=3)
    assert catcher(holds(), b, {A: a}, 3) is None
    assert catcher(holds(), replace(b, victims=(1,)), {A: a}, 4) == two
    assert catcher(holds(), ActorView(C, "pick"), {}, 0) == three
    assert catcher(holds(), ActorView(A, "pick", caught=("hold-1",)), {}, 4) is None
    tried = ActorView(A, "pick", caught=("hold-1",), tried="flipped")
    assert catcher(holds(), tried, {A: a}, 4) == four, "the arrival replaces its older report"


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (Condition(), True),
        (Condition(tried=A), True),
        (Condition(tried=B), False),
        (Condition(cleaned=B), True),
        (Condition(cleaned=A), False),
        (Condition(plans_behind=4), True),
        (Condition(plans_behind=5), False),
        (Condition(after_seconds=2.0), True),
        (Condition(after_seconds=2.1), False),
        (Condition(tried=A, cleaned=A), False),
        (Condition(tried="us-east-1d"), False),
    ],
)
def test_all_of_a_condition_must_hold(condition: Condition, met: bool) -> None:
    actors = {A: ActorView(A, generation=3, tried="dropped"), B: ActorView(B, cleaned=True)}
    assert is_met(condition, actors[A], actors, newest_plan=7, held_seconds=2.0) is met


def test_a_report_survives_the_round_trip() -> None:
    view = ActorView(A, "delete", 7, (1, 2), "hold-2", ("hold-2",), True, "refused", 5, True, 1, 2)
    assert actor_of(A, actor_status(view)) == view
    assert len(actor_status(view)) == len(ActorView.__dataclass_fields__) - 1


def test_release_by_condition_and_by_deadline() -> None:
    watch = HoldWatch()
    actors = {A: ActorView(A, "turn", 1, hold="hold-1", caught=("hold-1",))}
    assert watch.see(1.0, actors) == ("hold-1",)
    assert watch.see(1.1, actors) == ()
    assert watch.due(2.0, holds(), actors, 4) == ()
    b = ActorView(B, "delete", 4, (1,), "hold-2", ("hold-2",))
    assert [h.name for h in watch.due(3.0, holds(), {**actors, B: b}, 4)] == ["hold-1"]
    assert watch.overdue == set()
    assert [h.name for h in watch.due(61.1, holds(), actors, 4)] == ["hold-1"]
    assert watch.overdue == {"hold-1"}
    assert watch.uncaught(holds()) == ("hold-2", "hold-3", "hold-4")


def test_when_the_last_hold_went_is_known_once_all_have_gone() -> None:
    watch = HoldWatch()
    assert watch.last(5.0, ()) == 5.0, "none to wait for: the arm's beginning"
    watch.released = {h.name: 10.0 + at for at, h in enumerate(holds())}
    assert watch.last(5.0, holds()) == 13.0
    assert watch.last(15.0, holds()) == 15.0
    del watch.released["hold-3"]
    assert watch.last(5.0, holds()) is None


def test_only_the_tries_that_a_hold_waits_for_count_as_attempts() -> None:
    lagging = ActorView(C, stale_dropped=3)
    assert stale_attempts(holds(), {A: ActorView(A), C: lagging}) == 0
    assert stale_attempts(holds(), {A: ActorView(A, tried="flipped"), C: lagging}) == 0
    assert stale_attempts(holds(), {A: ActorView(A, tried="refused"), C: lagging}) == 1
    assert stale_attempts((), {C: lagging}) == 3


def test_an_arm_may_replace_the_timeline() -> None:
    arms = {arm.name: arm for arm in race().arms}
    assert [h["at"] for h in arms["aws-2025"].holds] == ["turn", "delete", "pick", "pick"]
    assert [h["at"] for h in arms["fenced"].holds] == ["turn", "delete", "pick", "pick"]
    assert [h["at"] for h in arms["fenced-midwrite"].holds] == ["flip", "delete", "pick", "pick"]


def test_the_scenario_file_is_what_yaml_says() -> None:
    """No `off`, `on` or `no` that YAML would read as a boolean."""
    text = yaml.safe_dump(read_scenario("dns-race"))
    assert "true" not in text
    assert "false" not in text


def test_the_scenarios_try_every_rung_of_every_ladder() -> None:
    arms = [
        arm.guards
        for name in ("dns-race", "wrong-fixes")
        for arm in scenario_of(name, "uid", read_scenario(name)["spec"]).arms
    ]
    assert {a.fence for a in arms} == set(Fence)
    assert {a.cleanup for a in arms} == set(Cleanup)
    assert {a.rollback for a in arms} == set(Rollback)


def test_a_wrong_fix_changes_one_guard() -> None:
    for arm in scenario_of("wrong-fixes", "uid", read_scenario("wrong-fixes")["spec"]).arms:
        mine = (arm.guards.fence, arm.guards.cleanup, arm.guards.rollback)
        aws = (AWS_2025.fence, AWS_2025.cleanup, AWS_2025.rollback)
        assert sum(a != b for a, b in zip(mine, aws, strict=True)) == 1, arm.name
