"""The two servers that are compared: the fake, and a real API server with the same manners asked.

A `Ticket` stands for every kind that is not ours: a custom resource of a definition that lives as
long as the suite.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from e2e.cluster_tools import kubectl, run, until
from holdfast.core.intents import Create, Delete, Get, Intent, List, Overwrite, Replace
from holdfast.core.names import SERVICE_NAME_LABEL
from holdfast.core.objects import Slice, Stored, Tree
from holdfast.core.replies import Deleted, Listed, Read, Reply, Written
from holdfast.fake import FakeApi
from holdfast.live.api import Answer, Api, Json, connect
from holdfast.live.perform import Performer, refusal
from holdfast.live.wire import parse, path_of, render

SPACE = "holdfast-conformance"
REGION = "us-east-1"
GROUP = "conformance.holdfast.dev"
COLLECTOR_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ticket:
    name: str
    note: str
    uid: str = ""
    resource_version: str = ""


class World(Protocol):
    """Performs intents. Slices without a living owner are gone when it replies."""

    async def __call__(self, intent: Intent) -> Reply: ...


class InMemory:
    def __init__(self) -> None:
        self.api = FakeApi()

    async def __call__(self, intent: Intent) -> Reply:
        return self.api.perform(intent)


class OnCluster:
    """A real namespace. `zero`: a PUT without precondition says so with resourceVersion "0"."""

    def __init__(self, api: Api, zero: bool = False) -> None:
        self.api, self._zero = api, zero
        self._performer = Performer(api, SPACE, REGION)

    async def __call__(self, intent: Intent) -> Reply:
        reply = await self._perform(intent)
        match intent, reply:
            case Delete(kind, name), Deleted() if kind is Tree:
                await self._collected(name)
            case Create(obj) | Replace(obj) | Overwrite(obj), Written() if isinstance(obj, Slice):
                await self._collected(obj.tree)
        return reply

    async def _perform(self, intent: Intent) -> Reply:
        if isinstance(intent, Overwrite) and self._zero:
            body = _render(intent.obj)
            body["metadata"]["resourceVersion"] = "0"
            path = f"{_path(type(intent.obj))}/{intent.obj.name}"
            return _written(type(intent.obj), await self.api.call("PUT", path, body))
        subject = getattr(intent, "kind", type(getattr(intent, "obj", None)))
        return await (self._ticket(intent) if subject is Ticket else self._performer(intent))

    async def _ticket(self, intent: Intent) -> Reply:
        path = _path(Ticket)
        match intent:
            case Get(_, name):
                reply = _written(Ticket, await self.api.get(f"{path}/{name}"))
                return Read(reply.obj, reply.now) if isinstance(reply, Written) else reply
            case List():
                raws = (await self.api.need("GET", path))["items"]
                return Listed(tuple(_parse(Ticket, raw) for raw in raws), 0.0)
            case Create(obj):
                return _written(Ticket, await self.api.create(path, _render(obj)))
            case Replace(obj) | Overwrite(obj):
                answer = await self.api.call("PUT", f"{path}/{obj.name}", _render(obj))
                return _written(Ticket, answer)
            case Delete(_, name, uid, version):
                answer = await self.api.delete(f"{path}/{name}", uid, version)
                return Deleted(0.0) if answer.ok else refusal(answer, 0.0)
            case _:
                raise TypeError(f"not of tickets: {intent}")

    async def _collected(self, tree: str) -> None:
        """Wait until the garbage collector has taken all slices of former trees of this name."""
        end = asyncio.get_running_loop().time() + COLLECTOR_SECONDS
        while await self._orphans(tree):
            assert asyncio.get_running_loop().time() < end, f"slices of {tree} not collected"
            await asyncio.sleep(0.05)

    async def _orphans(self, tree: str) -> bool:
        owner = await self._performer(Get(Tree, tree))
        alive = owner.obj.uid if isinstance(owner, Read) else ""
        selector = f"{SERVICE_NAME_LABEL}={tree}"
        listed = await self.api.need("GET", _path(Slice), labelSelector=selector)
        pieces = [_parse(Slice, raw) for raw in listed["items"]]
        return any(isinstance(p, Slice) and p.tree_uid != alive for p in pieces)


@asynccontextmanager
async def on_the_cluster(zero: bool = False) -> AsyncIterator[OnCluster]:
    async with connect("holdfast-conformance") as api:
        yield OnCluster(api, zero)


@contextmanager
def namespace() -> Iterator[None]:
    """The suite's namespace and its kind of custom resources, for as long as it runs."""
    _remove(wait=True)
    kubectl("create", "namespace", SPACE)
    kubectl("create", "-f", "-", stdin=json.dumps(_definition()))
    # Established is not yet served: a new kind's storage answers 429 for a moment.
    until(lambda: run("kubectl", "get", "-n", SPACE, f"tickets.{GROUP}").returncode == 0, "tickets")
    try:
        yield
    finally:
        _remove(wait=False)


def _remove(wait: bool) -> None:
    for what in (("namespace", SPACE), ("crd", f"tickets.{GROUP}")):
        run("kubectl", "delete", *what, "--ignore-not-found", f"--wait={str(wait).lower()}")


def _definition() -> Json:
    spec = {"type": "object", "properties": {"note": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"tickets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": "Ticket", "plural": "tickets", "singular": "ticket"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def _path(kind: type[Any]) -> str:
    if kind is Ticket:
        return f"/apis/{GROUP}/v1/namespaces/{SPACE}/tickets"
    return path_of(kind, SPACE)


def _render(obj: Stored) -> Json:
    if not isinstance(obj, Ticket):
        return render(obj, SPACE, REGION)
    meta = {"name": obj.name}
    if obj.uid:
        meta |= {"uid": obj.uid, "resourceVersion": obj.resource_version}
    spec = {"note": obj.note}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Ticket", "metadata": meta, "spec": spec}


def _parse(kind: type[Any], raw: Json) -> Stored:
    if kind is not Ticket:
        return parse(kind, raw)
    meta = raw["metadata"]
    return Ticket(meta["name"], raw["spec"]["note"], meta["uid"], meta["resourceVersion"])


def _written(kind: type[Any], answer: Answer) -> Reply:
    return Written(_parse(kind, answer.body), 0.0) if answer.ok else refusal(answer, 0.0)
