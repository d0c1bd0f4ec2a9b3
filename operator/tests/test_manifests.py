"""What is generated or copied is fresh, and what the chart and the code say of each other holds."""

import json
import re
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from holdfast.cli.files import ForPeople, read_scenario
from holdfast.core.acts import Command, Role
from holdfast.core.bounds import Bounds, bounds_document, bounds_of
from holdfast.core.guards import (
    AWS_2025,
    AWS_LEASES,
    LEASE_PROFILES,
    PROFILES,
    Cleanup,
    Concurrency,
    Dedupe,
    Expired,
    Fence,
    Grace,
    OnStart,
    Order,
    QueueAdmission,
    Retry,
    Rollback,
    Switch,
    dns_guards,
    effective,
    lease_guards,
)
from holdfast.core.holds import HELD, ActorView, actor_status
from holdfast.core.intents import STEPS
from holdfast.core.invariants import Invariant
from holdfast.core.leases.fleet import CostOf, Fleet, Mode, droplet_name, fleet_of, rack_name
from holdfast.core.leases.lease import AGE_MAX, PACKED_DIGITS, pack
from holdfast.core.leases.manager import Manager
from holdfast.core.leases.report import report
from holdfast.core.ledger import RecoveredBy
from holdfast.core.names import ENDPOINT_NAME_MAX, ZONE_NAME_MAX
from holdfast.core.region import region_of
from holdfast.core.scenario import scenario_of
from holdfast.core.starts import Start
from holdfast.core.verdict import EITHER, Outcome
from holdfast.live import arm_manifests as manifests

ROOT = Path(__file__).resolve().parents[2]
INSTALL = manifests.Installation("holdfast-system", "holdfast", "i", "c", "Never", (1, 2))


