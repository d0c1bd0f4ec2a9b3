"""What `dns.admission` refuses, whoever asks: here it is kubectl, as cluster-admin.

What must be refused is tried in earnest where the guard is on; where it is off, and for what must
pass, with a dry run on the server, which asks the same policies and leaves the objects as they are.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from e2e.cluster_tools import SYSTEM, get, items, kubectl, run, until
from e2e.pages import masked, shown
from e2e.policy_changes import (
    DOWN,
    FORBIDDEN,
    LEGAL,
    PINNED,
    SELECTING,
    STAYS,
    Change,
    annotate,
    flip,
    label,
    patch,
    target,
)
from e2e.policy_spaces import (
    ENDPOINT,
    GUARDED,
    NO_REGION,
    OLD_TREE,
    OPEN,
    PIN,
    REGION,
    TREE,
    create,
    furnish,
    furnished,
    in_force,
    piece,
    region,
    scenario_body,
    spaces,
)
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.names import (
    ENDPOINT_LABEL,
    GENERATION_ANNOTATION,
    MANAGED_LABEL,
    SERVICE_NAME_LABEL,
    pin_annotation,
    service_fqdn,
    tree_name,
)
from holdfast.core.objects import Tree
from holdfast.core.override import Overridden, Override, override
from holdfast.core.scenario import Scenario, scenario_of
from holdfast.live import arm_manifests as manifests
from holdfast.live.api import connect
from holdfast.live.perform import Performer, drive

pytestmark = pytest.mark.cluster

DRY = "--dry-run=server"
PAGE = Path(__file__).parent.parent / "docs" / "admission.md"
GONE_SECONDS = 45.0
"""In which a namespace has to be gone; it takes 5 to 7 s with policies or without."""


@pytest.fixture(scope="module", autouse=True)
def objects() -> Iterator[None]:
    with furnished():
        yield


def names(change: Change) -> str:
    return change.name


def do(change: Change, space: str, *more: str) -> CompletedProcess[str]:
    def filled(text: str) -> str:
        if "{slice}" in text:
            text = text.replace("{slice}", slice_of(space))
        return text.replace("{space}", space)

    words = tuple(filled(word) for word in change.words)
    if "--raw" in words:  # kubectl sends it as it is
        words, more = (*words[:-1], words[-1] + ("&dryRun=All" if more else "")), ()
    body = filled(json.dumps(change.body)) if change.body else ""
    return run("kubectl", *words, *more, *(() if "--raw" in words else ("-n", space)), stdin=body)


def slice_of(space: str, tree: str = TREE) -> str:
    selector = f"{SERVICE_NAME_LABEL}={tree},{MANAGED_LABEL}=true"
    found: str = items("endpointslices", "-n", space, "-l", selector)[0]["metadata"]["name"]
    return found


def state(space: str) -> dict[str, Any]:
    """What is to stay: the uid and version of everything that answers for the name."""
    found = items("services,endpointslices", "-n", space, "-l", f"{MANAGED_LABEL}=true")
    return {
        o["metadata"]["name"]: (o["metadata"]["uid"], o["metadata"]["resourceVersion"])
        for o in found
        if not o["metadata"]["name"].startswith(OLD_TREE)
    }


@pytest.mark.parametrize("change", FORBIDDEN, ids=names)
def test_what_empties_or_rewinds_an_answer_is_refused_to_everybody(change: Change) -> None:
    for space in GUARDED:
        before = state(space)
        done = do(change, space, *([DRY] if change.only_dry else []))
        assert done.returncode != 0, f"taken in {space}: {done.stdout}"
        assert "(Forbidden)" in done.stderr
        assert "denied request: " in done.stderr
        assert change.says in done.stderr
        assert state(space) == before


@pytest.mark.parametrize("change", FORBIDDEN, ids=names)
def test_without_the_guard_or_a_region_it_is_taken(change: Change) -> None:
    for space in (*OPEN, NO_REGION):
        done = do(change, space, DRY)
        assert done.returncode == 0, f"in {space}: {done.stderr}"


@pytest.mark.parametrize("change", LEGAL, ids=names)
def test_what_keeps_the_answer_is_taken_everywhere(change: Change) -> None:
    for space in (*GUARDED, *OPEN):
        done = do(change, space, DRY)
        assert done.returncode == 0, f"in {space}: {done.stderr}"


def test_an_edited_file_is_refused_like_a_patch() -> None:
    """What kubectl edit does: read, change, replace."""
    space = GUARDED[0]
    body = get("service", ENDPOINT, "-n", space)
    body["metadata"]["annotations"][GENERATION_ANNOTATION] = "6"
    body["spec"]["externalName"] = target(6, space)
    done = run("kubectl", "replace", "-n", space, "-f", "-", stdin=json.dumps(body))
    assert DOWN in done.stderr
    applied = ("apply", "--server-side", "--force-conflicts", "-n", space, "-f", "-")
    assert DOWN in run("kubectl", *applied, stdin=json.dumps(body)).stderr
    forced = run("kubectl", "replace", "--force", "-n", space, "-f", "-", stdin=json.dumps(body))
    assert STAYS in forced.stderr, "it deletes first"


def test_one_life_of_an_endpoint_under_the_guard() -> None:
    """Flip, unpin, clean: all that an enactor does, and the collector takes the slices."""
    space = "policies-life"
    with spaces(space):
        region(space, {"profile": "safe"})
        until(lambda: in_force(space), "policies in force")
        furnish(space)
        uid = create(space, Tree(tree_name(ENDPOINT, 8), ENDPOINT, 8, (PIN,)))["metadata"]["uid"]
        create(space, piece(tree_name(ENDPOINT, 8), uid))
        assert do(Change("", flip(8)), space).returncode == 0
        assert do(Change("", flip(7)), space).returncode != 0
        kubectl("annotate", "service", TREE, f"{pin_annotation(PIN)}-", "-n", space)
        old = slice_of(space)
        kubectl("delete", "service", TREE, "-n", space)
        gone = ("kubectl", "get", "endpointslice", old, "-n", space)
        until(lambda: run(*gone).returncode != 0, "the slice is collected")
        # Orphaning takes the owner off, which none but the collector may.
        other = slice_of(space, OLD_TREE)
        kubectl("delete", "service", OLD_TREE, "--cascade=orphan", "-n", space, timeout=60)
        orphan = get("endpointslice", other, "-n", space)
        assert "ownerReferences" not in orphan["metadata"]


def test_a_guard_is_taken_away_and_given_back() -> None:
    """The way out for a human who knows better."""
    space = "policies-out"
    with spaces(space):
        region(space, {"profile": "safe"})
        until(lambda: in_force(space), "policies in force")
        furnish(space)
        guard = {"spec": {"guards": {"dns": {"admission": "Disabled"}}}}
        kubectl(*patch("region", REGION, guard), "-n", space)
        until(lambda: not in_force(space), "the guard is off")
        kubectl("delete", "service", ENDPOINT, "-n", space)
        guard["spec"]["guards"]["dns"]["admission"] = "Enabled"
        kubectl(*patch("region", REGION, guard), "-n", space)
        until(lambda: in_force(space), "the guard is on")


def test_what_was_wrong_before_the_guard_is_mended_under_it() -> None:
    """By a human's override, which freezes first, and by an enactor: both write what is right."""
    space = "policies-mended"
    off, on = ({"spec": {"guards": {"dns": {"admission": s}}}} for s in ("Disabled", "Enabled"))

    async def overridden() -> object:
        async with connect("holdfast-policies") as api:
            freeze = Freeze("alice", FOREVER, "the name is empty")
            order = Override("alice", ENDPOINT, 0, ("10.0.0.3",), freeze, proves=False)
            return await drive(override(order), Performer(api, space, REGION))

    with spaces(space):
        region(space, {"profile": "safe", **off["spec"]["guards"]})
        furnish(space)
        for words in (
            patch("service", ENDPOINT, {"spec": {"externalName": "nowhere"}}),
            label("service", ENDPOINT, f"{ENDPOINT_LABEL}-", f"{MANAGED_LABEL}=no"),
            label("service", TREE, f"{ENDPOINT_LABEL}-", f"{MANAGED_LABEL}-"),
            patch("service", TREE, {"spec": SELECTING}),
        ):
            kubectl(*words, "-n", space)
        kubectl(*patch("region", REGION, on), "-n", space)
        until(lambda: in_force(space), "policies in force")
        for words in (
            annotate("holdfast.dev/lock="),
            label("service", ENDPOINT, f"{MANAGED_LABEL}=true"),
            label("service", TREE, f"{MANAGED_LABEL}=true"),
            label("service", TREE, f"{ENDPOINT_LABEL}={ENDPOINT}"),
            ("annotate", "service", TREE, f"{pin_annotation(PIN)}-"),
            patch("service", TREE, {"spec": {"selector": None}}),
        ):
            assert do(Change("", words), space, DRY).returncode == 0, words
        for words in (
            flip(7, "elsewhere"),
            label("service", ENDPOINT, f"{MANAGED_LABEL}-"),
            label("service", TREE, f"{ENDPOINT_LABEL}=s3"),
            patch("service", TREE, {"spec": {"selector": {"app": "y"}}}),
        ):
            assert "denied request" in do(Change("", words), space, DRY).stderr, words
        outcome = asyncio.run(overridden())
        assert isinstance(outcome, Overridden), outcome
        alias = get("service", ENDPOINT, "-n", space)
        named = service_fqdn(tree_name(ENDPOINT, outcome.generation), space, REGION)
        assert alias["spec"]["externalName"] == named
        assert alias["metadata"]["labels"][ENDPOINT_LABEL] == ENDPOINT


