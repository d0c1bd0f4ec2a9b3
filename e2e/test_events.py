"""Refusals on the cluster, told by what people look at: Events, conditions, counters and alerts.

One Scenario shows them all: a stale write refused, applies that are stuck, an empty plan withheld,
and a calm arm in which nothing is to be said.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import yaml

from e2e.audit import Request, requests_of
from e2e.cluster_tools import (
    SYSTEM,
    audit_events,
    counted,
    get,
    items,
    kubectl,
    run,
    until,
)
from holdfast import __version__
from holdfast.cli.reference import files

pytestmark = pytest.mark.cluster

NAME = "told"
A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"


def hold(zone: str, at: str, until: dict[str, Any], **when: Any) -> dict[str, Any]:
    told = {"role": "enactor", "zone": zone, "at": at}
    return {"hold": told | ({"when": when} if when else {}), "until": until}


def race(at: str) -> list[dict[str, Any]]:
    """The incident's order of events, A held at this step."""
    return [
        hold(A, at, {"condemned": A}),
        hold(B, "delete", {"tried": A}, condemned=A),
        hold(C, "pick", {"cleaned": B}),
        hold(A, "pick", {"cleaned": B}, tried=A),
    ]


STORES_GO = [
    {"scale": {"role": "store", "replicas": 0}, "when": {"afterSeconds": 5}},
    {"scale": {"role": "store", "replicas": 1}, "when": {"afterSeconds": 17}},
]
FENCED = {"profile": "aws-2025", "dns": {"fence": "Generation"}}
KEEPS = {"profile": "aws-2025", "dns": {"fence": "Generation", "lastKnownGood": "Enabled"}}
SCENARIO = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Scenario",
    "metadata": {"name": NAME},
    "spec": {
        "deadlineSeconds": 120,
        "settleSeconds": 14,
        "region": {"planner": {"churnPerMinute": 60}},
        "arms": [
            {
                "name": "refused",
                "guards": FENCED,
                "expect": "OutagePrevented",
                "timeline": race("flip"),
            },
            {
                "name": "stuck",
                "guards": {"profile": "aws-2025"},
                "expect": "OutageReproduced",
                "timeline": race("turn"),
            },
            {
                "name": "withheld",
                "guards": KEEPS,
                "expect": "OutagePrevented",
                "timeline": STORES_GO,
            },
            {"name": "calm", "guards": {"profile": "safe"}, "expect": "OutagePrevented"},
        ],
    },
}


@dataclass
class Told:
    """What was there when the Scenario was complete."""

    began: float
    requests: list[Request]

    def document(self, arm: str) -> dict[str, Any]:
        found = get("configmap", f"{NAME}-result", "-n", f"{NAME}-{arm}")
        document: dict[str, Any] = orjson.loads(found["data"]["arm.json"])
        return document

    def events(self, arm: str, reason: str) -> list[dict[str, Any]]:
        found = items("events", "-n", f"{NAME}-{arm}")
        return [e for e in found if e["reason"] == reason]

    def condition(self, arm: str, kind: str) -> dict[str, str]:
        conditions = get("region", "us-east-1", "-n", f"{NAME}-{arm}")["status"]["conditions"]
        found: dict[str, str] = next(c for c in conditions if c["type"] == kind)
        return found


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    run("kubectl", "delete", "scenario", NAME, "--ignore-not-found", "--wait")
    until(lambda: not [n for n in items("namespaces") if _ours(n)], "former namespaces go", 90)
    began = time.time()
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(SCENARIO))
    until(lambda: _phase() == "Complete", "the Scenario is complete", 400)
    yield Told(began, requests_of(audit_events(began)))
    run("kubectl", "delete", "scenario", NAME, "--ignore-not-found", "--wait")


def _ours(namespace: dict[str, Any]) -> bool:
    return bool(namespace["metadata"]["name"].startswith(f"{NAME}-"))


def _phase() -> str:
    return str((get("scenario", NAME).get("status") or {}).get("phase", ""))


def test_a_stale_write_is_an_event_with_both_generations_and_versions(told: Told) -> None:
    (event,) = told.events("refused", "StaleWriteRefused")
    assert re.match(
        r"dynamodb: the write of plan \d+ at resourceVersion \d+ was refused \(409\): "
        r"plan \d+ is live at resourceVersion \d+, written by us-east-1",
        event["message"],
    )
    assert (event["type"], event["reportingComponent"]) == ("Warning", "holdfast-enactor")
    assert event["reportingInstance"].startswith(f"{A}/")
    region = get("region", "us-east-1", "-n", f"{NAME}-refused")
    assert event["involvedObject"]["uid"] == region["metadata"]["uid"]
    assert "StaleWriteRefused" in kubectl("describe", "region", "-n", f"{NAME}-refused")


def test_a_stale_write_is_a_counter_and_says_which_guard_prevented_the_outage(told: Told) -> None:
    assert told.began
    where = f'region="{NAME}-refused"'
    role = f"enactor-{A}"
    refused = f'holdfast_refusals_total{{reason="StaleWriteRefused",{where}}}'
    assert counted(role, refused) >= 1
    guard = f'holdfast_outages_prevented_total{{guard="dns.fence=Generation",{where}}}'
    assert counted(role, guard) >= 1
    assert counted(role, f'holdfast_build_info{{version="{__version__}"}}') == 1


