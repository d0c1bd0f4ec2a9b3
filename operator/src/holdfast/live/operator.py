"""The operator's processes: Kopf watches Regions, plans and Scenarios, our own loops act.

Only `on.event` handlers are used: they set no finalizer and no annotation, so that a delete never
waits for us, and several operators can watch one object without writing on it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import kopf

from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.objects import Plan
from holdfast.core.region import Region, region_of
from holdfast.live.api import Json
from holdfast.live.watch import is_older
from holdfast.live.wire import plan_of

log = logging.getLogger("holdfast")


class Worker(Protocol):
    """What a role runs for one Region."""

    def update(self, region: Region, raw: Json) -> None: ...

    def news(self) -> None: ...

    async def run(self) -> None: ...


@dataclass(slots=True)
class _Running:
    """`version` is that of the newest Region seen."""

    uid: str
    worker: Worker
    task: asyncio.Task[None]
    version: str = ""


class Regions:
    """The workers of a role, one for each Region there is, and the plans of every namespace.

    Keyed by namespace and name: a Region of a new uid ends the worker of the former one even if its
    deletion was never seen, or one process would enact twice under one identity.
    """

    def __init__(self, start: Callable[[Region, Json, Mapping[int, Plan]], Worker]) -> None:
        self._start = start
        self._running: dict[tuple[str, str], _Running] = {}
        self._plans: dict[str, dict[int, Plan]] = {}

    def on_region(self, event: Json) -> None:
        raw = event["object"]
        meta = raw["metadata"]
        space, uid, key = meta["namespace"], meta["uid"], (meta["namespace"], meta["name"])
        known = self._running.get(key)
        if event["type"] == "DELETED" or "deletionTimestamp" in meta:
            if known is not None and known.uid == uid:
                self._stop(key)
            return
        version = meta.get("resourceVersion", "")
        if known is not None and known.uid == uid and is_older(version, known.version):
            return  # it came out of order
        try:
            region = region_of(space, meta["name"], raw["spec"])
        except ValueError as error:
            log.error("%s: %s; the last good Region stays in force", space, error)
            return
        if known is not None and known.uid != uid:
            self._stop(key)
            known = None
        if known is None:
            worker = self._start(region, raw, self._plans.setdefault(space, {}))
            task = asyncio.create_task(_watched(worker.run(), f"region {space}"))
            known = self._running[key] = _Running(uid, worker, task)
        known.version = version
        known.worker.update(region, raw)

    def on_plan(self, event: Json) -> None:
        raw = event["object"]
        space = raw["metadata"]["namespace"]
        plans = self._plans.setdefault(space, {})
        plan = plan_of(raw["spec"])
        if event["type"] == "DELETED":
            plans.pop(plan.generation, None)
        else:
            plans[plan.generation] = plan
        for (where, _), running in self._running.items():
            if where == space:
                running.worker.news()

    def _stop(self, key: tuple[str, str]) -> None:
        self._running.pop(key).task.cancel()
        self._plans.pop(key[0], None)


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
