"""Bad input is refused by the API server, with the field and the bound named."""

import json
from typing import Any

import pytest
import yaml

from e2e.bad_input import (
    ADDRESS,
    BAD,
    BAD_CHANGES,
    INSTANCE,
    LEASE,
    PAGE,
    PLAN,
    RACK,
    REGION,
    SCENARIO,
    Row,
    changed,
    refusal,
    refusal_of_change,
    row_of,
    row_of_change,
    table,
)
from e2e.cluster_tools import run
from holdfast.core.guards import (
    AWS_2025,
    AWS_LEASES,
    SAFE_LEASES,
    Cleanup,
    Fence,
    LeaseGuards,
    Rollback,
    effective,
)

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("base", "path", "value", "says"),
    BAD,
    ids=[f"{b['kind']}-{p}-{str(v)[:20]}" for b, p, v, _ in BAD],
)
def test_bad_input_is_refused_with_field_and_bound(
    base: dict[str, Any], path: str, value: Any, says: list[str]
) -> None:
    printed = refusal(changed(base, path, value))
    assert_says(printed, says, row_of(base, path, value, printed))


@pytest.mark.parametrize(
    ("base", "path", "value", "says"),
    BAD_CHANGES,
    ids=[f"{b['kind']}-{p}" for b, p, _, _ in BAD_CHANGES],
)
def test_a_bad_change_is_refused_with_field_and_bound(
    base: dict[str, Any], path: str, value: Any, says: list[str]
) -> None:
    printed = refusal_of_change(base, changed(base, path, value))
    assert_says(printed, says, row_of_change(base, path, value, printed))


def assert_says(printed: str, says: list[str], row: Row) -> None:
    assert printed, "it was taken"
    for word in says:
        assert word in printed
    line = table([row]).splitlines()[-1]
    assert line in PAGE.read_text(), "docs/bad-input.md is stale: python -m e2e.bad_input"


@pytest.mark.parametrize("base", [LEASE, RACK], ids=lambda b: b["kind"])
def test_a_renewal_and_another_holder_are_taken(base: dict[str, Any]) -> None:
    renewed = changed(base, "spec.renewed", "2025-10-20T06:48:06.000000Z")
    assert refusal_of_change(base, renewed) == ""
    taken = changed(changed(base, "spec.holder", "us-east-1a/another"), "spec.transitions", 5)
    assert refusal_of_change(base, taken) == ""


@pytest.mark.parametrize("base", [LEASE, RACK], ids=lambda b: b["kind"])
def test_a_lease_that_nobody_ever_held_is_taken(base: dict[str, Any]) -> None:
    bare = {k: v for k, v in base["spec"].items() if k in ("droplet", "zone", "rack", "droplets")}
    assert refusal({**base, "spec": bare}) == ""


@pytest.mark.parametrize(
    "base", [REGION, PLAN, SCENARIO, LEASE, RACK, INSTANCE], ids=lambda b: b["kind"]
)
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


@pytest.mark.parametrize("profile", [AWS_LEASES, SAFE_LEASES], ids=["aws-2025", "safe"])
def test_every_rung_of_the_lease_guards_is_taken(profile: LeaseGuards) -> None:
    rungs = effective(AWS_2025, profile)["leases"]
    for base, path in ((REGION, "spec.guards"), (SCENARIO, "spec.arms.0.guards")):
        assert refusal(changed(base, path, {"leases": rungs})) == ""


def test_a_fleet_of_any_mode_is_taken() -> None:
    for fleet in ({}, {"mode": "Rack", "racks": 2000, "droplets": 500}, {"racks": 125}):
        assert refusal(changed(REGION, "spec.fleet", fleet)) == ""
        assert refusal(changed(SCENARIO, "spec.region", {"fleet": fleet})) == ""


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
