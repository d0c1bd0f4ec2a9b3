"""The lease managers, their droplets and their store in virtual time.

The manager and the flow of an attempt are core's; here stands how long things take.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from holdfast.core.holds import HOLD_GRACE_SECONDS, NOTHING_SEEN, ActorView, Hold, actor_of
from holdfast.core.intents import Create, Get, Replace
from holdfast.core.leases.attempt import (
    Answered,
    AskAgent,
    Attempt,
    Failed,
    Outcome,
    Resolve,
    Spend,
    Step,
    StepReply,
    StoreCheck,
    attempt,
)
from holdfast.core.leases.fleet import Fleet, Mode, rack_of
from holdfast.core.leases.instances import Home, Instance, held_droplets, settle
from holdfast.core.leases.lease import DropletLease, Lease, RackLease, supersedes
from holdfast.core.leases.making import wanted
from holdfast.core.leases.manager import Manager, Taken, end_of
from holdfast.core.leases.report import names_of, report
from holdfast.core.leases.stand import Stand
from holdfast.core.replies import Read, Written
from holdfast.fake import Change
from holdfast.sim.board import Notice
from holdfast.sim.dns import Authoritative
from holdfast.sim.site import Client, Site

TELL_SECONDS = 1.0
SETTLE_SECONDS = 1.0
ROUNDING_SECONDS = 1e-9
"""By which a timer may come too early: now + (due - now) is not due."""
RESTART_SECONDS = 1.0
"""From a process's end to the first act of its successor."""


class Store:
    """The front ends: those that are there, and what they bear: `capacity` requests a second each,
    and as many at once after a pause."""

    def __init__(self, capacity: float) -> None:
        self._capacity = capacity
        self.alive: frozenset[str] = frozenset()
        self._tokens: dict[str, tuple[float, float]] = {}

    def take(self, address: str, now: float) -> bool:
        tokens, at = self._tokens.get(address, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - at) * self._capacity)
        self._tokens[address] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1


@dataclass(slots=True)
class Racks:
    """The agents of a zone: whether each is there, and which incarnation it is."""

    agents: int
    down: set[int] = field(default_factory=set)
    lives: dict[int, int] = field(default_factory=dict)

    def agent_of(self, rack: int) -> int:
        return (rack - 1) % self.agents

    def scale(self, agent: int, replicas: int) -> None:
        if replicas == 0:
            self.down.add(agent)
        elif agent in self.down:
            self.down.remove(agent)
            self.lives[agent] = self.lives.get(agent, 0) + 1


