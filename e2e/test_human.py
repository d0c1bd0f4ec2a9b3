"""The human on call, on the cluster: the runbook as it is written, drills, and a freeze that holds.

What the person may do is what the ClusterRole of who is on call gives: the commands run with the
token of a ServiceAccount that has nothing else.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster_tools import (
    AUTHORITATIVE,
    RESOLVER,
    SYSTEM,
    ask,
    empty,
    get,
    items,
    kubectl,
    run,
    until,
)
from e2e.oncall import HOLDFAST, as_oncall, assert_prints, perform
from e2e.runbook import RUNBOOK, with_holdfast, with_kubectl

pytestmark = pytest.mark.cluster

SPACE = "drill-practice"
RINGS = "ANSWERS NOTHING"
OURS = "holdfast.dev/process"
"""The label of every process of the operator."""
OBSERVABLE = ["freeze", "override", "verify", "guard", "thaw", "converge"]


@dataclass
class Drill:
    """A drill in progress. `report` once it has ended."""

    process: subprocess.Popen[bytes]
    log: Path
    file: Path

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def is_broken(self) -> bool:
        assert self.process.poll() is None, self.said
        return RINGS in self.said


@contextmanager
def drill(folder: Path, timeout: int) -> Iterator[Drill]:
    """From the first empty answer on; the Region is gone afterwards, whatever happened."""
    log, file = folder / "drill.log", folder / "drill.json"
    words = [str(HOLDFAST), "drill", "--timeout", str(timeout), "--json", str(file)]
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
    course = Drill(process, log, file)
    try:
        until(course.is_broken, "the name answers nothing", 280)
        yield course
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        run("kubectl", "delete", "scenario", "drill", "--ignore-not-found", "--wait")
        gone = ("get", "namespace", SPACE)
        until(lambda: run("kubectl", *gone).returncode != 0, "the drill's namespace is gone", 90)


def resolver_has_heard() -> bool:
    return bool(empty([ask(RESOLVER)]))


def done(report: dict[str, Any]) -> dict[str, str]:
    return {s["step"]: s["done"] for s in report["steps"]}


def stop(role: str = "") -> None:
    """Scale a role away, or all of them."""
    which = ("-l", f"app.kubernetes.io/component={role}") if role else ("--all",)
    kubectl("scale", "deployment", "-n", SYSTEM, *which, "--replicas=0")
    label = f"{OURS}=holdfast-{role}" if role else OURS
    until(lambda: not items("pods", "-n", SYSTEM, "-l", label), f"{role or 'the operator'} is down")


def target(space: str = SPACE) -> str:
    name: str = get("service", "dynamodb", "-n", space)["spec"]["externalName"]
    return name.partition(".")[0]


def holdfast(
    *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOLDFAST, "dns", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_runbook_as_written_mends_the_incident(tmp_path: Path) -> None:
    text = RUNBOOK.read_text()
    blocks = with_holdfast(text)
    with drill(tmp_path, 300) as course:
        for_all, for_alice = blocks[:1], blocks[1:]
        assert for_all[0].section == "Beforehand"
        beforehand = perform(for_all, dict(os.environ))
        until(resolver_has_heard, "the resolver has heard of it, too", 15)
        printed = perform(for_alice, as_oncall(tmp_path, SPACE))
        code = course.wait(60)
        report = course.report
    assert (code, report["verdict"], report["end"]) == (0, "Pass", "recovered"), course.said
    assert done(report) == {"look": "notObservable", **dict.fromkeys(OBSERVABLE, "done")}
    server, resolver = (report["recoverySeconds"][s] for s in ("authoritative", "resolver"))
    assert 0 < server < resolver
    assert run("kubectl", "get", "scenario", "drill").returncode != 0, "it takes everything away"
    assert_prints(blocks, [*beforehand, *printed], words=2)


def test_the_runbook_with_kubectl_alone_mends_it_too(tmp_path: Path) -> None:
    blocks = with_kubectl(RUNBOOK.read_text())
    with drill(tmp_path, 300) as course:
        printed = perform(blocks, as_oncall(tmp_path, SPACE))
        code = course.wait(60)
        report = course.report
    assert (code, report["verdict"]) == (0, "Pass"), course.said
    assert done(report) == {"look": "notObservable", **dict.fromkeys(OBSERVABLE, "done")}
    assert_prints(blocks, printed, words=1)


def test_a_drill_says_which_steps_were_missed_and_which_came_too_late(tmp_path: Path) -> None:
    """No freeze, no guard, nothing verified: the name is back, and the race may come again."""
    with drill(tmp_path, 30) as course:
        until(resolver_has_heard, "the resolver has heard of it, too", 15)
        words = ("dynamodb", "-n", SPACE, "--addresses", "192.0.2.7", "--no-freeze", "--no-wait")
        turned = holdfast("override", *words, environment=as_oncall(tmp_path, SPACE))
        assert turned.returncode == 0, turned.stderr
        code = course.wait(60)
        report = course.report
    assert (code, report["verdict"], report["end"]) == (1, "Fail", "timeout")
    assert report["missed"] == ["freeze", "verify", "guard", "thaw"]
    assert done(report)["override"] == "done"
    assert report["recoverySeconds"]["resolver"] is None
    assert "MISSED" in course.said


def test_an_override_works_with_every_process_of_ours_dead(tmp_path: Path) -> None:
    with drill(tmp_path, 300) as course:
        oncall = as_oncall(tmp_path, SPACE)
        try:
            stop()
            assert empty([ask()])
            began = time.monotonic()
            turned = holdfast(
                *("override", "dynamodb", "-n", SPACE, "--plan", "newest", "--no-wait"),
                environment=oncall,
            )
            assert turned.returncode == 0, turned.stdout + turned.stderr
            until(lambda: bool(ask().addresses), "the server answers", 10)
            took = time.monotonic() - began
            until(lambda: bool(ask(RESOLVER).addresses), "the resolver answers", 75)
            assert target() == ask(AUTHORITATIVE).target
            written = get("service", "dynamodb", "-n", SPACE)["metadata"]["annotations"]
            events = items("events", "-n", SPACE)
        finally:
            kubectl("scale", "deployment", "-n", SYSTEM, "--all", "--replicas=1")
            kubectl("rollout", "status", "deployment", "-n", SYSTEM, "--timeout=90s")
        course.process.send_signal(signal.SIGINT)
        code, report = course.wait(30), course.report
    print(f"override with everything of ours dead: answered after {took:.2f} s")
    assert took < 10
    assert written["holdfast.dev/enacted-by"].startswith("operator/alice@")
    assert written["holdfast.dev/frozen"].startswith("alice@")
    assert "OperatorOverrode" in {e["reason"] for e in events}
    assert (code, report["end"]) == (130, "interrupted")
    assert report["missed"] == ["guard", "thaw", "converge"]


# --- a freeze under churn -------------------------------------------------------------------------

FROZEN = "held"
HELD_SECONDS = 5.0


@pytest.fixture
def churn() -> Iterator[str]:
    """An arm with two plans a second, nobody held, and trees that stay: its namespace."""
    spec = {
        "deadlineSeconds": 600,
        "settleSeconds": 300,
        "region": {"planner": {"churnPerMinute": 120}, "retention": 100, "planHistory": 200},
        "arms": [{"name": "churn", "guards": {"profile": "aws-2025"}, "expect": "OutagePrevented"}],
    }
    raw = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "Scenario", "spec": spec}
    run("kubectl", "delete", "scenario", FROZEN, "--ignore-not-found", "--wait")
    kubectl("create", "-f", "-", stdin=yaml.safe_dump({**raw, "metadata": {"name": FROZEN}}))
    space = f"{FROZEN}-churn"
    try:
        until(lambda: ask().space == space and bool(ask().addresses), "the name is served", 200)
        yield space
    finally:
        kubectl("delete", "scenario", FROZEN, "--wait")
        gone = ("get", "namespace", space)
        until(lambda: run("kubectl", *gone).returncode != 0, "the namespace is gone", 90)


def newest(space: str) -> int:
    return max(int(p["spec"]["planGeneration"]) for p in items("dnsplans", "-n", space))


def generation(space: str) -> int:
    notes = get("service", "dynamodb", "-n", space)["metadata"]["annotations"]
    return int(notes["holdfast.dev/plan-generation"])


def versions(space: str, seconds: float) -> set[tuple[str, str]]:
    """What the alias was at, while so much time went by."""
    seen, end = set(), time.monotonic() + seconds
    while time.monotonic() < end:
        alias = get("service", "dynamodb", "-n", space)
        seen.add((alias["metadata"]["resourceVersion"], alias["spec"]["externalName"]))
        time.sleep(0.2)
    return seen


def is_frozen(space: str) -> bool:
    """What the planner says when it makes no more plans."""
    conditions = get("region", "us-east-1", "-n", space)["status"]["conditions"]
    return any((c["type"], c["status"]) == ("Frozen", "True") for c in conditions)


def append_by_hand(space: str, plans: int) -> None:
    """Plans that nobody's freeze can hold back: the planner does not make them."""
    last = newest(space)
    content = next(
        p["spec"]["endpoints"]
        for p in items("dnsplans", "-n", space)
        if p["spec"]["planGeneration"] == last
    )
    for number in range(last + 1, last + 1 + plans):
        body = {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "DNSPlan",
            "metadata": {"name": f"plan-{number:010d}", "namespace": space},
            "spec": {"planGeneration": number, "endpoints": content},
        }
        kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_a_freeze_holds_under_churn_and_a_thaw_lets_the_newest_go_live(
    churn: str, tmp_path: Path
) -> None:
    """With both fences: first all of it, with plans made by hand; then the aliases alone, while the
    planner goes on and the enactors begin their rounds."""
    oncall = as_oncall(tmp_path, churn)
    assert len(versions(churn, 2)) > 1, "nothing moves, so nothing could be held"
    for fence in ("CheckOnce", "Generation"):
        guards = {"spec": {"guards": {"dns": {"fence": fence}}}}
        kubectl(*("patch", "region", "us-east-1", "-n", churn, "--type=merge"), "-p", _json(guards))
        frozen = holdfast("freeze", "-n", churn, "--why", f"test {fence}", environment=oncall)
        assert frozen.returncode == 0, frozen.stdout + frozen.stderr
        until(lambda: is_frozen(churn), "the planner rests", 15)
        append_by_hand(churn, 3)
        before = newest(churn)
        assert len(versions(churn, HELD_SECONDS)) == 1, f"{fence}: the alias was moved"
        assert newest(churn) == before, "the planner made a plan"
        no_region = _json([{"op": "remove", "path": "/spec/freeze"}])
        kubectl(*("patch", "region", "us-east-1", "-n", churn, "--type=json"), "-p", no_region)
        assert len(versions(churn, HELD_SECONDS)) == 1, f"{fence}: the alias was moved"
        assert newest(churn) >= before + 4, "plans kept coming"
        assert generation(churn) <= before - 3
        thawed = holdfast("thaw", "-n", churn, environment=oncall)
        assert thawed.returncode == 0, thawed.stdout + thawed.stderr
        late = newest(churn)
        until(lambda late=late: generation(churn) >= late, "the newest goes live", 15)  # type: ignore[misc]
        assert ask().addresses


