"""What is generated or copied is fresh, and what the chart and the code say of each other holds."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from holdfast.cli.files import ForPeople, read_scenario
from holdfast.core.acts import Command, Role
from holdfast.core.bounds import Bounds, bounds_document, bounds_of
from holdfast.core.guards import PROFILES, Cleanup, Fence, Rollback, Switch
from holdfast.core.holds import ActorView, actor_status
from holdfast.core.intents import STEPS
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import RecoveredBy
from holdfast.core.names import ENDPOINT_NAME_MAX, ZONE_NAME_MAX
from holdfast.core.region import region_of
from holdfast.core.scenario import scenario_of
from holdfast.core.starts import Start
from holdfast.core.verdict import EITHER, Outcome
from holdfast.live import arm_manifests as manifests

ROOT = Path(__file__).resolve().parents[2]
INSTALL = manifests.Installation("holdfast-system", "holdfast", "i", "c", "Never", (1, 2))


def schema(plural: str) -> dict[str, Any]:
    raw = yaml.safe_load((ROOT / "crds" / f"{plural}.yaml").read_text())
    found: dict[str, Any] = raw["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return found


def region_spec() -> dict[str, Any]:
    found: dict[str, Any] = schema("regions")["spec"]["properties"]
    return found


def scenario_spec() -> dict[str, Any]:
    found: dict[str, Any] = schema("scenarios")["spec"]["properties"]
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "crds").glob("*.yaml")), ids=lambda p: p.name)
def test_the_charts_crds_are_copies(path: Path) -> None:
    assert (ROOT / "charts/holdfast/crds" / path.name).read_text() == path.read_text(), "make crds"


def test_a_scenarios_region_takes_what_a_region_takes() -> None:
    not_theirs = ("guards", "holds", "paused", "freeze", "seed")
    own = {k: v for k, v in region_spec().items() if k not in not_theirs}
    theirs = dict(scenario_spec()["region"]["properties"])
    assert theirs.pop("name")
    assert theirs == own


def test_the_crds_list_exactly_the_rungs_and_steps_that_work() -> None:
    arm = scenario_spec()["arms"]["items"]["properties"]
    for guards in (region_spec()["guards"], arm["guards"]):
        assert guards["properties"]["profile"]["enum"] == list(PROFILES)
        dns = guards["properties"]["dns"]["properties"]
        assert dns["fence"]["enum"] == list(Fence)
        assert dns["cleanup"]["enum"] == list(Cleanup)
        assert dns["rollback"]["enum"] == list(Rollback)
        switches = set(dns) - {"fence", "cleanup", "rollback"}
        assert switches == {"admission", "selfRepair", "lastKnownGood"}
        assert all(dns[s]["enum"] == list(Switch) for s in switches)
    assert arm["expect"]["enum"] == [*Outcome, EITHER]
    assert arm["recoveredBy"]["enum"] == list(get_args(RecoveredBy))
    assert arm["keeps"]["items"]["enum"] == arm["breaks"]["items"]["enum"] == list(Invariant)
    assert arm["start"]["enum"] == list(Start)
    for timeline in (scenario_spec()["timeline"], arm["timeline"]):
        acts = timeline["items"]["properties"]
        assert acts["operator"]["properties"]["command"]["enum"] == list(get_args(Command))
        assert acts["scale"]["properties"]["role"]["enum"] == list(get_args(Role))
        for at in ("hold", "lostReply"):
            assert acts[at]["properties"]["at"]["enum"] == list(STEPS)
    assert region_spec()["holds"]["items"]["properties"]["at"]["enum"] == list(STEPS)
    assert region_spec()["endpoints"]["items"]["maxLength"] == ENDPOINT_NAME_MAX


def test_the_chart_takes_the_zones_that_a_region_takes() -> None:
    values = json.loads((ROOT / "charts/holdfast/values.schema.json").read_text())
    of_chart, of_region = values["properties"]["zones"], region_spec()["zones"]
    assert of_chart["items"]["maxLength"] == ZONE_NAME_MAX
    for bound in ("maxLength", "pattern"):
        assert of_chart["items"][bound] == of_region["items"][bound]
    assert of_chart["maxItems"] == of_region["maxItems"]


def test_the_status_of_an_actor_has_every_field_that_is_reported() -> None:
    actors = schema("regions")["status"]["properties"]["actors"]
    assert set(actors["additionalProperties"]["properties"]) == set(actor_status(ActorView("z")))


def defaults(properties: dict[str, Any]) -> dict[str, Any]:
    """What the API server fills in for an object without a word said."""
    found: dict[str, Any] = {}
    for name, field in properties.items():
        if "default" in field:
            inner = field.get("properties")
            found[name] = defaults(inner) if inner else field["default"]
    return found


def test_defaults_of_the_crd_and_of_the_code_are_the_same() -> None:
    filled = defaults(region_spec())
    assert region_of("ns", "us-east-1", filled) == region_of("ns", "us-east-1", {})


def test_a_scenarios_bounds_default_to_what_the_code_says() -> None:
    check = {"check": scenario_spec()["check"]}
    filled = defaults(check)["check"]
    assert filled == bounds_document(Bounds()) | {"barePlans": 0}, "told where there are any"
    assert bounds_of(filled) == bounds_of(None) == Bounds()
    scenario = scenario_of(
        "s", "uid", {"arms": [], "check": {"plans": 3, "budgets": {"crashes": 1}}}
    )
    assert (scenario.bounds.plans, scenario.bounds.budgets.crashes) == (3, 1)
    assert bounds_document(bounds_of({"barePlans": 2}))["barePlans"] == 2


def test_the_complete_region_stands_with_every_default() -> None:
    raw = yaml.safe_load((ROOT / "scenarios/region.yaml").read_text())
    assert raw["spec"] == defaults(region_spec()) | {
        "guards": {
            "profile": "aws-2025",
            "dns": {"fence": "CheckOnce", "cleanup": "ByAge", "rollback": "Coupled"},
        },
        "holds": [],
    }


def test_an_arms_pods_are_restricted() -> None:
    pods = [
        manifests.dns_deployment("authoritative", INSTALL, watches=True),
        manifests.store_deployment("us-east-1a", 100, INSTALL),
        manifests.probe_deployment(("n",), ("IPv4",), {"authoritative": "1"}, INSTALL),
    ]
    for raw in pods:
        spec = raw["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == manifests.SECURITY
            assert container["resources"]["limits"]


def test_everything_of_an_arm_is_owned_by_its_scenario() -> None:
    scenario = scenario_of("dns-race", "uid-1", read_scenario("dns-race")["spec"])
    for raw in (
        manifests.namespace(scenario, "fenced"),
        manifests.coredns_binding(scenario, "fenced", INSTALL),
    ):
        assert [o["uid"] for o in raw["metadata"]["ownerReferences"]] == ["uid-1"]
        assert "finalizers" not in raw["metadata"]


API = "apiVersion: holdfast.dev/v1alpha1\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (API + "kind: Pod\nmetadata: {name: x}\n", "kind is 'Pod', not 'Scenario'"),
        (API + "kind: Scenario\n", "metadata.name is missing"),
        ("apiVersion: v1\nkind: Scenario\n", "apiVersion is 'v1'"),
        ("a: [\n", "not YAML"),
        ("", "one Scenario is wanted, 0 documents"),
        (API + "kind: Scenario\n---\nkind: Scenario\n", "2 documents"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_by_name(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ForPeople, match=says):
        read_scenario(str(path))


def test_a_scenario_that_does_not_exist() -> None:
    with pytest.raises(ForPeople, match="no such file"):
        read_scenario("nothing")
