"""Values to Kubernetes objects and back. Every field that a decision reads is written here."""

from datetime import UTC, datetime
from sys import intern
from typing import Any

from holdfast.core import names
from holdfast.core.intents import PatchAlias, Pin, Unpin
from holdfast.core.lock import NO_RECORD, NO_RECORDS
from holdfast.core.objects import (
    Alias,
    EndpointPlan,
    FrontEnd,
    Lease,
    Object,
    Plan,
    Slice,
    Stored,
    Tree,
)
from holdfast.live.api import Json

GROUP_PATH = f"/apis/{names.API_GROUP}/{names.API_VERSION}"
ALIAS_SELECTOR = f"{names.KIND_LABEL}=alias"
TREE_SELECTOR = f"{names.KIND_LABEL}=tree"
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def path_of(kind: type[Any], namespace: str) -> str:
    """The collection of a kind in a namespace."""
    if kind is Plan:
        return f"{GROUP_PATH}/namespaces/{namespace}/dnsplans"
    if kind is Slice:
        return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    if kind is Lease:
        return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    return f"/api/v1/namespaces/{namespace}/services"


def selector_of(kind: type[Any]) -> str:
    return {Alias: ALIAS_SELECTOR, Tree: TREE_SELECTOR}.get(kind, "")


def page_of(kind: type[Any]) -> int:
    """How many objects of a kind a listing may bring at once; 0 for all. A plan of ten thousand
    addresses takes 1.2 MB on the way, most of it managedFields, and 8 MB when it has been decoded;
    and a Region keeps a hundred and more."""
    return 4 if kind is Plan else 0


def _labels(kind: str, endpoint: str) -> Json:
    return {names.MANAGED_LABEL: "true", names.KIND_LABEL: kind, names.ENDPOINT_LABEL: endpoint}


def _bears(meta: Json, kind: str, endpoint: str) -> bool:
    """Whether an object has the labels of its kind."""
    return _labels(kind, endpoint).items() <= (meta.get("labels") or {}).items()


def render(obj: Stored, namespace: str, region: str) -> Json:
    """The Kubernetes object of a value, with its preconditions if it bears any. TypeError for a
    value of no kind of ours."""
    raw = _body(obj, namespace, region)
    if obj.uid:
        raw["metadata"] |= {"uid": obj.uid, "resourceVersion": obj.resource_version}
    return raw


def _body(obj: Stored, namespace: str, region: str) -> Json:
    match obj:
        case Alias():
            return _alias(obj, namespace, region)
        case Tree():
            return _tree(obj)
        case Slice():
            return _slice(obj)
        case Lease():
            return _lease(obj)
        case Plan(generation, endpoints):
            return {
                "apiVersion": f"{names.API_GROUP}/{names.API_VERSION}",
                "kind": "DNSPlan",
                "metadata": {"name": names.plan_name(generation)},
                "spec": {
                    "planGeneration": generation,
                    "endpoints": [
                        {
                            "name": e.endpoint,
                            "addresses": [
                                {"address": f.address, "weight": f.weight} for f in e.front_ends
                            ],
                        }
                        for e in endpoints
                    ],
                },
            }
        case _:
            raise TypeError(f"no wire form: {obj!r}")


def _tree(tree: Tree) -> Json:
    """With an annotation of its own in any case: the API server drops an empty map, and a JSON
    patch cannot add a pin to a map that is not there."""
    generation = str(tree.generation)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": tree.name,
            "labels": _labels("tree", tree.endpoint) | {names.GENERATION_LABEL: generation},
            "annotations": {
                names.GENERATION_ANNOTATION: generation,
                **{names.pin_annotation(holder): "" for holder in tree.pins},
            },
        },
        "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 8080}]},
    }


def _lease(lease: Lease) -> Json:
    """`acquireTime` is that of the last write: nobody asks since when somebody leads."""
    renewed = datetime.fromtimestamp(lease.renewed, UTC).strftime(_MICRO_TIME)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lease.name},
        "spec": {
            "holderIdentity": lease.holder,
            "leaseDurationSeconds": int(lease.seconds),
            "acquireTime": renewed,
            "renewTime": renewed,
        },
    }


def _alias(alias: Alias, namespace: str, region: str) -> Json:
    meta: Json = {
        "name": alias.endpoint,
        "labels": _labels("alias", alias.endpoint),
        "annotations": {
            names.GENERATION_ANNOTATION: str(alias.generation),
            names.ROLLBACK_ANNOTATION: alias.rollback,
            names.LOCK_ANNOTATION: "" if alias.lock in (NO_RECORD, NO_RECORDS) else alias.lock,
            names.WRITER_ANNOTATION: alias.writer,
        }
        | ({names.FROZEN_ANNOTATION: alias.frozen} if alias.frozen else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "type": "ExternalName",
            "externalName": names.service_fqdn(alias.target, namespace, region),
        },
    }


