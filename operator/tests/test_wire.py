"""Values survive the wire; a refusal becomes the right reply; an unfenced write is not sent."""

import asyncio
from typing import Any

import pytest
from kubernetes.aio.client.configuration import Configuration

from holdfast.core.intents import Overwrite, PatchAlias, Pin, Replace, Unpin
from holdfast.core.lock import NO_RECORD
from holdfast.core.objects import (
    Alias,
    EndpointPlan,
    FrontEnd,
    Lease,
    Object,
    Plan,
    Slice,
    Tree,
)
from holdfast.core.replies import (
    Absent,
    Conflict,
    Exists,
    Missed,
    Overloaded,
    Rejected,
    Reply,
    TimedOut,
)
from holdfast.live.api import Answer, Api
from holdfast.live.perform import refusal
from holdfast.live.planner_role import front_ends
from holdfast.live.wire import parse, patch_operations, path_of, pin_operations, render

STORED = {"uid": "u-1", "resourceVersion": "7"}


def stored(obj: Object) -> dict[str, Any]:
    raw = render(obj, "ns", "us-east-1")
    raw["metadata"] |= STORED
    return raw


@pytest.mark.parametrize(
    "obj",
    [
        Alias("dynamodb", "dynamodb-p7", 7, "dynamodb-p6", "a/x 1.000", "a/x", "u-1", "7"),
        Tree("dynamodb-p7", "dynamodb", 7, (), "u-1", "7"),
        Tree("dynamodb-p7", "dynamodb", 7, ("us-east-1a/4f-1", "us-east-1b/4f-2"), "u-1", "7"),
        Lease("holdfast-enactor", "us-east-1a/x", 1760947200.123456, 10.0, "u-1", "7"),
        Slice("s", "dynamodb-p7", "u-0", "IPv4", ("10.0.0.1", "10.0.0.2"), "u-1", "7"),
        Slice("s", "dynamodb-p7", "u-0", "IPv6", ("fd00::1",), "u-1", "7"),
        Plan(7, (EndpointPlan("dynamodb", (FrontEnd("10.0.0.1", 100),)),)),
    ],
    ids=lambda o: type(o).__name__,
)
def test_round_trip(obj: Object) -> None:
    assert parse(type(obj), stored(obj)) == obj


def test_an_alias_names_its_tree_in_full_inside_the_plugins_zone() -> None:
    raw = render(Alias("dynamodb", "dynamodb-p7", 7), "ns", "us-east-1")
    assert raw["spec"]["externalName"] == "dynamodb-p7.ns.svc.us-east-1.cloud.test"
    assert "uid" not in raw["metadata"]


def test_a_hand_edited_generation_reads_as_none() -> None:
    for text in ("", "seven", "-1", "1e3", "9" * 11, "٣٤" * 6):
        raw = stored(Alias("dynamodb", "dynamodb-p7", 7))
        raw["metadata"]["annotations"]["holdfast.dev/plan-generation"] = text
        alias = parse(Alias, raw)
        assert isinstance(alias, Alias)
        assert alias.generation == 0


def test_the_flip_tests_the_lock_first_and_leaves_out_what_stays() -> None:
    patch = PatchAlias("dynamodb", expect_lock="old", lock="new")
    operations = patch_operations(patch, "ns", "us-east-1")
    lock = "/metadata/annotations/holdfast.dev~1lock"
    assert operations == [
        {"op": "test", "path": lock, "value": "old"},
        {"op": "add", "path": lock, "value": "new"},
    ]
    gone = PatchAlias("dynamodb", expect_lock=NO_RECORD, lock="new")
    assert patch_operations(gone, "ns", "us-east-1")[0] == {
        "op": "test",
        "path": lock,
        "value": None,
    }


PIN = "/metadata/annotations/pin.holdfast.dev~1us-east-1a.x"


def test_a_pin_tests_the_uid_first_and_finds_a_map_to_be_put_into() -> None:
    test = {"op": "test", "path": "/metadata/uid", "value": "u-1"}
    add = {"op": "add", "path": PIN, "value": ""}
    assert pin_operations(Pin("dynamodb-p7", "u-1", "us-east-1a/x")) == [test, add]
    off = pin_operations(Unpin("dynamodb-p7", "u-1", "us-east-1a/x"))
    assert off == [test, add, {"op": "remove", "path": PIN}], "one that is not there is fine"
    assert render(Tree("dynamodb-p7", "dynamodb", 7), "ns", "us-east-1")["metadata"]["annotations"]


def test_a_pin_is_told_from_other_annotations() -> None:
    raw = stored(Tree("dynamodb-p7", "dynamodb", 7, ("us-east-1a/x",)))
    raw["metadata"]["annotations"] |= {"holdfast.dev/pin": "", "kubectl.io/x": "y"}
    tree = parse(Tree, raw)
    assert isinstance(tree, Tree)
    assert tree.pins == ("us-east-1a/x",)


