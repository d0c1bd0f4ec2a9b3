"""The operator's processes: Kopf watches Regions, plans and Scenarios, our own loops act.

Only `on.event` handlers are used: they set no finalizer and no annotation, so that a delete never
waits for us, and several operators can watch one object without writing on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import kopf

from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.objects import Plan
from holdfast.core.region import Region, age, region_of
from holdfast.live.api import ApiError, Json
from holdfast.live.watch import is_older
from holdfast.live.wire import plan_of

log = logging.getLogger("holdfast")

ASK_AGAIN_SECONDS = 1.0


class Worker(Protocol):
    """What a role runs for one Region."""

    def update(self, region: Region, raw: Json) -> None: ...

    def news(self) -> None: ...

    async def run(self) -> None: ...


@dataclass(slots=True)
class _Running:
    """What runs for a Region of `uid`; `beside` the Region of this name, if it is a second one."""

    uid: str
    beside: str
    worker: Worker
    task: asyncio.Task[None]


class Regions:
    """The workers of a role, one for each Region there is, and the plans of every namespace.

    Keyed by namespace and name: a Region of a new uid ends the worker of the former one even if its
    deletion was never seen, or one process would enact twice under one identity.

    A namespace is one Region's. Two would make the same plans, and turn the same aliases into two
    zones, of which the servers answer one. So the older is served, and `beside` starts what a role
    does for another: to say so, or nothing.

    Plans of a former Region are dropped with it: of some the deletion may have been missed. A plan
    is told of once, so for a Region made anew `plans_of` asks for those that there are.
    """

    def __init__(
        self,
        start: Callable[[Region, Json, Mapping[int, Plan]], Worker],
        beside: Callable[[Region, str], Worker] | None = None,
        plans_of: Callable[[str], Awaitable[list[Plan]]] | None = None,
    ) -> None:
        self._start, self._beside, self._plans_of = start, beside, plans_of
        self._raw: dict[str, dict[str, Json]] = {}
        self._running: dict[tuple[str, str], _Running] = {}
        self._plans: dict[str, dict[int, Plan]] = {}
        self._dropped: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()

    def on_region(self, event: Json) -> None:
        raw = event["object"]
        meta = raw["metadata"]
        space, name = meta["namespace"], meta["name"]
        here = self._raw.get(space, {})
        known: Json = here[name]["metadata"] if name in here else {}
        is_same = known.get("uid") == meta["uid"]
        if event["type"] == "DELETED" or "deletionTimestamp" in meta:
            if is_same:
                del here[name]
                self._settle(space)
            return
        if is_same and is_older(_version(meta), _version(known)):
            return  # it came out of order
        try:
            region_of(space, name, raw["spec"])
        except ValueError as error:
            log.error("%s: %s; the last good Region stays in force", space, error)
            return
        self._raw.setdefault(space, here)[name] = raw
        self._settle(space)

    def _settle(self, space: str) -> None:
        """Have run what is to run in a namespace, as its Regions are now."""
        here = self._raw[space]
        for key in [k for k in self._running if k[0] == space and k[1] not in here]:
            self._stop(key)
        first = min(here, key=lambda name: age(here[name]), default="")
        for name, raw in sorted(here.items(), key=lambda item: item[0] == first):
            self._run(space, name, raw, "" if name == first else first)
        if not here:
            del self._raw[space]

    def _run(self, space: str, name: str, raw: Json, beside: str) -> None:
        key, uid = (space, name), raw["metadata"]["uid"]
        region = region_of(space, name, raw["spec"])
        known = self._running.get(key)
        if known is not None and (known.uid, known.beside) != (uid, beside):
            self._stop(key)
            known = None
        if known is None:
            worker = self._first(region, raw) if not beside else None
            if beside and self._beside is not None:
                worker = self._beside(region, beside)
            if worker is None:
                return
            task = asyncio.create_task(_watched(worker.run(), f"region {space}"))
            known = self._running[key] = _Running(uid, beside, worker, task)
        known.worker.update(region, raw)

    def _first(self, region: Region, raw: Json) -> Worker:
        space = region.namespace
        if self._plans_of is not None and space in self._dropped:
            self._dropped.discard(space)
            task = asyncio.create_task(self._ask_for_plans(space, self._plans_of))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return self._start(region, raw, self._plans.setdefault(space, {}))

    async def _ask_for_plans(
        self, space: str, plans_of: Callable[[str], Awaitable[list[Plan]]]
    ) -> None:
        while space in self._plans:
            try:
                for plan in await plans_of(space):
                    self.planned(space, plan, gone=False)
                return
            except ApiError as error:
                log.warning("%s: plans are not known yet: %s", space, error)
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    def on_plan(self, event: Json) -> None:
        raw = event["object"]
        gone = event["type"] == "DELETED"
        self.planned(raw["metadata"]["namespace"], plan_of(raw["spec"]), gone)

    def planned(self, space: str, plan: Plan, gone: bool) -> None:
        plans = self._plans.setdefault(space, {})
        if gone:
            plans.pop(plan.generation, None)
        else:
            plans[plan.generation] = plan
        for (where, _), running in self._running.items():
            if where == space:
                running.worker.news()

    def _stop(self, key: tuple[str, str]) -> None:
        running = self._running.pop(key)
        running.task.cancel()
        if not running.beside:
            self._plans.pop(key[0], None)
            self._dropped.add(key[0])


def _version(meta: Json) -> str:
    return str(meta.get("resourceVersion", ""))


async def _watched(run: Awaitable[None], what: str) -> None:
    """A worker that dies of a bug takes the process with it: Kubernetes restarts it, and the last
    line of its log says why."""
    try:
        await run
    except asyncio.CancelledError:
        raise
    except BaseException:
        log.critical("%s: the worker died", what, exc_info=True)
        asyncio.get_running_loop().stop()
        raise


def settings() -> kopf.OperatorSettings:
    found = kopf.OperatorSettings()
    found.peering.standalone = True
    found.posting.enabled = False  # events of ours are posted by ourselves, with numbers
    found.scanning.disabled = True  # no rights to look for CRDs and namespaces are needed then
    found.watching.server_timeout = 300
    return found


async def operate(
    register: Callable[[kopf.OperatorRegistry], None], *watches: Coroutine[Any, Any, None]
) -> None:
    """Run Kopf with the handlers that `register` adds, and watches of our own beside it, until it
    is told to stop."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    register(registry)
    beside = [asyncio.create_task(_watched(watch, "a watch")) for watch in watches]
    try:
        await kopf.operator(
            registry=registry,
            settings=settings(),
            clusterwide=True,
            standalone=True,
            liveness_endpoint="http://0.0.0.0:8080/healthz",
        )
    finally:
        for task in beside:
            task.cancel()


def watch_regions(registry: kopf.OperatorRegistry, regions: Regions) -> None:
    @kopf.on.event(API_GROUP, API_VERSION, "regions", registry=registry)
    async def on_region(event: Any, **_: Any) -> None:
        regions.on_region(event)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
