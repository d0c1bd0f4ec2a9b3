"""Instances to Kubernetes objects and back."""

from typing import Any

from holdfast.core import names
from holdfast.core.leases.instances import OURS, Condition, Instance, InstanceStatus
from holdfast.live.api import Json
from holdfast.live.lease_wire import MANAGER, seconds, stamp
from holdfast.live.watch import slim
from holdfast.live.wire import GROUP_PATH

API_VERSION = f"{names.API_GROUP}/{names.API_VERSION}"


def path_of_instances(namespace: str) -> str:
    return f"{GROUP_PATH}/namespaces/{namespace}/instances"


def parse_instance(raw: Json) -> Instance:
    """The value of an object. What a hand has left out reads as its empty value."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    conditions = [_parse_condition(c) for c in status.get("conditions") or ()]
    return Instance(
        name=meta["name"],
        zone=str(spec.get("zone", "")),
        action=spec.get("action", "Run"),
        status=InstanceStatus(
            phase=status.get("phase", "Pending"),
            droplet=str(status.get("droplet", "")),
            message=str(status.get("message", "")),
            conditions=_ordered(c for c in conditions if c.type in OURS),
        ),
        others=_ordered(c for c in conditions if c.type not in OURS),
        created=seconds(meta.get("creationTimestamp")),
        generation=int(meta.get("generation", 1)),
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
    )


def render_instance(instance: Instance) -> Json:
    """What a customer creates."""
    spec = {"zone": instance.zone} if instance.zone else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "metadata": {"name": instance.name},
        "spec": {**spec, "action": instance.action},
    }


def render_status(instance: Instance, status: InstanceStatus) -> Json:
    """The body of a PUT of its status, with its preconditions. Conditions of others go with it as
    they were read: under the version of that read they cannot have changed."""
    said: Json = {"phase": status.phase, "message": status.message}
    if status.droplet:
        said["droplet"] = status.droplet
    every = _ordered((*status.conditions, *instance.others))
    said["conditions"] = [_render_condition(c) for c in every]
    body = render_instance(instance)
    meta = {"uid": instance.uid, "resourceVersion": instance.resource_version}
    return {**body, "metadata": {**body["metadata"], **meta}, "status": said}


def written_by_a_hand(raw: Json) -> str:
    """Who has written the status last, if it was no lease manager; "" if it was one. Times have
    whole seconds: of two in one, the other is told, for what it says can be compared."""
    entries = raw["metadata"].get("managedFields") or ()
    of_status = [e for e in entries if e.get("subresource") == "status"]
    latest = max((str(e.get("time", "")) for e in of_status), default="")
    writers = [str(e.get("manager", "")) for e in of_status if str(e.get("time", "")) == latest]
    return next((w for w in writers if not w.startswith(MANAGER)), "")


def digest(raw: Json) -> Json:
    """What a watch keeps of an instance: its value, and who else has written its status."""
    return slim(raw, parse_instance(raw)) | {"hand": written_by_a_hand(raw)}


def _ordered(conditions: Any) -> tuple[Condition, ...]:
    return tuple(sorted(conditions, key=lambda c: c.type))


def _parse_condition(raw: Json) -> Condition:
    return Condition(
        type=str(raw.get("type", "")),
        status=str(raw.get("status", "Unknown")),
        reason=str(raw.get("reason", "")),
        message=str(raw.get("message", "")),
        since=seconds(raw.get("lastTransitionTime")),
        generation=int(raw.get("observedGeneration", 0)),
    )


def _render_condition(condition: Condition) -> Json:
    observed = {"observedGeneration": condition.generation} if condition.generation else {}
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": stamp(condition.since).replace(".000000Z", "Z"),
        **observed,
    }
