"""Crashes, clean removal, and the chart: by killing real processes and looking what is left."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster_tools import (
    SYSTEM,
    ask,
    empty,
    get,
    items,
    kubectl,
    metrics,
    observing,
    run,
    until,
)

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
ROLES = ["planner", "scenario", *(f"{role}-{z}" for role in ("enactor", "leases") for z in ZONES)]
NAME = "calm"


def scenario(settle: int, arms: int = 1) -> str:
    """Ordinary flips, four a second, nobody held: for looking at what kills do to them."""
    return yaml.safe_dump(
        {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Scenario",
            "metadata": {"name": NAME},
            "spec": {
                "deadlineSeconds": 600,
                "settleSeconds": settle,
                "region": {"planner": {"churnPerMinute": 240}, "planHistory": 20},
                "arms": [
                    {
                        "name": f"arm-{number}",
                        "guards": {"dns": {"fence": "Generation"}},
                        "expect": "OutagePrevented",
                    }
                    for number in range(arms)
                ],
            },
        }
    )


@pytest.fixture
def clean() -> Iterator[None]:
    remove()
    yield
    remove()


def remove() -> None:
    run("kubectl", "delete", "scenario", NAME, "--ignore-not-found", "--wait")
    until(lambda: not left_over(), "namespaces of the Scenario are gone", 90)


def left_over() -> list[str]:
    names = [n["metadata"]["name"] for n in items("namespaces")]
    bindings = [b["metadata"]["name"] for b in items("clusterrolebindings")]
    return [n for n in names if n.startswith(f"{NAME}-")] + [
        b for b in bindings if f"-coredns-{NAME}-" in b
    ]


def plans() -> list[int]:
    return sorted(
        int(p["spec"]["planGeneration"]) for p in items("dnsplans", "-n", f"{NAME}-arm-0")
    )


def live() -> int:
    alias = get("service", "dynamodb", "-n", f"{NAME}-arm-0")
    return int(alias["metadata"]["annotations"]["holdfast.dev/plan-generation"])


def is_running() -> bool:
    """Whether an arm of ours runs: an arm before it may still be answering."""
    return any(a["phase"] == "Running" for a in status().get("arms") or ())


def is_served() -> bool:
    return bool(ask().addresses)


def kill(role: str) -> None:
    """kill -9, as a crash would: no grace, and the Pod is replaced."""
    kubectl(
        *("delete", "pod", "-n", SYSTEM, "-l", f"holdfast.dev/process=holdfast-{role}"),
        *("--grace-period=0", "--force", "--wait=false"),
    )


def ready() -> bool:
    found = items("deployments", "-n", SYSTEM)
    return len(found) == len(ROLES) and all(d["status"].get("availableReplicas") for d in found)


def status() -> dict[str, Any]:
    found: dict[str, Any] = get("scenario", NAME).get("status", {})
    return found


@pytest.mark.usefixtures("clean")
def test_processes_killed_during_flips_cost_no_answer_and_no_generation() -> None:
    kubectl("create", "-f", "-", stdin=scenario(settle=120))
    until(is_served, "the name is served")
    with observing(0.01) as observer:
        for role in ("enactor-us-east-1a", "planner", "enactor-us-east-1b", "planner"):
            before = plans()[-1]
            kill(role)
            until(lambda before=before: plans()[-1] >= before + 4, "plans go on", 40)  # type: ignore[misc]
        until(lambda: len(observer.of(f"{NAME}-arm-0")) > 300, "300 answers have been seen", 20)
        newest = plans()[-1]
        until(lambda: live() >= newest, "what was newest goes live", 20)
        generations = plans()
    seen = observer.of(f"{NAME}-arm-0")
    assert len(seen) > 300
    assert empty(seen) == []
    assert generations == list(range(generations[0], generations[0] + len(generations)))


@pytest.mark.usefixtures("clean")
def test_a_killed_scenario_role_never_makes_a_pass_of_what_it_did_not_see() -> None:
    kubectl("create", "-f", "-", stdin=scenario(settle=8, arms=2))
    until(lambda: is_running() and is_served(), "the first arm runs")
    kill("scenario")
    until(lambda: status().get("phase") == "Complete", "the Scenario goes on to its end", 120)
    first, second = status()["arms"]
    assert first["verdict"] == "Inconclusive"
    assert "restarted while this arm ran" in first["message"]
    assert get("region", "us-east-1", "-n", f"{NAME}-arm-0")["spec"]["paused"]
    left = {s["metadata"]["name"] for s in items("services", "-n", f"{NAME}-arm-0")}
    assert "authoritative" in left
    assert "authoritative-nodeport" not in left
    assert second["verdict"] == "Inconclusive", "no stale write was attempted"
    assert status()["verdict"] == "Inconclusive"
    conditions = {c["type"]: c for c in status()["conditions"]}
    assert conditions["Complete"]["status"] == "True"
    assert (conditions["Succeeded"]["status"], conditions["Succeeded"]["reason"]) == (
        "False",
        "Inconclusive",
    )


@pytest.mark.usefixtures("clean")
def test_everything_goes_with_the_scenario_also_with_the_operator_down() -> None:
    kubectl("create", "-f", "-", stdin=scenario(settle=60))
    until(lambda: is_served() and bool(plans()), "the arm runs")
    assert left_over()
    kubectl("scale", "deployment", "-n", SYSTEM, "--all", "--replicas=0")
    try:
        until(lambda: not items("pods", "-n", SYSTEM), "the operator is down")
        assert all(not d["spec"]["replicas"] for d in items("deployments", "-n", SYSTEM))
        kubectl("delete", "scenario", NAME, "--timeout=20s")
        until(lambda: not left_over(), "namespaces and bindings are gone", 60)
    finally:
        kubectl("scale", "deployment", "-n", SYSTEM, "--all", "--replicas=1")
        until(ready, "the operator is back")


@pytest.mark.usefixtures("clean")
def test_a_scenario_is_immutable() -> None:
    kubectl("create", "-f", "-", stdin=scenario(settle=5))
    done = run("kubectl", "apply", "-f", "-", stdin=scenario(settle=6))
    assert done.returncode != 0
    assert "a Scenario cannot be changed: delete it and apply it again" in done.stderr


@pytest.mark.usefixtures("clean")
def test_a_namespace_of_somebody_else_is_left_alone() -> None:
    space = f"{NAME}-arm-0"
    kubectl("create", "namespace", space)
    try:
        kubectl("create", "-f", "-", stdin=scenario(settle=5))
        until(lambda: status().get("phase") == "Complete", "it gives up")
        assert status()["verdict"] == "Error"
        assert f"namespace {space} exists and is not this Scenario's" in status()["message"]
        assert items("services", "-n", space) == []
        assert items("rolebindings", "-n", space) == []
    finally:
        kubectl("delete", "namespace", space)


def test_every_role_has_metrics() -> None:
    for role in ROLES:
        selector = f"holdfast.dev/process=holdfast-{role}"
        (pod,) = items("pods", "-n", SYSTEM, "-l", selector)
        text = metrics(pod["metadata"]["name"])
        assert "process_resident_memory_bytes" in text
        assert "# TYPE holdfast_writes_total counter" in text


def test_pods_of_the_operator_are_restricted() -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", SYSTEM, label, "--overwrite")
    for pod in items("pods", "-n", SYSTEM):
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
    done = run("kubectl", "label", "--dry-run=server", "--overwrite", "namespace", SYSTEM, label)
    assert "Warning" not in done.stderr


def test_the_chart_lints_and_refuses_values_it_does_not_know() -> None:
    chart = str(ROOT / "charts/holdfast")
    linted = run("helm", "lint", "--strict", chart)
    assert linted.returncode == 0, linted.stdout
    for value, says in {
        "zones={}": "zones",
        "nodePorts={80}": "nodePorts",
        "image.pullPolicy=Sometimes": "pullPolicy",
        "imgae.tag=x": "imgae",
    }.items():
        refused = run("helm", "template", chart, "--kube-version", "1.34", "--set", value)
        assert refused.returncode != 0
        assert says in refused.stderr


def test_helm_test_proves_the_installation_and_can_fail() -> None:
    """Take one right away: it fails and says which. Give it back: it passes."""
    kubectl("delete", "clusterrolebinding", "holdfast-enactor")
    try:
        failed = run("helm", "test", "holdfast", "-n", SYSTEM, timeout=120)
        assert failed.returncode != 0
        said = kubectl("logs", "-n", SYSTEM, "holdfast-selftest").splitlines()
        assert [line for line in said if line.startswith("FAIL")] == [
            "FAIL enactor may watch dnsplans"
        ]
        for proved in ("CRDs", "a fresh PUT: 200", "a stale PUT: 409", "CoreDNS answers with it"):
            assert any(line.startswith("ok") and proved in line for line in said), said
    finally:
        chart = str(ROOT / "charts/holdfast")
        back = run("helm", "upgrade", "holdfast", chart, "-n", SYSTEM, "--reuse-values", "--wait")
        assert back.returncode == 0, back.stderr
    passed = run("helm", "test", "holdfast", "-n", SYSTEM, timeout=120)
    assert passed.returncode == 0, passed.stdout + passed.stderr


def test_uninstall_is_refused_while_scenarios_exist_and_then_leaves_nothing_but_crds() -> None:
    values = run("helm", "get", "values", "holdfast", "-n", SYSTEM, "-o", "json").stdout
    kubectl("create", "-f", "-", stdin=scenario(settle=5))
    refused = run("helm", "uninstall", "holdfast", "-n", SYSTEM, "--wait", timeout=120)
    assert refused.returncode != 0
    assert "delete-scenarios-first" in refused.stderr
    remove()
    done = run("helm", "uninstall", "holdfast", "-n", SYSTEM, "--wait", timeout=120)
    assert done.returncode == 0, done.stderr
    until(lambda: not ours(), "nothing is left")
    assert {
        c["metadata"]["name"] for c in items("crds") if "holdfast" in c["metadata"]["name"]
    } == {
        "regions.holdfast.dev",
        "dnsplans.holdfast.dev",
        "scenarios.holdfast.dev",
        "dropletleases.holdfast.dev",
        "rackleases.holdfast.dev",
        "instances.holdfast.dev",
    }
    back = run(
        *("helm", "install", "holdfast", str(ROOT / "charts/holdfast"), "-n", SYSTEM),
        *("--wait", "--timeout", "120s", "--values", "-"),
        stdin=values,
    )
    assert back.returncode == 0, back.stderr


def ours() -> list[str]:
    """Everything in the cluster that bears our name, but for CRDs and the system namespace."""
    found = [p["metadata"]["name"] for p in items("pods,jobs,services,deployments", "-n", SYSTEM)]
    found += [
        a["metadata"]["name"]
        for a in items("serviceaccounts,secrets,configmaps", "-n", SYSTEM)
        if a["metadata"]["name"] not in ("default", "kube-root-ca.crt")
    ]
    for kind in ("clusterroles", "clusterrolebindings", "namespaces"):
        found += [
            o["metadata"]["name"]
            for o in items(kind)
            if "holdfast" in json.dumps(o["metadata"].get("labels", {})) + o["metadata"]["name"]
            and o["metadata"]["name"] != SYSTEM
            and not o["metadata"]["name"].startswith("holdfast-conformance")
        ]
    return found


def test_the_cli_says_what_is_wrong() -> None:
    missing = run(str(HOLDFAST), "run", "no-such-scenario")
    assert missing.returncode == 2
    assert "no such file" in missing.stderr
    started = time.monotonic()
    nowhere = run(str(HOLDFAST), "run", "dns-race", "--kubeconfig", "/nonexistent")
    assert nowhere.returncode == 2
    assert "no cluster" in nowhere.stderr
    assert time.monotonic() - started < 10