def plain(line: str) -> str:
    """Without the uid in a slice's name, and what the pages mask."""
    return masked(re.sub(r"-[0-9a-f]{8}-v", "-UID-v", line))


def test_the_page_says_what_kubectl_prints() -> None:
    """docs/admission.md, from its first command to its last, in a namespace of its own."""
    space = "policies-page"
    told = list(shown(PAGE))
    assert len(told) >= 8
    with spaces(space):
        region(space, {"profile": "safe"})
        until(lambda: in_force(space), "policies in force")
        furnish(space)
        for one in told:
            done = run("bash", "-c", f"export NS={space}; {one.command}")
            printed = (done.stdout + done.stderr).splitlines()
            assert list(map(plain, one.printed)) == list(map(plain, printed)), one.command


# --- nothing is wedged ----------------------------------------------------------------------------


def delete_and_wait(*what: str, space: str) -> float:
    began = time.monotonic()
    kubectl("delete", *what, "--wait=false")
    there = ("kubectl", "get", "namespace", space)
    until(lambda: run(*there).returncode != 0, f"{space} is gone", GONE_SECONDS)
    return time.monotonic() - began


def test_a_namespace_goes_with_its_pinned_trees() -> None:
    space = "policies-gone"
    with spaces(space):
        region(space, {"profile": "safe"})
        until(lambda: in_force(space), "policies in force")
        furnish(space)
        assert PINNED in do(Change("", ("delete", "service", TREE)), space).stderr
        print(f"\ngone after {delete_and_wait('namespace', space, space=space):.1f} s")


