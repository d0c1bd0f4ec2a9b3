"""Packaged Scenarios, run on the cluster: their verdicts, and what anybody could see meanwhile."""

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
    observing,
    run,
    until,
    while_probed,
)

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
NAMES = [
    "stuck",
    "empty-plan",
    "bad-start",
    "zombie-enactor",
    "planner-down",
    "enactor-down",
    "lost-reply",
]


@dataclass
class Ran:
    name: str
    result: dict[str, Any]
    printed: str
    code: int
    observer: Observer

    def arm(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(a for a in self.result["arms"] if a["name"] == name)
        return found

    def seen_empty(self, arm: str) -> float:
        """Seconds from the first to the last empty answer that we were given on the host while the
        arm's probe was given some, too."""
        answers = self.observer.of(f"{self.name}-{arm}")
        found = empty(while_probed(answers, self.arm(arm)["dns"]["authoritative"]))
        return found[-1].at - found[0].at if found else 0.0


@pytest.fixture(scope="module", params=NAMES)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    name = request.param
    file = tmp_path_factory.mktemp(name) / "result.json"
    with observing() as observer:
        done = subprocess.run(
            [HOLDFAST, "run", name, "--json", str(file)],
            capture_output=True,
            text=True,
            timeout=580,
            check=False,
        )
    assert file.exists(), done.stdout + done.stderr
    yield Ran(name, json.loads(file.read_text()), done.stdout, done.returncode, observer)
    run("kubectl", "delete", "scenario", name, "--ignore-not-found", "--wait")


def test_it_passes_and_the_document_keeps_to_its_schema(ran: Ran) -> None:
    assert (ran.code, ran.result["verdict"]) == (0, "Pass"), ran.printed
    schema = json.loads((ROOT / "docs/result.schema.json").read_text())
    jsonschema.validate(ran.result, schema)


def test_we_were_given_empty_answers_exactly_where_the_outage_was_reproduced(ran: Ran) -> None:
    """By our own queries. In the first moments of a bad start no answer names its namespace yet."""
    for arm in ran.result["arms"]:
        if ran.name == "bad-start":
            continue
        told = arm["dns"]["authoritative"]["emptySeconds"]
        assert (told > 0) == (arm["outcome"] == "OutageReproduced")
        assert ran.seen_empty(arm["name"]) == pytest.approx(told, abs=1.5), arm["name"]
        if arm["dns"].get("recoveredBy") == "nobody":
            seen = ran.observer.of(f"{ran.name}-{arm['name']}")
            first = seen.index(empty(seen)[0])
            assert seen[first:] == empty(seen[first:]), f"{arm['name']} answered again"


def test_whoever_was_taken_away_is_back(ran: Ran) -> None:
    """A timeline may scale the operator's roles; every arm ends with one process of each."""
    assert ran.result
    found = items("deployments", "-n", SYSTEM)
    assert {d["spec"]["replicas"] for d in found} == {1}
    until(all_available, "every role is available")


def all_available() -> bool:
    found = items("deployments", "-n", SYSTEM)
    return all(d["status"].get("availableReplicas") for d in found)


def test_the_name_was_given_back_as_expected(ran: Ran) -> None:
    for arm in ran.result["arms"]:
        if arm["outcome"] != "OutageReproduced":
            assert "recoveredBy" not in arm["dns"]
            continue
        space = f"{ran.name}-{arm['name']}"
        alias = get("service", "dynamodb", "-n", space)
        target = alias["spec"]["externalName"].partition(".")[0]
        trees = {t["metadata"]["name"] for t in items("services", "-n", space)}
        assert (target in trees) == (arm["dns"]["recoveredBy"] != "nobody"), arm["name"]


def test_the_pages_of_docs_show_what_stands_there(ran: Ran) -> None:
    found = pages.pages_of(ran.name)
    assert found, "a failure without a page"
    for page in found:
        for told in pages.shown(page):
            assert pages.missing(told) == [], f"{page.name}: {told.command}"
