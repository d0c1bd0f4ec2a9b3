"""The leases of real droplets on the cluster: they collapse, and guards lead out.

What stands in the result document is held against what anybody could see: the lease objects, as a
watch of our own brought them.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from e2e.cluster_tools import counted, get, items, kubectl, run, until

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
SLICES: dict[str, tuple[tuple[str, ...], int]] = {
    "lease-collapse": (("aws-2025", "safe"), 55),
    "lease-restart": (("both",), 40),
    "rack-loss": (("aws-2025",), 15),
    "split-holder": (("safe",), 15),
    "zombie-manager": (("aws-2025",), 15),
    "dns-to-leases": (("aws-2025", "safe-leases"), 25),
}
"""The arms that are run, and for how many seconds each is watched at its end. The others tell the
same story at the same pace, and are simulated."""
FURTHER = {"rack-loss", "split-holder", "dns-to-leases"}
"""By `make test-leases` alone: minutes, for what the fault tests and the simulator say as well."""


@dataclass
class Watcher:
    """Asks for all leases of one namespace again and again, as a customer of the API would."""

    looks: list[tuple[float, list[Any]]] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(1.0):
            found = run("kubectl", "get", "dropletleases", "-A", "-o", "json")
            if found.returncode == 0:
                self.looks.append((time.time(), json.loads(found.stdout)["items"]))

    def held(self, space: str) -> list[tuple[float, int]]:
        """How many of a namespace had not run out, at each look."""
        return [
            (at, sum(_is_held(ls, at) for ls in found if ls["metadata"]["namespace"] == space))
            for at, found in self.looks
            if any(ls["metadata"]["namespace"] == space for ls in found)
        ]


def _is_held(lease: Any, now: float) -> bool:
    spec = lease["spec"]
    if not spec.get("renewed"):
        return False
    renewed = datetime.fromisoformat(spec["renewed"]).timestamp()
    return renewed + float(spec["durationSeconds"]) > now


@dataclass
class Ran:
    name: str
    result: dict[str, Any]
    printed: str
    code: int
    watcher: Watcher

    def arm(self, name: str) -> dict[str, Any]:
        return next(a for a in self.result["arms"] if a["name"] == name)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.leases] if name in FURTHER else []) for name in SLICES
    ],
)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    name = request.param
    (arms, settle), folder = SLICES[name], tmp_path_factory.mktemp(name)
    raw = yaml.safe_load((ROOT / f"scenarios/{name}.yaml").read_text())
    raw["spec"]["arms"] = [a for a in raw["spec"]["arms"] if a["name"] in arms]
    raw["spec"]["settleSeconds"] = settle
    (folder / "slice.yaml").write_text(yaml.safe_dump(raw))
    watcher, stop = Watcher(), threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    try:
        done = subprocess.run(
            [HOLDFAST, "run", folder / "slice.yaml", "--json", folder / "result.json"],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    finally:
        stop.set()
        thread.join()
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    result = json.loads((folder / "result.json").read_text())
    yield Ran(name, result, done.stdout, done.returncode, watcher)
    run("kubectl", "delete", "scenario", name, "--ignore-not-found", "--wait")


def test_it_passes_and_the_document_keeps_to_its_schema(ran: Ran) -> None:
    assert (ran.code, ran.result["verdict"]) == (0, "Pass"), ran.printed
    schema = json.loads((ROOT / "docs/result.schema.json").read_text())
    jsonschema.validate(ran.result, schema)


def test_what_it_tells_of_held_leases_is_what_we_saw(ran: Ran) -> None:
    """At the end of every arm, and of those that collapse also that there was a time with all."""
    for arm in ran.result["arms"]:
        told = arm["leases"]
        seen = ran.watcher.held(f"{ran.name}-{arm['name']}")
        assert seen, "no lease was ever there"
        assert max(held for _, held in seen) == told["leases"]
        least = min(held for _, held in _since_whole(seen, told["leases"]))
        if told["metastability"] == "Stuck":
            assert least == 0
        if told["metastability"] == "Untouched":
            assert least >= 0.85 * told["leases"], "a look of ours is not at their moment"


def _since_whole(seen: list[tuple[float, int]], whole: int) -> list[tuple[float, int]]:
    """Until the arm was over: then the Region is paused, and all run out."""
    first = next(i for i, (_, held) in enumerate(seen) if held == whole)
    return seen[first:]


def test_no_lease_was_two_managers_at_once(ran: Ran) -> None:
    """By the objects: a holder changes only if the former one's time is over."""
    before: dict[str, Any] = {}
    for _, found in ran.watcher.looks:
        for lease in found:
            if not lease["metadata"]["namespace"].startswith(f"{ran.name}-"):
                continue
            last, spec = before.get(lease["metadata"]["uid"]), lease["spec"]
            if last and last.get("holder") and last["holder"] != spec.get("holder"):
                ended = datetime.fromisoformat(last["renewed"]).timestamp()
                ended += float(last["durationSeconds"])
                began = datetime.fromisoformat(spec["acquired"]).timestamp()
                assert began >= ended, lease["metadata"]["name"]
            before[lease["metadata"]["uid"]] = spec
    for arm in ran.result["arms"]:
        assert "SingleHolder" not in arm["invariantsBroken"]