def make_scenario(name: str) -> Scenario:
    """As the API server has it. Nobody runs it if the operator is down."""
    made = kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(scenario_body(name)))
    raw = json.loads(made)
    return scenario_of(name, raw["metadata"]["uid"], raw["spec"])


@pytest.fixture(scope="class")
def operator_down() -> Iterator[None]:
    deployments = [d["metadata"]["name"] for d in items("deployments", "-n", SYSTEM)]
    kubectl("scale", "deployment", *deployments, "--replicas=0", "-n", SYSTEM)
    until(lambda: not items("pods", "-n", SYSTEM), "the operator is down", 90)
    try:
        yield
    finally:
        kubectl("scale", "deployment", *deployments, "--replicas=1", "-n", SYSTEM)
        for name in deployments:
            kubectl("rollout", "status", "deployment", name, "-n", SYSTEM, "--timeout=120s")


@pytest.mark.usefixtures("operator_down")
class TestWithTheOperatorDown:
    def test_a_scenario_goes_with_its_pinned_trees(self) -> None:
        name = "policies-scenario"
        run("kubectl", "delete", "scenario", name, "--ignore-not-found", "--wait")
        scenario = make_scenario(name)
        space = scenario.namespace_of("one")
        kubectl("create", "-f", "-", stdin=json.dumps(manifests.namespace(scenario, "one")))
        region(space, {"profile": "safe"})
        until(lambda: in_force(space), "policies in force")
        furnish(space)
        assert PINNED in do(Change("", ("delete", "service", TREE)), space).stderr
        print(f"\ngone after {delete_and_wait('scenario', name, space=space):.1f} s")

    def test_of_two_regions_in_a_namespace_each_guard_counts(self) -> None:
        """The planner would tell the second that it is one, and may not in such a namespace."""
        space = "policies-two"
        with spaces(space):
            region(space, {"profile": "aws-2025"}, "us-west-2")
            furnish(space)
            assert do(Change("", flip(6)), space, DRY).returncode == 0
            region(space, {"profile": "safe"})
            until(lambda: in_force(space), "policies in force")
            assert DOWN in do(Change("", flip(6)), space, DRY).stderr
            assert do(Change("", flip(8)), space, DRY).returncode == 0
            guarded = {"spec": {"guards": {"profile": "safe"}}}
            kubectl(*patch("region", "us-west-2", guarded), "-n", space)
            stuck = ("us-west-2.cloud.test", target(8, space))
            until(
                lambda: all(word in do(Change("", flip(8)), space, DRY).stderr for word in stuck),
                "no name is that of both: the answer stays as it is",
            )
            kubectl("delete", "region", "us-west-2", "-n", space)
            until(
                lambda: do(Change("", flip(8)), space, DRY).returncode == 0, "and goes on with one"
            )
        delete_and_wait("namespace", space, "--ignore-not-found", space=space)
