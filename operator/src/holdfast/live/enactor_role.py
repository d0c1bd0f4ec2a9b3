"""The enactor of one zone: drives the flow of `core.enactor` for every Region.

Standalone and never leader-elected: no enactor waits for, or hears of, another. What it tells about
itself (holds, counts) goes into its own key of `Region.status.actors`, and nobody waits for that
write.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import replace

from holdfast.core.enactor import Actor, enact
from holdfast.core.holds import ActorView, Tried, actor_of, actor_status, catcher
from holdfast.core.intents import Intent, PatchAlias, Reach, Replace
from holdfast.core.objects import Plan
from holdfast.core.region import Region, backoff
from holdfast.core.replies import Conflict, Missed, Reply, Written
from holdfast.core.rounds import Applied, Carried, Deferred, Refused, Round, Stale
from holdfast.live import metrics
from holdfast.live.api import Api, Json
from holdfast.live.authority import Authority
from holdfast.live.perform import Performer, drive
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.enactor")

REFUSED_PAUSE_SECONDS = 1.0
"""Before an apply that failed is tried again although no newer plan has come."""
HOLD_GRACE_SECONDS = 10.0
"""Past a hold's deadline an enactor lets itself go: the scenario role may be dead."""


class Enactor:
    """One Region's enactor in this zone. `plans` belongs to the role's watch of DNSPlans."""

    def __init__(
        self, api: Api, me: Actor, region: Region, status: Json, plans: Mapping[int, Plan]
    ) -> None:
        self.region = region
        self.plans = plans
        self.actors: dict[str, ActorView] = {}
        self._api, self._me = api, me
        self._changed = asyncio.Event()
        self._unsaid = asyncio.Event()
        self._finished = 0
        self._checked_at = 0.0
        self._ended = False
        self._complained = ""
        self._deferrals = 0
        self._authority = Authority(api, region.namespace)
        self._performer = Performer(
            api, region.namespace, region.name, self._newest, self._authority.servers, self._reach
        )
        own = (status.get("actors") or {}).get(me.zone)
        self._view = replace(actor_of(me.zone, own or {}), hold="")

    def update(self, region: Region, raw: Json) -> None:
        """The Region as its watch shows it now."""
        self.region = region
        status = raw.get("status") or {}
        self.actors = {z: actor_of(z, raw) for z, raw in (status.get("actors") or {}).items()}
        self._changed.set()

    def news(self) -> None:
        """`plans` has changed."""
        self._changed.set()

    async def run(self) -> None:
        """For ever, until cancelled: one round after another."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._authority.watch())
            group.create_task(self._tell())
            group.create_task(self._rounds())

    async def _rounds(self) -> None:
        carried: Carried | None = None
        while not self._ended:
            await self._until_news(carried)
            flow = enact(self._me, self.region.rules(), carried)
            outcome = await drive(flow, self._perform)
            carried = await self._after(outcome)

    def _newest(self) -> Plan | None:
        return self.plans[max(self.plans)] if self.plans else None

    async def _until_news(self, carried: Carried | None) -> None:
        """Wait while the Region is paused, or while there is nothing to carry on or to pick."""
        while self.region.paused or (
            carried is None and max(self.plans, default=0) <= self._finished
        ):
            self._changed.clear()
            await self._changed.wait()

    async def _after(self, outcome: Round) -> Carried | None:
        """Book the round's outcome; the plan that the next round carries, if any."""
        space = self.region.namespace
        metrics.ROUNDS.labels(space, type(outcome).__name__).inc()
        match outcome:
            case Applied(generation, flipped, _, deleted, _):
                self._finished = generation
                metrics.DELETED.labels(space).inc(len(deleted))
                if flipped or deleted:
                    log.info("%s: plan %s applied %s", space, generation, outcome)
                if self._view.let_go and not self._view.cleaned:
                    self._say(cleaned=True)
            case Stale(generation, live, at, endpoint, conflicted):
                self._finished = generation
                log.info("%s: plan %s dropped at %s: %s is live", space, generation, at, live)
                if at == "read":
                    result = "conflict_newer" if conflicted else "dropped_stale"
                    metrics.WRITES.labels(space, result).inc()
                    view = self._view
                    self._say(
                        stale_refused=view.stale_refused + conflicted,
                        stale_dropped=view.stale_dropped + (not conflicted),
                    )
                    self._tried("refused" if conflicted else "dropped", generation)
            case Refused(generation, endpoint, reason, final):
                self._ended = final
                if self._complained != reason:
                    log.warning(
                        "%s: plan %s refused at %s: %s", space, generation, endpoint, reason
                    )
                self._complained = reason
                if reason.startswith("no rollback record"):
                    metrics.WRITES.labels(space, "rollback_missing").inc()
                    self._say(rollback_missing=self._view.rollback_missing + 1)
                self._tried("failed", generation)
                await asyncio.sleep(REFUSED_PAUSE_SECONDS * random.uniform(0.5, 1.0))
            case Deferred(carried, reason):
                log.debug("%s: deferred: %s", space, reason)
                self._deferrals += 1
                if self._deferrals in (5, 50, 500):
                    log.warning("%s: deferred %s times: %s", space, self._deferrals, reason)
                await asyncio.sleep(backoff(self.region, self._deferrals, random.random()))
                return carried
        self._deferrals = 0
        return None

    async def _perform(self, intent: Intent) -> Reply:
        reply = await self._performer(intent)
        flips = isinstance(intent, Replace) or (
            isinstance(intent, PatchAlias) and intent.target is not None
        )
        if flips:
            self._book_flip(intent, reply)
        elif isinstance(intent, PatchAlias) and isinstance(reply, Missed):
            metrics.WRITES.labels(self.region.namespace, "lock_lost").inc()
        return reply

    def _book_flip(self, intent: Intent, reply: Reply) -> None:
        space = self.region.namespace
        match reply:
            case Written(obj):
                metrics.WRITES.labels(space, "flipped").inc()
                metrics.CHECK_TO_WRITE.labels(space).observe(time.monotonic() - self._checked_at)
                generation = getattr(obj, "generation", 0)
                endpoint = getattr(obj, "endpoint", "")
                metrics.GENERATION.labels(space, endpoint, "applied").set(generation)
                self._tried("flipped", generation)
            case Conflict() | Missed():
                result = "conflict" if isinstance(intent, Replace) else "lock_lost"
                metrics.WRITES.labels(space, result).inc()

    async def _reach(self, at: Reach) -> None:
        """Stand at a step, and stay while a hold says so."""
        if at.step == "check":
            self._checked_at = time.monotonic()
        self._view = replace(
            self._view, step=at.step, generation=at.generation, victims=at.victims[:100]
        )
        if not self.region.holds:
            return
        newest = max(self.plans, default=0)
        hold = catcher(self.region.holds, self._view, self.actors, newest)
        if hold is None:
            if at.victims:
                self._say()
            return
        log.info("%s: held by %s at %s with plan %s", self.region.namespace, hold.name, *_at(at))
        self._say(hold=hold.name, caught=(*self._view.caught, hold.name))
        metrics.HOLDS.labels(self.region.namespace).set(1)
        await self._until_released(hold.name, hold.deadline_seconds + HOLD_GRACE_SECONDS)
        metrics.HOLDS.labels(self.region.namespace).set(0)
        self._say(hold="", let_go=True)
        log.info("%s: released from %s", self.region.namespace, hold.name)

    async def _until_released(self, name: str, patience_seconds: float) -> None:
        try:
            async with asyncio.timeout(patience_seconds):
                while any(h.name == name and not h.released for h in self.region.holds):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("%s: %s was never released", self.region.namespace, name)

    def _tried(self, how: Tried, generation: int) -> None:
        if self._view.let_go and not self._view.tried:
            self._say(tried=how, tried_generation=generation)

    def _say(self, **changes: object) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]
        self._unsaid.set()

    async def _tell(self) -> None:
        """Write what there is to say, the latest only, until it is written. In Regions without
        holds nobody listens, and nothing is said."""
        path = f"{GROUP_PATH}/namespaces/{self.region.namespace}/regions/{self.region.name}/status"
        while True:
            await self._unsaid.wait()
            self._unsaid.clear()
            if not self.region.holds:
                continue
            entry = {self._me.zone: actor_status(self._view)}
            answer = await self._api.merge_patch(path, {"status": {"actors": entry}})
            if not answer.ok and answer.status != 404:
                await asyncio.sleep(0.2)
                self._unsaid.set()


def _at(at: Reach) -> tuple[str, int]:
    return at.step, at.generation