def test_somebody_elses_freeze_is_named_and_not_taken_over_by_accident(
    churn: str, tmp_path: Path
) -> None:
    oncall = as_oncall(tmp_path, churn)
    words = ("freeze", "-n", churn, "--why", "mine", "--until", "2h", "--who", "bob")
    assert holdfast(*words, environment=oncall).returncode == 0
    for command in (
        ("freeze", "--why", "x"),
        ("thaw",),
        ("override", "dynamodb", "--plan", "newest", "--no-wait"),
    ):
        refused = holdfast(*command, "-n", churn, environment=oncall)
        assert refused.returncode == 2
        assert "is frozen by bob, until 2" in refused.stderr
        assert "mine" in refused.stderr
        assert "--take-over" in refused.stderr
    taken = holdfast("thaw", "-n", churn, "--take-over", environment=oncall)
    assert taken.returncode == 0, taken.stderr
    assert "freeze" not in get("region", "us-east-1", "-n", churn)["spec"]


def test_without_rights_the_way_to_get_them_is_named(churn: str, tmp_path: Path) -> None:
    """An account of no arm: those are not to ask for what they may not."""
    config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify", "-o", "yaml"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "default", "-n", "default")}
    file = tmp_path / "nobody.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    refused = holdfast("freeze", "-n", churn, "--why", "x", "--kubeconfig", str(file))
    assert refused.returncode == 2
    assert f"--clusterrole=holdfast-oncall --user=NAME -n {churn}" in refused.stderr


def _json(value: object) -> str:
    return json.dumps(value)
