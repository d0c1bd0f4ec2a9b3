"""Values to Kubernetes objects and back. Every field that a decision reads is written here."""

from typing import Any

from holdfast.core import names
from holdfast.core.intents import PatchAlias
from holdfast.core.lock import NO_RECORD
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Object, Plan, Slice, Tree
from holdfast.live.api import Json

GROUP_PATH = f"/apis/{names.API_GROUP}/{names.API_VERSION}"
ALIAS_SELECTOR = f"{names.KIND_LABEL}=alias"
TREE_SELECTOR = f"{names.KIND_LABEL}=tree"


def path_of(kind: type[Object], namespace: str) -> str:
    """The collection of a kind in a namespace."""
    if kind is Plan:
        return f"{GROUP_PATH}/namespaces/{namespace}/dnsplans"
    if kind is Slice:
        return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    return f"/api/v1/namespaces/{namespace}/services"


def selector_of(kind: type[Object]) -> str:
    return {Alias: ALIAS_SELECTOR, Tree: TREE_SELECTOR}.get(kind, "")


def _labels(kind: str, endpoint: str) -> Json:
    return {names.MANAGED_LABEL: "true", names.KIND_LABEL: kind, names.ENDPOINT_LABEL: endpoint}


def render(obj: Object, namespace: str, region: str) -> Json:
    """The Kubernetes object of a value, with its preconditions if it bears any."""
    match obj:
        case Alias():
            return _alias(obj, namespace, region)
        case Tree(name, endpoint, generation):
            return {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    "name": name,
                    "labels": _labels("tree", endpoint) | {names.GENERATION_LABEL: str(generation)},
                },
                "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 8080}]},
            }
        case Slice():
            return _slice(obj)
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


def _alias(alias: Alias, namespace: str, region: str) -> Json:
    meta: Json = {
        "name": alias.endpoint,
        "labels": _labels("alias", alias.endpoint),
        "annotations": {
            names.GENERATION_ANNOTATION: str(alias.generation),
            names.ROLLBACK_ANNOTATION: alias.rollback,
            names.LOCK_ANNOTATION: alias.lock,
            names.WRITER_ANNOTATION: alias.writer,
        },
    }
    if alias.uid:
        meta |= {"uid": alias.uid, "resourceVersion": alias.resource_version}
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
            "labels": {names.MANAGED_LABEL: "true", names.SERVICE_NAME_LABEL: piece.tree},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Service", "name": piece.tree, "uid": piece.tree_uid}
            ],
        },
        "addressType": piece.family,
        "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in piece.addresses],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def parse(kind: type[Object], raw: Json) -> Object:
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
            lock=notes.get(names.LOCK_ANNOTATION, NO_RECORD),
            writer=notes.get(names.WRITER_ANNOTATION, ""),
            uid=uid,
            resource_version=version,
        )
    if kind is Tree:
        labels = meta.get("labels") or {}
        return Tree(
            name=meta["name"],
            endpoint=labels.get(names.ENDPOINT_LABEL, ""),
            generation=names.tree_generation(meta["name"]) or 0,
            uid=uid,
            resource_version=version,
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
    return plan_of(raw["spec"])


def plan_of(spec: Any) -> Plan:
    return Plan(
        int(spec["planGeneration"]),
        tuple(
            EndpointPlan(
                e["name"], tuple(FrontEnd(a["address"], int(a["weight"])) for a in e["addresses"])
            )
            for e in spec["endpoints"]
        ),
    )


def patch_operations(patch: PatchAlias, namespace: str, region: str) -> list[Json]:
    """The JSON patch of a PatchAlias: the lock's test first, then what changes with it."""

    def note(key: str, value: str) -> Json:
        escaped = key.replace("~", "~0").replace("/", "~1")
        return {"op": "replace", "path": f"/metadata/annotations/{escaped}", "value": value}

    expected: Json = {"op": "test"}
    if patch.expect_lock == NO_RECORD:
        expected["value"] = None  # matches a key that is not there
    operations = [
        note(names.LOCK_ANNOTATION, patch.expect_lock) | expected,
        note(names.LOCK_ANNOTATION, patch.lock) | {"op": "add"},
    ]
    if patch.target is not None:
        target = names.service_fqdn(patch.target, namespace, region)
        operations.append({"op": "replace", "path": "/spec/externalName", "value": target})
    if patch.generation is not None:
        operations.append(note(names.GENERATION_ANNOTATION, str(patch.generation)))
    if patch.rollback is not None:
        operations.append(note(names.ROLLBACK_ANNOTATION, patch.rollback))
    if patch.writer is not None:
        operations.append(note(names.WRITER_ANNOTATION, patch.writer))
    return operations


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) <= 10 else 0