class LeaseManager:
    """One process of one zone. `number` tells it from others that there were or are."""

    def __init__(
        self,
        site: Site,
        zone: str,
        authoritative: Authoritative,
        store: Store,
        racks: Racks,
        number: int = 0,
    ) -> None:
        fleet = site.region.fleet
        assert fleet is not None
        self._site, self._zone, self._authoritative = site, zone, authoritative
        self._store, self._racks = store, racks
        self._fleet: Fleet = fleet
        self._client, self._teller = Client(site), Client(site)
        self._me = f"{zone}/leases-{number}"
        self._leases: dict[str, Lease] = {}
        self._manager: Manager | None = None
        self._index = {name: i for i, name in enumerate(fleet.names(zone))}
        self._woken = float("inf")
        self._failure = ""
        self._stand = Stand(zone)
        self._behind: list[Callable[[], None]] = []
        self._holds: tuple[Hold, ...] = ()
        self._actors: dict[str, ActorView] = {}
        self._names = NOTHING_SEEN

    def start(self) -> None:
        """Make what leases there are not, and begin."""
        if any(h.actor == self._stand.view.zone for h in self._site.board.holds):
            self._site.board.watch(self._noticed)
        kind = RackLease if self._fleet.mode is Mode.RACK else DropletLease
        self._site.server.watch((kind,), self._see)
        for lease in wanted(self._fleet, self._zone):
            made = self._site.server.perform(Create(lease))
            if not isinstance(made, Written):  # another process of the zone, or of before, has
                made = self._site.server.perform(Get(kind, lease.name))
                assert isinstance(made, Read), made
            assert isinstance(made.obj, kind)
            self._leases[lease.name] = made.obj
        self._client.later(self._site.draw(self._site.latencies.query), self._begin)

    def stop(self) -> None:
        self._client.die()
        self._teller.die()
        self._manager = None

    def obey(self, fleet: Fleet) -> None:
        """A human's word."""
        self._fleet = fleet
        if self._manager is not None:
            self._manager.obey(fleet, self._site.region.lease_guards)
            self._pump()

    def restart(self) -> None:
        if self._manager is not None:
            self._manager.restart(self._now)
            self._pump()

    @property
    def _now(self) -> float:
        return self._site.kernel.now

    def _begin(self) -> None:
        guards, chance = self._site.region.lease_guards, self._site.chance.random
        names = tuple(self._index)
        is_new = not any(lease.transitions for lease in self._leases.values())
        self._manager = Manager(self._fleet, guards, names, self._now, chance, is_new)
        for lease in self._leases.values():
            self._learn(lease)
        self._tell()
        self._settle()
        self._pump()

    def _see(self, change: Change) -> None:
        lease = change.obj
        if isinstance(lease, DropletLease | RackLease) and lease.zone == self._zone:
            if not supersedes(lease, self._leases.get(lease.name)):
                return
            self._leases[lease.name] = lease
            self._learn(lease)

    def _learn(self, lease: Lease) -> None:
        if self._manager is not None:
            mine = lease.expires if lease.holder == self._me else 0.0
            self._manager.know(self._index[lease.name], mine, self._now)

    def _pump(self) -> None:
        manager = self._manager
        if manager is None or self._stand.is_held:
            return
        manager.beat(self._now)
        while (taken := manager.take(self._now)) is not None:
            self._attempt(manager, taken)
        due = max(self._now, manager.wake())
        if due < self._woken or self._woken <= self._now:
            self._woken = due
            self._client.later(due - self._now, self._wake)

    def _wake(self) -> None:
        if self._now + ROUNDING_SECONDS >= self._woken:
            self._woken = float("inf")
            self._pump()

    def _attempt(self, manager: Manager, taken: Taken) -> None:
        name = manager.names[taken.work.unit]
        lease = self._leases[name]
        flow = attempt(self._me, lease, taken.cost, taken.work.queued, taken.deadline)
        # In a turn of its own, as a task is on the cluster: it may end without a step.
        self._client.later(0.0, lambda: self._drive(manager, taken, flow, None))

    def _drive(
        self, manager: Manager, taken: Taken, flow: Attempt, reply: StepReply | None
    ) -> None:
        try:
            step = flow.send(reply)  # type: ignore[arg-type]  # None: it begins
        except StopIteration as stop:
            self._ended(manager, taken, stop.value)
            return
        self._perform(step, lambda told: self._drive(manager, taken, flow, told))

    def _perform(self, step: Step, then: Callable[[StepReply], None]) -> None:
        site = self._site
        match step:
            case Spend(seconds):
                self._client.later(seconds, lambda: then(Answered(self._now)))
            case Resolve():
                self._client.later(site.draw(site.latencies.query), lambda: then(self._resolved()))
            case StoreCheck(addresses):
                self._check(addresses, then)
            case AskAgent(unit):
                self._ask(unit, then)
            case Replace():
                self._write(step, then)

    def _write(self, step: Replace, then: Callable[[StepReply], None]) -> None:
        """Write, unless the process stands: where a hold has it stand, or has caught it now."""
        if not self._stand.is_held:
            hold = self._stand.arrive(step.obj.name, self._holds, self._actors, self._names)
            if hold is None:
                self._client.call(step, then)
                return
            self._report()
            patience = hold.deadline_seconds + HOLD_GRACE_SECONDS
            self._client.later(patience, partial(self._let_go, hold.name))
        self._behind.append(lambda: self._write(step, then))

    def _noticed(self, notice: Notice) -> None:
        told, fleet = notice.status, self._fleet
        self._holds = notice.holds
        self._actors = {z: actor_of(z, raw) for z, raw in told["actors"].items()}
        units = fleet.units * len(self._site.region.zones)
        self._names = names_of(told.get("leases") or {}, units)
        for hold in notice.holds:
            if hold.released:
                self._let_go(hold.name)

    def _let_go(self, name: str) -> None:
        if self._stand.view.hold != name or self._manager is None:
            return
        self._stand.let_go()
        self._report()
        behind, self._behind = self._behind, []
        for go_on in behind:
            go_on()
        self._pump()

    def _report(self) -> None:
        site, view = self._site, self._stand.view
        self._teller.later(site.draw(site.latencies.status), lambda: site.board.report(view))

    def _resolved(self) -> StepReply:
        endpoint = self._site.region.endpoints[0]
        found = self._authoritative.ask(endpoint, self._site.region.families[0])
        if not found.addresses:
            return Failed(self._now, found.rcode or "no answer")
        return Answered(self._now, found.addresses)

    def _check(self, addresses: tuple[str, ...], then: Callable[[StepReply], None]) -> None:
        """One of the addresses; one that nobody has answers nothing."""
        address = addresses[int(self._site.chance.random() * len(addresses))]
        if address not in self._store.alive:
            late = Failed(self._now + self._fleet.timeout, f"no answer from {address}")
            self._client.later(self._fleet.timeout, lambda: then(late))
            return

        def arrive() -> None:
            if self._store.take(address, self._now):
                then(Answered(self._now))
            else:
                then(Failed(self._now, "503: over capacity"))

        self._client.later(2 * self._site.draw(self._site.latencies.query), arrive)

    def _ask(self, unit: str, then: Callable[[StepReply], None]) -> None:
        agent = self._racks.agent_of(rack_of(unit))
        if agent in self._racks.down:
            late = Failed(self._now + self._fleet.timeout, "no answer from the agent")
            self._client.later(self._fleet.timeout, lambda: then(late))
            return
        life = f"agent-{agent}-{self._racks.lives.get(agent, 0)}"
        droplets = frozenset(range(self._fleet.droplets))

        def arrive() -> None:
            then(Answered(self._now, (unit, life), droplets))

        self._client.later(2 * self._site.draw(self._site.latencies.query), arrive)

    def _ended(self, manager: Manager, taken: Taken, outcome: Outcome) -> None:
        if manager is not self._manager:
            return
        end = end_of(outcome)
        expires = 0.0
        if outcome.lease is not None:
            self._leases[outcome.lease.name] = outcome.lease
            expires = outcome.lease.expires
        else:
            self._failure = f"{outcome.why}: {outcome.told}"
        manager.ended(taken, end, self._now, expires)
        self._pump()

    def _tell(self) -> None:
        manager, site = self._manager, self._site
        if manager is None:
            return
        if not self._stand.is_held:
            said = report(manager, self._now, self._me, self._failure)
            site.board.lease(self._zone, said)
        self._teller.later(TELL_SECONDS, self._tell)

    def _settle(self) -> None:
        """The instances of the zone, once a second: beside that their calls take no time."""
        if self._manager is None:
            return
        region, server = self._site.region, self._site.server
        found = [o for o in server.api.objects.values() if isinstance(o, Instance)]
        home = Home(self._zone, region.zones, self._fleet.leases)
        held = held_droplets(self._leases.values(), self._now)
        for instance, status in settle(found, held, self._now, home):
            server.perform(Replace(replace(instance, status=status)))
        self._teller.later(SETTLE_SECONDS, self._settle)