def whole(plural: str) -> dict[str, Any]:
    raw = yaml.safe_load((ROOT / "crds" / f"{plural}.yaml").read_text())
    found: dict[str, Any] = raw["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def schema(plural: str) -> dict[str, Any]:
    found: dict[str, Any] = whole(plural)["properties"]
    return found


def region_spec() -> dict[str, Any]:
    found: dict[str, Any] = schema("regions")["spec"]["properties"]
    return found


def scenario_spec() -> dict[str, Any]:
    found: dict[str, Any] = schema("scenarios")["spec"]["properties"]
    return found


def rules(schema: dict[str, Any]) -> list[str]:
    return [r["rule"] for r in schema.get("x-kubernetes-validations", ())]


KINDS = ["dnsplans", "dropletleases", "instances", "rackleases", "regions", "scenarios"]
LADDERS = {
    "admission": QueueAdmission,
    "expired": Expired,
    "dedupe": Dedupe,
    "retry": Retry,
    "order": Order,
    "concurrency": Concurrency,
    "grace": Grace,
    "onStart": OnStart,
}


def test_the_charts_crds_are_copies() -> None:
    for folder in (ROOT / "crds", ROOT / "charts/holdfast/crds"):
        assert sorted(p.stem for p in folder.iterdir()) == KINDS, "make crds"
    for kind in KINDS:
        copy = ROOT / f"charts/holdfast/crds/{kind}.yaml"
        assert copy.read_text() == (ROOT / f"crds/{kind}.yaml").read_text(), "make crds"


@pytest.mark.parametrize("plural", KINDS)
def test_every_kind_is_listed_by_the_category_and_has_a_short_name_of_its_own(plural: str) -> None:
    crds = [yaml.safe_load((ROOT / f"crds/{kind}.yaml").read_text()) for kind in KINDS]
    short = [name for crd in crds for name in crd["spec"]["names"]["shortNames"]]
    assert len(set(short)) == len(KINDS)
    (crd,) = [c for c in crds if c["spec"]["names"]["plural"] == plural]
    assert crd["metadata"]["name"] == f"{plural}.holdfast.dev"
    assert crd["spec"]["names"]["categories"] == ["holdfast"]


def test_a_scenarios_region_takes_what_a_region_takes() -> None:
    not_theirs = ("guards", "holds", "paused", "freeze", "seed")
    own = {k: v for k, v in region_spec().items() if k not in not_theirs}
    theirs = dict(scenario_spec()["region"]["properties"])
    assert theirs.pop("name")
    assert theirs == own
    crd = yaml.safe_load((ROOT / "crds/regions.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    in_a_scenario = rules(scenario_spec()["region"])
    of_changes = "oldSelf"  # and no Scenario can be changed at all
    not_its = ("holds", of_changes)
    assert in_a_scenario == [r for r in rules(spec) if not any(word in r for word in not_its)]


def test_the_crds_list_exactly_the_rungs_and_steps_that_work() -> None:
    arm = scenario_spec()["arms"]["items"]["properties"]
    for guards in (region_spec()["guards"], arm["guards"]):
        assert guards["properties"]["profile"]["enum"] == list(PROFILES)
        leases = dict(guards["properties"]["leases"]["properties"])
        assert leases.pop("profile")["enum"] == list(LEASE_PROFILES)
        assert {name: field["enum"] for name, field in leases.items()} == {
            name: list(ladder) for name, ladder in LADDERS.items()
        }
        assert all(field["description"] for field in leases.values())
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
    assert arm["keeps"]["maxItems"] == arm["breaks"]["maxItems"] == len(Invariant)
    assert arm["start"]["enum"] == list(Start)
    for timeline in (scenario_spec()["timeline"], arm["timeline"]):
        acts = timeline["items"]["properties"]
        assert acts["operator"]["properties"]["command"]["enum"] == list(get_args(Command))
        assert acts["scale"]["properties"]["role"]["enum"] == list(get_args(Role))
        for condition in ("when", "until"):
            assert {"leasesHeld", "leasesLost"} <= set(acts[condition]["properties"])
        assert acts["lostReply"]["properties"]["at"]["enum"] == list(STEPS)
        assert acts["hold"]["properties"]["at"]["enum"] == [*STEPS, "write"]
        assert acts["hold"]["properties"]["role"]["enum"] == list(HELD)
    held = region_spec()["holds"]["items"]["properties"]
    assert held["at"]["enum"] == [*STEPS, "write"]
    assert held["role"]["enum"] == list(HELD)
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


def test_the_status_of_a_lease_manager_has_every_field_that_is_reported() -> None:
    told = report(Manager(Fleet(), AWS_LEASES, ("a",), 0.0, lambda: 0.5), 0.0, "p")
    fields = schema("regions")["status"]["properties"]["leases"]["additionalProperties"]
    kinds = {"integer": int, "number": float, "string": str}
    assert set(fields["properties"]) == {*told, "reported"}, "and when, by the role's clock"
    assert told.pop("bound") is None, "a merge patch then takes it out: there is none"
    for name, value in told.items():
        assert isinstance(value, kinds[fields["properties"][name]["type"]]), name


def test_the_status_tells_every_guard_that_is_in_force() -> None:
    there = effective(AWS_2025, AWS_LEASES)
    arm = schema("scenarios")["status"]["properties"]["arms"]["items"]["properties"]
    for status in (schema("regions")["status"]["properties"], arm):
        told = status["guards"]["properties"]
        assert {group: set(told[group]["properties"]) for group in told} == {
            group: set(rungs) for group, rungs in there.items()
        }


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


def test_a_region_has_no_leases_unless_it_says_so() -> None:
    assert "fleet" not in defaults(region_spec())
    assert fleet_of(None) is None


def test_defaults_of_a_fleet_are_those_of_the_code() -> None:
    fleet = region_spec()["fleet"]["properties"]
    assert fleet_of(defaults(fleet)) == fleet_of({"racks": 1})
    assert set(fleet) - set(defaults(fleet)) == {"admitAtMost", "restarts"}
    assert fleet["mode"]["enum"] == list(Mode)
    assert fleet["costOf"]["enum"] == list(CostOf)


def test_an_arms_fleet_has_every_field_of_a_regions_and_no_default() -> None:
    """A default would take the place of what the region says."""
    own = scenario_spec()["arms"]["items"]["properties"]["fleet"]["properties"]
    assert defaults(own) == {}
    fleet = region_spec()["fleet"]["properties"]
    assert own == {
        name: {k: v for k, v in field.items() if k != "default"} for name, field in fleet.items()
    }


@pytest.mark.parametrize("plural", ["dropletleases", "rackleases"])
def test_a_lease_is_bounded_as_the_fleet_is_that_it_is_of(plural: str) -> None:
    spec = schema(plural)["spec"]
    ours, fleet = spec["properties"], region_spec()["fleet"]
    for field in ("durationSeconds", "heartbeatMilliseconds", "timeoutMilliseconds"):
        assert ours[field] == fleet["properties"][field]
    assert set(rules(fleet)[:2]) <= set(rules(spec))
    assert ours["rack"]["maximum"] == fleet["properties"]["racks"]["maximum"]
    assert ours["zone"]["maxLength"] == ZONE_NAME_MAX
    crd = yaml.safe_load((ROOT / f"crds/{plural}.yaml").read_text())
    assert "subresources" not in crd["spec"]["versions"][0], "one write renews it and says so"


def test_the_names_and_the_contents_of_leases_have_room() -> None:
    fleet = region_spec()["fleet"]["properties"]
    racks, droplets = fleet["racks"]["maximum"], fleet["droplets"]["maximum"]
    zone = "z" * ZONE_NAME_MAX
    longest = droplet_name(zone, racks, droplets)
    assert len(longest) <= schema("dropletleases")["metadata"]["properties"]["name"]["maxLength"]
    assert len(longest) <= schema("dropletleases")["spec"]["properties"]["droplet"]["maxLength"]
    rack = schema("rackleases")
    assert len(rack_name(zone, racks)) <= rack["metadata"]["properties"]["name"]["maxLength"]
    assert rack["spec"]["properties"]["droplets"]["maximum"] == droplets
    (rule,) = [r for r in rules(whole("rackleases")) if "matches(" in r]
    (named,) = re.findall(r"matches\('(.*?)'\)", rule)
    assert all(re.search(named, rack_name(zone, number)) for number in (1, racks))
    assert not any(re.search(named, f"{zone}-{wrong}") for wrong in ("r0", "r01", "1", "r1-d1"))
    packed = rack["spec"]["properties"]["packed"]
    assert packed["maxLength"] >= 2 * droplets
    digits = pack([None, 0, AGE_MAX, *range(0, AGE_MAX, 7)])
    assert re.search(packed["pattern"], digits)
    assert re.search(packed["pattern"], "")
    assert all(re.search(packed["pattern"], 2 * digit) for digit in PACKED_DIGITS)
    assert not any(re.search(packed["pattern"], wrong) for wrong in ("a", "ää", "a a ", "++"))


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
    guards = raw["spec"].pop("guards")
    assert raw["spec"] == {k: v for k, v in defaults(region_spec()).items() if k != "guards"} | {
        "holds": []
    }
    assert guards["profile"] == defaults(region_spec())["guards"]["profile"] == "aws-2025"
    assert guards["dns"] == {"fence": "CheckOnce", "cleanup": "ByAge", "rollback": "Coupled"}
    assert (dns_guards(guards), lease_guards(guards)) == (dns_guards({}), lease_guards({}))
    assert (set(guards), set(guards["leases"])) == ({"profile", "dns", "leases"}, set(LADDERS))


def test_the_fleet_that_stands_there_as_a_comment_has_every_default() -> None:
    lines = (ROOT / "scenarios/region.yaml").read_text().splitlines()
    begin = lines.index("  # fleet:")
    block = takewhile(lambda line: line.startswith("  #"), lines[begin:])
    fleet = yaml.safe_load("\n".join(line.removeprefix("  # ") for line in block))["fleet"]
    told = region_spec()["fleet"]["properties"]
    assert set(fleet) == set(told)
    assert fleet.items() >= defaults(told).items()


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


def test_every_role_has_rights_in_an_arm_and_only_those_of_the_chart() -> None:
    bound = [b["roleRef"]["name"] for b in manifests.role_bindings(INSTALL)]
    assert bound == [f"holdfast-{r}-arm" for r in ("scenario", "planner", "enactor", "leases")]
    rbac = (ROOT / "charts/holdfast/templates/rbac.yaml").read_text()
    for name in bound:
        templated = name.replace("holdfast", "{{ $name }}", 1)
        assert f"  name: {templated}\n" in rbac
        assert f"{templated}, " in rbac, "the scenario role may bind it"


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
