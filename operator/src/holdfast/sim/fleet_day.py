"""The leases of 19-20 October 2025 at their scale: a million, in three zones, over 14.5 hours.

AWS published when things happened, not what its managers were made of. What people did and when is
set; the managers' own numbers are set as plain assumptions; one parameter, what an establishment
costs, is fitted to the one duration that depends on it. All else follows from the rules.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from holdfast.core.guards import (
    AWS_LEASES,
    SAFE_LEASES,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    Order,
    Retry,
)
from holdfast.core.leases import sizing
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import queue_bound
from holdfast.sim.fleet_columns import FleetColumns
from holdfast.sim.fleet_queue import Floats

MINUTE, HOUR = 60.0, 3600.0
ZONES = 3
BEFORE = -15 * MINUTE
DNS_BACK = 2 * HOUR + 37 * MINUTE
CACHES_OVER = 2 * HOUR + 52 * MINUTE
"""Resolvers keep the empty answer until then."""
PEOPLE_ACT = 4 * HOUR + 26 * MINUTE
ALL_BACK = 5 * HOUR + 40 * MINUTE
THROTTLES_LIFTED = 14 * HOUR + 2 * MINUTE
END = 14.5 * HOUR

PERIOD, LEASE, TIMEOUT = 300.0, HOUR, 60.0
"""Assumed. "Every few minutes"; long enough that leases run out slowly; a minute."""
LOAD, RENEW = 0.5, 0.45
"""Assumed: what renewals take of the workers on an ordinary day, and of a worker, in seconds."""
STEP, SAMPLE = TIMEOUT / 20, 15.0

RENEWALS_FIRST = replace(
    AWS_LEASES,
    expired=Expired.DROP,
    dedupe=Dedupe.BY_DROPLET,
    retry=Retry.BUDGETED_JITTER,
    order=Order.RENEWALS_FIRST,
)
"""What the formula of the recovery supposes: nothing in vain, and what is held is kept."""
NO_GRACE = replace(SAFE_LEASES, grace=Grace.NONE)


@dataclass(frozen=True, slots=True)
class Curve:
    """Samples of one run, all zones together, at `times` (seconds; DNS is gone from 0). `good` and
    `vain`: checks a second, that counted and that did not, since the sample before."""

    times: Floats
    held: Floats
    waiting: Floats
    good: Floats
    vain: Floats
    busy: Floats
    """Of the workers, the share that was."""

    def plus(self, other: "Curve") -> "Curve":
        return Curve(
            self.times,
            self.held + other.held,
            self.waiting + other.waiting,
            self.good + other.good,
            self.vain + other.vain,
            self.busy + other.busy,
        )

    def at(self, seconds: float) -> int:
        """The sample at that time, or the first after it."""
        return min(int(self.times.searchsorted(seconds)), len(self.times) - 1)

    def falls_to(self, held: float, since: float = 0.0) -> float:
        """When the held leases first are so many or fewer, between samples; NaN for never."""
        return self._first(self.held <= held, held, since)

    def rises_to(self, held: float, since: float) -> float:
        return self._first(self.held >= held, held, since)

    def _first(self, there: np.ndarray, held: float, since: float) -> float:
        start = self.at(since)
        if not there[start:].any():
            return math.nan
        i = start + int(there[start:].argmax())
        if i == start or self.held[i] == self.held[i - 1]:
            return float(self.times[i])
        share = (held - self.held[i - 1]) / (self.held[i] - self.held[i - 1])
        return float(self.times[i - 1] + share * (self.times[i] - self.times[i - 1]))


@dataclass(frozen=True, slots=True)
class Day:
    """`fleet`: of the first zone. `people`: what happened. The others are of one zone: nobody acts;
    people restart the managers and throttle nothing; the guards that the formula supposes; the
    profile `safe`. These two have no need of people."""

    droplets: int
    seed: int
    fleet: Fleet
    people: Curve
    nobody: Curve
    restart_only: Curve
    renewals_first: Curve
    safe: Curve


def establish_seconds() -> float:
    """The one fitted parameter: c_e for which the recovery under a throttle takes as long as AWS's
    did, by its formula."""
    plain = Fleet(droplets=1000, period=PERIOD, workers=1, renew=LOAD * PERIOD / 1000)
    low, high = plain.renew, 1000 * plain.renew
    for _ in range(100):
        middle = (low + high) / 2
        takes = sizing.throttled_recovery_seconds(replace(plain, establish=middle))
        low, high = (middle, high) if takes < ALL_BACK - PEOPLE_ACT else (low, middle)
    return RENEW * high / plain.renew


def fleet_of(leases: int) -> Fleet:
    """A zone's. Workers are in proportion, so that any number of leases shows the same day."""
    return Fleet(
        droplets=leases,
        duration=LEASE,
        period=PERIOD,
        timeout=TIMEOUT,
        workers=max(1, round(leases * RENEW / (LOAD * PERIOD))),
        renew=RENEW,
        establish=establish_seconds(),
    )


