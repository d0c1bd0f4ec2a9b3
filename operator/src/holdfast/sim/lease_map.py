"""Where a lease manager is stable, where it is vulnerable, and which outage brings it down.

A map over the load ρ of the renewals and the length of an outage of what the checks need, for four
sets of guards. Every cell is a run of `FleetColumns`; what the formulas say of it stands beside.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from holdfast.core.guards import (
    AWS_LEASES,
    Dedupe,
    Expired,
    LeaseGuards,
    Order,
    QueueAdmission,
    Retry,
)
from holdfast.core.leases import sizing
from holdfast.core.leases.fleet import Fleet
from holdfast.sim.fleet_columns import FleetColumns

LOADS = (0.02, 0.03, 0.04, 0.06, 0.08, 0.11, 0.15, 0.2, 0.28, 0.38, 0.5, 0.65, 0.8, 0.92, 1.05)
OUTAGES = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 120.0, 180.0, 300.0, 600.0)
"""Seconds, of the map."""
CONTOUR = tuple(round(0.02 * 1.06**i, 4) for i in range(68))
"""Loads for which the formula of the trigger is drawn."""
MANAGER = Fleet(duration=90.0, period=30.0, timeout=10.0, workers=10, renew=0.05, establish=0.5)
"""The field notes' example; the number of its leases makes the load."""
STEP = 0.5
WORST_OUTAGE_SECONDS, STANDSTILL_SECONDS = 900.0, 600.0
"""The worst that is tried: an outage of ten leases' lengths, then workers that take nothing."""
HORIZON_SECONDS, WINDOW_SECONDS = 1500.0, 60.0
BEFORE_SECONDS = 900.0
"""Without an outage: for the queue of an overloaded manager to show."""
WINDOWS_DOWN = 5
"""In a row, in which next to nothing counts and the queue grows: it will not come back. As many in
which it shrinks: it has not done yet."""
DOWN_BELOW = 0.1
"""Of the heartbeats, how many count at least where a manager is not down."""


class Found(StrEnum):
    STABLE = "stable"
    """Not even the worst brings it down."""
    VULNERABLE = "vulnerable"
    """This outage does not; the worst does."""
    METASTABLE = "metastable"
    """This outage does, and it stays down after it."""
    PARTLY = "partly"
    """Checks count again, and yet some leases never come back: what is held is refused as often as
    what is lost, and lapses."""
    OVERLOADED = "overloaded"
    """Without any outage."""


@dataclass(frozen=True, slots=True)
class Panel:
    name: str
    says: str
    guards: LeaseGuards
    attempts: float = math.inf


