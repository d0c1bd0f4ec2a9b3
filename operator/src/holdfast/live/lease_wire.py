"""Leases to Kubernetes objects and back. Every field that a decision reads is written here."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from holdfast.core import names
from holdfast.core.leases.fleet import Mode
from holdfast.core.leases.lease import DropletLease, Lease, RackLease
from holdfast.live.api import Json
from holdfast.live.wire import GROUP_PATH

_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_LATEST = 253402300799.0
"""The last second of the year 9999: a hand may have written it, and there is none after it."""
MANAGER = "holdfast-leases-"
"""Before the zone: the field manager of whoever may write a lease."""


def path_of_leases(mode: Mode, namespace: str) -> str:
    plural = "rackleases" if mode is Mode.RACK else "dropletleases"
    return f"{GROUP_PATH}/namespaces/{namespace}/{plural}"


def zone_selector(zone: str) -> str:
    return f"{names.ZONE_LABEL}={zone}"


def render_lease(lease: Lease, region: str, region_uid: str) -> Json:
    """The object, owned by its Region, with its preconditions if it bears any."""
    meta: Json = {
        "name": lease.name,
        "labels": {names.MANAGED_LABEL: "true", names.ZONE_LABEL: lease.zone},
        "ownerReferences": [
            {
                "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
                "kind": "Region",
                "name": region,
                "uid": region_uid,
            }
        ],
    }
    if lease.uid:
        meta |= {"uid": lease.uid, "resourceVersion": lease.resource_version}
    is_rack = isinstance(lease, RackLease)
    spec: Json = {
        "zone": lease.zone,
        "rack": lease.rack,
        "durationSeconds": int(lease.seconds),
        "heartbeatMilliseconds": round(lease.heartbeat * 1000),
        "timeoutMilliseconds": round(lease.timeout * 1000),
        "transitions": lease.transitions,
    }
    if isinstance(lease, RackLease):
        spec |= {"droplets": lease.leases, "packed": lease.packed}
    else:
        spec["droplet"] = lease.name
    if lease.holder:
        spec |= {"holder": lease.holder, "agent": lease.agent}
        spec |= {"acquired": stamp(lease.acquired), "renewed": stamp(lease.renewed)}
    status: Json = {"phase": lease.phase}
    if condition := _condition(lease):
        status["conditions"] = [condition]
    if isinstance(lease, RackLease):
        status["held"] = lease.live(lease.renewed) if lease.phase == "Held" else 0
    return {
        "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
        "kind": "RackLease" if is_rack else "DropletLease",
        "metadata": meta,
        "spec": spec,
        "status": status,
    }


def _condition(lease: Lease) -> Json:
    """Whether it is held, since when, and why not."""
    if not lease.holder:
        return {}
    held = lease.phase == "Held"
    since = lease.acquired if held else lease.renewed + lease.seconds
    message = f"by {lease.holder}" if held else lease.why or "no state check came in time"
    return {
        "type": "Held",
        "status": str(held),
        "reason": "Renewed" if held else "Expired",
        "message": message[:500],
        "lastTransitionTime": stamp(since)[:19] + "Z",
    }


def parse_lease(raw: Json) -> Lease:
    """The value of an object. What a hand has left out reads as its empty value."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    fields: dict[str, Any] = {
        "name": meta["name"],
        "zone": str(spec.get("zone", "")),
        "rack": int(spec.get("rack", 0)),
        "seconds": float(spec.get("durationSeconds", 0)),
        "holder": str(spec.get("holder", "")),
        "agent": str(spec.get("agent", "")),
        "acquired": seconds(spec.get("acquired")),
        "renewed": seconds(spec.get("renewed")),
        "transitions": int(spec.get("transitions", 0)),
        "uid": meta["uid"],
        "resource_version": meta["resourceVersion"],
        "heartbeat": int(spec.get("heartbeatMilliseconds", 0)) / 1000,
        "timeout": int(spec.get("timeoutMilliseconds", 0)) / 1000,
        "phase": str(status.get("phase", "Pending")),
    }
    if raw.get("kind") == "RackLease" or "packed" in spec:
        return RackLease(**fields, packed=str(spec.get("packed", "")))
    return DropletLease(**fields)


def by_a_hand(raw: Json) -> str:
    """Who has written this lease last, if it was no lease manager; "" if it was one. The API server
    keeps whole seconds. Of two in one second it is the hand's, whose entry stays only for as long
    as something in the lease is of its making."""
    entries = raw["metadata"].get("managedFields") or ()
    times = {str(e.get("manager", "")): str(e.get("time", "")) for e in entries}
    hands = [who for who in times if not who.startswith(MANAGER)]
    latest = max(hands, key=lambda who: times[who], default="")
    ours = max((at for who, at in times.items() if who.startswith(MANAGER)), default="")
    return latest if latest and times[latest] >= ours else ""


def digest(raw: Json) -> Json:
    """What a watch keeps of a lease: its value, and who else has written it."""
    kept = ("namespace", "name", "uid", "resourceVersion")
    meta = {key: raw["metadata"][key] for key in kept}
    labels = raw["metadata"].get("labels") or {}
    return {
        "metadata": meta,
        "value": parse_lease(raw),
        "hand": by_a_hand(raw),
        "labelled": labels.get(names.ZONE_LABEL, ""),
    }


def stamp(at: float) -> str:
    return datetime.fromtimestamp(min(max(0.0, at), _LATEST), UTC).strftime(_STAMP)


def seconds(text: Any) -> float:
    """Of the epoch; 0 for none, and for what is no time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else 0.0
    except ValueError:
        return 0.0


def expired(lease: Lease, why: str) -> Lease:
    """The same lease, said to have run out."""
    return replace(lease, phase="Expired", why=why)
