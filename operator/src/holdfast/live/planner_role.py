"""The planner: watches each Region's front ends and appends plans."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace

from holdfast.core.announced import addresses, is_usable
from holdfast.core.names import ADDRESSES_ANNOTATION, CAPACITY_ANNOTATION
from holdfast.core.objects import Alias, EndpointPlan, Family, FrontEnd
from holdfast.core.planner import Planned, Unplanned, append, look, trim, wanted
from holdfast.core.planner_notices import (
    overtaken,
    published_empty,
    second_region,
    unplanned,
    withheld,
)
from holdfast.core.region import Region
from holdfast.live import metrics
from holdfast.live.api import Api, Json
from holdfast.live.notices import PlannerNotices
from holdfast.live.perform import Performer, drive
from holdfast.live.watch import follow, is_older
from holdfast.live.wire import ALIAS_SELECTOR, GROUP_PATH, parse, path_of

log = logging.getLogger("holdfast.planner")

STORE_SELECTOR = "app.kubernetes.io/name=store"
CAPACITY_DEFAULT = 100
RETRY_SECONDS = 1.0
TRIM_EVERY = 10
FROZEN_LOOK_SECONDS = 5.0
"""How often it is asked whether a freeze has passed: clocks jump."""
REPAIRS_LOOK_SECONDS = 1.0
"""How often it is asked whether somebody wants repairs."""


class Planner:
    """One Region's planner."""

    def __init__(self, api: Api, region: Region) -> None:
        self.region = region
        self._generation = 0
        self._api = api
        self._perform = Performer(api, region.namespace, region.name)
        self._pods: dict[str, Json] = {}
        self._synced = False
        self._changed = asyncio.Event()
        self._newest = -1
        self._content: tuple[EndpointPlan, ...] | None = None
        self._decided_at = 0.0
        self._aliases: dict[str, Alias] = {}
        self._failures = 0
        self._holds_back = False
        self._rested = False
        self._ended = False
        self._said: tuple[object, ...] = ()
        self._told: Json = {}
        self._reported = ""
        self._notices = PlannerNotices(api, region, os.environ.get("HOSTNAME", ""))

    def update(self, region: Region, raw: Json) -> None:
        self.region, self._generation = region, int(raw["metadata"]["generation"])
        status, version = raw.get("status") or {}, raw["metadata"].get("resourceVersion", "")
        is_newer = not is_older(version, self._reported)  # a watch is behind our own writes
        if is_newer and any(status.get(name) != value for name, value in self._told.items()):
            self._said = ()  # a report of ours came late, or a hand was there: it is said anew
        self._notices.update(raw)
        self._changed.set()

    def news(self) -> None:
        """A planner follows its own appends; plans made by others are found when it collides."""

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._notices.run())
                group.create_task(self._watch())
                group.create_task(self._watch_aliases())
                group.create_task(self._append_for_ever())
        finally:
            self._propose(None)

    async def _watch(self) -> None:
        path = f"/api/v1/namespaces/{self.region.namespace}/pods"
        async for change in follow(self._api, path, STORE_SELECTOR):
            if change.event == "SYNCED":
                self._synced = True
            elif change.event == "DELETED":
                self._pods.pop(change.obj["metadata"]["uid"], None)
            else:
                self._pods[change.obj["metadata"]["uid"]] = change.obj
                if change.event == "ADDED":
                    self._complain(change.obj)
            self._changed.set()

    def _complain(self, pod: Json) -> None:
        if wrong := [a for a in announced(pod) if not is_usable(a)]:
            where = (self.region.namespace, pod["metadata"].get("name"), ADDRESSES_ANNOTATION)
            log.warning("%s: %s: %s: left out: %s", *where, ", ".join(wrong))

    async def _watch_aliases(self) -> None:
        """From the moment on at which somebody asks for repairs."""
        while not self.region.guards.repairs:
            await asyncio.sleep(REPAIRS_LOOK_SECONDS)
        path = path_of(Alias, self.region.namespace)
        async for change in follow(self._api, path, ALIAS_SELECTOR):
            if change.event == "SYNCED":
                continue
            alias = parse(Alias, change.obj)
            assert isinstance(alias, Alias)
            self._aliases.pop(alias.endpoint, None)
            if change.event != "DELETED":
                self._aliases[alias.endpoint] = alias
            if self._overtaker() is not None:
                self._changed.set()

    async def _append_for_ever(self) -> None:
        while not self._ended:
            self._changed.clear()
            if self._synced and not self.region.paused and not await self._step():
                await asyncio.sleep(RETRY_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._changed.wait()

    def _patience(self) -> float | None:
        """Seconds after which to look again although nothing has changed; None for never."""
        if self.region.paused:
            return None
        return FROZEN_LOOK_SECONDS if self._rested else self._until_churn()

    def _until_churn(self) -> float | None:
        """Seconds until a plan is due although nothing changed; None for never."""
        if self.region.churn_per_minute <= 0:
            return None
        return max(0.0, self._decided_at + 60 / self.region.churn_per_minute - time.monotonic())

    def _overtaker(self) -> Alias | None:
        """The highest alias above our newest plan: an override made it, or a hand."""
        if not self.region.guards.repairs or self._newest < 0:
            return None
        ours = [self._aliases[e] for e in self.region.endpoints if e in self._aliases]
        above = [a for a in ours if a.generation > self._newest]
        return max(above, key=lambda a: a.generation, default=None)

    async def _step(self) -> bool:
        """Append a plan if one is wanted. False if the API server did not let us."""
        self._rested = self.region.is_frozen(time.time())
        freeze = self.region.freeze if self._rested else None
        self._notices.freeze(freeze, self._newest)
        if self._newest < 0 and not await self._look():
            return False
        families = self.region.families
        fleet = tuple(f for pod in self._pods.values() for f in front_ends(pod, families))
        if freeze is None:
            good = self.region.guards.keeps_last_good
            content = wanted(self.region.endpoints, fleet, good)
            if not content:
                self._withhold()
            elif not await self._plan(content):
                return False
        self._notices.ready(self.region, self._newest, len(fleet))
        return await self._report()

    def _withhold(self) -> None:
        """Nothing is published. Said when that begins, and whenever a plan was due."""
        if not self._holds_back or self._until_churn() == 0.0:
            self._holds_back, self._decided_at = True, time.monotonic()
            self._notices.tell(withheld(self._newest, self.region.endpoints))

    async def _plan(self, content: tuple[EndpointPlan, ...]) -> bool:
        """Append a plan of this content if one is due. False if it could not be."""
        self._holds_back = False
        overtaker, before = self._overtaker(), self._newest
        if overtaker is not None:
            cause = "overtaken"
            if not await self._look():
                return False
        elif content != self._content:
            cause = "change"
        elif self._until_churn() == 0.0:
            cause = "churn"
        else:
            return True
        outcome = await drive(append(content, self._newest), self._perform)
        if not isinstance(outcome, Planned):
            return self._failed(outcome)
        self._failures = 0
        self._newest, self._content = outcome.plan.generation, content
        self._decided_at = time.monotonic()
        metrics.PLANS.labels(self.region.namespace, cause).inc()
        self._propose(self._newest)
        if overtaker is not None:
            above = (overtaker.endpoint, overtaker.generation)
            self._notices.tell(overtaken(*above, before, self._newest))
        if not any(e.front_ends for e in content):
            self._notices.tell(published_empty(outcome.plan))
        if self._newest % TRIM_EVERY == 0:
            await drive(trim(self.region.plan_history), self._perform)
        return True

    def _failed(self, outcome: Unplanned) -> bool:
        """Look anew, after a pause."""
        self._failures += 1
        notice = unplanned(outcome, self._failures)
        if notice is not None:
            self._notices.unready(notice)
        self._newest, self._ended = -1, outcome.final
        return False

    async def _look(self) -> bool:
        """See which plan is the newest, and what it says: one that a former incarnation made, or
        whose reply was lost, is not made twice. False if the API server did not tell."""
        found = await drive(look(), self._perform)
        if isinstance(found, Unplanned):
            return self._failed(replace(found, newest=max(0, self._newest)))
        said = {p.generation: p.endpoints for p in found.plans}
        self._newest, self._content = found.newest, said.get(found.newest)
        if said:
            self._propose(max(said))
        return True

    def _propose(self, generation: int | None) -> None:
        """Export the newest plan; None when the Region is no longer ours to speak for: a number
        that stays behind would stand above whatever a Region of this name serves next."""
        for endpoint in self.region.endpoints:
            labels = (self.region.namespace, endpoint, "proposed")
            if generation is None:
                with contextlib.suppress(KeyError):
                    metrics.GENERATION.remove(*labels)
            else:
                metrics.GENERATION.labels(*labels).set(generation)

    async def _report(self) -> bool:
        """Say in the Region's status where we stand. False if it could not be written."""
        guards = self.region.effective
        said = (self._newest, self._generation, guards)
        if said == self._said:
            return True
        status = {
            "observedGeneration": self._generation,
            "newestPlan": self._newest,
            "guards": guards,
        }
        name = f"{self.region.namespace}/regions/{self.region.name}"
        path = f"{GROUP_PATH}/namespaces/{name}/status"
        answer = await self._api.merge_patch(path, {"status": status})
        if answer.ok:
            self._said, self._told = said, status
            self._reported = str((answer.body.get("metadata") or {}).get("resourceVersion", ""))
        return answer.ok


class Beside:
    """What a planner does for a second Region of a namespace: it says that it is one."""

    def __init__(self, api: Api, region: Region, first: str) -> None:
        self._notice = second_region(region.name, first)
        self._notices = PlannerNotices(api, region, os.environ.get("HOSTNAME", ""))

    def update(self, region: Region, raw: Json) -> None:
        del region
        self._notices.update(raw)

    def news(self) -> None:
        """It has no plans."""

    async def run(self) -> None:
        self._notices.unready(self._notice)
        await self._notices.run()


def announced(pod: Json) -> tuple[str, ...]:
    """What a Pod says that it has besides its own addresses."""
    told: str = (pod["metadata"].get("annotations") or {}).get(ADDRESSES_ANNOTATION, "")
    return tuple(a.strip() for a in told.split(",") if a.strip())


def front_ends(pod: Json, families: Sequence[Family]) -> tuple[FrontEnd, ...]:
    """A ready store Pod as front ends, one of each family; () if it is not ready or on its way
    out."""
    status, meta = pod.get("status") or {}, pod["metadata"]
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
    )
    if not ready or "deletionTimestamp" in meta or not status.get("podIP"):
        return ()
    notes = meta.get("annotations") or {}
    own = [p["ip"] for p in status.get("podIPs") or ()] or [status["podIP"]]
    found = addresses(own, announced(pod), families)
    told = notes.get(CAPACITY_ANNOTATION, "")
    usable = told.isdecimal() and 0 < int(told) <= 1_000_000
    capacity = int(told) if usable else CAPACITY_DEFAULT
    return tuple(FrontEnd(address, capacity) for address in found)