def test_guards_keep_what_they_promise(ran: Ran) -> None:
    for arm in ran.result["arms"]:
        told = arm["leases"]
        if arm["guards"]["leases"]["expired"] == "Drop":
            assert told["refusals"]["vain"] == 0
            assert "NoExpiredWorkDone" not in arm["invariantsBroken"]
        if arm["guards"]["leases"]["retry"] == "BudgetedJitter":
            retried = told["attempts"]["retried"]
            assert retried <= 0.1 * told["attempts"]["started"] + 3 * 10 + 10
        if arm["guards"]["leases"]["admission"] == "QueueBound":
            assert "QueueBounded" not in arm["invariantsBroken"]
        assert "InFlightBounded" not in arm["invariantsBroken"]


def test_kubectl_get_tells_the_story(ran: Ran) -> None:
    arm = ran.result["arms"][-1]
    space = f"{ran.name}-{arm['name']}"
    printed = kubectl("get", "dropletleases", "-n", space)
    assert {"ZONE", "PHASE", "HOLDER"} <= set(printed.splitlines()[0].split())
    region = get("region", "us-east-1", "-n", space)
    kinds = {c["type"] for c in region["status"]["conditions"]}
    assert {f"us-east-1{z}.holdfast.dev/LeasesHeld" for z in "abc"} <= kinds
    by_zone = region["status"]["leases"]
    assert set(by_zone) == {"us-east-1a", "us-east-1b", "us-east-1c"}


def test_refusals_are_events_with_numbers(ran: Ran) -> None:
    if ran.name != "lease-collapse":
        pytest.skip("told by lease-collapse alone")
    reasons = {
        arm: {e["reason"] for e in items("events", "-n", f"{ran.name}-{arm}")}
        for arm in ("aws-2025", "safe")
    }
    assert {"LeasesLost", "LeaseAttemptFailed", "LeaseAttemptLate"} <= reasons["aws-2025"]
    assert {"LeasesLost", "LeaseAttemptFailed", "LeaseQueueFull"} <= reasons["safe"]


def test_what_is_begun_is_in_vain_without_guards_and_in_time_with_them(ran: Ran) -> None:
    """`Drop` begins nothing that cannot end in time; that a call then takes longer than ever before
    is not its to prevent, and happens on a busy machine."""
    if ran.name != "lease-collapse":
        pytest.skip("told by lease-collapse alone")
    attempts = {name: ran.arm(name)["leases"]["attempts"] for name in ("aws-2025", "safe")}
    late = {name: told["late"] / told["started"] for name, told in attempts.items()}
    assert late["aws-2025"] > 0.25
    assert late["safe"] < 0.05


def test_the_alert_tells_of_the_arm_that_does_not_come_back_and_of_no_other(ran: Ran) -> None:
    if ran.name != "lease-collapse":
        pytest.skip("told by lease-collapse alone")
    assert ran.arm("safe")["dns"]["alerts"] == {}
    ((name, told),) = ran.arm("aws-2025")["dns"]["alerts"].items()
    assert name == "HoldfastLeaseCollapse"
    assert told["afterFaultSeconds"] > 15, "checks fail until the store is back, and are not late"


def test_managers_export_what_the_alert_selects(ran: Ran) -> None:
    """The engine evaluates it over what they report: a Prometheus has their /metrics."""
    if ran.name != "lease-collapse":
        pytest.skip("told by lease-collapse alone")
    exported = {
        (zone, result): counted(
            f"leases-{zone}",
            f'holdfast_lease_attempts_total{{region="{ran.name}-aws-2025",result="{result}",'
            f'zone="{zone}"}}',
        )
        for zone in ("us-east-1a", "us-east-1b", "us-east-1c")
        for result in ("held", "late")
    }
    assert min(exported.values()) > 0
    held = sum(count for (_, result), count in exported.items() if result == "held")
    assert held >= ran.arm("aws-2025")["leases"]["attempts"]["succeeded"]


