"""The lease manager of one zone: drives core's manager for every Region that has a fleet.

Renewals do not go by Kopf: its own patches bear no precondition, its timers set finalizers, and a
renewal costs half as much CPU again (docs/leases.md has the figures). What is not hot, the making
of leases, their expiry, and the mending of what a hand has changed, is reconciled here beside them,
once a second.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from holdfast.core.leases.attempt import Outcome, attempt
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.instances import held_droplets
from holdfast.core.leases.lease import Lease, supersedes
from holdfast.core.leases.making import wanted
from holdfast.core.leases.manager import Manager, Taken, end_of
from holdfast.core.leases.report import report
from holdfast.core.reasons import Notice, Reason
from holdfast.core.region import Region
from holdfast.live.api import Answer, Api, Json
from holdfast.live.authority import Authority
from holdfast.live.instance_role import Instances
from holdfast.live.lease_calls import LeaseCalls, agents_of
from holdfast.live.lease_wire import (
    digest,
    expired,
    parse_lease,
    path_of_leases,
    render_lease,
    zone_selector,
)
from holdfast.live.notices import LeaseNotices
from holdfast.live.standing import Standing
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.leases")

PAGE = 500
"""Leases of a listing that are held at once as they came."""
LOOK_SECONDS = 1.0
"""Between two looks at what is missing, has run out, or is to be told."""
QUIET_TELL_SECONDS = 5.0
"""How often counts are told while nothing else has changed."""
MADE_AT_ONCE = 8
EXPIRED_SLACK_SECONDS = 0.5
"""Past its end before a lease is said to have run out: the renewal may be on its way."""
ANSWER_SECONDS = 2.0
"""How long a call beside the attempts is waited for: one lost answer must not keep the others."""
FUTURE_SECONDS = 3600.0
"""What another has renewed so far ahead is no lease: no clock that goes wrong is off by so much,
and a hand's stamp of the year 9999 would keep it for ever."""
CLOCK_SECONDS = 30.0
"""Between two looks at the wall clock. In between a clock of our own runs: a jump of the wall clock
voids the attempts of one moment and no more."""


