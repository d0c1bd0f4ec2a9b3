"""Leases to Kubernetes objects and back."""

from dataclasses import asdict, replace

from holdfast.core.leases.lease import DropletLease, Lease, RackLease, pack
from holdfast.core.names import MANAGED_LABEL, ZONE_LABEL
from holdfast.live.lease_wire import by_a_hand, digest, expired, parse_lease, render_lease, seconds

LEASE = DropletLease(
    name="us-east-1a-r1-d2",
    zone="us-east-1a",
    rack=1,
    seconds=9.0,
    holder="us-east-1a/pod",
    agent="agent-1",
    acquired=1_700_000_000.25,
    renewed=1_700_000_003.5,
    transitions=2,
    uid="uid",
    resource_version="7",
    heartbeat=3.0,
    timeout=1.0,
    phase="Held",
)
RACK = RackLease(
    **asdict(LEASE) | {"name": "us-east-1a-r1"},
    packed=pack([0, 5, None]),
)


def back(lease: Lease) -> Lease:
    return parse_lease(render_lease(lease, "us-east-1", "region-uid"))


def test_what_is_written_is_read_again() -> None:
    assert back(LEASE) == LEASE
    assert back(RACK) == RACK


def test_a_write_bears_its_preconditions_its_owner_and_its_labels() -> None:
    meta = render_lease(LEASE, "us-east-1", "region-uid")["metadata"]
    assert (meta["uid"], meta["resourceVersion"]) == ("uid", "7")
    assert meta["labels"] == {MANAGED_LABEL: "true", ZONE_LABEL: "us-east-1a"}
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Region", "region-uid")
    fresh = render_lease(replace(LEASE, uid="", resource_version=""), "us-east-1", "region-uid")
    assert "uid" not in fresh["metadata"]


def test_one_that_was_never_held_says_nothing_of_times() -> None:
    pending = DropletLease("us-east-1a-r1-d2", "us-east-1a", 1, 9.0)
    raw = render_lease(pending, "us-east-1", "region-uid")
    assert not {"holder", "acquired", "renewed"} & set(raw["spec"])
    assert raw["status"] == {"phase": "Pending"}


def test_the_condition_says_since_when_and_why_not() -> None:
    held = render_lease(LEASE, "r", "u")["status"]["conditions"][0]
    assert (held["status"], held["reason"], held["message"]) == (
        "True",
        "Renewed",
        "by us-east-1a/pod",
    )
    assert held["lastTransitionTime"] == "2023-11-14T22:13:20Z"
    lost = render_lease(expired(LEASE, "NameEmpty"), "r", "u")["status"]
    assert lost["phase"] == "Expired"
    (why,) = lost["conditions"]
    assert (why["status"], why["message"]) == ("False", "NameEmpty")
    assert why["lastTransitionTime"] == "2023-11-14T22:13:32Z", "when it ran out"


def test_a_rack_tells_how_many_are_held() -> None:
    status = render_lease(RACK, "r", "u")["status"]
    assert status["held"] == 2


def test_what_a_hand_has_spoilt_reads_as_empty() -> None:
    raw = render_lease(LEASE, "r", "u")
    raw["spec"] = {"zone": "us-east-1a", "droplet": LEASE.name}
    del raw["status"]
    found = parse_lease(raw)
    assert (found.holder, found.renewed, found.expires, found.phase) == ("", 0.0, 0.0, "Pending")
    assert seconds("yesterday") == 0.0
    assert seconds(None) == 0.0


def test_who_wrote_last_is_told_by_the_field_managers() -> None:
    raw = render_lease(LEASE, "r", "u")
    raw["metadata"]["namespace"] = "n"
    assert by_a_hand(raw) == ""
    ours = {"manager": "holdfast-leases-us-east-1a", "time": "2026-01-01T00:00:00Z"}
    raw["metadata"]["managedFields"] = [ours]
    assert by_a_hand(raw) == ""
    raw["metadata"]["managedFields"] += [
        {"manager": "kubectl-edit", "time": "2026-01-01T00:00:05Z"}
    ]
    assert by_a_hand(raw) == "kubectl-edit"
    assert digest(raw)["hand"] == "kubectl-edit"
    assert digest(raw)["value"] == LEASE