def test_a_lease_is_written_as_others_read_it_and_read_as_others_write_it() -> None:
    lease = Lease("holdfast-enactor", "us-east-1a/x", 1760947200.5, 10.0, "u", "3")
    raw = render(lease, "ns", "us-east-1")
    assert raw["spec"] == {
        "holderIdentity": "us-east-1a/x",
        "leaseDurationSeconds": 10,
        "acquireTime": "2025-10-20T08:00:00.500000Z",
        "renewTime": "2025-10-20T08:00:00.500000Z",
    }
    assert (raw["metadata"]["uid"], raw["metadata"]["resourceVersion"]) == ("u", "3")
    assert path_of(Lease, "ns") == "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
    bare = parse(Lease, {"metadata": {"name": "x", **STORED}, "spec": {}})
    assert bare == Lease("x", "", 0.0, 0.0, "u-1", "7"), "nobody's, and long expired"


def body(reason: str, causes: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"reason": reason, "message": "m", "details": {"causes": causes} if causes else {}}


@pytest.mark.parametrize(
    ("status", "said", "reply"),
    [
        (0, {"message": "gone"}, TimedOut(1.0)),
        (504, {}, TimedOut(1.0)),
        (404, body("NotFound"), Absent(1.0)),
        (409, body("AlreadyExists"), Exists(1.0)),
        (409, body("Conflict"), Conflict(1.0)),
        (422, body("Invalid"), Missed(1.0)),
        (422, body("Invalid", [{"reason": "FieldValueInvalid"}]), "FieldValueInvalid"),
        (403, body("Forbidden"), "Forbidden"),
        (403, body("Forbidden", [{"reason": "NamespaceTerminating"}]), "NamespaceTerminating"),
        (429, body("TooManyRequests"), Overloaded(1.0)),
        (500, body("InternalError"), Overloaded(1.0)),
        (413, {}, "413"),
    ],
)
def test_conflict_absence_time_out_and_overload_are_told_apart(
    status: int, said: dict[str, Any], reply: Reply | str
) -> None:
    wanted = Rejected(reply, said.get("message", ""), 1.0) if isinstance(reply, str) else reply
    assert refusal(Answer(status, said), 1.0) == wanted


@pytest.mark.parametrize(("uid", "version"), [("", "7"), ("u", ""), ("u", "0")])
def test_an_unfenced_replace_cannot_even_be_said(uid: str, version: str) -> None:
    with pytest.raises(ValueError, match="unfenced"):
        Replace(Alias("dynamodb", "t", 1, uid=uid, resource_version=version))


@pytest.mark.parametrize(("uid", "version"), [("", "7"), ("u", ""), ("u", "7")])
def test_a_fenced_overwrite_cannot_be_said_either(uid: str, version: str) -> None:
    with pytest.raises(ValueError, match="bears a precondition"):
        Overwrite(Alias("dynamodb", "t", 1, uid=uid, resource_version=version))


def test_the_client_sends_no_write_without_its_precondition() -> None:
    async def attempt() -> None:
        api = Api(Configuration(host="http://127.0.0.1:1"), "test")
        for meta in ({}, {"uid": "u"}, {"uid": "u", "resourceVersion": "0"}):
            with pytest.raises(ValueError, match="without its precondition"):
                await api.replace("/x", {"metadata": meta})
            if meta:
                with pytest.raises(ValueError, match="bears a precondition"):
                    await api.overwrite_whatever_is_there("/x", {"metadata": meta})
        with pytest.raises(ValueError, match="leading test"):
            await api.json_patch("/x", [{"op": "replace", "path": "/a", "value": 1}])
        lost = await api.get("/x")
        assert lost.status == 0, "no server: a value, not an exception"
        await api.close()

    asyncio.run(attempt())


def pod(ready: bool = True, capacity: str | None = "50", ip: str = "10.0.0.1") -> dict[str, Any]:
    notes = {} if capacity is None else {"holdfast.dev/capacity": capacity}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"annotations": notes}, "status": {"conditions": conditions, "podIP": ip}}


def test_a_front_end_is_a_ready_pod_with_a_usable_capacity() -> None:
    assert front_ends(pod(), ["IPv4"]) == (FrontEnd("10.0.0.1", 50),)
    assert front_ends(pod(ready=False), ["IPv4"]) == ()
    assert front_ends(pod(ip=""), ["IPv4"]) == ()
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert front_ends(leaving, ["IPv4"]) == ()
    for nonsense in (None, "", "0", "-3", "1e9", "99999999", "ten"):
        assert front_ends(pod(capacity=nonsense), ["IPv4"]) == (FrontEnd("10.0.0.1", 100),)
