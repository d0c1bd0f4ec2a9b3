"""Namespaces with a Region of each kind and one endpoint's objects, to try `dns.admission` on.

The Regions are paused: the operator leaves everything as it is.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from e2e.cluster_tools import kubectl, run, until
from holdfast.core.names import slice_name
from holdfast.core.objects import Alias, Slice, Stored, Tree
from holdfast.live.wire import render

REGION, ENDPOINT, GENERATION = "us-east-1", "dynamodb", 7
PIN = "us-east-1a/0a6e5f0e-4b7a-4d53-9c0e-6f5a3c1d2b10"
OLD_TREE = f"{ENDPOINT}-p{GENERATION - 1}"
TREE = f"{ENDPOINT}-p{GENERATION}"
GUARDS: Mapping[str, Mapping[str, Any]] = {
    "policies-safe": {"profile": "safe"},
    "policies-aws-enabled": {"profile": "aws-2025", "dns": {"admission": "Enabled"}},
    "policies-aws": {"profile": "aws-2025"},
    "policies-safe-disabled": {"profile": "safe", "dns": {"admission": "Disabled"}},
}
GUARDED = ("policies-safe", "policies-aws-enabled")
OPEN = ("policies-aws", "policies-safe-disabled")
NO_REGION = "policies-no-region"


def region(space: str, guards: Mapping[str, Any], name: str = REGION) -> None:
    body = {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": name},
        "spec": {"paused": True, "guards": guards},
    }
    kubectl("create", "-n", space, "-f", "-", stdin=json.dumps(body))


def create(space: str, obj: Stored) -> Any:
    text = json.dumps(render(obj, space, REGION))
    return json.loads(kubectl("create", "-n", space, "-f", "-", "-o", "json", stdin=text))


def furnish(space: str) -> None:
    """The live tree, pinned; an older one without a pin; the alias; and a Service and a slice that
    are nobody's."""
    for tree in (
        Tree(TREE, ENDPOINT, GENERATION, (PIN,)),
        Tree(OLD_TREE, ENDPOINT, GENERATION - 1),
    ):
        uid = create(space, tree)["metadata"]["uid"]
        create(space, piece(tree.name, uid))
    create(space, Alias(ENDPOINT, TREE, GENERATION))
    kubectl("create", "service", "externalname", "plain", "--external-name=a.b", "-n", space)
    stray = render(piece(TREE, "0"), space, REGION)
    stray["metadata"] = {"name": "stray", "labels": {"kubernetes.io/service-name": TREE}}
    kubectl("create", "-n", space, "-f", "-", stdin=json.dumps(stray))


def piece(tree: str, uid: str) -> Slice:
    return Slice(slice_name(tree, uid, "IPv4"), tree, uid, "IPv4", ("10.0.0.1", "10.0.0.2"))


def in_force(space: str) -> bool:
    """Whether a forbidden change is refused here, the change itself being tried in vain."""
    wrong = render(Alias("never", "never-p2", 1), space, REGION)
    words = ("create", "--dry-run=server", "-n", space, "-f", "-")
    return "ValidatingAdmissionPolicy" in run("kubectl", *words, stdin=json.dumps(wrong)).stderr


@contextmanager
def spaces(*names: str) -> Iterator[None]:
    """These namespaces, empty at first, and gone at the end."""
    remove = ("kubectl", "delete", "namespace", *names, "--ignore-not-found")
    run(*remove)
    for name in names:
        kubectl("create", "namespace", name)
    try:
        yield
    finally:
        run(*remove, "--wait=false")


@contextmanager
def furnished() -> Iterator[None]:
    """All of `GUARDS`, and one namespace without a Region."""
    with spaces(*GUARDS, NO_REGION):
        for space, guards in GUARDS.items():
            region(space, guards)
        for space in GUARDED:
            until(lambda space=space: in_force(space), f"policies in force in {space}")  # type: ignore[misc]
        for space in (*GUARDS, NO_REGION):
            furnish(space)
        yield


def scenario_body(name: str) -> dict[str, Any]:
    arms = [{"name": "one", "guards": {"profile": "safe"}, "expect": "OutagePrevented"}]
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": name},
        "spec": {"arms": arms},
    }
