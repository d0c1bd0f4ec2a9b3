"""The lease manager of one zone: drives core's manager for every Region that has a fleet.

Renewals do not go by Kopf: its own patches bear no precondition, its timers set finalizers, and a
renewal costs up to half as much CPU again (docs/leases.md has the figures). What is not hot is
reconciled beside them (`lease_book`).
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

from holdfast.core.leases.attempt import Outcome, attempt
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.instances import held_droplets
from holdfast.core.leases.manager import Manager, Taken, end_of
from holdfast.core.leases.report import report
from holdfast.core.region import Region
from holdfast.live.api import Api, Json
from holdfast.live.authority import Authority
from holdfast.live.instance_role import Instances
from holdfast.live.lease_book import LeaseBook
from holdfast.live.lease_calls import LeaseCalls, agents_of
from holdfast.live.lease_wire import stamp, zone_selector
from holdfast.live.notices import LeaseNotices
from holdfast.live.standing import Standing
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.leases")

LOOK_SECONDS = 1.0
"""Between two looks at what is missing, has run out, or is to be told."""
QUIET_TELL_SECONDS = 5.0
"""How often it reports while nothing that people look at has changed."""
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
        self._book = LeaseBook(
            api,
            zone,
            me,
            self._uid,
            lambda: self.region,
            self.clock,
            self._know,
            self._notices.tell,
            self._start,
            self._standing.until_free,
        )
        self._manager: Manager | None = None
        self._index: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarts = _restarts(region, zone)
        self._failure = ""
        self._told: Json = {}
        self._told_at = float("-inf")

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
                self._learn_all()
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
                group.create_task(self._book.watch(fleet, self._changed.set))
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
        return held_droplets(self._book.leases.values(), self.clock())

    # --- what is known

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

    def _know(self, name: str, expires: float) -> None:
        if self._manager is not None and name in self._index:
            now = self._now()
            until = now + expires - self.clock() if expires else 0.0
            self._manager.know(self._index[name], until, now)

    def _learn_all(self) -> None:
        for lease in self._book.leases.values():
            self._book.learn(lease)

    # --- what is not hot

    async def _look_for_ever(self, fleet: Fleet) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._standing.until_free()
            if self.region.paused or not self._book.synced:
                continue
            await self._book.make(fleet)
            await self._book.say_expired(self._failure)
            await self._tell()

    async def _tell(self) -> None:
        """Our entry in the Region's status: what people look at at once, the rest now and then.
        Also where nothing is new: a manager that is gone leaves its last words."""
        manager, now = self._manager, self._now()
        if manager is None:
            return
        self._notices.look(now, manager, manager.held(now), self._failure)
        said = report(manager, now, self._me, self._failure)
        gist = {key: said[key] for key in ("units", "held", "queue", "underWay", "bound")}
        is_news = gist != {key: self._told.get(key) for key in gist}
        if not (is_news or now - self._told_at >= QUIET_TELL_SECONDS):
            return
        name = f"{self.region.namespace}/regions/{self.region.name}"
        path = f"{GROUP_PATH}/namespaces/{name}/status"
        ours = said | {"reported": stamp(self.clock())}
        answer = await self._api.merge_patch(path, {"status": {"leases": {self._zone: ours}}})
        if answer.ok:
            self._told, self._told_at = said, now

    # --- what is hot

    async def _work(self, fleet: Fleet, calls: LeaseCalls) -> None:
        while not (self._book.synced and len(self._book.leases) >= fleet.units):
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
        is_new = not any(lease.transitions for lease in self._book.leases.values())
        guards, names = self.region.lease_guards, fleet.names(self._zone)
        self._index = {name: i for i, name in enumerate(names)}
        fleet = self.region.fleet or fleet
        manager = Manager(fleet, guards, names, self._now(), random.random, is_new)
        self._manager = manager
        self._learn_all()
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
        known = self._book.leases.get(name)
        if known is None:
            return Outcome("WriteConflict", told=f"{name} is not there")
        lease = self._book.worth(known)
        outcome = await calls.drive(attempt(self._me, lease, taken.cost, queued, deadline))
        if outcome.why == "WriteConflict" and self._book.leases.get(name) is known:
            await self._book.find(name)  # the watch has not told of it yet
        return outcome

    def _ended(self, manager: Manager, name: str, taken: Taken, outcome: Outcome) -> None:
        expires = 0.0
        if outcome.lease is not None:
            self._book.keep(outcome.lease)
            expires = self._now() + outcome.lease.expires - self.clock()
        else:
            self._failure = f"{name}: {outcome.why}: {outcome.told}"
        manager.ended(taken, end_of(outcome), self._now(), expires)
        self._changed.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _restarts(region: Region, zone: str) -> int:
    restarts = region.fleet.restarts if region.fleet else None
    return (restarts or {}).get(zone, 0)