def test_the_split_was_tried(ran: Ran) -> None:
    """A prevention counts only where there was something to prevent."""
    if ran.name != "split-holder":
        pytest.skip("of split-holder alone")
    for arm in ran.result["arms"]:
        assert arm["leases"]["attempts"]["theirs"] > 0


def test_what_the_zombie_had_decided_was_refused(ran: Ran) -> None:
    """It stood past the end of its leases, another took them over, and its write was too late."""
    if ran.name != "zombie-manager":
        pytest.skip("of zombie-manager alone")
    for arm in ran.result["arms"]:
        assert arm["leases"]["attempts"]["conflicts"] > 0
        assert arm["leases"]["heldLeast"] < arm["leases"]["heldAtEnd"] == arm["leases"]["leases"]
        stood = [line["event"] for line in arm["timeline"] if line.get("actor") == "leases"]
        assert stood == ["held", "released"]


PACKED = """
apiVersion: holdfast.dev/v1alpha1
kind: Scenario
metadata: {name: packed}
spec:
  seed: 1
  deadlineSeconds: 120
  settleSeconds: 20
  region:
    store: {capacity: 400}
    fleet: {mode: Rack, racks: 4, droplets: 100, agents: 2, establishMilliseconds: 100}
  arms:
    - name: safe
      guards: {profile: safe}
      expect: OutagePrevented
      metastability: RecoveredByItself
      keeps: [SingleHolder, AllRecover]
  timeline:
    - scale: {role: rack, replicas: 0}
      when: {leasesHeld: 100}
      reactionSeconds: 5
    - scale: {role: rack, replicas: 1}
      when: {leasesLost: 40}
"""


def test_packed_leases_mean_the_same(tmp_path: Path) -> None:
    """One object a rack: half of the racks go, and their leases alone; and they come back."""
    file, out = tmp_path / "packed.yaml", tmp_path / "packed.json"
    file.write_text(PACKED)
    done = run(str(HOLDFAST), "run", str(file), "--json", str(out), timeout=400)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        (arm,) = json.loads(out.read_text())["arms"]
        told = arm["leases"]
        assert (told["leases"], told["heldAtEnd"], told["heldLeast"]) == (1200, 1200, 600)
        racks = items("rackleases", "-n", "packed-safe")
        assert len(racks) == 12
        assert all(len(r["spec"]["packed"]) == 200 for r in racks)
        assert all(len(json.dumps(r)) < 4096 for r in racks)
    finally:
        run("kubectl", "delete", "scenario", "packed", "--ignore-not-found", "--wait")


@pytest.mark.leases
def test_a_manager_that_is_killed_gives_its_leases_to_its_successor() -> None:
    """A real process dies, and its queue with it. What it held runs out or is taken over."""
    raw = yaml.safe_load((ROOT / "scenarios/rack-loss.yaml").read_text())
    raw["metadata"]["name"] = "killed"
    raw["spec"]["arms"] = [a for a in raw["spec"]["arms"] if a["name"] == "safe"]
    raw["spec"]["arms"][0].pop("metastability")
    raw["spec"]["timeline"] = [
        {
            "scale": {"role": "leases", "zone": "us-east-1b", "replicas": 0},
            "when": {"leasesHeld": 100},
        },
        {
            "scale": {"role": "leases", "zone": "us-east-1b", "replicas": 1},
            "when": {"leasesLost": 30},
        },
    ]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(raw))
    try:
        kubectl("wait", "scenario", "killed", "--for=condition=Complete", "--timeout=240s")
        scenario = get("scenario", "killed")
        assert scenario["status"]["verdict"] == "Pass", scenario["status"]["message"]
        leases = items("dropletleases", "-n", "killed-safe")
        of_b = [ls for ls in leases if ls["spec"]["zone"] == "us-east-1b"]
        assert {ls["spec"]["transitions"] for ls in of_b} == {2}
        assert len({ls["spec"]["holder"] for ls in of_b}) == 1
    finally:
        run("kubectl", "delete", "scenario", "killed", "--ignore-not-found", "--wait")


def test_everything_goes_with_the_scenario() -> None:
    def gone() -> bool:
        return not [n for n in items("namespaces") if n["metadata"]["name"].startswith("lease-")]

    until(gone, "no namespace of a lease Scenario is left", 90)
