"""The planner: watches each Region's front ends and appends plans."""

import asyncio
import logging
import time

from holdfast.core.guards import effective
from holdfast.core.intents import List
from holdfast.core.names import CAPACITY_ANNOTATION
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan
from holdfast.core.planner import Planned, append, look, trim, wanted
from holdfast.core.region import Region
from holdfast.core.replies import Listed
from holdfast.live import metrics
from holdfast.live.api import Api, Json
from holdfast.live.perform import Performer, drive
from holdfast.live.stamp import rfc3339
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.planner")

STORE_SELECTOR = "app.kubernetes.io/name=store"
CAPACITY_DEFAULT = 100
RETRY_SECONDS = 1.0
TRIM_EVERY = 10


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
        self._appended_at = 0.0
        self._ended = False
        self._said: tuple[object, ...] = ()
        self._ready_since = (False, rfc3339())

    def update(self, region: Region, raw: Json) -> None:
        self.region, self._generation = region, int(raw["metadata"]["generation"])
        self._changed.set()

    def news(self) -> None:
        """A planner follows its own appends; plans made by others are found when it collides."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._append_for_ever())

    async def _watch(self) -> None:
        path = f"/api/v1/namespaces/{self.region.namespace}/pods"
        async for change in follow(self._api, path, STORE_SELECTOR):
            if change.event == "SYNCED":
                self._synced = True
            elif change.event == "DELETED":
                self._pods.pop(change.obj["metadata"]["uid"], None)
            else:
                self._pods[change.obj["metadata"]["uid"]] = change.obj
            self._changed.set()

    async def _append_for_ever(self) -> None:
        while not self._ended:
            self._changed.clear()
            if self._synced and not self.region.paused and not await self._step():
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                async with asyncio.timeout(self._until_churn()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _until_churn(self) -> float | None:
        """Seconds until a plan is due although nothing changed; None for never."""
        if self.region.churn_per_minute <= 0 or self.region.paused:
            return None
        return max(0.0, self._appended_at + 60 / self.region.churn_per_minute - time.monotonic())

    async def _step(self) -> bool:
        """Append a plan if one is wanted. False if the API server did not let us."""
        if self._newest < 0 and not await self._look():
            return False
        fleet = tuple(f for f in map(front_end, self._pods.values()) if f is not None)
        content = wanted(self.region.endpoints, fleet)
        churn = self._until_churn() == 0.0
        if content and (content != self._content or churn):
            cause = "churn" if content == self._content else "change"
            outcome = await drive(append(content, self._newest), self._perform)
            if not isinstance(outcome, Planned):
                log.warning("%s: %s", self.region.namespace, outcome.reason)
                self._newest, self._ended = -1, outcome.final
                return False
            self._newest, self._content = outcome.plan.generation, content
            self._appended_at = time.monotonic()
            metrics.PLANS.labels(self.region.namespace, cause).inc()
            for endpoint in self.region.endpoints:
                labels = (self.region.namespace, endpoint, "proposed")
                metrics.GENERATION.labels(*labels).set(self._newest)
            if self._newest % TRIM_EVERY == 0:
                await drive(trim(self.region.plan_history), self._perform)
        return await self._report(len(fleet))

    async def _look(self) -> bool:
        """See which plan is the newest, and what it says: one that a former incarnation made, or
        whose reply was lost, is not made twice. False if the API server did not tell."""
        found = await drive(look(), self._perform)
        plans = await self._perform(List(Plan))
        if found is None or not isinstance(plans, Listed):
            return False
        said = {p.generation: p.endpoints for p in plans.items if isinstance(p, Plan)}
        self._newest, self._content = found, said.get(found)
        return True

    async def _report(self, front_ends: int) -> bool:
        """Say in the Region's status where we stand. False if it could not be written."""
        ready = self._newest > 0
        said = (ready, self._newest, front_ends, self._generation)
        if said == self._said:
            return True
        endpoints = len(self.region.endpoints)
        good = ready and front_ends > 0
        if self._ready_since[0] != good:
            self._ready_since = (good, rfc3339())
        condition = {
            "type": "Ready",
            "status": "True" if good else "False",
            "reason": "Planned" if good else "NoFrontEnd",
            "message": f"plan {self._newest}: {endpoints} endpoint(s), {front_ends} front end(s)"
            if front_ends
            else f"no ready front end; the last plan ({self._newest}) stays",
            "observedGeneration": self._generation,
            "lastTransitionTime": self._ready_since[1],
        }
        status = {
            "observedGeneration": self._generation,
            "newestPlan": self._newest,
            "guards": effective(self.region.guards),
            "conditions": [condition],
        }
        name = f"{self.region.namespace}/regions/{self.region.name}"
        path = f"{GROUP_PATH}/namespaces/{name}/status"
        answer = await self._api.merge_patch(path, {"status": status})
        if answer.ok:
            self._said = said
        return answer.ok


def front_end(pod: Json) -> FrontEnd | None:
    """A ready store Pod as a front end; None if it is not ready or on its way out."""
    status = pod.get("status") or {}
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
    )
    if not ready or "deletionTimestamp" in pod["metadata"] or not status.get("podIP"):
        return None
    told = (pod["metadata"].get("annotations") or {}).get(CAPACITY_ANNOTATION, "")
    usable = told.isdecimal() and 0 < int(told) <= 1_000_000
    return FrontEnd(status["podIP"], int(told) if usable else CAPACITY_DEFAULT)
