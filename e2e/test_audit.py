"""The judges of the audit log can say no: over events made up here, bad ones too."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.audit import (
    Patience,
    Request,
    Right,
    arms,
    blind,
    forbidden,
    granted,
    never_used,
    not_granted,
    of_leases,
    preconditions,
    request_of,
    requests_of,
    strays,
    used,
)

SYSTEM, ARM = "holdfast-system", "dns-race-fenced"
PATIENCE = Patience(times=2, seconds=5.0)


def event(
    verb: str = "get",
    resource: str = "services",
    *,
    at: str = "2026-01-01T00:00:00.000000Z",
    user: str = f"system:serviceaccount:{SYSTEM}:holdfast-enactor",
    role: str = "holdfast-enactor-arm",
    stage: str = "ResponseComplete",
    code: int = 200,
    body: Any = None,
    **about: str,
) -> dict[str, Any]:
    reason = f'RBAC: allowed by RoleBinding "x/y" of ClusterRole "{role}" to ServiceAccount "x/y"'
    return {
        "verb": verb,
        "stage": stage,
        "user": {"username": user},
        "objectRef": {"resource": resource, **about},
        "annotations": {
            "authorization.k8s.io/decision": "allow" if role else "forbid",
            "authorization.k8s.io/reason": reason if role else "",
        },
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": at,
        "requestObject": body,
    }


def request(
    verb: str,
    resource: str,
    body: Any = None,
    *,
    at: float = 0.0,
    space: str = SYSTEM,
    account: str = "holdfast-enactor",
    group: str = "",
    namespace: str = ARM,
    name: str = "dynamodb",
    role: str = "arm",
    code: int = 200,
) -> Request:
    return Request(
        at,
        space,
        account,
        verb,
        group,
        resource,
        namespace,
        name,
        role,
        code if role else 403,
        body,
    )


def born(labels: dict[str, str], name: str = ARM, code: int = 201) -> Request:
    body = {"metadata": {"name": name, "labels": labels}}
    return request("create", "namespaces", body, namespace="", name=name, code=code)


def region(code: int = 201, **guards: Any) -> Request:
    return request("create", "regions", {"spec": {"guards": guards}}, code=code)


# --- reading --------------------------------------------------------------------------------------


def test_an_event_becomes_a_request_with_the_role_that_allowed_it() -> None:
    found = request_of(event("patch", "regions", subresource="status", namespace=ARM, name="r"))
    assert found is not None
    assert (found.space, found.account) == (SYSTEM, "holdfast-enactor")
    assert (found.resource, found.role) == ("regions/status", "holdfast-enactor-arm")
    refused = request_of(event(role="", code=403))
    assert refused is not None
    assert refused.forbidden


def test_a_watch_is_told_once_by_its_start() -> None:
    assert request_of(event("watch", stage="ResponseStarted")) is not None
    assert request_of(event("watch", stage="ResponseComplete")) is None


def test_a_person_is_of_no_namespace() -> None:
    found = request_of(event(user="kubernetes-admin"))
    assert found is not None
    assert (found.space, found.account) == ("", "kubernetes-admin")


def test_requests_stand_in_the_order_in_which_they_came() -> None:
    late, early = event("get", at="2026-01-01T00:00:02Z"), event("list", at="2026-01-01T00:00:01Z")
    assert [r.verb for r in requests_of([late, early])] == ["list", "get"]


# --- rights ---------------------------------------------------------------------------------------

GET, DELETE = Right("get", "", "services"), Right("delete", "", "services")


def test_rules_are_taken_apart_and_a_wildcard_is_none() -> None:
    rule = {"apiGroups": ["", "apps"], "resources": ["services"], "verbs": ["get", "list"]}
    role: dict[str, Any] = {"metadata": {"name": "r"}, "rules": [rule]}
    assert len(granted(role)) == 4
    role["rules"] = [rule | {"resourceNames": ["a", "b"], "apiGroups": [""], "verbs": ["get"]}]
    assert granted(role) == {GET._replace(name="a"), GET._replace(name="b")}
    for field in ("apiGroups", "resources", "verbs"):
        role["rules"] = [rule | {field: ["*"]}]
        with pytest.raises(ValueError, match="wildcard"):
            granted(role)


def test_a_right_that_nobody_used_is_told_unless_it_is_waived() -> None:
    roles = {"arm": {GET, DELETE}}
    requests = [request("get", "services")]
    assert never_used(roles, requests, {}) == ["arm: delete services"]
    assert never_used(roles, requests, {("arm", "delete services"): "for a reason"}) == []
    assert never_used(roles, [*requests, request("delete", "services")], {}) == []


def test_a_refused_request_uses_no_right_and_another_role_uses_its_own() -> None:
    roles = {"arm": {GET}}
    assert never_used(roles, [request("get", "services", role="")], {})
    assert never_used(roles, [request("get", "services", role="other")], {})


def test_a_right_for_one_name_is_used_by_a_request_for_that_name() -> None:
    roles = {"arm": {GET._replace(name="a"), GET._replace(name="b")}}
    assert never_used(roles, [request("get", "services", name="a")], {}) == ["arm: get services b"]


def test_binding_is_used_by_creating_a_binding_to_that_role() -> None:
    group = "rbac.authorization.k8s.io"
    roles = {"scenario": {Right("bind", group, "clusterroles", n) for n in ("arm", "system")}}
    body = {"roleRef": {"name": "arm"}}
    made = request("create", "rolebindings", body, group=group, role="scenario")
    assert never_used(roles, [made], {}) == [f"scenario: bind clusterroles.{group} system"]
    assert Right("bind", group, "clusterroles", "arm") in used([made])["scenario"]


def test_what_a_role_of_somebody_elses_allowed_is_told() -> None:
    roles = {"arm": {GET}}
    assert not_granted(roles, [request("get", "services")]) == []
    assert not_granted(roles, [request("list", "services")]) == ["arm: list services"]
    assert not_granted(roles, [request("get", "secrets", role="view")]) == ["view: get secrets"]


def test_being_told_no_for_what_was_never_granted_is_never_excused() -> None:
    roles = {"arm": {GET}}
    told = forbidden(
        roles, [request("get", "services"), request("get", "secrets", role="")], PATIENCE
    )
    assert told == [f"holdfast-enactor: get secrets in '{ARM}' was never granted"]


def test_the_first_refusals_of_a_granted_right_are_excused_and_no_more() -> None:
    roles = {"arm": {GET}}
    arm, allowed = born({"holdfast.dev/scenario": "dns-race"}), request("get", "services", at=9.0)
    no = [request("get", "services", at=t, role="") for t in (1.0, 1.5)]
    assert forbidden(roles, [arm, *no, allowed], PATIENCE) == []
    often = [*no, request("get", "services", at=2.0, role="")]
    assert "3 times in 1.0 s" in forbidden(roles, [arm, *often, allowed], PATIENCE)[0]
    long = [no[0], request("get", "services", at=8.0, role="")]
    assert "2 times in 7.0 s" in forbidden(roles, [arm, *long, allowed], PATIENCE)[0]


def test_where_no_scenario_is_a_granted_right_may_be_refused_for_long() -> None:
    roles = {"arm": {GET, Right("create", "", "namespaces")}}
    no = [request("get", "services", at=float(t), role="", namespace="theirs") for t in range(9)]
    arm, allowed = born({"holdfast.dev/scenario": "dns-race"}), request("get", "services")
    assert forbidden(roles, [arm, allowed, *no], PATIENCE) == []
    other = born({"holdfast.dev/scenario": "x"}, name="theirs")
    assert forbidden(roles, [arm, other, allowed, *no], PATIENCE)
    taken = request("delete", "rolebindings", space="", namespace="theirs")
    assert forbidden(roles, [arm, other, taken, allowed, *no], PATIENCE) == []


# --- preconditions --------------------------------------------------------------------------------

WHOLE = {"uid": "u", "resourceVersion": "7"}
PUT = {"metadata": {"name": "dynamodb", **WHOLE}}
TESTED = [{"op": "test", "path": "/metadata/uid", "value": "u"}, {"op": "add", "path": "/x"}]
GOOD = [
    request("update", "services", PUT),
    request("patch", "services", TESTED),
    request("delete", "services", {"preconditions": WHOLE}),
]
BAD = [
    request("update", "services", {"metadata": {"name": "dynamodb"}}),
    request("update", "services", {"metadata": {"uid": "u"}}),
    request("update", "services", {"metadata": {"uid": "u", "resourceVersion": "0"}}),
    request("update", "services", {"metadata": {"uid": "", "resourceVersion": "7"}}),
    request("update", "services", None),
    request("patch", "services", TESTED[1:]),
    request("patch", "services", {"spec": {}}),
    request("patch", "services", []),
    request("patch", "services", None),
    request("delete", "services", {"preconditions": {"uid": "u"}}),
    request("delete", "services", {"preconditions": {}}),
    request("delete", "services", None),
    request("deletecollection", "services", {"preconditions": WHOLE}),
]
ENACTORS = {"holdfast-enactor"}


def test_under_safe_every_good_write_counts_and_none_is_wrong() -> None:
    proof = preconditions([region(profile="safe"), *GOOD], ENACTORS)
    assert proof.wrong == []
    assert proof.seen == {"update": 1, "patch": 1, "delete": 1}


@pytest.mark.parametrize("bad", BAD, ids=lambda r: f"{r.verb}-{str(r.body)[:40]}")
def test_under_safe_a_write_without_its_precondition_is_told(bad: Request) -> None:
    proof = preconditions([region(profile="safe"), *GOOD, bad], ENACTORS)
    assert len(proof.wrong) == 1
    assert bad.verb in proof.wrong[0]


def test_each_guard_asks_for_its_own_preconditions() -> None:
    fenced = region(profile="aws-2025", dns={"fence": "Generation"})
    pinned = region(profile="aws-2025", dns={"cleanup": "PinLive"})
    put = request("update", "services", {"metadata": {}})
    bare = request("delete", "services", {"preconditions": {}})
    assert preconditions([region(profile="aws-2025"), put, bare], ENACTORS).wrong == []
    assert len(preconditions([fenced, put, bare], ENACTORS).wrong) == 1
    assert len(preconditions([pinned, put, bare], ENACTORS).wrong) == 1


def test_a_patch_is_asked_for_its_test_under_any_guards() -> None:
    untested = request("patch", "services", TESTED[1:])
    assert preconditions([region(profile="aws-2025"), GOOD[1]], ENACTORS).seen == {"patch": 1}
    assert preconditions([region(profile="aws-2025"), untested], ENACTORS).wrong


def test_blind_writes_can_be_told_from_the_others() -> None:
    assert blind(GOOD, ENACTORS) == []
    assert blind([*GOOD, *BAD], ENACTORS) == BAD


def test_the_guards_are_those_of_the_region_created_last() -> None:
    put = request("update", "services", {"metadata": {}})
    safe, aws, refused = region(profile="safe"), region(profile="aws-2025"), region(403, dns={})
    assert preconditions([safe, aws, put], ENACTORS).wrong == []
    assert preconditions([aws, safe, put], ENACTORS).wrong
    assert preconditions([safe, refused, put], ENACTORS).wrong
    assert "no Region" in preconditions([put], ENACTORS).wrong[0]


def test_where_people_made_the_region_nothing_is_judged() -> None:
    put = request("update", "services", {"metadata": {}})
    assert preconditions([put], ENACTORS, {ARM}) == preconditions([], ENACTORS)


def test_others_than_enactors_and_creations_are_not_asked() -> None:
    other = request("update", "services", {"metadata": {}}, account="holdfast-scenario")
    made = request("create", "services", {"metadata": {}})
    proof = preconditions([region(profile="safe"), other, made], ENACTORS)
    assert (proof.seen, proof.wrong) == ({}, [])


# --- leases


def renewal(resource: str = "dropletleases", body: Any = PUT, **about: Any) -> Request:
    about = {"verb": "update", "account": "holdfast-leases", "role": "leases-arm", **about}
    return request(about.pop("verb"), resource, body, group="holdfast.dev", **about)


MANAGERS = {"holdfast-leases"}


def test_every_renewal_is_asked_for_its_version_under_any_guards() -> None:
    good = [renewal(), renewal(code=409), renewal("rackleases"), renewal(verb="create", body={})]
    for made in (region(), region(profile="aws-2025"), region(profile="safe")):
        proof = of_leases([made, *good], MANAGERS, SYSTEM)
        assert proof.wrong == []
        assert proof.seen == {"dropletleases": 2, "rackleases": 1}


@pytest.mark.parametrize(
    "bad",
    [
        renewal(body={"metadata": {"name": "d"}}),
        renewal(body={"metadata": {"resourceVersion": "7"}}),
        renewal(body={"metadata": {"uid": "u", "resourceVersion": "0"}}),
        renewal(body={"metadata": {"uid": "", "resourceVersion": "7"}}),
        renewal(body=None),
        renewal("rackleases", body={"metadata": {"uid": "u"}}),
        renewal(verb="patch", body=TESTED),
        renewal(verb="patch", body={"spec": {}}),
        renewal(verb="delete", body={"preconditions": WHOLE}),
        renewal(verb="deletecollection", body=None),
        renewal(code=409, body={"metadata": {}}),
    ],
    ids=lambda r: f"{r.verb}-{r.resource}-{str(r.body)[:40]}",
)
def test_a_renewal_without_its_version_is_told(bad: Request) -> None:
    proof = of_leases([renewal(), bad], MANAGERS, SYSTEM)
    assert len(proof.wrong) == 1
    assert bad.verb in proof.wrong[0]


def test_others_leases_and_what_was_forbidden_are_not_judged() -> None:
    hands = renewal(body={}, space="", account="somebody")
    theirs = renewal(body={}, space="bench")
    no = renewal(body={}, role="")
    none = of_leases([], MANAGERS, SYSTEM)
    assert of_leases([hands, theirs, no], MANAGERS, SYSTEM) == none
    kubernetes = request("update", "leases", {}, account="holdfast-leases")
    assert of_leases([kubernetes], MANAGERS, SYSTEM) == none


# --- where ----------------------------------------------------------------------------------------

CREATE_NAMESPACES = ("holdfast-enactor", "", Right("create", "", "namespaces"))


def test_the_arms_are_the_namespaces_created_for_scenarios() -> None:
    ours = {"holdfast.dev/scenario": "dns-race"}
    assert arms([born(ours), born({}, "other"), born(ours, "theirs", code=409)]) == {ARM}


@pytest.mark.parametrize(
    ("made", "stray"),
    [
        (lambda: request("update", "services"), False),
        (lambda: request("get", "services", namespace="default"), False),
        (lambda: request("update", "services", namespace="default"), True),
        (lambda: request("update", "services", namespace="default", role=""), True),
        (lambda: request("patch", "nodes", namespace=""), True),
        (lambda: request("create", "services", space=ARM, account="operator"), False),
        (lambda: request("create", "services", space="dns-race-other", account="operator"), True),
    ],
)
def test_a_write_outside_the_arms_is_told(made: Callable[[], Request], stray: bool) -> None:
    namespace = born({"holdfast.dev/scenario": "dns-race"})
    found = strays([namespace, made()], SYSTEM, {CREATE_NAMESPACES})
    assert bool(found) is stray


def test_a_write_elsewhere_is_for_the_accounts_that_may_only() -> None:
    namespace = born({"holdfast.dev/scenario": "dns-race"})
    assert strays([namespace], SYSTEM, {CREATE_NAMESPACES}) == []
    assert strays([namespace], SYSTEM, set())
    assert strays([namespace], SYSTEM, {("holdfast-enactor", SYSTEM, CREATE_NAMESPACES[2])})


@pytest.mark.parametrize(
    ("space", "subject", "code", "stray"),
    [
        ("", SYSTEM, 201, False),
        ("", "others", 201, True),
        ("", SYSTEM, 403, True),
        (SYSTEM, SYSTEM, 201, True),
    ],
)
def test_where_a_person_gave_rights_may_be_written(
    space: str, subject: str, code: int, stray: bool
) -> None:
    body = {"subjects": [{"kind": "ServiceAccount", "namespace": subject}]}
    bound = request("create", "rolebindings", body, space=space, namespace="mine", code=code)
    written = request("update", "services", namespace="mine")
    found = strays([bound, written], SYSTEM, set())
    assert ("holdfast-enactor update services in 'mine', 1 times" in found) is stray


def test_a_person_may_write_anywhere() -> None:
    assert strays([request("update", "services", space="")], SYSTEM, set()) == []
