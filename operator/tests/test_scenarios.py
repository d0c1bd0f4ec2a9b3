"""Every packaged Scenario passes in virtual time, whatever the seed, and under the checker."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.check.dns import Setting, setting_of
from holdfast.check.report import arm_document, check
from holdfast.cli.strict import admit
from holdfast.core.bounds import Bounds
from holdfast.core.scenario import Arm, Scenario, scenario_of
from holdfast.sim.scenario import simulate

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = ["stuck", "empty-plan", "bad-start", "zombie-enactor", "planner-down", "lost-reply"]


def load(name: str) -> dict[str, Any]:
    file = SCENARIOS / f"{name}.yaml"
    return admit(yaml.safe_load(file.read_text()), str(file))


def setting(scenario: Scenario, arm: Arm) -> Setting:
    return setting_of(arm, scenario.region["endpoints"], scenario.bounds)


@pytest.mark.parametrize("name", [*NAMES, "dns-race", "enactor-down"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_passes_in_virtual_time(name: str, seed: int) -> None:
    result = simulate(load(name), seed)
    assert result["verdict"] == "Pass", result["message"]


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_under_the_checker(name: str) -> None:
    """Each arm within the bounds of the file, all states."""
    raw = load(name)
    scenario = scenario_of(name, "", raw["spec"])
    for arm in scenario.arms:
        checked = check(
            arm.guards,
            scenario.bounds,
            setting=setting_of(arm, scenario.region["endpoints"], scenario.bounds),
        )
        document = arm_document(arm, scenario.bounds, checked)
        assert document["verdict"] == "Pass", (arm.name, document["message"])
        assert document["exploration"]["exhaustive"]


def test_an_operator_among_the_actors_recovers_the_name_and_is_not_undone() -> None:
    """The arm `override` of dns-race: guards as AWS ran them, and somebody who acts once the name
    is empty, at any moment of any interleaving."""
    scenario = scenario_of("dns-race", "", load("dns-race")["spec"])
    arm = next(a for a in scenario.arms if a.name == "override")
    checked = check(
        arm.guards,
        scenario.bounds,
        setting=setting_of(arm, scenario.region["endpoints"], scenario.bounds),
    )
    assert "NonEmpty" in checked.broken
    assert "FrozenStays" not in checked.broken
    assert checked.stuck == 0, "whatever happens, the human can still give the name back"


def test_an_override_is_of_the_models_endpoint_in_the_same_place() -> None:
    timeline = [{"operator": {"command": "override", "endpoint": "sqs"}, "when": {"empty": "sqs"}}]
    raw = {"arms": [{"name": "a", "expect": "Either"}], "timeline": timeline}
    (arm,) = scenario_of("s", "", raw | {"region": {"endpoints": ["iam", "sqs"]}}).arms
    (order,) = setting_of(arm, ["iam", "sqs"], Bounds(endpoints=2)).on_empty
    assert order.endpoint == "kinesis"
    with pytest.raises(ValueError, match="that is endpoint 2 of the Region, and 1 are explored"):
        setting_of(arm, ["iam", "sqs"], Bounds())


def test_the_resolver_recovers_later_than_the_server() -> None:
    """Its negative answers outlive the repair, for a minute at most."""
    arms = simulate(load("dns-race"), 1)["arms"]
    dns = next(a for a in arms if a["name"] == "override")["dns"]
    assert dns["recoveredBy"] == "operator"
    server, resolver = dns["authoritative"], dns["resolver"]
    assert server["recoveredAt"] - server["firstEmptyAt"] == pytest.approx(8 + 3, abs=1.0)
    assert server["recoveredAt"] < resolver["recoveredAt"] < server["recoveredAt"] + 61


def test_an_enactor_that_ends_within_its_lock_costs_the_rollback_record_and_no_answer() -> None:
    """docs/failures/enactor-down.md: which runs show it is a matter of when the end comes."""
    document = load("enactor-down")
    document["spec"]["region"]["planner"]["churnPerMinute"] = 500
    results = [simulate(document, seed)["arms"] for seed in range(1, 11)]
    broken = {tuple(arm["invariantsBroken"]) for arm, _ in results}
    assert broken == {(), ("RollbackNamesATree",)}
    assert {tuple(safe["invariantsBroken"]) for _, safe in results} == {()}
    assert {arm["outcome"] for arms in results for arm in arms} == {"OutagePrevented"}