PANELS = (
    Panel("aws-2025", "aws-2025: one queue, no bound, retries without end", AWS_LEASES),
    Panel("two-attempts", "the same with two attempts a heartbeat", AWS_LEASES, 2),
    Panel(
        "bound",
        "the same with QueueBound alone",
        replace(AWS_LEASES, admission=QueueAdmission.QUEUE_BOUND),
    ),
    Panel(
        "renewals-first",
        "Drop, ByDroplet, BudgetedJitter and RenewalsFirst",
        replace(
            AWS_LEASES,
            expired=Expired.DROP,
            dedupe=Dedupe.BY_DROPLET,
            retry=Retry.BUDGETED_JITTER,
            order=Order.RENEWALS_FIRST,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    panel: str
    load: float
    outage: float
    found: Found


def fleet_of(load: float) -> Fleet:
    return replace(MANAGER, droplets=round(load * sizing.most_units(MANAGER)))


def outcome(panel: Panel, load: float, outage: float, standstill: float = 0.0) -> Found:
    """What becomes of one manager: VULNERABLE stands for whole again."""
    manager = FleetColumns(fleet_of(load), panel.guards, STEP, attempts=panel.attempts)
    manager.run(MANAGER.period if outage else BEFORE_SECONDS)
    manager.up = False
    manager.run(manager.now + outage)
    manager.up = True
    if standstill:
        manager.working = False
        manager.run(manager.now + standstill)
        manager.working = True
    return _after(manager)


def _after(manager: FleetColumns) -> Found:
    recovery = sizing.recovery_seconds(manager.fleet)
    until = manager.now + HORIZON_SECONDS + 3 * min(HORIZON_SECONDS, recovery)
    share, grows, shrinks = 1.0, 0, 0
    while (manager.now < until or shrinks >= WINDOWS_DOWN) and grows < WINDOWS_DOWN:
        before, beats, waited = manager.counts.succeeded, manager.counts.beats, manager.waiting
        manager.run(manager.now + WINDOW_SECONDS)
        share = (manager.counts.succeeded - before) / (manager.counts.beats - beats)
        if manager.held == manager.fleet.units and share > 1 - DOWN_BELOW and _drains(manager):
            return Found.VULNERABLE
        grows = grows + 1 if share < DOWN_BELOW and manager.waiting > waited else 0
        shrinks = shrinks + 1 if manager.waiting < waited else 0
    return Found.METASTABLE if share < DOWN_BELOW else Found.PARTLY


def _drains(manager: FleetColumns) -> bool:
    """Whether what waits is less than what fits the timeout."""
    fleet = manager.fleet
    return manager.waiting * fleet.renew < fleet.workers * fleet.timeout / 2


def column(job: tuple[Panel, float, tuple[float, ...]]) -> list[Cell]:
    """All outages at one load."""
    panel, load, outages = job
    if outcome(panel, load, 0.0) is not Found.VULNERABLE:
        return [Cell(panel.name, load, outage, Found.OVERLOADED) for outage in outages]
    worst = outcome(panel, load, WORST_OUTAGE_SECONDS, STANDSTILL_SECONDS)
    cells = []
    for outage in outages:
        found = outcome(panel, load, outage)
        if found is Found.VULNERABLE and worst is Found.VULNERABLE:
            found = Found.STABLE
        cells.append(Cell(panel.name, load, outage, found))
    return cells


def explore(
    jobs: int,
    done: Callable[[int], None] = lambda _: None,
    loads: tuple[float, ...] = LOADS,
    outages: tuple[float, ...] = OUTAGES,
) -> list[Cell]:
    """The whole map, panel by panel. `done` hears of the cells as they come."""
    todo = [(panel, load, outages) for panel in PANELS for load in loads]
    cells: list[Cell] = []
    for some in _each(todo, jobs):
        cells += some
        done(len(some))
    return cells


def _each(todo: list[tuple[Panel, float, tuple[float, ...]]], jobs: int) -> Iterator[list[Cell]]:
    if jobs == 1:
        yield from map(column, todo)
        return
    with ProcessPoolExecutor(max_workers=min(jobs, len(todo))) as pool:
        yield from pool.map(column, todo)


def says(panel: Panel, load: float, outage: float) -> bool:
    """Whether the formulas say that this outage leaves the manager down. The trigger's supposes
    that nothing is given up: where attempts are, an outage has to be longer."""
    fleet = fleet_of(load)
    if load >= 1:
        return True
    if panel.name in ("bound", "renewals-first"):
        return False
    low, _ = sizing.region(fleet, panel.attempts)
    return load > low and outage > sizing.trigger_seconds(fleet)


def document(cells: list[Cell]) -> dict[str, Any]:
    """The map's document. `agrees`: cells that are down, or not, as the formulas say."""
    down = (Found.METASTABLE, Found.OVERLOADED, Found.PARTLY)
    return {
        "engine": "simulate",
        "loads": list(dict.fromkeys(c.load for c in cells)),
        "outageSeconds": list(dict.fromkeys(c.outage for c in cells)),
        "panels": [
            {
                "name": panel.name,
                "says": panel.says,
                "stableBelow": sizing.region(MANAGER, panel.attempts)[0],
                "agrees": sum((c.found in down) == says(panel, c.load, c.outage) for c in mine),
                "cells": [
                    {"load": c.load, "outageSeconds": c.outage, "found": str(c.found)} for c in mine
                ],
            }
            for panel in PANELS
            for mine in [[c for c in cells if c.panel == panel.name]]
        ],
        "contour": [[load, sizing.trigger_seconds(fleet_of(load))] for load in CONTOUR],
    }