def test_the_condition_of_the_zone_tells_what_was_refused_before_all_was_well(told: Told) -> None:
    now = told.condition("refused", f"{A}.holdfast.dev/Applied")
    assert (now["status"], now["reason"]) == ("True", "Applied")
    assert re.search(
        r"before it StaleWriteRefused, once, at last: dynamodb: .* \(409\)", now["message"]
    )


def test_stuck_applies_are_counted_into_one_event_and_a_false_condition(told: Told) -> None:
    for zone in (A, B, C):
        (event,) = [
            e
            for e in told.events("stuck", "RollbackMissing")
            if e["reportingInstance"].startswith(zone)
        ]
        assert event["count"] >= 5
        assert event["firstTimestamp"] < event["lastTimestamp"]
        assert re.search(r"no rollback record: dynamodb-p\d+ does not exist", event["message"])
        now = told.condition("stuck", f"{zone}.holdfast.dev/Applied")
        assert (now["status"], now["reason"]) == ("False", "RollbackMissing")
        assert re.search(r"\(\d+ times\)$", now["message"])
        where = f'region="{NAME}-stuck"'
        line = f'holdfast_refusals_total{{reason="RollbackMissing",{where}}}'
        assert counted(f"enactor-{zone}", line) >= event["count"]


def test_many_writers_keep_their_conditions_apart(told: Told) -> None:
    conditions = get("region", "us-east-1", "-n", f"{NAME}-stuck")["status"]["conditions"]
    kinds = sorted(c["type"] for c in conditions)
    zones = [f"{zone}.holdfast.dev/Applied" for zone in (A, B, C)]
    assert kinds == sorted(["Ready", "Frozen", *zones])
    assert told.condition("stuck", "Ready")["status"] == "True"
    assert told.condition("stuck", "Frozen")["reason"] == "NotFrozen"


def test_an_empty_plan_that_is_withheld_is_told_with_numbers_and_how_often(told: Told) -> None:
    (event,) = told.events("withheld", "EmptyPlanWithheld")
    assert event["reportingComponent"] == "holdfast-planner"
    assert event["count"] >= 5, "each plan that was due"
    assert re.match(
        r"no ready front end for 1 endpoint\(s\): plan (\d+) is withheld, plan \d+ stays",
        event["message"],
    )
    where = f'region="{NAME}-withheld"'
    refused = f'holdfast_refusals_total{{reason="EmptyPlanWithheld",{where}}}'
    assert counted("planner", refused) >= event["count"]
    guard = f'holdfast_outages_prevented_total{{guard="dns.lastKnownGood=Enabled",{where}}}'
    assert counted("planner", guard) >= event["count"]
    assert told.document("withheld")["dns"]["authoritative"]["empty"] == 0


def test_a_calm_arm_has_nothing_to_say_and_a_flip_costs_no_call(told: Told) -> None:
    """Besides the first condition of each writer; by the API server's own log."""
    space = f"{NAME}-calm"
    here = [r for r in told.requests if r.namespace == space and r.space == SYSTEM and r.ok]
    flips = [r for r in here if r.resource == "services" and r.verb == "update"]
    assert len(flips) >= 10
    assert [str(r) for r in here if r.resource == "events"] == []
    said = [r for r in here if r.resource == "regions/status"]
    enactors = [r for r in said if r.account == "holdfast-enactor"]
    assert len(enactors) <= 3, [str(r) for r in enactors]
    plans = len([r for r in here if r.resource == "dnsplans" and r.verb == "create"])
    planner = [r for r in said if r.account == "holdfast-planner"]
    assert len(planner) <= plans + 4, "one report a plan"


def test_the_result_says_when_the_alert_would_have_fired(told: Told) -> None:
    """Scraped from the probe's own /metrics. Goal: fifteen seconds."""
    stuck = told.document("stuck")
    alerts = stuck["dns"]["alerts"]
    assert 0 < alerts["HoldfastEmptyAnswer"]["afterFirstEmptySeconds"] <= 15
    assert "alert" in {line["event"] for line in stuck["timeline"]}
    assert told.document("withheld")["dns"]["alerts"] == {}
    assert told.document("calm")["dns"]["alerts"] == {}


def test_success_by_response_code_stayed_green_all_the_while(told: Told) -> None:
    seen = told.document("stuck")["dns"]["authoritative"]
    assert seen["empty"] > 50
    assert (seen["nxdomain"], seen["servfail"]) == (0, 0)


def test_the_rules_of_the_chart_are_those_that_were_evaluated() -> None:
    (rules,) = [text for path, text in files().items() if path.name == "rules.yaml"]
    words = ("--set", "prometheusRule.enabled=true", "-s", "templates/prometheusrule.yaml")
    made = run("helm", "template", "x", "charts/holdfast", "--kube-version", "1.34", *words)
    assert made.returncode == 0, made.stderr
    assert yaml.safe_load(made.stdout)["spec"] == yaml.safe_load(rules)
