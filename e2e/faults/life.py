"""One plan's life in a namespace of its own: from what the planner sees to a quiet cluster."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from e2e.faults.clock import Clock, ClockedEnactor
from e2e.faults.customer import Customer
from e2e.faults.harm import AnyFault
from e2e.faults.lives import Life
from e2e.faults.processes import Process
from e2e.faults.scene import ENDPOINT, RETENTION, STEADY, Scene
from e2e.faults.site import REGION, Site
from e2e.faults.state import Facts, Reader
from e2e.faults.traffic import Sent, Traffic
from holdfast.core.actor import Actor
from holdfast.core.names import service_fqdn
from holdfast.live.api import Api
from holdfast.live.operator import Regions
from holdfast.live.roles import planners

QUIET_SECONDS = 2.0
GIVE_UP_SECONDS = 5.0
"""Without any write or open call, while every enactor waits for a plan: longer than every pause of
the planner."""
STUCK_SECONDS = 15.0
"""As long, wherever they stand."""
PATIENCE_SECONDS = 90.0
CALM_SECONDS = 0.3
AFTERWARDS = 2
"""Plans without a fault, after all is quiet: what one takes off a tree, the next deletes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`after`: when all was quiet after the plan under test; `end`: after some more plans. `sent`:
    between the change that called for that plan and `after`. `effects`: creates and deletes that
    had one, of all time. `seconds`: from that change until the plan was applied; None if it was
    not before the next one came."""

    struck: bool
    after: Facts
    end: Facts
    effects: Counter[str]
    sent: tuple[Sent, ...]
    seconds: float | None
    late_status: int
    customer: Customer
    restarts: int

    def writes_of(self, process: str, generation: int) -> tuple[str, ...]:
        """The effective writes of the plan under test, in order."""
        return tuple(
            s.write.seen_from(generation)
            for s in self.sent
            if s.process == process and s.had_effect and not s.write.is_told
        )


class Stage:
    """The namespace of one case, with its processes."""

    def __init__(self, site: Site, space: str, life: Life, guards: Mapping[str, str]) -> None:
        self._site, self._space, self._life = site, space, life
        self._scene = Scene(site.api, site.server, space, life, guards)
        self.traffic = Traffic()
        # A tree that the rollback record names is unpinned a plan later, and deleted then.
        self._kept = RETENTION + (guards["cleanup"] == "PinLive")
        self._clocks: dict[str, Clock] = {}
        zones = [f"{REGION}{letter}" for letter in "ab"[: life.enactors]]
        self._enactors = {
            f"enactor-{zone[-1]}": self._process(f"enactor-{zone[-1]}", zone) for zone in zones
        }
        self._planner = Process(
            *("planner", lambda api, _: planners(api), space, site.proxy, self.traffic),
            plans=False,
        )

    def _process(self, name: str, zone: str) -> Process:
        clock = self._clocks[name] = Clock(lambda step: self.traffic.strikes_clock(name, step))

        def role(api: Api, pod: str) -> Regions:
            me = Actor(zone, f"{zone}/{pod}")
            return Regions(
                lambda region, raw, plans: ClockedEnactor(api, me, region, raw, plans, clock)
            )

        return Process(name, role, self._space, self._site.proxy, self.traffic, plans=True)

    async def play(self, fault: AnyFault | None, busy: asyncio.Semaphore) -> Outcome:
        """`busy` is held while there is something to do, and not while a late write is awaited."""
        traffic = self.traffic
        async with busy:
            await self._scene.lay()
            name = service_fqdn(ENDPOINT, self._space, REGION)
            customer = self._site.customers.join(name)
            since, seconds = await self._strike(fault)
            if not traffic.late:
                until, after, end = await self._heal()
        if traffic.late:
            await self._late_ones()
            async with busy:
                await self._settled(self._newest)
                until, after, end = await self._heal()
        self._site.customers.leave(customer)
        await self._stop()
        return Outcome(
            struck=traffic.struck_at is not None,
            after=after,
            end=end,
            effects=traffic.effects(),
            sent=tuple(traffic.sent[since:until]),
            seconds=seconds,
            late_status=next((s.status for s in traffic.sent if s.late), 0),
            customer=customer,
            restarts=sum(len(p.pods) - 1 for p in self._processes()),
        )

    async def _strike(self, fault: AnyFault | None) -> tuple[int, float | None]:
        """Until all is quiet after the plan under test and those that overtake it. Returns how much
        had been sent before it, and the seconds until it was applied."""
        life, traffic = self._life, self.traffic
        traffic.plan = life.first
        if not life.calm:
            self._arm(fault)
        began = self._start()
        for generation in range(life.first, life.under_test):
            await self._calmly(generation)
        since = len(traffic.sent)
        if life.calm:
            traffic.plan = life.under_test
            self._arm(fault)
            began = await self._scene.change(life.under_test)
        applied = await self._settled(life.under_test)
        for generation in range(life.under_test + 1, self._newest + 1):
            await self._calmly(generation, change=True)
        return since, applied - began if applied else None

    async def _heal(self) -> tuple[int, Facts, Facts]:
        """How much has been sent by now, what there is now, and what there is some plans later."""
        until, after = len(self.traffic.sent), await self._facts()
        last = self._newest + AFTERWARDS
        for generation in range(self._newest + 1, last + 1):
            await self._calmly(generation, change=True)
        await self._settled(last)
        return until, after, await self._facts()

    def _arm(self, fault: AnyFault | None) -> None:
        if fault is not None:
            self.traffic.arm(fault)

    @property
    def _newest(self) -> int:
        """Of the plans that are made before the next one after all is quiet."""
        return self._life.under_test + self._life.overtaking

    def _processes(self) -> tuple[Process, ...]:
        return (self._planner, *self._enactors.values())

    def _start(self) -> float:
        for process in self._processes():
            process.start()
        return time.monotonic()

    async def _stop(self) -> None:
        for process in self._processes():
            await process.stop()
        await self._scene.clear()
        self._site.ground.forget(self._space)

    async def _calmly(self, generation: int, change: bool = False) -> None:
        """A plan without any fault. The first is there already."""
        if change or generation > self._life.first:
            await self._scene.change(generation)
        await self._settled(generation, CALM_SECONDS)

    async def _settled(self, generation: int, quiet: float = QUIET_SECONDS) -> float | None:
        """Wait until this plan is applied and nobody writes any more, or until nobody has for so
        long that it will not be. Returns since when it is applied."""
        began, applied_at = time.monotonic(), None
        while (now := time.monotonic()) < began + PATIENCE_SECONDS:
            applied = self._site.ground.is_applied(self._space, generation, self._kept)
            applied_at = (applied_at or now) if applied else None
            silence = min(self.traffic.quiet_for(), now - began)
            rest = all(c.done for c in self._clocks.values())
            if silence >= STUCK_SECONDS or (rest and silence >= GIVE_UP_SECONDS):
                break
            done = all(c.done >= generation for c in self._clocks.values())
            if applied and done and silence >= quiet:
                break
            await asyncio.sleep(0.05)
        return applied_at

    async def _late_ones(self) -> None:
        self.traffic.may_arrive.set()
        while self.traffic.late:
            await asyncio.sleep(0.1)

    async def _facts(self) -> Facts:
        names = {f"198.51.100.{STEADY}": "store-1"}
        for name, process in self._enactors.items():
            zone = f"{REGION}{name[-1]}"
            for pod in process.pods:
                dead = "" if pod == process.pods[-1] else "dead "
                names[f"{zone}/{pod}"] = f"{dead}{name}"
        return await Reader(self._site, self._space, self._life.under_test, names).facts()
