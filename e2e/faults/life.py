"""One plan's life in a namespace of its own: from what the planner sees to a quiet cluster."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from e2e.faults.clock import Clock, ClockedEnactor
from e2e.faults.customer import Customer
from e2e.faults.harm import AnyFault
from e2e.faults.processes import Process
from e2e.faults.site import REGION, Site, authoritative, namespace
from e2e.faults.state import Facts, Reader
from e2e.faults.traffic import Sent, Traffic
from e2e.install import NAMESPACE as SYSTEM
from e2e.install import RELEASE
from holdfast.core.actor import Actor
from holdfast.core.names import CAPACITY_ANNOTATION, plan_name, service_fqdn
from holdfast.live.api import Api, Json
from holdfast.live.operator import Regions
from holdfast.live.roles import planners
from holdfast.live.wire import GROUP_PATH

ENDPOINT = "dynamodb"
RETENTION, PLAN_HISTORY = 1, 4
LOCK_SECONDS = 3
"""Short, for the lock of the dead must expire before its successor goes on; and yet longer than
all that is done under it."""
QUIET_SECONDS = 2.0
GIVE_UP_SECONDS = 5.0
"""Without any write or open call, while every enactor waits for a plan: longer than every pause of
the planner."""
STUCK_SECONDS = 15.0
"""As long, wherever they stand."""
PATIENCE_SECONDS = 90.0
CALM_SECONDS = 0.3
STEADY = 200
"""The last number of the address of the front end that never changes."""
AFTERWARDS = 2
"""Plans without a fault, after all is quiet: what one takes off a tree, the next deletes."""


class Change(StrEnum):
    """What has the planner append."""

    FRONT_END = "a front end"
    REGION = "the Region"
    SERVERS = "the DNS servers' slice, and a front end"


@dataclass(frozen=True, slots=True)
class Life:
    """`first` is the generation of the first plan, `calm` how many are applied before the one under
    test, `overtaking` how many while a late write of it is still on its way."""

    name: str
    first: int = 7
    calm: int = 3
    enactors: int = 1
    change: Change = Change.FRONT_END
    overtaking: int = 0

    @property
    def under_test(self) -> int:
        return self.first + self.calm


LATER = Life("a later plan")
"""Plan 10, so that the planner trims its history, too."""
FIRST = Life("the first plan", first=1, calm=0)
OVERTAKEN = Life("overtaken", overtaking=3)
PAIR = Life("two enactors", enactors=2)
EDITED = Life("the Region edited", change=Change.REGION)
MOVED = Life("the DNS servers moved", change=Change.SERVERS)
LIVES = (LATER, FIRST, OVERTAKEN, PAIR, EDITED, MOVED)


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
        self._site, self._space, self._life, self._guards = site, space, life, guards
        self._core = f"/api/v1/namespaces/{space}"
        self._ours = f"{GROUP_PATH}/namespaces/{space}"
        self.traffic = Traffic()
        self._slice = 0
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
            await self._lay()
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
            began = await self._change(life.under_test)
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

    async def _lay(self) -> None:
        """The namespace and what is in it before any process starts."""
        api, life = self._site.api, self._life
        await api.ensure("/api/v1/namespaces", namespace(self._space))
        await api.ensure(f"{self._core}/serviceaccounts", {"metadata": {"name": "default"}})
        for role in ("planner", "enactor"):
            path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._space}/rolebindings"
            await api.ensure(path, _binding(role))
        for pod in ("store-1", "store-2"):
            await api.ensure(f"{self._core}/pods", _pod(pod))
        await self._address("store-1", STEADY)
        await self._address("store-2", life.first)
        await self._serve_slice()
        if life.calm:  # the older one is never enacted: there is something to trim
            for generation in (life.first - 1, life.first):
                await api.ensure(f"{self._ours}/dnsplans", _plan(generation))
        await api.ensure(f"{self._ours}/regions", _region(self._guards, life))

    def _start(self) -> float:
        for process in self._processes():
            process.start()
        return time.monotonic()

    async def _stop(self) -> None:
        for process in self._processes():
            await process.stop()
        await self._site.api.delete(f"/api/v1/namespaces/{self._space}")
        self._site.ground.forget(self._space)

    async def _calmly(self, generation: int, change: bool = False) -> None:
        """A plan without any fault. The first is there already."""
        if change or generation > self._life.first:
            await self._change(generation)
        await self._settled(generation, CALM_SECONDS)

    async def _change(self, generation: int) -> float:
        """Have the planner append this plan. Returns when."""
        match self._life.change:
            case Change.SERVERS if generation >= self._life.under_test:
                await self._serve_slice()
            case Change.REGION if generation >= self._life.under_test:
                added = [f"added-{g}" for g in range(self._life.under_test, generation + 1)]
                body = {"spec": {"endpoints": [ENDPOINT, *added]}}
                answer = await self._site.api.merge_patch(f"{self._ours}/regions/{REGION}", body)
                assert answer.ok, answer
                return time.monotonic()
        await self._address("store-2", generation)
        return time.monotonic()

    async def _serve_slice(self) -> None:
        """Publish the servers' slice under a new name, then take the former one away."""
        api = self._site.api
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self._space}/endpointslices"
        self._slice += 1
        await api.ensure(path, authoritative(f"authoritative-{self._slice}", self._site.server))
        if self._slice > 1:
            await api.delete(f"{path}/authoritative-{self._slice - 1}")

    async def _address(self, pod: str, number: int) -> None:
        """A front end's address: of a range that is for documentation, for nobody connects."""
        address = f"198.51.100.{number}"
        status = {
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        path = f"{self._core}/pods/{pod}/status"
        answer = await self._site.api.merge_patch(path, {"status": status})
        assert answer.ok, answer

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


def _binding(role: str) -> Json:
    """An operator that is installed watches this Region, too, and leaves it alone, for it says
    that it is paused. Without the right to look it would ask for it again and again."""
    group = "rbac.authorization.k8s.io"
    name = f"{RELEASE}-{role}"
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": f"{name}-arm"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}],
    }


def _pod(name: str) -> Json:
    """A front end for the planner to see; no kubelet ever runs it."""
    return {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": "store"},
            "annotations": {CAPACITY_ANNOTATION: "100"},
        },
        "spec": {"schedulerName": "nobody", "containers": [{"name": "store", "image": "none"}]},
    }


def _plan(generation: int) -> Json:
    addresses = [f"198.51.100.{number}" for number in sorted((str(generation), str(STEADY)))]
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "DNSPlan",
        "metadata": {"name": plan_name(generation)},
        "spec": {
            "planGeneration": generation,
            "endpoints": [
                {"name": ENDPOINT, "addresses": [{"address": a, "weight": 100} for a in addresses]}
            ],
        },
    }


def _region(guards: Mapping[str, str], life: Life) -> Json:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": REGION},
        "spec": {
            "endpoints": [ENDPOINT],
            "zones": [f"{REGION}{letter}" for letter in "ab"[: life.enactors]],
            "retention": RETENTION,
            "planHistory": PLAN_HISTORY,
            "enactor": {
                "lockSeconds": LOCK_SECONDS,
                "backoffMilliseconds": 50,
                "backoffMaxMilliseconds": 500,
            },
            "guards": {"dns": dict(guards)},
            "paused": True,
        },
    }
