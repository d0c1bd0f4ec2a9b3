"""partial on the cluster: three endpoints in both families, asked for from outside while a plan is
live at one of them and not at the others."""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from e2e.cluster_tools import (
    AUTHORITATIVE,
    RESOLVER,
    Seen,
    ask,
    get,
    items,
    run,
    until_alone,
)

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
HOLDFAST = Path(sys.executable).with_name("holdfast")
ENDPOINTS = ("dynamodb", "kinesis", "sqs")
KINDS = ("A", "AAAA")
ARMS = ("aws-2025", "safe")
A = "us-east-1a"
INTERVAL_SECONDS = 0.1
BORN_SECONDS = 2.0
"""After which the resolver may be asked: too early it would keep "no such name" for a minute."""


@dataclass
class Customers:
    """Ask the servers on the nodes for all names in both families, and keep every answer by arm,
    port, endpoint and kind."""

    seen: dict[tuple[str, int, str, str], list[Seen]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _born: dict[str, float] = field(default_factory=dict)

    def ask(self) -> None:
        spaces = [self._ask(AUTHORITATIVE, e, k) for e, k in product(ENDPOINTS, KINDS)]
        space = spaces[0]
        if not space or any(s != space for s in spaces):
            return
        born = self._born.setdefault(space, time.monotonic())
        if time.monotonic() - born < BORN_SECONDS:
            return
        for endpoint, kind in product(ENDPOINTS, KINDS):
            # An arm that ends gives its port to the next one, whose names are not born yet.
            if self._ask(AUTHORITATIVE, endpoint, kind) != space:
                return
            if not self._ask(RESOLVER, endpoint, kind):
                return

    def _ask(self, port: int, endpoint: str, kind: str) -> str:
        seen = ask(port, f"{endpoint}.us-east-1.cloud.test", kind)
        if seen.space:
            self.seen[seen.space, port, endpoint, kind].append(seen)
        return seen.space


@dataclass
class Run:
    result: dict[str, Any]
    printed: str
    code: int
    customers: Customers

    def arm(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(a for a in self.result["arms"] if a["name"] == name)
        return found

    def answers(self, arm: str, port: int, endpoint: str, kind: str) -> list[Seen]:
        return self.customers.seen[f"partial-{arm}", port, endpoint, kind]


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    file = tmp_path_factory.mktemp("partial") / "partial.json"
    until_alone()
    customers, stop = Customers(), threading.Event()

    def loop() -> None:
        while not stop.wait(INTERVAL_SECONDS):
            customers.ask()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        done = subprocess.run(
            [HOLDFAST, "run", "partial", "--json", str(file)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        stop.set()
        thread.join()
    assert file.exists(), done.stdout + done.stderr
    yield Run(json.loads(file.read_text()), done.stdout, done.returncode, customers)
    run("kubectl", "delete", "scenario", "partial", "--ignore-not-found", "--wait")


def generation(seen: Seen) -> int:
    return int(seen.target.rpartition("-p")[2])


def test_the_scenario_passes_and_its_document_keeps_to_the_schema(partial: Run) -> None:
    assert (partial.code, partial.result["verdict"]) == (0, "Pass"), partial.printed
    jsonschema.validate(partial.result, json.loads((ROOT / "docs/result.schema.json").read_text()))


@pytest.mark.parametrize("arm", ARMS)
def test_every_endpoint_answers_in_both_families_at_both_servers(partial: Run, arm: str) -> None:
    """IPv4 is the Pods' own; IPv6 is announced by them, for this cluster gives them none."""
    pods = items("pods", "-n", f"partial-{arm}", "-l", "app.kubernetes.io/name=store")
    own = {p["status"]["podIP"] for p in pods}
    announced = {p["metadata"]["annotations"]["holdfast.dev/addresses"] for p in pods}
    assert announced == {"fd00::1:1", "fd00::2:1", "fd00::3:1"}
    for port, endpoint in product((AUTHORITATIVE, RESOLVER), ENDPOINTS):
        for kind, wanted in (("A", own), ("AAAA", announced)):
            answers = partial.answers(arm, port, endpoint, kind)
            assert len(answers) > 50
            assert {s.rcode for s in answers} == {"NOERROR"}
            assert {frozenset(s.addresses) for s in answers} == {frozenset(wanted)}


@pytest.mark.parametrize("arm", ARMS)
def test_a_tree_has_a_slice_of_each_family(partial: Run, arm: str) -> None:
    assert partial.code == 0
    space = f"partial-{arm}"
    slices = items("endpointslices", "-n", space, "-l", "holdfast.dev/managed=true")
    families: dict[str, set[str]] = defaultdict(set)
    for piece in slices:
        (owner,) = piece["metadata"]["ownerReferences"]
        families[owner["uid"]].add(piece["addressType"])
        assert piece["metadata"]["name"].endswith(
            {"IPv4": "v4", "IPv6": "v6"}[piece["addressType"]]
        )
    trees = items("services", "-n", space, "-l", "holdfast.dev/kind=tree")
    assert len(trees) >= len(ENDPOINTS)
    for tree in trees:
        assert families[tree["metadata"]["uid"]] == {"IPv4", "IPv6"}


def seconds_until_whole(document: dict[str, Any]) -> float:
    """From dynamodb's first flip past plan 2 to the last flip that left plan 1 or 2 behind."""
    flips = document["dns"]["liveGenerations"]
    began = next(t for t, endpoint, g in flips if endpoint == "dynamodb" and g > 2)
    live, ended = dict.fromkeys(ENDPOINTS, 0), began
    for t, endpoint, g in flips:
        if live[endpoint] <= 2 < g:
            ended = t
        live[endpoint] = g
    assert min(live.values()) > 2
    return float(max(ended, began) - began)


@pytest.mark.parametrize(("arm", "kind"), list(product(ARMS, KINDS)))
def test_customers_see_the_plan_at_one_endpoint_and_not_at_the_others(
    partial: Run, arm: str, kind: str
) -> None:
    """For seconds dynamodb answers from plan 2, kinesis and sqs from plan 1; then all from one,
    within a second of the last name's flip. How long the late one takes until it has turned two
    names back and repaired them is the machine's, and told by the run."""
    answers = {e: partial.answers(arm, AUTHORITATIVE, e, kind) for e in ENDPOINTS}
    apart = [s.at for s in answers["dynamodb"] if generation(s) == 2]
    assert apart[-1] - apart[0] > 3
    whole = apart[-1] + seconds_until_whole(partial.arm(arm))
    for endpoint in ("kinesis", "sqs"):
        meanwhile = {generation(s) for s in answers[endpoint] if apart[0] < s.at < apart[-1] - 0.2}
        assert meanwhile == {1}
        after = [generation(s) for s in answers[endpoint] if s.at > whole + 1]
        assert min(after) >= 4, "whole, and never again apart for long"
    ends = {generation(of[-1]) for of in answers.values()}
    assert len(ends) == 1 or max(ends) - min(ends) == 1, "the arm ends in the middle of a round"


@pytest.mark.parametrize("arm", ARMS)
def test_the_result_tells_the_same(partial: Run, arm: str) -> None:
    document = partial.arm(arm)
    told = [x for x in document["timeline"] if x["event"] in ("partial", "whole")]
    assert [x["event"] for x in told][:2] == ["partial", "whole"]
    assert told[0]["message"] == "dynamodb 2, kinesis 1, sqs 1"
    between = [
        (e, g)
        for t, e, g in document["dns"]["liveGenerations"]
        if told[0]["t"] + 0.5 < t < told[1]["t"] - 1
    ]
    assert between == [], "held between two endpoints, and nobody else had begun"
    assert document["dns"]["families"] == ["IPv4", "IPv6"]
    assert set(document["dns"]["endpoints"]) == set(ENDPOINTS)
    for seen in document["dns"]["endpoints"].values():
        for server in ("authoritative", "resolver"):
            assert seen[server]["empty"] == 0
            assert seen[server]["ok"] > 0.9 * seen[server]["queries"]


def test_whoever_comes_makes_it_whole_and_the_late_one_is_refused_by_the_fence(
    partial: Run,
) -> None:
    aws, safe = (partial.arm(arm) for arm in ARMS)
    assert aws["dns"]["staleWritesApplied"] == 2
    back = [x for x in aws["timeline"] if x["event"] == "staleFlip"]
    assert [(x["object"], x["zone"]) for x in back] == [("alias/kinesis", A), ("alias/sqs", A)]
    assert safe["dns"]["staleWritesApplied"] == 0
    assert safe["dns"]["staleDropped"] + safe["dns"]["staleWritesRefused"]["conflict"] >= 1
    for arm in (aws, safe):
        assert not {"NonEmpty", "WholePlan", "Converges"} & set(arm["invariantsBroken"])
    for name in ARMS:
        live = {
            e: get("service", e, "-n", f"partial-{name}")["metadata"]["annotations"][
                "holdfast.dev/plan-generation"
            ]
            for e in ENDPOINTS
        }
        assert max(map(int, live.values())) - min(map(int, live.values())) <= 1
