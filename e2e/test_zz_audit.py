"""The audit log of everything that the tests before this file made the operator do.

Last by its name, for it judges the others' traces: rights granted and rights used, the
precondition of every write where guards ask for one, and that nothing was written elsewhere.
"""

import os
import time
from typing import Any

import pytest
import yaml

from e2e.audit import (
    LEASES,
    Patience,
    Request,
    Right,
    arms,
    blind,
    forbidden,
    given,
    granted,
    never_used,
    not_granted,
    of_leases,
    preconditions,
    requests_of,
    strays,
)
from e2e.cluster_tools import SYSTEM, audit_events, items, kubectl, run

pytestmark = pytest.mark.cluster

BEGAN = float(os.environ.get("HOLDFAST_AUDIT_SINCE", time.time()))
"""This module is read before the first test runs. The environment says otherwise for a look at what
an earlier session did: seconds since the epoch."""
BY_TESTS = {"test_dns_race.py", "test_lifecycle.py", "test_wrong_fixes.py"}
"""Without these, too little has run to say that a right is never used."""

READ_AFTER_409 = (
    "asked only where a creation finds the object there: a restart while an arm is built"
)
ANY_PROCESS = "a timeline may take any of them away; those that are packaged take some"
BY_HAND = "asked only where an override finds addresses that somebody has put there before it"
BY_EYE = "for people: kubectl get shows the leases whose managers' own words holdfast leases shows"
NO_STREAMED_LIST = "client-go lists where an API server does not stream the list of a watch"
REPEATED = "counts into an Event what is said again after 30 s: few arms last so long"
WAIVED: dict[tuple[str, str], str] = {
    ("holdfast-leases-arm", "patch events"): REPEATED,
    **{
        ("holdfast-scenario-arm", f"get {resource}"): READ_AFTER_409
        for resource in ("serviceaccounts", "configmaps", "services", "deployments.apps")
    },
    **{
        ("holdfast-scenario", f"get {resource}"): READ_AFTER_409
        for resource in (
            "namespaces",
            "rolebindings.rbac.authorization.k8s.io",
            "clusterrolebindings.rbac.authorization.k8s.io",
        )
    },
    **{
        ("holdfast-scenario", f"patch deployments/scale.apps holdfast-{process}"): ANY_PROCESS
        for process in (
            "planner",
            *(f"{role}-us-east-1{zone}" for role in ("enactor", "leases") for zone in "abc"),
        )
    },
    **{
        ("holdfast-oncall", f"{verb} endpointslices.discovery.k8s.io"): BY_HAND
        for verb in ("get", "update")
    },
    **{
        ("holdfast-oncall", f"list {resource}.holdfast.dev"): BY_EYE
        for resource in ("dropletleases", "rackleases")
    },
    **{
        ("holdfast-coredns", f"list {resource}"): NO_STREAMED_LIST
        for resource in ("services", "namespaces", "endpointslices.discovery.k8s.io")
    },
}
"""Rights for which no test has a use, and why they stay."""

PATIENCE = Patience(times=50, seconds=10.0)
"""The scenario role asks again for 5 s, ten times a second, until its own binding is heard of."""

RBAC, OURS = "rbac.authorization.k8s.io", "holdfast.dev"
ELSEWHERE = {
    ("holdfast-scenario", "", Right("create", "", "namespaces")),
    ("holdfast-scenario", "", Right("create", RBAC, "clusterrolebindings")),
    ("holdfast-scenario", "", Right("patch", OURS, "scenarios/status")),
    ("holdfast-scenario", SYSTEM, Right("patch", "apps", "deployments/scale")),
    ("holdfast-selftest", "", Right("create", "authorization.k8s.io", "subjectaccessreviews")),
    *(
        ("holdfast-selftest", SYSTEM, Right(verb, "", "services"))
        for verb in ("create", "update", "delete")
    ),
}
"""What is written outside the namespaces of Scenarios: they, their bindings for CoreDNS, their
status, the processes that a timeline takes away, and what `helm test` tries with a Service of its
own."""


ENACTORS = {"holdfast-enactor"}
MANAGERS = {"holdfast-leases"}


def assert_none(found: list[str]) -> None:
    assert not found, "\n".join(["", *found[:30], f"{len(found)} in all"])


