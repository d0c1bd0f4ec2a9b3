"""The lease objects of a zone, as its fleet wants them."""

from holdfast.core.leases.fleet import Fleet, Mode, rack_of
from holdfast.core.leases.lease import NEVER, DropletLease, Lease, RackLease


def wanted(fleet: Fleet, zone: str) -> tuple[Lease, ...]:
    """One of each, held by nobody, in the order of the manager's units."""
    knobs = (fleet.duration, fleet.period, fleet.timeout)
    return tuple(made(fleet.mode, name, zone, fleet.droplets, *knobs) for name in fleet.names(zone))


def made(
    mode: Mode,
    name: str,
    zone: str,
    droplets: int,
    seconds: float,
    heartbeat: float,
    timeout: float,
) -> Lease:
    """A lease that nobody has held yet."""
    rack = rack_of(name)
    if mode is Mode.RACK:
        packed = NEVER * droplets
        return RackLease(
            name, zone, rack, seconds, heartbeat=heartbeat, timeout=timeout, packed=packed
        )
    return DropletLease(name, zone, rack, seconds, heartbeat=heartbeat, timeout=timeout)
