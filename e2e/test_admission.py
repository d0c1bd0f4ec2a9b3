"""Bad input is refused by the API server, with the field and the bound named."""

import copy
import json
from typing import Any

import pytest
import yaml

from e2e.cluster_tools import run
from holdfast.core.guards import Cleanup, Fence, Rollback

pytestmark = pytest.mark.cluster

REGION: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Region",
    "metadata": {"name": "us-east-1", "namespace": "default"},
    "spec": {},
}
SCENARIO: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Scenario",
    "metadata": {"name": "bad"},
    "spec": {"arms": [{"name": "one", "expect": "OutagePrevented"}]},
}
PLAN: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "DNSPlan",
    "metadata": {"name": "plan-0000000007", "namespace": "default"},
    "spec": {
        "planGeneration": 7,
        "endpoints": [{"name": "dynamodb", "addresses": [{"address": "10.0.0.1", "weight": 1}]}],
    },
}


def refusal(obj: dict[str, Any]) -> str:
    """What kubectl prints; "" if the object is taken."""
    done = run("kubectl", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(obj))
    return done.stderr if done.returncode else ""


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `base` with the value at a dotted path, list indexes included."""
    obj = copy.deepcopy(base)
    where: Any = obj
    *parents, last = path.split(".")
    for key in parents:
        where = where[int(key)] if key.isdecimal() else where.setdefault(key, {})
    where[int(last) if last.isdecimal() else last] = value
    return obj


def hold(**more: Any) -> dict[str, Any]:
    return {"name": "h", "zone": "us-east-1a", "at": "turn", "until": {"afterSeconds": 1}, **more}


ADDRESS = "spec.endpoints.0.addresses.0.address"
BAD = [
    (REGION, "spec.guards", {"dns": {"fence": "Generatoin"}}, ["fence", "Generation"]),
    (REGION, "spec.guards", {"dns": {"fence": "off"}}, ["spec.guards.dns.fence"]),
    (REGION, "spec.guards", {"dns": {"fence": False}}, ["spec.guards.dns.fence", "string"]),
    (REGION, "spec.guards", {"dns": {"fnece": "Generation"}}, ["unknown field", "fnece"]),
    (REGION, "spec.guards", {"profile": "aws"}, ["spec.guards.profile", "aws-2025"]),
    (REGION, "spec.retnetion", 2, ["unknown field", "retnetion"]),
    (REGION, "spec.retention", 0, ["spec.retention", "greater than or equal to 1"]),
    (REGION, "spec.retention", -1, ["spec.retention", "greater than or equal to 1"]),
    (REGION, "spec.retention", 10**9, ["spec.retention", "less than or equal to 1000"]),
    (REGION, "spec.retention", 100, ["spec.retention", "must be below planHistory"]),
    (REGION, "spec.retention", "two", ["spec.retention", "integer"]),
    (REGION, "spec.planHistory", 1, ["spec.planHistory", "greater than or equal to 2"]),
    (REGION, "spec.endpoints", [], ["spec.endpoints", "at least 1"]),
    (REGION, "spec.endpoints", ["a" * 40], ["spec.endpoints[0]", "39"]),
    (REGION, "spec.endpoints", ["Dynamo"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["*"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["ünicode"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["a.b"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["a", "a"], ["spec.endpoints[1]", "Duplicate"]),
    (REGION, "spec.endpoints", ["dynamodb-p7"], ["must not end in -p<number>"]),
    (REGION, "spec.endpoints", ["resolver"], ["names of DNS servers"]),
    (REGION, "spec.zones", [], ["spec.zones", "at least 1"]),
    (REGION, "spec.zones", ["a" * 27], ["spec.zones[0]", "26"]),
    (REGION, "spec.planner", {"churnPerMinute": -1}, ["churnPerMinute", "equal to 0"]),
    (REGION, "spec.planner", {"churnPerMinute": 10**9}, ["churnPerMinute", "6000"]),
    (REGION, "spec.enactor", {"lockSeconds": 0}, ["lockSeconds", "equal to 1"]),
    (REGION, "spec.enactor", {"lockSeconds": "∞"}, ["lockSeconds", "integer"]),
    (REGION, "spec.enactor", {"backoffMilliseconds": 3000}, ["must not exceed"]),
    (REGION, "spec.store", {"capacity": 0}, ["capacity", "equal to 1"]),
    (REGION, "spec.families", ["IPv5"], ["families", "IPv4"]),
    (REGION, "spec.holds", [hold(at="trun")], ["spec.holds[0].at", "turn"]),
    (REGION, "spec.holds", [hold(zone="us-east-1z")], ["zone that the Region does not have"]),
    (REGION, "spec.holds", [hold(until={})], ["until", "at least 1"]),
    (REGION, "metadata.name", "a" * 41, ["metadata.name", "40"]),
    (PLAN, "spec.planGeneration", 0, ["planGeneration", "equal to 1"]),
    (PLAN, "spec.planGeneration", 2**31, ["planGeneration", "2147483647"]),
    (PLAN, "spec.planGeneration", 8, ["a plan is named plan-<planGeneration, 10 digits>"]),
    (PLAN, "metadata.name", "plan-7", ["a plan is named plan-<planGeneration, 10 digits>"]),
    (PLAN, "spec.endpoints", [], ["spec.endpoints", "at least 1"]),
    (PLAN, "spec.endpoints.0.name", "*", ["spec.endpoints[0].name"]),
    (PLAN, "spec.endpoints.0.addresses", [], ["addresses", "at least 1"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", 0, ["weight", "equal to 1"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", -1, ["weight", "equal to 1"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", 1e308, ["weight"]),
    (PLAN, ADDRESS, "01.2.3.4", ["address", "no leading zeros"]),
    (PLAN, ADDRESS, "dynamodb", ["address", "must be an IPv4 or IPv6 address"]),
    (PLAN, ADDRESS, "127.0.0.1", ["address", "loopback"]),
    (PLAN, ADDRESS, "::1", ["address", "loopback"]),
    (PLAN, ADDRESS, "169.254.1.1", ["address", "link-local"]),
    (PLAN, ADDRESS, "fe80::1", ["address", "link-local"]),
    (PLAN, ADDRESS, "0.0.0.0", ["address", "unspecified"]),
    (PLAN, "spec.endpoints.0.addresses", [{"address": "10.0.0.1", "weight": 1}] * 2, ["Duplicate"]),
    (SCENARIO, "spec.arms", [], ["spec.arms", "at least 1"]),
    (SCENARIO, "spec.arms.0.expect", "Outage", ["expect", "OutagePrevented"]),
    (SCENARIO, "spec.arms.0.guards", {"dns": {"fence": "no"}}, ["guards.dns.fence"]),
    (SCENARIO, "spec.arms.0.name", "x" * 41, ["name", "40"]),
    (SCENARIO, "spec.arms.0.name", "Fenced!", ["name", "should match"]),
    (SCENARIO, "spec.deadlineSeconds", 0, ["deadlineSeconds", "equal to 10"]),
    (SCENARIO, "spec.settleSeconds", -1, ["settleSeconds", "equal to 1"]),
    (SCENARIO, "spec.region", {"retention": 0}, ["spec.region.retention", "equal to 1"]),
    (SCENARIO, "spec.region", {"retention": 500}, ["must be below planHistory"]),
    (SCENARIO, "spec.sede", 1, ["unknown field", "sede"]),
    (SCENARIO, "spec.check", {"enactors": 0}, ["spec.check.enactors", "equal to 1"]),
    (SCENARIO, "spec.check", {"enactors": 6}, ["spec.check.enactors", "equal to 5"]),
    (SCENARIO, "spec.check", {"plans": 9}, ["spec.check.plans", "equal to 8"]),
    (SCENARIO, "spec.check", {"plans": "all"}, ["spec.check.plans", "integer"]),
    (SCENARIO, "spec.check", {"retention": 6}, ["spec.check.retention", "equal to 5"]),
    (SCENARIO, "spec.check", {"endpoints": 4}, ["spec.check.endpoints", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"crashes": 4}, ["budgets.crashes", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"lostReplies": -1}, ["budgets.lostReplies", "equal to 0"]),
    (SCENARIO, "spec.check.budgets", {"staleReads": 4}, ["budgets.staleReads", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"lockExpiries": 1e9}, ["budgets.lockExpiries"]),
    (SCENARIO, "spec.check.budgets", {"crahses": 1}, ["unknown field", "crahses"]),
    (SCENARIO, "metadata.name", "a" * 41, ["metadata.name", "40"]),
    (
        SCENARIO,
        "spec.timeline",
        [{"hold": {"role": "enactor", "zone": "nowhere", "at": "turn"}, "until": {"tried": "a"}}],
        ["zone that the region does not have"],
    ),
]


@pytest.mark.parametrize(
    ("base", "path", "value", "says"),
    BAD,
    ids=[f"{b['kind']}-{p}-{str(v)[:20]}" for b, p, v, _ in BAD],
)
def test_bad_input_is_refused_with_field_and_bound(
    base: dict[str, Any], path: str, value: Any, says: list[str]
) -> None:
    printed = refusal(changed(base, path, value))
    assert printed, "it was taken"
    for word in says:
        assert word in printed


@pytest.mark.parametrize("base", [REGION, PLAN, SCENARIO], ids=lambda b: b["kind"])
def test_what_the_bad_ones_are_made_of_is_good(base: dict[str, Any]) -> None:
    assert refusal(base) == ""
    assert refusal(changed(base, "metadata.labels", {"a": "b"})) == ""


@pytest.mark.parametrize("rungs", [Fence, Cleanup, Rollback], ids=lambda r: r.__name__)
def test_every_rung_is_taken_and_no_other(rungs: type[Fence | Cleanup | Rollback]) -> None:
    field = rungs.__name__.lower()
    for base, path in ((REGION, "spec.guards"), (SCENARIO, "spec.arms.0.guards")):
        for rung in rungs:
            assert refusal(changed(base, path, {"dns": {field: str(rung)}})) == "", rung
        for wrong in (str(next(iter(rungs))).lower(), ""):
            printed = refusal(changed(base, path, {"dns": {field: wrong}}))
            assert f"guards.dns.{field}" in printed
            assert all(f'"{rung}"' in printed for rung in rungs), "it says which there are"


def test_a_plan_is_immutable() -> None:
    run("kubectl", "delete", "dnsplan", "plan-0000000007", "-n", "default", "--ignore-not-found")
    made = run("kubectl", "create", "-f", "-", stdin=json.dumps(PLAN))
    assert made.returncode == 0, made.stderr
    try:
        edited = changed(PLAN, ADDRESS, "10.0.0.2")
        done = run("kubectl", "apply", "-f", "-", stdin=json.dumps(edited))
        assert done.returncode != 0
        assert "a plan is immutable: append a new one" in done.stderr
        again = run("kubectl", "create", "-f", "-", stdin=json.dumps(PLAN))
        assert "already exists" in again.stderr, "one generation, one plan"
    finally:
        run("kubectl", "delete", "dnsplan", "plan-0000000007", "-n", "default")


def test_ipv6_addresses_are_taken() -> None:
    assert refusal(changed(PLAN, ADDRESS, "fd00::1")) == ""


@pytest.mark.parametrize("word", ["off", "Off", "on", "y", "no"])
def test_a_yaml_boolean_is_never_taken_for_a_rung(word: str) -> None:
    """kubectl's YAML reads these as booleans; a rung is a string, so they are refused."""
    text = yaml.safe_dump(REGION | {"spec": {}}).replace(
        "spec: {}", f"spec: {{guards: {{dns: {{fence: {word}}}}}}}"
    )
    done = run("kubectl", "create", "--dry-run=server", "-f", "-", stdin=text)
    assert done.returncode != 0
    assert "spec.guards.dns.fence" in done.stderr
