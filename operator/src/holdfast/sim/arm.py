"""One arm of a Scenario in virtual time."""

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from holdfast.core.document import arm_document
from holdfast.core.record import Record
from holdfast.core.region import region_of
from holdfast.core.scenario import Arm, Scenario
from holdfast.sim.board import Board
from holdfast.sim.dns import Authoritative, Resolver
from holdfast.sim.enactor import Enactor
from holdfast.sim.faults import NONE, Faults
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import MEASURED, Latencies
from holdfast.sim.overseer import Overseer
from holdfast.sim.planner import Planner
from holdfast.sim.probe import Probe
from holdfast.sim.quantiles import look
from holdfast.sim.server import Server
from holdfast.sim.site import Site

STORE_CAPACITY = 100


@dataclass(frozen=True, slots=True)
class Weather:
    """How quick everything is, and what goes wrong."""

    latencies: Latencies = MEASURED
    faults: Faults = field(default_factory=lambda: NONE)


def run_arm(scenario: Scenario, arm: Arm, seed: int, weather: Weather) -> dict[str, Any]:
    """The arm's part of the result document."""
    spec = {**scenario.region, "guards": arm.raw_guards, "holds": arm.holds}
    region = region_of(scenario.namespace_of(arm.name), scenario.region_name, spec)
    kernel, chance = Kernel(), Random(f"{seed}/{scenario.name}/{arm.name}")
    table = weather.latencies.watch.table

    def lag() -> float:
        return look(table, chance.random())

    site = Site(
        kernel=kernel,
        chance=chance,
        latencies=weather.latencies,
        faults=weather.faults,
        region=region,
        server=Server(kernel, lag),
        board=Board(kernel, lag, region.holds),
    )
    record = Record(arm, region.endpoints)
    overseer = Overseer(
        site, record, scenario.settle_seconds, scenario.deadline_seconds, kernel.stop
    )
    authoritative = Authoritative(site.server)
    probe = Probe(site, region.endpoints[0], authoritative, Resolver(authoritative))
    enactors = {zone: Enactor(site, zone, authoritative) for zone in region.zones}
    overseer.start()
    probe.start()
    for enactor in enactors.values():
        enactor.start()
    capacity = (scenario.region.get("store") or {}).get("capacity", STORE_CAPACITY)
    Planner(site, int(capacity)).start()
    for crash in weather.faults.crashes:
        kernel.at(crash.t, partial(enactors[crash.zone].crash, crash.down_seconds))
    kernel.run(until=2 * scenario.deadline_seconds + 1)
    return arm_document(record, probe.document(overseer.zero), overseer.t)
