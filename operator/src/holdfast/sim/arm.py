"""One arm of a Scenario in virtual time."""

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from holdfast.core.document import arm_document
from holdfast.core.guards import Switch
from holdfast.core.intents import Create
from holdfast.core.objects import Tree
from holdfast.core.record import Record
from holdfast.core.region import region_of
from holdfast.core.replies import Written
from holdfast.core.scenario import Arm, Scenario
from holdfast.core.scrapes import with_alerts
from holdfast.core.starts import BAD_START_SECONDS, Start, alias_of, kinds_of, slice_of, tree_of
from holdfast.sim.board import Board
from holdfast.sim.dns import Authoritative, Resolver
from holdfast.sim.faults import NONE, Faults
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import MEASURED, Latencies
from holdfast.sim.overseer import Overseer
from holdfast.sim.probe import Probe
from holdfast.sim.quantiles import look
from holdfast.sim.scrape import Scraper
from holdfast.sim.server import Server
from holdfast.sim.site import Site
from holdfast.sim.stage import Stage

STORE_CAPACITY = 100


@dataclass(frozen=True, slots=True)
class Weather:
    """How quick everything is, and what goes wrong."""

    latencies: Latencies = MEASURED
    faults: Faults = field(default_factory=lambda: NONE)


def run_arm(scenario: Scenario, arm: Arm, seed: int, weather: Weather) -> dict[str, Any]:
    """The arm's part of the result document."""
    spec = {**scenario.region, "guards": arm.raw_guards, "holds": arm.holds}
    spec |= {"fleet": arm.raw_fleet} if arm.raw_fleet else {}
    spec |= {"seed": seed} if scenario.jitter else {}
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
        server=Server(kernel, lag, region.guards.admission is Switch.ENABLED),
        board=Board(kernel, lag, region.holds),
    )
    record = Record(arm, region.endpoints, scenario.jitter, region.zones)
    overseer = Overseer(site, record, arm.settle_seconds, scenario.deadline_seconds, kernel.stop)
    authoritative = Authoritative(site.server)
    probe = Probe(site, authoritative, Resolver(authoritative), arm.start)
    scraper = Scraper(kernel, record, probe.tallies, region.namespace, f"{seed}/{arm.name}")
    capacity = (scenario.region.get("store") or {}).get("capacity", STORE_CAPACITY)
    stage = Stage(site, authoritative, int(capacity))
    overseer.start(stage.act)
    probe.start()
    if arm.start is None:
        stage.start()
    else:
        _make(site, arm.start)
        kernel.after(BAD_START_SECONDS, stage.start)
    for crash in weather.faults.crashes:
        kernel.at(crash.t, partial(stage.enactors[crash.zone].crash, crash.down_seconds))
    kernel.run(until=2 * scenario.deadline_seconds + 1)
    document = arm_document(record, probe.document(overseer.zero), overseer.t)
    return with_alerts(document, scraper.fired(overseer.zero))


def _make(site: Site, start: Start) -> None:
    """What the loops find when they begin."""
    for endpoint in site.region.endpoints:
        uid = ""
        for kind in kinds_of(start):
            wanted = tree_of(endpoint) if kind is Tree else slice_of(endpoint, uid)
            reply = site.server.perform(Create(wanted))
            assert isinstance(reply, Written), reply
            uid = uid or reply.obj.uid
        site.server.perform(Create(alias_of(start, endpoint, site.kernel.now)))
