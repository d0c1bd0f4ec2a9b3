"""The planner: watches each Region's front ends and appends plans."""

import asyncio
import logging
import time
from collections.abc import Sequence

from holdfast.core.announced import addresses, is_usable
from holdfast.core.guards import effective
from holdfast.core.intents import List
from holdfast.core.names import ADDRESSES_ANNOTATION, CAPACITY_ANNOTATION
from holdfast.core.objects import EndpointPlan, Family, FrontEnd, Plan
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
        if (raw.get("status") or {}).get("newestPlan") != self._newest:
            self._said = ()  # a report of ours came late, or a hand was there: it is said anew
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
                if change.event == "ADDED":
                    self._complain(change.obj)
            self._changed.set()

    def _complain(self, pod: Json) -> None:
        if wrong := [a for a in announced(pod) if not is_usable(a)]:
            where = (self.region.namespace, pod["metadata"].get("name"), ADDRESSES_ANNOTATION)
            log.warning("%s: %s: %s: left out: %s", *where, ", ".join(wrong))

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
        families = self.region.families
        fleet = tuple(f for pod in self._pods.values() for f in front_ends(pod, families))
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
