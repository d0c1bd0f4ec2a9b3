"""The enactor of one zone: drives the flow of `core.enactor` for every Region.

Standalone and never leader-elected: no enactor waits for, or hears of, another. What it tells about
itself (holds, counts) goes into its own key of `Region.status.actors`, and nobody waits for that
write.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from holdfast.core.actor import Actor
from holdfast.core.book import Book
from holdfast.core.enactor import START, enact
from holdfast.core.holds import HOLD_GRACE_SECONDS, ActorView, actor_of, actor_status
from holdfast.core.intents import MUTATIONS, Intent, Pick, Reach
from holdfast.core.objects import Alias, Plan
from holdfast.core.places import CARRYING, AtPick, Place
from holdfast.core.region import Region, backoff
from holdfast.core.replies import Reply, TimedOut, Written
from holdfast.core.rounds import (
    Applied,
    Deferred,
    Flow,
    Frozen,
    Refused,
    Round,
    Stale,
    Withheld,
)
from holdfast.live import lanes, metrics
from holdfast.live.api import CALL_TIMEOUT_SECONDS, Api, Json
from holdfast.live.authority import Authority
from holdfast.live.notices import EnactorNotices
from holdfast.live.outlook import REPAIR_AFTER_SECONDS, Outlook
from holdfast.live.perform import Performer
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.enactor")

REFUSED_PAUSE_SECONDS = 1.0
"""Before an apply that failed is tried again although no newer plan has come."""
FROZEN_LOOK_SECONDS = 1.0
"""How often an enactor looks whether a freeze has passed."""
COUNTS_EVERY_SECONDS = 1.0
"""How often counts are told where nobody waits for them."""


class Enactor:
    """One Region's enactor in this zone. `plans` belongs to the role's watch of DNSPlans; `clock`
    is the wall clock."""

    def __init__(
        self,
        api: Api,
        me: Actor,
        region: Region,
        status: Json,
        plans: Mapping[int, Plan],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self.plans = plans
        self.actors: dict[str, ActorView] = {}
        self._api, self._me, self._clock = api, me, clock
        self._changed = asyncio.Event()
        self._unsaid = asyncio.Event()
        self._checked_at: float | None = None
        self._ended = False
        self._complained = ""
        self._deferrals = 0
        self._authority = Authority(api, region.namespace)
        self._notices = EnactorNotices(api, region, me.zone, me.identity)
        self._performer = Performer(
            api,
            region.namespace,
            region.name,
            self._pick,
            self._authority.servers,
            self._reach,
            clock,
        )
        self._outlook = Outlook(api, region.namespace, self._changed)
        self._chance = random.Random(None if region.seed is None else f"{region.seed}/{me.zone}")
        own = (status.get("actors") or {}).get(me.zone) or {}
        self._book = Book(replace(actor_of(me.zone, own), hold=""))
        # Somebody of our zone stands at a hold: the entry is theirs, and we are their replacement.
        self._is_silent = bool(own.get("hold"))
        self._loses = False
        self._freezes = self._freezes_at_pick = 0

    def update(self, region: Region, raw: Json) -> None:
        """The Region as its watch shows it now."""
        if region.freeze not in (None, self.region.freeze):
            self._freezes += 1
        self.region = region
        status = raw.get("status") or {}
        self.actors = {z: actor_of(z, raw) for z, raw in (status.get("actors") or {}).items()}
        self._notices.update(raw)
        self._changed.set()

    def news(self) -> None:
        """`plans` has changed."""
        self._changed.set()

    async def run(self) -> None:
        """For ever, until cancelled: one round after another."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._authority.watch())
            group.create_task(self._notices.run())
            group.create_task(self._tell())
            group.create_task(self._look_out())
            group.create_task(self._rounds())

    async def _rounds(self) -> None:
        here: Place = START
        host = lanes.Host(self._width, self._begin, self._perform, self._until_due, self._defer)
        while not self._ended:
            outcome = await lanes.apply(host, await self._until_due(here))
            here = outcome.then
            await self._after(outcome)

    def _width(self) -> int:
        """Endpoints at once. Holds are for one thing after the other."""
        return 1 if self.region.holds else self.region.parallel

    def _begin(self, here: Place) -> Flow:
        return enact(self._me, self.region.rules(), here)

    async def _look_out(self) -> None:
        """Watch what is answered, from the moment on at which somebody asks for repairs."""
        while not self.region.guards.repairs:
            await asyncio.sleep(FROZEN_LOOK_SECONDS)
        await self._outlook.watch()

    async def _until_due(self, here: Place) -> Place:
        """Wait while the Region is paused or frozen, or there is nothing to pick. A round starts
        after the wait and not before, so that it obeys the knobs of its time.

        Where to start: `here`, unless a plan would be carried there that was picked before a
        freeze. Whatever a human did meanwhile, a thaw lets loose the newest plan (see `Frozen`).
        """
        while self._rests() or (isinstance(here, AtPick) and self._next(here.above) is None):
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._changed.wait()
        if isinstance(here, CARRYING) and self._freezes > self._freezes_at_pick:
            return AtPick(here.plan.generation - 1)
        return here

    def _rests(self) -> bool:
        return self.region.paused or self.region.is_frozen(self._clock())

    def _patience(self) -> float | None:
        """Seconds after which to look again although nothing has happened; None for never."""
        if self.region.freeze is not None:
            return FROZEN_LOOK_SECONDS
        return REPAIR_AFTER_SECONDS / 2 if self._outlook.is_waiting else None

    def _newest(self) -> int:
        return max(self.plans, default=0)

    def _next(self, above: int) -> Plan | None:
        """What there is to do: a newer plan, or a repair of the newest. Where a hand has taken
        plans away, the newest that is left: or an enactor that was done with a plan of a number too
        high would wait for ever."""
        newest = self._newest()
        if newest > above or 0 < newest < above:
            return self.plans[newest]
        if newest and self.region.guards.repairs:
            return self._outlook.broken(self.plans[newest])
        return None

    async def _pick(self, intent: Pick) -> Plan:
        while (found := self._next(intent.above)) is None or self._rests():
            await self._until_due(AtPick(intent.above))
        if found.generation == intent.above:
            log.warning(
                "%s: %s not served as plan %s has it: enacted anew",
                self.region.namespace,
                ", ".join(e.endpoint for e in found.endpoints),
                found.generation,
            )
            self._outlook.tried()
        self._freezes_at_pick = self._freezes
        return found

    async def _after(self, outcome: Round) -> None:
        """Book the round's outcome, and pause if that is what it asks for."""
        space = self.region.namespace
        did = self._book.ended(outcome)
        self._notices.ended(self.region.guards, outcome)
        self._spread()
        metrics.ROUNDS.labels(space, type(outcome).__name__).inc()
        metrics.DELETED.labels(space).inc(len(did.deletes))
        if did.end:
            metrics.WRITES.labels(space, did.end).inc()
        self._deferrals = self._deferrals + 1 if isinstance(outcome, Deferred) else 0
        match outcome:
            case Applied(generation):
                if did.flips or did.deletes:
                    log.info("%s: plan %s applied: %s", space, generation, did)
            case Stale(generation, live, at):
                log.info("%s: plan %s dropped at %s: %s is live", space, generation, at, live)
            case Refused(generation, endpoint, reason, final):
                self._ended = final
                if self._complained != reason:
                    log.warning(
                        "%s: plan %s refused at %s: %s", space, generation, endpoint, reason
                    )
                self._complained = reason
                await asyncio.sleep(REFUSED_PAUSE_SECONDS * self._chance.uniform(0.5, 1.0))
            case Frozen(generation, endpoint, by):
                if self._complained != by:
                    log.warning("%s: %s is frozen: %s", space, endpoint, by)
                self._complained = by
                await asyncio.sleep(REFUSED_PAUSE_SECONDS * self._chance.uniform(0.5, 1.0))
            case Withheld(generation):
                log.warning(
                    "%s: plan %s has no address: the last good answer stays", space, generation
                )
            case Deferred():
                await asyncio.sleep(self._defer(outcome, self._deferrals))

    def _defer(self, outcome: Deferred, attempts: int) -> float:
        """Say why there is a wait, and for how many seconds."""
        space, reason = self.region.namespace, outcome.reason
        self._notices.deferred(outcome, attempts)
        log.debug("%s: deferred: %s", space, reason)
        if attempts in (5, 50, 500):
            log.warning("%s: deferred %s times: %s", space, attempts, reason)
        return backoff(self.region, attempts, self._chance.random())

    async def _perform(self, intent: Intent) -> Reply:
        reply = await self._performer(intent)
        if self._loses and isinstance(intent, MUTATIONS):
            reply = await self._lost()
        write = self._book.performed(intent, reply)
        self._notices.performed(self.region.guards, intent, reply)
        self._spread()
        if write:
            metrics.WRITES.labels(self.region.namespace, write).inc()
        if write == "flipped" and isinstance(reply, Written) and isinstance(reply.obj, Alias):
            self._measure(reply.obj)
        return reply

    async def _lost(self) -> Reply:
        """The reply is lost after its effect: what the actor learns, it learns by its time-out."""
        self._loses = False
        await asyncio.sleep(CALL_TIMEOUT_SECONDS)
        return TimedOut(self._clock())

    def _measure(self, flipped: Alias) -> None:
        space = self.region.namespace
        if self._checked_at is not None:
            metrics.CHECK_TO_WRITE.labels(space).observe(time.monotonic() - self._checked_at)
        applied = metrics.GENERATION.labels(space, flipped.endpoint, "applied")
        applied.set(flipped.generation)

    async def _reach(self, at: Reach) -> None:
        """Stand at a step, and stay while a hold says so."""
        if at.step == "pick":
            self._checked_at = None
        elif at.step == "check":
            self._checked_at = time.monotonic()
        hold = self._book.arrive(at, self.region.holds, self.actors, self._newest())
        self._spread()
        if hold is None:
            return
        if hold.loses:
            self._loses = True
            self._book.let_go()
            self._spread()
            return
        where = (self.region.namespace, hold.name)
        log.info("%s: held by %s at %s with plan %s", *where, at.step, at.generation)
        metrics.HOLDS.labels(self.region.namespace).set(1)
        await self._until_released(hold.name, hold.deadline_seconds + HOLD_GRACE_SECONDS)
        metrics.HOLDS.labels(self.region.namespace).set(0)
        self._book.let_go()
        self._spread()
        log.info("%s: released from %s", *where)

    async def _until_released(self, name: str, patience_seconds: float) -> None:
        try:
            async with asyncio.timeout(patience_seconds):
                while any(h.name == name and not h.released for h in self.region.holds):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("%s: %s was never released", self.region.namespace, name)

    def _spread(self) -> None:
        """Have the news of the book told, if there are any."""
        if self._book.unsaid:
            self._unsaid.set()

    async def _tell(self) -> None:
        """Write what there is to say, the latest only, until it is written. In Regions without
        holds nobody listens, and nothing is said; but counts are, now and then, in a run of mode
        Jitter."""
        path = f"{GROUP_PATH}/namespaces/{self.region.namespace}/regions/{self.region.name}/status"
        while True:
            await self._unsaid.wait()
            self._unsaid.clear()
            view = self._book.tell()
            is_jitter = self.region.seed is not None
            if not (self.region.holds or is_jitter) or self._is_silent:
                continue
            entry = {self._me.zone: actor_status(view)}
            answer = await self._api.merge_patch(path, {"status": {"actors": entry}})
            if not answer.ok and answer.status != 404:
                await asyncio.sleep(0.2)
                self._unsaid.set()
            elif is_jitter:
                await asyncio.sleep(COUNTS_EVERY_SECONDS)