class LeaseManager:
    """One Region's, in this zone. `me` is `<zone>/<pod uid>`."""

    def __init__(
        self,
        api: Api,
        zone: str,
        me: str,
        region: Region,
        raw: Json,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self._api, self._zone, self._me, self._wall = api, zone, me, wall
        self._uid = str(raw["metadata"]["uid"])
        self._base = wall() - time.monotonic()
        self._based_at = time.monotonic()
        self._changed = asyncio.Event()
        self._authority = Authority(api, region.namespace)
        self._notices = LeaseNotices(api, region, zone, me)
        self._standing = Standing(api, zone, region, raw)
        self._pods: dict[str, Json] = {}
        self._leases: dict[str, Lease] = {}
        self._gone: dict[str, Lease] = {}
        self._manager: Manager | None = None
        self._index: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarts = _restarts(region, zone)
        self._failure = ""
        self._told: Json = {}
        self._told_at = float("-inf")
        self._synced = False

    # --- what Regions tells it

    def update(self, region: Region, raw: Json) -> None:
        """The Region as its watch shows it now."""
        before, self.region = self.region, region
        self._notices.update(raw)
        self._standing.update(region, raw)
        if self._manager is not None and region.fleet is not None:
            if region.fleet != before.fleet or region.lease_guards != before.lease_guards:
                self._manager.obey(region.fleet, region.lease_guards)
            if (restarts := _restarts(region, self._zone)) != self._restarts:
                log.warning("%s: what is in memory is dropped, by a human", region.namespace)
                self._restarts = restarts
                self._manager.restart(self._now())
                for lease in self._leases.values():
                    self._learn(lease)
        self._changed.set()

    def news(self) -> None:
        """Plans are not its business."""

    async def run(self) -> None:
        """For ever, until cancelled; from the moment on at which the Region has a fleet."""
        while (fleet := self.region.fleet) is None or self._zone not in self.region.zones:
            self._changed.clear()
            await self._changed.wait()
        calls = LeaseCalls(
            self._api,
            self.region,
            self._uid,
            self._authority.servers,
            lambda: agents_of(self._pods),
            self.clock,
            self._standing.reach,
        )
        instances = Instances(
            self._api, lambda: self.region, self._zone, self._held_droplets, self.clock
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._authority.watch())
                group.create_task(self._watch_pods())
                group.create_task(self._watch_leases(fleet))
                group.create_task(self._notices.run())
                group.create_task(self._standing.run())
                group.create_task(instances.run())
                group.create_task(self._look_for_ever(fleet))
                group.create_task(self._work(fleet, calls))
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await calls.close()

    # --- time

    def _now(self) -> float:
        return time.monotonic()

    def clock(self) -> float:
        """Seconds of the epoch, without the jumps of the wall clock while anything is under way."""
        now = time.monotonic()
        if now - self._based_at > CLOCK_SECONDS:
            self._base, self._based_at = self._wall() - now, now
        return self._base + now

    def _held_droplets(self) -> frozenset[str]:
        return held_droplets(self._leases.values(), self.clock())

    # --- watches

    async def _watch_pods(self) -> None:
        path = f"/api/v1/namespaces/{self.region.namespace}/pods"
        selector = f"app.kubernetes.io/name=rack,{zone_selector(self._zone)}"
        async for change in follow(self._api, path, selector):
            if change.event == "SYNCED":
                continue
            if change.event == "DELETED":
                self._pods.pop(change.obj["metadata"]["uid"], None)
            else:
                self._pods[change.obj["metadata"]["uid"]] = change.obj

    async def _watch_leases(self, fleet: Fleet) -> None:
        path = path_of_leases(fleet.mode, self.region.namespace)
        self._index = {name: i for i, name in enumerate(fleet.names(self._zone))}
        async for change in follow(self._api, path, zone_selector(self._zone), digest, PAGE):
            if change.event == "SYNCED":
                self._synced = True
                self._changed.set()
                continue
            lease: Lease = change.obj["value"]
            if change.event == "DELETED":
                self._deleted(lease)
            elif supersedes(lease, self._leases.get(lease.name)):
                self._seen(lease, change.obj["hand"])

    def _seen(self, lease: Lease, hand: str) -> None:
        before = self._leases.get(lease.name)
        self._leases[lease.name] = lease
        is_ours = before is not None and (before.uid, before.holder) == (lease.uid, self._me)
        if before is not None and is_ours and (who := self._who(before, lease, hand)):
            self._edited(before, lease, who)
            return
        self._learn(lease)

    def _who(self, before: Lease, lease: Lease, hand: str) -> str:
        """The hand that has changed a lease of ours, "" if none has. What has been taken out of it
        is nobody's any more; no manager takes a holder out. And what reads like a renewal of ours
        is one: by whom a lease was written is known to the second only."""
        if not lease.holder:
            return hand or "a hand"
        is_renewal = before.renewed < lease.renewed <= self.clock() + EXPIRED_SLACK_SECONDS
        return "" if lease.holder == self._me and is_renewal else hand

    def _deleted(self, lease: Lease) -> None:
        known = self._leases.get(lease.name)
        if known is None or known.uid != lease.uid:
            return
        del self._leases[lease.name]
        self._know(lease.name, 0.0)
        if known.holder == self._me:
            self._gone[lease.name] = known

    def _back(self, lease: Lease) -> None:
        """A lease of ours that was gone from the watch is there. Another one: it was deleted."""
        gone = self._gone.pop(lease.name, None)
        if gone is not None and gone.uid != lease.uid:
            told = f"{lease.name} was deleted, and is made anew"
            self._notices.tell(Notice(Reason.LEASE_DELETED, told, lease.name))

    def _edited(self, before: Lease, found: Lease, hand: str) -> None:
        """A hand has changed a lease of ours: it is written as it was, at the version found."""
        told = f"{found.name} was edited by {hand}: it is {found.phase}, held by "
        told += f"{found.holder or 'nobody'}; as it was, it is {before.phase}, held by us"
        self._notices.tell(Notice(Reason.LEASE_EDITED, told, found.name))
        version = found.resource_version
        transitions = max(before.transitions, found.transitions)
        mended = replace(before, resource_version=version, transitions=transitions)
        self._start(self._write(mended))

    def _learn(self, lease: Lease) -> None:
        self._know(lease.name, self._worth(lease).expires if lease.holder == self._me else 0.0)

    def _worth(self, lease: Lease) -> Lease:
        """The lease, for what it is worth now: one that was renewed in the future is none. Ours is
        so after our clock has gone back, and is acquired anew. Of another's the clock may be wrong,
        or ours: so it is believed for as long as can be."""
        ahead = lease.renewed - self.clock()
        most = lease.seconds if lease.holder == self._me else max(FUTURE_SECONDS, lease.seconds)
        return replace(lease, renewed=0.0, acquired=0.0) if ahead > most else lease

    async def _find(self, name: str) -> None:
        """Read a lease of which an answer has told what our watch has not: it may be behind, or the
        lease out of its sight, for its labels are what it is watched by."""
        known, fleet = self._leases.get(name), self.region.fleet
        if fleet is None:
            return
        path = path_of_leases(fleet.mode, self.region.namespace)
        answer = await _soon(self._api.get(path, fieldSelector=f"metadata.name={name}"))
        if not answer.ok:
            return
        if not answer.body["items"]:
            if known is not None:
                self._deleted(known)
            return
        found = digest(answer.body["items"][0])
        lease: Lease = found["value"]
        self._back(lease)
        if found["labelled"] != self._zone:
            told = f"{name} was edited by {found['hand'] or 'a hand'}: its labels were taken off"
            self._notices.tell(Notice(Reason.LEASE_EDITED, told, name))
            await self._write(lease)
        elif supersedes(lease, self._leases.get(name)):
            self._seen(lease, found["hand"])

    def _know(self, name: str, expires: float) -> None:
        if self._manager is not None and name in self._index:
            now = self._now()
            until = now + expires - self.clock() if expires else 0.0
            self._manager.know(self._index[name], until, now)

    # --- what is not hot

    async def _look_for_ever(self, fleet: Fleet) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._standing.until_free()
            if self.region.paused or not self._synced:
                continue
            await self._make(fleet)
            await self._say_expired()
            await self._tell()

    async def _make(self, fleet: Fleet) -> None:
        """Leases that are not there."""
        if all(name in self._leases for name in self._index):
            return
        missing = [ls for ls in wanted(fleet, self._zone) if ls.name not in self._leases]
        gate = asyncio.Semaphore(MADE_AT_ONCE)

        async def make(lease: Lease) -> None:
            async with gate:
                body = render_lease(lease, self.region.name, self._uid)
                path = path_of_leases(fleet.mode, self.region.namespace)
                answer = await _soon(self._api.create(path, body))
            if answer.ok:
                made = parse_lease(answer.body)
                if supersedes(made, self._leases.get(made.name)):
                    self._leases[made.name] = made
                self._back(made)
            elif answer.status == 409:
                await self._find(lease.name)
            else:
                log.debug("%s: %s not made: %s", self.region.namespace, lease.name, answer.body)

        await asyncio.gather(*(make(lease) for lease in missing))
        self._changed.set()

    async def _say_expired(self) -> None:
        """Write of leases that have run out that they have: a lease does not do so by itself."""
        now = self.clock()
        due = [
            lease
            for lease in self._leases.values()
            if lease.phase == "Held" and self._worth(lease).expires + EXPIRED_SLACK_SECONDS <= now
        ]

        async def say(lease: Lease) -> None:
            if self._leases.get(lease.name) is lease:
                await self._write(expired(lease, self._failure))

        for batch in (due[i : i + MADE_AT_ONCE] for i in range(0, len(due), MADE_AT_ONCE)):
            await asyncio.gather(*map(say, batch))

    async def _write(self, lease: Lease) -> None:
        """A write beside the attempts, under the version that was read. What fails is due again."""
        fleet = self.region.fleet
        if fleet is None:
            return
        await self._standing.until_free()
        path = f"{path_of_leases(fleet.mode, self.region.namespace)}/{lease.name}"
        body = render_lease(lease, self.region.name, self._uid)
        answer = await _soon(self._api.replace(path, body))
        if answer.ok:
            written = parse_lease(answer.body)
            if supersedes(written, self._leases.get(written.name)):
                self._leases[written.name] = written
                self._learn(written)

    async def _tell(self) -> None:
        """Our entry in the Region's status: at once what people look at, counts now and then."""
        manager, now = self._manager, self._now()
        if manager is None:
            return
        self._notices.look(now, manager, manager.held(now), self._failure)
        said = report(manager, now, self._me, self._failure)
        gist = {key: said[key] for key in ("units", "held", "queue", "underWay", "bound")}
        is_news = gist != {key: self._told.get(key) for key in gist}
        if said == self._told or not (is_news or now - self._told_at > QUIET_TELL_SECONDS):
            return
        name = f"{self.region.namespace}/regions/{self.region.name}"
        path = f"{GROUP_PATH}/namespaces/{name}/status"
        answer = await self._api.merge_patch(path, {"status": {"leases": {self._zone: said}}})
        if answer.ok:
            self._told, self._told_at = said, now

    # --- what is hot

    async def _work(self, fleet: Fleet, calls: LeaseCalls) -> None:
        while not (self._synced and len(self._leases) >= fleet.units):
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
        is_new = not any(lease.transitions for lease in self._leases.values())
        guards, names = self.region.lease_guards, fleet.names(self._zone)
        fleet = self.region.fleet or fleet
        manager = Manager(fleet, guards, names, self._now(), random.random, is_new)
        self._manager = manager
        for lease in self._leases.values():
            self._learn(lease)
        while True:
            await self._standing.until_free()
            if self.region.paused:
                self._changed.clear()
                await self._changed.wait()
                continue
            calls.region = self.region
            manager.beat(self._now())
            while (taken := manager.take(self._now())) is not None:
                self._start(self._attempt(manager, calls, taken))
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, manager.wake() - self._now())):
                    await self._changed.wait()

    async def _attempt(self, manager: Manager, calls: LeaseCalls, taken: Taken) -> None:
        name = manager.names[taken.work.unit]
        outcome = Outcome("WriteFailed", told="it broke off")
        try:
            outcome = await self._try(name, calls, taken)
        finally:  # whatever becomes of it, its worker is free again
            self._ended(manager, name, taken, outcome)

    async def _try(self, name: str, calls: LeaseCalls, taken: Taken) -> Outcome:
        ahead = self.clock() - self._now()
        queued, deadline = taken.work.queued + ahead, taken.deadline + ahead
        known = self._leases.get(name)
        if known is None:
            outcome = Outcome("WriteConflict", told=f"{name} is not there")
        else:
            lease = self._worth(known)
            outcome = await calls.drive(attempt(self._me, lease, taken.cost, queued, deadline))
        lost_it = outcome.why == "WriteConflict" and known is not None
        if lost_it and self._leases.get(name) is known:  # the watch has not told of it yet
            await self._find(name)
        return outcome

    def _ended(self, manager: Manager, name: str, taken: Taken, outcome: Outcome) -> None:
        expires = 0.0
        if outcome.lease is not None:
            if supersedes(outcome.lease, self._leases.get(name)):
                self._leases[name] = outcome.lease
            expires = self._now() + outcome.lease.expires - self.clock()
        else:
            self._failure = f"{name}: {outcome.why}: {outcome.told}"
        manager.ended(taken, end_of(outcome), self._now(), expires)
        self._changed.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _soon(call: Coroutine[Any, Any, Answer]) -> Answer:
    """An answer, or none if it takes too long."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except TimeoutError:
        return Answer(0, {"message": f"no answer within {ANSWER_SECONDS:g} s"})


def _restarts(region: Region, zone: str) -> int:
    restarts = region.fleet.restarts if region.fleet else None
    return (restarts or {}).get(zone, 0)
