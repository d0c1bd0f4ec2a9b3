"""A Region's fleet: its droplets, their leases, and what it takes to keep them.

The CRD has refused anything out of bounds; but an arm's own fleet is laid over its Region's, which
the CRD cannot see (`broken_rules`). Times in seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from holdfast.core.leases.lease import AGE_MAX

OBJECTS_MAX = 5000
"""Lease objects of a zone, as the CRD has it: more leases take mode Rack."""


class CostOf(StrEnum):
    """What makes a unit of work dearer. AWS has not said which it was; both answers are here."""

    CONSTANT = "Constant"
    QUEUE_DEPTH = "QueueDepth"
    """The manager's own work grows with its queue."""
    DOWNSTREAM = "Downstream"
    """What is called grows slower with the attempts that are under way."""


class Mode(StrEnum):
    DROPLET = "Droplet"
    """One object a lease."""
    RACK = "Rack"
    """One object a rack of leases, packed: one state check and one write for all of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """`racks` a zone and `droplets` a rack. `period`: between two heartbeats of a lease.
    `timeout`: within which a state check counts, from the moment it was queued. `renew` and
    `establish`: what a worker needs for one, besides the calls. `admit_at_most`: a queue bound that
    a human has set; None for none. `restarts`: how often a human has had the managers' memory
    dropped, by zone."""

    racks: int = 1
    droplets: int = 40
    mode: Mode = Mode.DROPLET
    duration: float = 9.0
    period: float = 3.0
    timeout: float = 1.0
    workers: int = 4
    renew: float = 0.05
    establish: float = 0.5
    cost_of: CostOf = CostOf.CONSTANT
    cost_scale: float = 100.0
    agents: int = 1
    admit_at_most: int | None = None
    restarts: Mapping[str, int] | None = None

    @property
    def leases(self) -> int:
        """Of one zone."""
        return self.racks * self.droplets

    @property
    def units(self) -> int:
        """State checks of one zone in a period."""
        return self.racks if self.mode is Mode.RACK else self.leases

    def names(self, zone: str) -> tuple[str, ...]:
        """Of the lease objects of a zone, in their order."""
        return tuple(self._names(zone))

    def _names(self, zone: str) -> Iterator[str]:
        for rack in range(1, self.racks + 1):
            if self.mode is Mode.RACK:
                yield rack_name(zone, rack)
            else:
                for droplet in range(1, self.droplets + 1):
                    yield droplet_name(zone, rack, droplet)


def rack_name(zone: str, rack: int) -> str:
    return f"{zone}-r{rack}"


def droplet_name(zone: str, rack: int, droplet: int) -> str:
    return f"{zone}-r{rack}-d{droplet}"


def rack_of(name: str) -> int:
    """The number of a rack, from its name or the name of one of its droplets; 0 for neither."""
    for part in reversed(name.split("-")):
        if part[:1] == "r" and part[1:].isdecimal():
            return int(part[1:])
    return 0


def fleet_of(raw: Mapping[str, Any] | None) -> Fleet | None:
    """From `spec.fleet`; None where there is none. What is left out has its default."""
    if not raw:
        return None
    most = raw.get("admitAtMost")
    return Fleet(
        racks=int(raw.get("racks", 1)),
        droplets=int(raw.get("droplets", 40)),
        mode=Mode(raw.get("mode", "Droplet")),
        duration=float(raw.get("durationSeconds", 9)),
        period=int(raw.get("heartbeatMilliseconds", 3000)) / 1000,
        timeout=int(raw.get("timeoutMilliseconds", 1000)) / 1000,
        workers=int(raw.get("workers", 4)),
        renew=int(raw.get("renewMilliseconds", 50)) / 1000,
        establish=int(raw.get("establishMilliseconds", 500)) / 1000,
        cost_of=CostOf(raw.get("costOf", "Constant")),
        cost_scale=float(raw.get("costScale", 100)),
        agents=int(raw.get("agents", 1)),
        admit_at_most=None if most is None else int(most),
        restarts={str(z): int(n) for z, n in (raw.get("restarts") or {}).items()},
    )


def broken_rules(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """The CRD's rules for several fields at once: of each that is broken the field, and how."""
    if 3 * fleet.period > fleet.duration:
        told = f"{fleet.period:g} s is more than a third of durationSeconds, {fleet.duration:g}"
        yield "heartbeatMilliseconds", told
    if fleet.timeout >= fleet.duration:
        told = f"{fleet.timeout:g} s is not below durationSeconds, {fleet.duration:g}"
        yield "timeoutMilliseconds", told
    if fleet.renew > fleet.establish:
        told = f"{fleet.renew:g} s is more than establishMilliseconds, {fleet.establish:g} s"
        yield "renewMilliseconds", told
    if fleet.mode is Mode.RACK and fleet.duration > AGE_MAX:
        yield (
            "durationSeconds",
            f"{fleet.duration:g} s is more than {AGE_MAX}, the most in mode Rack",
        )
    if fleet.mode is Mode.DROPLET and fleet.leases > OBJECTS_MAX:
        told = f"{fleet.leases} in all are more than {OBJECTS_MAX}, the most in mode Droplet"
        yield "droplets", told
