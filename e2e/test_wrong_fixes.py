"""wrong-fixes on the cluster: every arm's verdict, outcome and broken invariants, and that it came
about for the reason that its rung has, from cluster state and the order of events."""

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
from e2e.cluster_tools import SYSTEM, get, items, kubectl, metrics, run, until_alone

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
A, B = "us-east-1a", "us-east-1b"

OUTAGE = {"NonEmpty", "NoLiveDelete", "Monotone"}
STUCK = OUTAGE | {"Converges"}
LOST = ["no-fence", "check-each", "leader-only", "resource-version", "skip-live", "reread"]
KEPT = ["check-in-lock", "generation", "pin-live"]
REPRODUCED, PREVENTED = "OutageReproduced", "OutagePrevented"
EXPECTED: dict[str, tuple[str, set[str]]] = {
    **dict.fromkeys(LOST, (REPRODUCED, STUCK)),
    "check-in-lock": (PREVENTED, set()),
    "generation": (PREVENTED, set()),
    "pin-live": (PREVENTED, {"Monotone"}),
    "decoupled": (REPRODUCED, OUTAGE),
}
COMES_WITH_AGE = {"RollbackNamesATree"}
"""Broken by cleaning by age whenever a generation is skipped: reported, and no outage."""


@dataclass
class Fixes:
    result: dict[str, Any]
    printed: str
    code: int

    def arm(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(a for a in self.result["arms"] if a["name"] == name)
        return found

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Event, zone and step of every line of an arm's timeline, in order."""
        lines = self.arm(name)["timeline"]
        return [(e["event"], e.get("zone", ""), e.get("step", "")) for e in lines]


@pytest.fixture(scope="module")
def fixes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixes]:
    file = tmp_path_factory.mktemp("fixes") / "wrong-fixes.json"
    until_alone()
    done = subprocess.run(
        [HOLDFAST, "run", "wrong-fixes", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert file.exists(), done.stdout + done.stderr
    yield Fixes(json.loads(file.read_text()), done.stdout, done.returncode)
    run("kubectl", "delete", "scenario", "wrong-fixes", "--ignore-not-found", "--wait")


def alias(arm: str) -> dict[str, Any]:
    found: dict[str, Any] = get("service", "dynamodb", "-n", f"wrong-fixes-{arm}")
    return found


def target(arm: str) -> str:
    return str(alias(arm)["spec"]["externalName"].partition(".")[0])


def trees(arm: str) -> dict[str, dict[str, Any]]:
    found = items("services", "-n", f"wrong-fixes-{arm}", "-l", "holdfast.dev/kind=tree")
    return {t["metadata"]["name"]: t["metadata"] for t in found}


def pins(meta: dict[str, Any]) -> set[str]:
    """The zones whose pin a tree bears."""
    notes = meta.get("annotations") or {}
    found = (n.removeprefix("pin.holdfast.dev/") for n in notes if n.startswith("pin."))
    return {holder.partition(".")[0] for holder in found}


def writes(zone: str, arm: str, result: str) -> float:
    label = f"holdfast.dev/process=holdfast-enactor-{zone}"
    (pod,) = items("pods", "-n", SYSTEM, "-l", label)
    wanted = f'holdfast_writes_total{{region="wrong-fixes-{arm}",result="{result}"}}'
    lines = metrics(pod["metadata"]["name"]).splitlines()
    return next((float(x.rpartition(" ")[2]) for x in lines if x.startswith(wanted)), 0.0)


def test_the_scenario_passes_and_its_document_keeps_to_the_schema(fixes: Fixes) -> None:
    assert (fixes.code, fixes.result["verdict"]) == (0, "Pass"), fixes.printed
    assert [a["name"] for a in fixes.result["arms"]] == [*LOST, *KEPT, "decoupled"]
    jsonschema.validate(fixes.result, json.loads((ROOT / "docs/result.schema.json").read_text()))


@pytest.mark.parametrize("name", EXPECTED)
def test_verdict_outcome_and_invariants_of_every_arm(fixes: Fixes, name: str) -> None:
    arm, (outcome, broken) = fixes.arm(name), EXPECTED[name]
    assert (arm["verdict"], arm["outcome"], arm["message"]) == ("Pass", outcome, "as expected")
    assert set(arm["invariantsBroken"]) - COMES_WITH_AGE == broken
    assert arm["dns"]["watchGaps"] == 0


@pytest.mark.parametrize("name", [*LOST, "decoupled"])
def test_an_outage_is_the_incidents_order_of_events(fixes: Fixes, name: str) -> None:
    """A goes back while B stands at delete with the plan of A among its victims."""
    told = fixes.events(name)
    held = told.index(("held", B, "delete"))
    back = told.index(("staleFlip", A, "flip"))
    released = told.index(("released", B, "delete"))
    gone = told.index(("liveTreeDeleted", "", ""))
    assert held < back < min(released, gone)
    lines = fixes.arm(name)["timeline"]
    generation = lines[back]["toGeneration"]
    assert generation in lines[held]["victims"]
    assert lines[gone]["object"] == f"tree/dynamodb-p{generation}"
    assert ("firstEmptyAnswer", "", "") in told
    assert fixes.arm(name)["dns"]["staleWritesApplied"] == 1


@pytest.mark.parametrize("name", LOST)
def test_a_lost_name_stays_lost(fixes: Fixes, name: str) -> None:
    arm = fixes.arm(name)
    assert target(name) not in trees(name)
    assert arm["dns"]["recoveredBy"] == "nobody"
    assert arm["dns"]["authoritative"]["emptySeconds"] > 5


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_name_is_never_empty(fixes: Fixes, name: str) -> None:
    arm = fixes.arm(name)
    assert target(name) in trees(name)
    assert (arm["dns"]["authoritative"]["empty"], arm["dns"]["resolver"]["empty"]) == (0, 0)


def test_check_each_did_check_before_the_turn_in_which_it_lost(fixes: Fixes) -> None:
    assert fixes.arm("check-each")["guards"]["dns"]["fence"] == "CheckEach"
    assert ("held", A, "turn") in fixes.events("check-each")


def test_the_former_leader_wrote_after_another_was_elected(fixes: Fixes) -> None:
    assert ("held", A, "flip") in fixes.events("leader-only"), "it had asked, and led"
    lease = get("lease", "holdfast-enactor", "-n", "wrong-fixes-leader-only")["spec"]
    assert lease["leaseDurationSeconds"] == 2
    assert lease["holderIdentity"].split("/")[0] != A
    flips = [x for x in fixes.arm("leader-only")["timeline"] if x["event"] in ("flip", "staleFlip")]
    before = flips[: next(i for i, x in enumerate(flips) if x["event"] == "staleFlip")]
    assert before[-1]["zone"] == B, "whom the election made the leader"


def test_a_409_did_not_save_resource_version(fixes: Fixes) -> None:
    assert ("held", A, "flip") in fixes.events("resource-version")
    assert writes(A, "resource-version", "conflict") >= 1
    assert fixes.arm("resource-version")["dns"]["staleWritesRefused"]["conflict"] == 0


def test_check_in_lock_missed_with_an_expired_lock_and_then_dropped_its_plan(fixes: Fixes) -> None:
    told = fixes.events("check-in-lock")
    assert told.index(("held", A, "flip")) < told.index(("dropped", A, "flip"))
    assert writes(A, "check-in-lock", "lock_lost") >= 1
    assert writes(A, "check-in-lock", "dropped_stale") >= 1
    assert fixes.arm("check-in-lock")["dns"]["staleWritesApplied"] == 0


def test_generation_dropped_its_plan_on_its_own_re_read(fixes: Fixes) -> None:
    assert ("dropped", A, "flip") in fixes.events("generation")
    assert fixes.arm("generation")["dns"]["staleWritesApplied"] == 0


def test_pins_kept_the_tree_although_the_alias_went_back(fixes: Fixes) -> None:
    arm = fixes.arm("pin-live")
    told = fixes.events("pin-live")
    assert told.index(("held", B, "delete")) < told.index(("staleFlip", A, "flip"))
    assert told.index(("staleFlip", A, "flip")) < told.index(("released", B, "delete"))
    assert arm["dns"]["staleWritesApplied"] == 1
    assert not any(event == "liveTreeDeleted" for event, _, _ in told)
    standing = trees("pin-live")
    assert pins(standing[target("pin-live")]), "who flipped to it has its pin on it"
    flip = next(x for x in arm["timeline"] if x["event"] == "staleFlip")
    assert f"dynamodb-p{flip['toGeneration']}" not in standing, "and takes it off again"


def test_decoupled_heals_with_the_next_plan(fixes: Fixes) -> None:
    arm = fixes.arm("decoupled")
    assert (arm["dns"]["recoveredBy"], arm["dns"]["healedByItself"]) == ("nextPlan", True)
    assert 2 < arm["dns"]["authoritative"]["emptySeconds"] < 8
    assert target("decoupled") in trees("decoupled")
    assert "dns.fence=Generation" in arm["guardsMissing"]
    assert "dns.rollback=Decoupled" not in arm["guardsMissing"], "it is on, and it healed"


def test_nothing_is_left_over_but_what_the_scenario_owns(fixes: Fixes) -> None:
    assert fixes.code == 0
    spaces = json.loads(kubectl("get", "namespaces", "-o", "json"))["items"]
    own = [s for s in spaces if s["metadata"]["name"].startswith("wrong-fixes-")]
    assert len(own) == len(EXPECTED)
    assert all(s["metadata"]["ownerReferences"][0]["name"] == "wrong-fixes" for s in own)


def test_the_pages_of_docs_show_what_stands_there(fixes: Fixes) -> None:
    assert fixes.code == 0
    for page in pages.pages_of("wrong-fixes"):
        for told in pages.shown(page):
            assert pages.missing(told) == [], f"{page.name}: {told.command}"
