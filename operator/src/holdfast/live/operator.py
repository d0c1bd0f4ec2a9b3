"""The operator's processes: Kopf watches Regions, plans and Scenarios, our own loops act.

Only `on.event` handlers are used: they set no finalizer and no annotation, so that a delete never
waits for us, and several operators can watch one object without writing on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import kopf

from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.objects import Plan
from holdfast.core.region import Region, region_of
from holdfast.live.api import Json
from holdfast.live.wire import plan_of

log = logging.getLogger("holdfast")


class Worker(Protocol):
    """What a role runs for one Region."""

    def see_plan(self, plan: Plan | None = None) -> None: ...

    async def run(self) -> None: ...


class Regions:
    """The workers of a role, one for each Region there is, keyed by its uid."""

    def __init__(
        self,
        start: Callable[[Region, Json], Worker],
        update: Callable[[Any, Region, Json], None],
    ) -> None:
        self._start, self._update = start, update
        self._workers: dict[str, tuple[str, Worker, asyncio.Task[None]]] = {}
        self._plans: dict[str, dict[int, Plan]] = {}

    def on_region(self, event: Json) -> None:
        raw = event["object"]
        meta = raw["metadata"]
        uid, space = meta["uid"], meta["namespace"]
        if event["type"] == "DELETED" or "deletionTimestamp" in meta:
            self._stop(uid)
            return
        try:
            region = region_of(space, meta["name"], raw["spec"])
        except ValueError as error:
            log.error("%s: %s; the last good Region stays in force", space, error)
            return
        known = self._workers.get(uid)
        if known is None:
            worker = self._start(region, raw)
            task = asyncio.create_task(_watched(worker.run(), f"region {space}"))
            self._workers[uid] = (space, worker, task)
            for plan in self._plans.get(space, {}).values():
                worker.see_plan(plan)
        self._update(self._workers[uid][1], region, raw)

    def on_plan(self, event: Json) -> None:
        raw = event["object"]
        space = raw["metadata"]["namespace"]
        plans = self._plans.setdefault(space, {})
        plan = plan_of(raw["spec"])
        gone = event["type"] == "DELETED"
        if gone:
            plans.pop(plan.generation, None)
        else:
            plans[plan.generation] = plan
        for where, worker, _ in self._workers.values():
            if where == space:
                if gone:
                    getattr(worker, "plans", {}).pop(plan.generation, None)
                worker.see_plan(None if gone else plan)

    def _stop(self, uid: str) -> None:
        space, _, task = self._workers.pop(uid, ("", None, None))
        if task is not None:
            task.cancel()
            self._plans.pop(space, None)


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


async def operate(register: Callable[[kopf.OperatorRegistry], None]) -> None:
    """Run Kopf with the handlers that `register` adds, until it is told to stop."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    register(registry)
    await kopf.operator(
        registry=registry,
        settings=settings(),
        clusterwide=True,
        standalone=True,
        liveness_endpoint="http://0.0.0.0:8080/healthz",
    )


def watch_regions(registry: kopf.OperatorRegistry, regions: Regions, plans: bool) -> None:
    @kopf.on.event(API_GROUP, API_VERSION, "regions", registry=registry)
    async def on_region(event: Any, **_: Any) -> None:
        regions.on_region(event)

    if plans:

        @kopf.on.event(API_GROUP, API_VERSION, "dnsplans", registry=registry)
        async def on_plan(event: Any, **_: Any) -> None:
            regions.on_plan(event)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
