"""Bad input is refused by the API server, with the field and the bound named."""

import json
from typing import Any

import pytest
import yaml

from e2e.bad_input import (
    ADDRESS,
    BAD,
    PAGE,
    PLAN,
    REGION,
    SCENARIO,
    changed,
    gist,
    refusal,
    shown,
    table,
)
from e2e.cluster_tools import run
from holdfast.core.guards import Cleanup, Fence, Rollback

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
    assert printed, "it was taken"
    for word in says:
        assert word in printed
    row = table([(base["kind"], path, shown(value), gist(printed))]).splitlines()[-1]
    assert row in PAGE.read_text(), "docs/bad-input.md is stale: python -m e2e.bad_input"


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