class Recorder:
    """Runs a manager and samples it."""

    def __init__(self, zone: FleetColumns) -> None:
        self.zone = zone
        self._rows: list[tuple[float, ...]] = []
        self._seen = (0, 0, 0.0)

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        zone = self.zone
        while zone.now < until - zone.step / 2 and not stop():
            zone.run(min(until, zone.now + SAMPLE))
            self._sample()

    def _sample(self) -> None:
        zone, counts = self.zone, self.zone.counts
        seen = (counts.succeeded, counts.late + counts.failed, counts.spent)
        good, vain, spent = (now - was for now, was in zip(seen, self._seen, strict=True))
        self._seen = seen
        busy = spent / SAMPLE / zone.fleet.workers
        self._rows.append((zone.now, zone.held, zone.waiting, good / SAMPLE, vain / SAMPLE, busy))

    def fork(self) -> "Recorder":
        """Another course of the same past."""
        return copy.deepcopy(self)

    def curve(self) -> Curve:
        return Curve(*np.array(self._rows).T)


def until_people(leases: int, guards: LeaseGuards, seed: int) -> Recorder:
    """A zone until people act: the name is gone, comes back, and caches forget."""
    zone = Recorder(FleetColumns(fleet_of(leases), guards, STEP, seed, BEFORE))
    zone.run(0.0)
    zone.zone.up = False
    zone.run(CACHES_OVER)
    zone.zone.up = True
    zone.run(PEOPLE_ACT)
    return zone


def helped(zone: Recorder, throttle: bool) -> Curve:
    """People restart the manager, and let no more join its queue than can be done in time."""
    manager = zone.zone
    if throttle:
        manager.obey(replace(manager.fleet, admit_at_most=queue_bound(manager.fleet)))
    manager.restart()
    zone.run(THROTTLES_LIFTED)
    manager.obey(replace(manager.fleet, admit_at_most=None))
    zone.run(END)
    return zone.curve()


def alone(leases: int, guards: LeaseGuards, seed: int) -> Curve:
    """A zone whose guards need nobody: until it is whole again."""
    zone = until_people(leases, guards, seed)
    zone.run(END, lambda: zone.zone.held == leases)
    return zone.curve()


def simulate(droplets: int, seed: int, told: Callable[[str], None] = lambda _: None) -> Day:
    """The day, and what else might have been. `told` hears what is being run."""
    people: Curve | None = None
    zones = [droplets // ZONES + (zone < droplets % ZONES) for zone in range(ZONES)]
    for number, leases in enumerate(zones):
        told(f"zone {number + 1} of {ZONES}: {leases:,} leases, 14.5 h")
        zone = until_people(leases, AWS_LEASES, seed + number)
        if number == 0:
            told("the first zone, where nobody acts")
            other = zone.fork()
            other.run(END)
            nobody = other.curve()
            del other
            told("the first zone, where people restart and do not throttle")
            restart_only = helped(zone.fork(), throttle=False)
        curve = helped(zone, throttle=True)
        people = curve if people is None else people.plus(curve)
    assert people is not None
    told("the first zone, renewals first")
    renewals_first = alone(zones[0], RENEWALS_FIRST, seed)
    told("the first zone, with the profile safe")
    safe = alone(zones[0], SAFE_LEASES, seed)
    return Day(
        droplets, seed, fleet_of(zones[0]), people, nobody, restart_only, renewals_first, safe
    )
