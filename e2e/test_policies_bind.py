"""What the scenario role may not do with its rights to make namespaces and to bind roles."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster_tools import SYSTEM, kubectl, run
from e2e.policy_spaces import scenario_body, spaces
from holdfast.core.scenario import Scenario, scenario_of
from holdfast.live import arm_manifests as manifests

pytestmark = pytest.mark.cluster

DRY = "--dry-run=server"
UID = "00000000-0000-0000-0000-000000000000"
SCENARIO_ROLE = f"system:serviceaccount:{SYSTEM}:holdfast-scenario"
INSTALL = manifests.Installation(SYSTEM, "holdfast", "", "", "", ())
ARM_SPACE = "policies-arm"


def as_scenario_role(body: Any, space: str = "") -> str:
    """What kubectl prints if it is refused."""
    words = ["kubectl", "create", DRY, "-f", "-", "--as", SCENARIO_ROLE] + (
        ["-n", space] if space else []
    )
    done = run(*words, stdin=json.dumps(body))
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def arm_space() -> Iterator[None]:
    with spaces(ARM_SPACE):
        kubectl("label", "namespace", ARM_SPACE, "holdfast.dev/scenario=some")
        yield


def some_scenario() -> Scenario:
    return scenario_of("some", UID, scenario_body("some")["spec"])


def with_(body: Any, **more: Any) -> Any:
    """The object with its metadata or fields changed."""
    meta = {**body["metadata"], **more.pop("metadata", {})}
    return {**body, **more, "metadata": meta}


@pytest.mark.usefixtures("arm_space")
def test_what_the_scenario_role_does_for_an_arm_is_taken() -> None:
    assert as_scenario_role(manifests.namespace(some_scenario(), "one")) == ""
    bindings = manifests.role_bindings(INSTALL)
    assert len(bindings) == 4
    for binding in bindings:
        assert as_scenario_role(binding, ARM_SPACE) == ""
    assert as_scenario_role(manifests.coredns_binding(some_scenario(), "one", INSTALL)) == ""


def test_the_scenario_role_makes_no_namespace_of_its_own() -> None:
    good = manifests.namespace(some_scenario(), "one")
    marks = good["metadata"]["labels"]
    lax = {**marks, "pod-security.kubernetes.io/enforce": "privileged"}
    unmarked = {k: v for k, v in marks.items() if k != "holdfast.dev/scenario"}
    other = [{"apiVersion": "v1", "kind": "Node", "name": "a", "uid": UID}]
    bad: tuple[dict[str, Any], ...] = (
        {"ownerReferences": []},
        {"ownerReferences": other},
        {"labels": lax},
        {"labels": {}},
        {"labels": unmarked},
    )
    for wrong in bad:
        printed = as_scenario_role(with_(good, metadata=wrong))
        assert "makes namespaces that a Scenario owns" in printed, wrong


@pytest.mark.usefixtures("arm_space")
def test_the_scenario_role_binds_nowhere_else_and_to_nobody_else() -> None:
    bindings = manifests.role_bindings(INSTALL)
    for binding in bindings:
        for space in ("default", "kube-system", SYSTEM):
            printed = as_scenario_role(binding, space)
            assert f"{space} does not bear the label holdfast.dev/scenario" in printed
    other = [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]
    user = [{"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}]
    first, second = bindings[0], bindings[2]
    swapped = with_(first, subjects=second["subjects"])
    for wrong in (
        with_(first, subjects=other),
        with_(first, subjects=user),
        with_(first, subjects=[*first["subjects"], *other]),
        with_(first, subjects=[]),
        with_(first, roleRef={**first["roleRef"], "name": "holdfast-coredns"}),
        swapped,
    ):
        assert "and nothing else: not" in as_scenario_role(wrong, ARM_SPACE)


def test_the_scenario_role_binds_cluster_wide_for_coredns_alone() -> None:
    good = manifests.coredns_binding(some_scenario(), "one", INSTALL)
    enactor = {**good["roleRef"], "name": "holdfast-enactor-arm"}
    elsewhere = [{**good["subjects"][0], "namespace": "default"}]
    for wrong in (
        with_(good, metadata={"name": "holdfast-coredns"}),
        with_(good, metadata={"name": "anything"}),
        with_(good, metadata={"ownerReferences": []}),
        with_(good, roleRef=enactor),
        with_(good, subjects=elsewhere),
        with_(good, subjects=[{**good["subjects"][0], "name": "default"}]),
    ):
        assert "gives holdfast-coredns cluster-wide to the" in as_scenario_role(wrong), wrong


def test_rights_alone_would_have_let_it() -> None:
    """No rule refuses what the authoriser refuses anyway: it asks before the policies do."""
    good = manifests.coredns_binding(some_scenario(), "one", INSTALL)
    enactor = {**good["roleRef"], "name": "holdfast-enactor-arm"}
    for body, space in (
        (manifests.role_bindings(INSTALL)[0], "default"),
        (with_(good, roleRef=enactor), ""),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "any"}}, ""),
    ):
        assert "ValidatingAdmissionPolicy" in as_scenario_role(body, space)
        words = ["kubectl", "create", DRY, "-f", "-", *(["-n", space] if space else [])]
        assert run(*words, stdin=json.dumps(body)).returncode == 0, "a human may"
