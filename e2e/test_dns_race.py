"""dns-race on the cluster, asserted from cluster state and DNS answers, not from logs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from e2e import pages
from e2e.cluster_tools import (
    SYSTEM,
    Observer,
    empty,
    get,
    items,
    kubectl,
    metrics,
    observing,
    run,
    until_alone,
    while_probed,
)

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
PREVENTED = ["fenced", "fenced-midwrite"]


@dataclass
class Race:
    result: dict[str, Any]
    printed: str
    code: int
    observer: Observer

    def arm(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(a for a in self.result["arms"] if a["name"] == name)
        return found


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Race]:
    """One run of the Scenario, watched by a customer of our own on the host."""
    file = tmp_path_factory.mktemp("race") / "dns-race.json"
    until_alone()
    with observing() as observer:
        done = subprocess.run(
            [HOLDFAST, "run", "dns-race", "--json", str(file)],
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert file.exists(), done.stdout + done.stderr
    yield Race(json.loads(file.read_text()), done.stdout, done.returncode, observer)
    run("kubectl", "delete", "scenario", "dns-race", "--ignore-not-found", "--wait")


def alias(arm: str) -> dict[str, Any]:
    found: dict[str, Any] = get("service", "dynamodb", "-n", f"dns-race-{arm}")
    return found


def target(arm: str) -> str:
    return str(alias(arm)["spec"]["externalName"].partition(".")[0])


def trees(arm: str) -> set[str]:
    found = items("services", "-n", f"dns-race-{arm}", "-l", "holdfast.dev/kind=tree")
    return {t["metadata"]["name"] for t in found}


def generation(arm: str) -> int:
    return int(alias(arm)["metadata"]["annotations"]["holdfast.dev/plan-generation"])


def newest_plan(arm: str) -> int:
    plans = items("dnsplans", "-n", f"dns-race-{arm}")
    return max(int(p["spec"]["planGeneration"]) for p in plans)


def test_the_scenario_passes_and_kubectl_can_wait_for_it(race: Race) -> None:
    assert (race.code, race.result["verdict"]) == (0, "Pass"), race.printed
    kubectl("wait", "--for=condition=Succeeded", "scenario/dns-race", "--timeout=5s")
    kubectl("wait", "--for=condition=Complete", "scenario/dns-race", "--timeout=5s")


def test_as_aws_ran_it_the_alias_names_nothing_although_plans_kept_coming(race: Race) -> None:
    assert target("aws-2025") not in trees("aws-2025")
    assert newest_plan("aws-2025") >= generation("aws-2025") + 10
    arm = race.arm("aws-2025")
    assert arm["outcome"] == "OutageReproduced"
    assert {"NonEmpty", "NoLiveDelete", "Monotone", "Converges"} == set(arm["invariantsBroken"])
    assert arm["dns"]["recoveredBy"] == "nobody"
    assert arm["dns"]["staleWritesApplied"] == 1
    assert arm["guardsMissing"] == [
        "dns.admission=Enabled",
        "dns.cleanup=PinLive",
        "dns.fence=CheckInLock",
        "dns.fence=Generation",
        "dns.rollback=Decoupled",
        "dns.selfRepair=Enabled",
    ]


def test_as_aws_ran_it_customers_got_empty_answers_to_the_end(race: Race) -> None:
    """Our own queries on the host: good at first, then NOERROR without addresses for good."""
    seen = race.observer.of("dns-race-aws-2025")
    first = seen.index(empty(seen)[0])
    assert first > 5
    assert all(s.rcode == "NOERROR" and len(s.addresses) == 3 for s in seen[:first])
    assert seen[first:] == empty(seen[first:])
    assert seen[-1].at - seen[first].at > 15
    told = race.arm("aws-2025")["dns"]
    probed = while_probed(seen, told["authoritative"])
    assert told["authoritative"]["emptySeconds"] == pytest.approx(
        probed[-1].at - seen[first].at, abs=1.5
    )
    assert told["resolver"]["empty"] > 0


@pytest.mark.parametrize("arm", PREVENTED)
def test_fenced_the_name_is_never_empty_and_stays_current(race: Race, arm: str) -> None:
    seen = race.observer.of(f"dns-race-{arm}")
    assert len(seen) > 200
    assert empty(seen) == []
    assert {s.rcode for s in seen} == {"NOERROR"}
    generations = [int(s.target.rpartition("p")[2]) for s in seen]
    assert generations == sorted(generations), "an answer went back to an older plan"
    assert target(arm) in trees(arm)
    assert generation(arm) >= newest_plan(arm) - 2
    assert race.arm(arm)["invariantsBroken"] in ([], ["RollbackNamesATree"])


def test_the_stale_plan_is_dropped_by_a_read_or_refused_by_a_409(race: Race) -> None:
    dropped, refused = (race.arm(arm)["dns"] for arm in PREVENTED)
    assert (dropped["staleDropped"], dropped["staleWritesRefused"]["conflict"]) == (1, 0)
    assert (refused["staleDropped"], refused["staleWritesRefused"]["conflict"]) == (0, 1)
    actors = get("region", "us-east-1", "-n", "dns-race-fenced-midwrite")["status"]["actors"]
    assert actors["us-east-1a"]["tried"] == "refused"


def test_the_timeline_tells_the_cause(race: Race) -> None:
    events = {line["event"]: line for line in reversed(race.arm("aws-2025")["timeline"])}
    at = {event: line["t"] for event, line in events.items()}
    assert at["held"] < at["staleFlip"] < at["liveTreeDeleted"]
    assert at["staleFlip"] < at["firstEmptyAnswer"]
    # The probe hears of it from CoreDNS, we from the API server: two watches, some milliseconds.
    assert at["liveTreeDeleted"] - 0.1 < at["firstEmptyAnswer"] < at["liveTreeDeleted"] + 2.0
    flip = events["staleFlip"]
    assert flip["zone"] == "us-east-1a"
    assert flip["toGeneration"] < flip["fromGeneration"]
    assert int(flip["resourceVersionBefore"]) < int(flip["resourceVersionAfter"])
    assert events["liveTreeDeleted"]["object"] == f"tree/dynamodb-p{flip['toGeneration']}"


def test_the_document_keeps_to_its_schema(race: Race) -> None:
    schema = json.loads((ROOT / "docs/result.schema.json").read_text())
    jsonschema.validate(race.result, schema)
    for arm in race.result["arms"]:
        status = next(
            a for a in get("scenario", "dns-race")["status"]["arms"] if a["name"] == arm["name"]
        )
        assert status["verdict"] == arm["verdict"]
        assert status["guards"] == arm["guards"]


def test_kubectl_get_tells_the_story(race: Race) -> None:
    assert race.printed
    table = kubectl("get", "scenarios")
    assert "Pass" in table
    assert "4/4" in table
    everything = kubectl("get", "holdfast", "-A")
    assert "scenario.holdfast.dev/dns-race" in everything
    assert "dnsplan.holdfast.dev/plan-0000000001" in everything
    status = run(str(HOLDFAST), "dns", "status", "-n", "dns-race-aws-2025").stdout
    assert "WHICH DOES NOT EXIST" in status


def test_plans_have_one_generation_each_without_a_gap(race: Race) -> None:
    assert race.code == 0
    for arm in ("aws-2025", *PREVENTED):
        plans = items("dnsplans", "-n", f"dns-race-{arm}")
        generations = sorted(int(p["spec"]["planGeneration"]) for p in plans)
        assert generations == list(range(1, len(plans) + 1))


def test_the_refusal_is_a_metric_with_its_reason(race: Race) -> None:
    """At the enactor that was refused, at the one that was stuck, and at the probe's server."""
    assert race.code == 0
    label = "holdfast.dev/process=holdfast-enactor-us-east-1a"
    (pod,) = items("pods", "-n", SYSTEM, "-l", label)
    told = metrics(pod["metadata"]["name"])
    for line in (
        'holdfast_writes_total{region="dns-race-fenced-midwrite",result="conflict_newer"}',
        'holdfast_writes_total{region="dns-race-fenced",result="dropped_stale"}',
        'holdfast_writes_total{region="dns-race-aws-2025",result="rollback_missing"}',
    ):
        found = [row.rpartition(" ")[2] for row in told.splitlines() if row.startswith(line)]
        assert found, line
        assert float(found[0]) >= 1, "counters go on from an earlier run"


def test_nothing_has_a_finalizer(race: Race) -> None:
    assert race.code == 0
    for kind in ("scenarios", "regions", "dnsplans", "services", "endpointslices"):
        for found in items(kind, "-A"):
            meta = found["metadata"]
            if kind == "scenarios" or meta["namespace"].startswith("dns-race-"):
                assert not meta.get("finalizers"), meta["name"]


def test_the_pages_of_docs_show_what_stands_there(race: Race) -> None:
    assert race.code == 0
    for page in pages.pages_of("dns-race"):
        for told in pages.shown(page):
            assert pages.missing(told) == [], f"{page.name}: {told.command}"
