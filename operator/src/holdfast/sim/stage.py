"""The stage of a simulated arm: its processes, and what people and timelines do to them."""

from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

from holdfast.core.acts import Act, Order, Scale
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.intents import Intent, Prove
from holdfast.core.objects import Family, FrontEnd
from holdfast.core.override import Failed, Override, freeze, override, thaw
from holdfast.core.replies import Proven, Reply, Unproven
from holdfast.sim.dns import Authoritative
from holdfast.sim.enactor import Enactor
from holdfast.sim.leases import Leases
from holdfast.sim.planner import Planner
from holdfast.sim.site import Client, Site

R = TypeVar("R")
Done = Callable[[str, str], None]
"""What came of an act: a sentence, and why it failed (one of them "")."""

WHO = "oncall"
COMMAND_SECONDS = 3.0
"""From an order to its first call: on the cluster a Pod starts, and in it the command."""
STOP_SECONDS = 1.0
"""From a scale to its effect."""
PROVE_EVERY_SECONDS = 0.05
PREFIXES: Mapping[Family, str] = {"IPv4": "10.0.{zone}.", "IPv6": "fd00::{zone}:"}


class Stage:
    def __init__(self, site: Site, authoritative: Authoritative, capacity: int) -> None:
        self._site, self._authoritative, self._capacity = site, authoritative, capacity
        self._client = Client(site)
        self._stores = dict.fromkeys(site.region.zones, 1)
        self._planner = Planner(site, self._fleet())
        self.enactors = {z: Enactor(site, z, authoritative) for z in site.region.zones}
        self._absent = set[str]()
        self._leases = Leases(site, authoritative, capacity) if site.region.fleet else None
        self._doubles: dict[str, Enactor] = {}

    def start(self) -> None:
        for enactor in self.enactors.values():
            enactor.start()
        self._planner.start()
        if self._leases is not None:
            self._leases.store.alive = self._addresses()
            self._leases.start()

    def act(self, act: Act, done: Done) -> None:
        """See to an act of the timeline."""
        does = act.does
        if isinstance(does, Order):
            self._client.later(COMMAND_SECONDS, lambda: self._order(does, done))
        else:
            self._client.later(STOP_SECONDS, lambda: self._scale(does, done))

    def _scale(self, scale: Scale, done: Done) -> None:
        zones = (scale.zone,) if scale.zone else self._site.region.zones
        match scale.role:
            case "planner":
                self._planner.scale(scale.replicas)
            case "store":
                self._stores |= dict.fromkeys(zones, scale.replicas)
                self._planner.see(self._fleet())
                if self._leases is not None:
                    self._leases.store.alive = self._addresses()
            case "rack" | "leases":
                assert self._leases is not None, f"{scale.role} without a fleet"
                self._leases.scale(scale.role, tuple(zones), scale.replicas)
            case "enactor":
                for zone in zones:
                    self._scale_enactor(zone, scale.replicas)
        done(f"{scale.role} of {', '.join(zones)}: {scale.replicas}", "")

    def _scale_enactor(self, zone: str, replicas: int) -> None:
        """To so many processes: what there is already stays as it is."""
        if replicas < 2 and zone in self._doubles:
            self._doubles.pop(zone).stop()
        if replicas == 0:
            self.enactors[zone].stop()
            self._absent.add(zone)
        elif zone in self._absent:
            self.enactors[zone].crash(0.0)
            self._absent.remove(zone)
        if replicas == 2 and zone not in self._doubles:
            double = Enactor(self._site, zone, self._authoritative, replaces=True)
            double.start()
            self._doubles[zone] = double

    def _fleet(self) -> tuple[FrontEnd, ...]:
        return tuple(
            FrontEnd(PREFIXES[family].format(zone=zone) + str(n), self._capacity)
            for zone, replicas in enumerate(self._stores.values(), start=1)
            for n in range(1, replicas + 1)
            for family in self._site.region.families
        )

    def _addresses(self) -> frozenset[str]:
        return frozenset(f.address for f in self._fleet())

    def _order(self, order: Order, done: Done) -> None:
        """A command of `holdfast dns`, call by call."""

        def ended(said: object) -> None:
            done("", said.reason) if isinstance(said, Failed) else done(
                f"{order.command}: done", ""
            )

        word = Freeze(WHO, FOREVER, "scripted")
        match order.command:
            case "override":
                self._site.is_frozen = self._site.is_frozen or order.freeze
                chosen = word if order.freeze else None
                wanted = Override(WHO, order.endpoint, order.plan, order.addresses, chosen)
                self._drive(override(wanted), ended)
            case "freeze":
                self._site.is_frozen = True
                self._drive(freeze(word), ended)
            case "thaw":
                self._site.is_frozen = False
                self._drive(thaw(), ended)
            case "throttle" | "restart":
                assert self._leases is not None, f"{order.command} without a fleet"
                if order.command == "throttle":
                    self._leases.throttle(order.admit_at_most)
                else:
                    self._leases.restart(order.zone)
                ended(None)

    def _drive(self, flow: Generator[Intent, Reply, R], done: Callable[[R], None]) -> None:
        def answer(reply: Reply | None) -> None:
            try:
                intent = next(flow) if reply is None else flow.send(reply)
            except StopIteration as stop:
                done(stop.value)
                return
            self._perform(intent, answer)

        answer(None)

    def _perform(self, intent: Intent, then: Callable[[Reply], None]) -> None:
        if not isinstance(intent, Prove):
            self._client.call(intent, then)
            return
        began = self._site.kernel.now

        def ask() -> None:
            now = self._site.kernel.now
            seen = self._authoritative.served(intent.tree)
            if seen == intent.addresses:
                then(Proven(now))
            elif now - began > intent.deadline_seconds:
                then(Unproven(f"{list(seen)}", now))
            else:
                self._client.later(PROVE_EVERY_SECONDS, ask)

        ask()