def _slice(piece: Slice) -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": piece.name,
            "labels": {
                names.MANAGED_LABEL: "true",
                names.SERVICE_NAME_LABEL: piece.tree,
                names.HEADLESS_LABEL: "",
            },
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Service", "name": piece.tree, "uid": piece.tree_uid}
            ],
        },
        "addressType": piece.family,
        "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in piece.addresses],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def parse(kind: type[Any], raw: Json) -> Object:
    """The value of a Kubernetes object. Hand-edited records read as their empty values."""
    meta = raw["metadata"]
    uid, version = meta["uid"], meta["resourceVersion"]
    if kind is Alias:
        notes = meta.get("annotations") or {}
        return Alias(
            endpoint=meta["name"],
            target=str(raw["spec"].get("externalName", "")).partition(".")[0],
            generation=_number(notes.get(names.GENERATION_ANNOTATION)),
            rollback=notes.get(names.ROLLBACK_ANNOTATION, ""),
            lock=notes.get(names.LOCK_ANNOTATION, NO_RECORD if notes else NO_RECORDS),
            writer=notes.get(names.WRITER_ANNOTATION, ""),
            frozen=notes.get(names.FROZEN_ANNOTATION, ""),
            uid=uid,
            resource_version=version,
            intact=_bears(meta, "alias", meta["name"]) and raw["spec"]["type"] == "ExternalName",
        )
    if kind is Tree:
        labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
        holders = (names.pin_holder(key) for key in notes)
        endpoint = labels.get(names.ENDPOINT_LABEL, "")
        generation = names.tree_generation(meta["name"]) or 0
        return Tree(
            name=meta["name"],
            endpoint=endpoint,
            generation=generation,
            pins=tuple(sorted(h for h in holders if h is not None)),
            uid=uid,
            resource_version=version,
            intact=_bears(meta, "tree", endpoint)
            and names.tree_name(endpoint, generation) == meta["name"]
            and raw["spec"].get("clusterIP") == "None",
        )
    if kind is Slice:
        owners = meta.get("ownerReferences") or [{}]
        return Slice(
            name=meta["name"],
            tree=(meta.get("labels") or {}).get(names.SERVICE_NAME_LABEL, ""),
            tree_uid=owners[0].get("uid", ""),
            family=raw["addressType"],
            addresses=tuple(sorted(a for e in raw.get("endpoints") or () for a in e["addresses"])),
            uid=uid,
            resource_version=version,
        )
    if kind is Lease:
        spec = raw.get("spec") or {}
        return Lease(
            name=meta["name"],
            holder=spec.get("holderIdentity") or "",
            renewed=_seconds(spec.get("renewTime")),
            seconds=float(spec.get("leaseDurationSeconds") or 0),
            uid=uid,
            resource_version=version,
        )
    assert kind is Plan, kind
    return plan_of(raw["spec"])


def plan_of(spec: Any) -> Plan:
    """Endpoints that share their front ends share them as values too: an enactor holds the whole
    history, and a hundred plans of ten thousand addresses each would not fit into its memory."""
    fleets: dict[tuple[tuple[str, int], ...], tuple[FrontEnd, ...]] = {}
    endpoints = []
    for e in spec["endpoints"]:
        fleet = tuple((intern(a["address"]), int(a["weight"])) for a in e["addresses"])
        if fleet not in fleets:
            fleets[fleet] = tuple(FrontEnd(*f) for f in fleet)
        endpoints.append(EndpointPlan(intern(e["name"]), fleets[fleet]))
    return Plan(int(spec["planGeneration"]), tuple(endpoints))


def patch_operations(patch: PatchAlias, namespace: str, region: str) -> list[Json]:
    """The JSON patch of a PatchAlias: the lock's test first, then what changes with it. A flip says
    all that makes it an alias: a hand may have taken its labels off, or changed its type."""

    def note(key: str, value: str) -> Json:
        return {"op": "replace", "path": _annotation(key), "value": value}

    operations = _lock_operations(patch)
    if patch.target is not None:
        target = names.service_fqdn(patch.target, namespace, region)
        operations += [
            {"op": "add", "path": "/metadata/labels", "value": _labels("alias", patch.endpoint)},
            {"op": "add", "path": "/spec/type", "value": "ExternalName"},
            {"op": "add", "path": "/spec/externalName", "value": target},
        ]
    if patch.generation is not None:
        operations.append(note(names.GENERATION_ANNOTATION, str(patch.generation)))
    if patch.rollback is not None:
        operations.append(note(names.ROLLBACK_ANNOTATION, patch.rollback))
    if patch.writer is not None:
        operations.append(note(names.WRITER_ANNOTATION, patch.writer))
    return operations


def _lock_operations(patch: PatchAlias) -> list[Json]:
    """A test for null matches a key that is not there, in a map that is."""
    path = _annotation(names.LOCK_ANNOTATION)
    lock: str | Json = patch.lock
    if patch.expect_lock == NO_RECORDS:
        path, lock = "/metadata/annotations", {names.LOCK_ANNOTATION: patch.lock}
    absent = patch.expect_lock in (NO_RECORD, NO_RECORDS)
    return [
        {"op": "test", "path": path, "value": None if absent else patch.expect_lock},
        {"op": "add", "path": path, "value": lock},
    ]


def pin_operations(intent: Pin | Unpin) -> list[Json]:
    """The JSON patch of a pin: the uid's test first. A pin is added before it is removed, for a key
    that is not there cannot be."""
    path = _annotation(names.pin_annotation(intent.holder))
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": intent.uid},
        {"op": "add", "path": path, "value": ""},
    ]
    if isinstance(intent, Unpin):
        operations.append({"op": "remove", "path": path})
    return operations


def _annotation(key: str) -> str:
    """The JSON pointer of an annotation."""
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def _seconds(micro_time: Any) -> float:
    """Of a MicroTime, since the epoch; 0 for none: a Lease that was never renewed has expired."""
    return datetime.fromisoformat(micro_time).timestamp() if micro_time else 0.0


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) <= 10 else 0