@pytest.fixture(scope="module")
def everyone(request: pytest.FixtureRequest) -> list[Request]:
    ran = {item.path.name for item in request.session.items}
    if "HOLDFAST_AUDIT_SINCE" not in os.environ and not ran >= BY_TESTS:
        pytest.skip("judges what a whole run of the tests on the cluster has left")
    found = requests_of(audit_events(BEGAN))
    assert found, "the API server has written nothing down"
    spaces = {"", SYSTEM, *arms(found)}
    return [r for r in found if r.space in spaces]


@pytest.fixture(scope="module")
def requests(everyone: list[Request]) -> list[Request]:
    """Without what people asked for."""
    return [r for r in everyone if r.space]


@pytest.fixture(scope="module")
def roles() -> dict[str, set[Right]]:
    """All of the release: what is installed, and what its hooks bring for as long as they run."""
    selector = "app.kubernetes.io/instance=holdfast"
    found: list[Any] = [*items("clusterroles,roles", "-A", "-l", selector)]
    hooks = run("helm", "get", "hooks", "holdfast", "-n", SYSTEM)
    assert hooks.returncode == 0, hooks.stderr
    found += [o for o in yaml.safe_load_all(hooks.stdout) if o and o["kind"].endswith("Role")]
    rights: dict[str, set[Right]] = {}
    for role in found:
        rights.setdefault(role["metadata"]["name"], set()).update(granted(role))
    arms = {f"holdfast-{role}-arm" for role in ("planner", "enactor", "leases", "scenario")}
    assert {*arms, "holdfast-selftest"} <= set(rights)
    return rights


@pytest.mark.usefixtures("everyone")
def test_the_log_is_whole() -> None:
    """What the API server could not write down it counts."""
    told = kubectl("get", "--raw", "/metrics").splitlines()
    dropped = [line for line in told if line.startswith("apiserver_audit_error_total")]
    assert [line for line in dropped if not line.endswith(" 0")] == []
    assert any(line.startswith("apiserver_audit_event_total") for line in told)


def test_every_right_that_is_granted_was_used(
    roles: dict[str, set[Right]], requests: list[Request]
) -> None:
    assert_none(never_used(roles, requests, WAIVED))


def test_every_waiver_is_for_a_right_that_is_granted(roles: dict[str, set[Right]]) -> None:
    there = {(role, str(right)) for role, rights in roles.items() for right in rights}
    assert set(WAIVED) <= there


def test_nothing_was_allowed_but_by_the_roles_of_the_chart(
    roles: dict[str, set[Right]], requests: list[Request]
) -> None:
    assert_none(not_granted(roles, requests))


def test_nobody_asked_for_what_it_may_not(
    roles: dict[str, set[Right]], everyone: list[Request]
) -> None:
    assert_none(forbidden(roles, everyone, PATIENCE))


def test_every_write_bore_the_precondition_that_its_guards_ask_for(
    everyone: list[Request], requests: list[Request]
) -> None:
    proof = preconditions(requests, ENACTORS, given(everyone, SYSTEM))
    assert_none(proof.wrong)
    for verb, least in {"update": 50, "patch": 100, "delete": 5}.items():
        assert proof.seen[verb] >= least, f"too few to prove anything: {proof.seen}"


def test_every_renewal_bore_the_version_of_the_lease_that_was_read(
    requests: list[Request],
) -> None:
    """Whatever the guards are. Some of them were refused: by that, and by nothing else, is a
    manager that stood still kept from a lease that another has taken over."""
    proof = of_leases(requests, MANAGERS, SYSTEM)
    assert_none(proof.wrong)
    for resource, least in {"dropletleases": 1000, "rackleases": 20}.items():
        assert proof.seen[resource] >= least, f"too few to prove anything: {proof.seen}"
    put = [r for r in requests if r.account in MANAGERS and r.resource in LEASES]
    assert {r.code for r in put if r.verb == "update"} >= {200, 409}


def test_the_log_shows_the_blind_writes_of_guards_that_ask_for_none(
    requests: list[Request],
) -> None:
    """In arms whose fence is no precondition: a log that hid them would prove nothing."""
    found = {(r.namespace, r.verb) for r in blind(requests, ENACTORS)}
    for arm in ("no-fence", "leader-only"):
        assert {(f"wrong-fixes-{arm}", verb) for verb in ("update", "delete")} <= found


def test_nothing_was_written_outside_the_namespaces_of_scenarios(everyone: list[Request]) -> None:
    assert_none(strays(everyone, SYSTEM, ELSEWHERE))