class Leases:
    """All of a simulated Region, and what timelines and people do to them."""

    def __init__(self, site: Site, authoritative: Authoritative, capacity: float) -> None:
        fleet = site.region.fleet
        assert fleet is not None
        self._site, self._authoritative, self._fleet = site, authoritative, fleet
        self.store = Store(capacity)
        self.racks = {zone: Racks(fleet.agents) for zone in site.region.zones}
        self._lives = 0
        self.managers: dict[str, list[LeaseManager]] = {}

    def start(self) -> None:
        for zone in self._site.region.zones:
            self.managers[zone] = [self._made(zone)]
            self.managers[zone][0].start()

    def scale(self, role: str, zones: tuple[str, ...], replicas: int) -> None:
        for zone in zones:
            if role == "rack":
                self.racks[zone].scale(0, replicas)
                continue
            there = self.managers[zone]
            while len(there) > replicas:
                there.pop().stop()
            while len(there) < replicas:
                there.append(self._made(zone))
                there[-1].start()

    def throttle(self, admit_at_most: int) -> None:
        self._fleet = replace(self._fleet, admit_at_most=admit_at_most or None)
        for there in self.managers.values():
            for manager in there:
                manager.obey(self._fleet)

    def restart(self, zone: str) -> None:
        for name, there in self.managers.items():
            if zone in ("", name):
                for manager in there:
                    manager.restart()

    def _made(self, zone: str) -> LeaseManager:
        self._lives += 1
        parts = (self._site, zone, self._authoritative, self.store, self.racks[zone])
        return LeaseManager(*parts, number=self._lives)
