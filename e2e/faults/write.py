"""Writes by name: which of a plan's life a request is."""

from dataclasses import dataclass
from typing import Any

import orjson

from holdfast.core import names

REPORT = "report"
TOLD = ("event", "condition")
"""Writes for people to read: of no plan, and nobody waits for them."""


@dataclass(frozen=True, slots=True)
class Write:
    """`what` is done to something of plan `generation`; 0 for what says no generation."""

    what: str
    generation: int

    @property
    def is_told(self) -> bool:
        return self.what in TOLD

    def seen_from(self, generation: int) -> str:
        """Its name in the life of one plan: `create tree`, or `delete tree -2` for an older one."""
        apart = self.generation - generation if self.generation else 0
        return f"{self.what} {apart:+d}" if apart else self.what


def write_of(method: str, path: str, body: bytes) -> Write | None:
    """The write that a request is; None for a read. ValueError for one that nobody here sends."""
    if method == "GET":
        return None
    _, resource, *rest = path.partition("/namespaces/")[2].split("/")
    name = rest[0] if rest else ""
    raw: Any = orjson.loads(body) if body else {}
    match method, resource:
        case "POST" | "DELETE", "dnsplans":
            generation = int((name or raw["metadata"]["name"]).rpartition("-")[2])
            return Write(_verb(method) + " plan", generation)
        case "PATCH", "regions" if "newestPlan" in raw["status"]:
            return Write(REPORT, int(raw["status"]["newestPlan"]))
        case "PATCH", "regions":
            return Write("condition", 0)
        case _, "events":
            return Write("event", 0)
        case "POST", "endpointslices":
            tree = raw["metadata"]["labels"][names.SERVICE_NAME_LABEL]
            return Write("create slice", names.tree_generation(tree) or 0)
        case "PATCH", "services":
            return _patch(name, raw)
        case _, "services":
            return _service(method, name or raw["metadata"]["name"], raw)
    raise ValueError(f"an unknown write: {method} {path}")


def _verb(method: str) -> str:
    return {"POST": "create", "PUT": "flip", "DELETE": "delete"}[method]


def _service(method: str, name: str, raw: Any) -> Write:
    tree = names.tree_generation(name)
    if tree is not None:
        return Write(_verb(method) + " tree", tree)
    if method == "DELETE":
        return Write("delete alias", 0)
    generation = int(raw["metadata"]["annotations"][names.GENERATION_ANNOTATION])
    return Write("flip" if method == "PUT" else "create alias", generation)


def _patch(name: str, operations: Any) -> Write:
    tree = names.tree_generation(name)
    if tree is not None:
        taken_off = any(o["op"] == "remove" for o in operations)
        return Write("unpin" if taken_off else "pin", tree)
    generation = names.GENERATION_ANNOTATION.replace("/", "~1")
    for operation in operations:
        if operation["path"].endswith(generation):
            return Write("flip", int(operation["value"]))
    return Write("take lock" if operations[1]["value"] else "release lock", 0)
