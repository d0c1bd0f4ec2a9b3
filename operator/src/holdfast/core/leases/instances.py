"""What customers launch: instances, each on a droplet whose lease is held.

An instance is `Pending` until a droplet is found for it, `Launching` for a second, then `Running`,
until its customer wants it `Stopped`. Whatever *changes* it is asked of its droplet, and a droplet
takes orders only from the holder of its lease. So without held leases nothing can be launched,
stopped or rebooted; what is refused stays wanted, and is done once the lease is held again.

**Static stability**: what runs needs nobody's order to go on running. `settle` therefore looks at
leases only where something is asked for: of a running instance whose action is Run it changes
nothing, whatever leases do, and even where the fleet has no such droplet any more.

**One instance a droplet.** A droplet is free if its lease is held and no instance names it, in what
is stored or in what is to be stored: what is given up in one pass is free in the next, since the
write that gives it up may fail. A single manager so never gives one away twice. Two of one zone
may, each behind the other's writes; both then see it, and the older keeps it, but one that runs
before one that does not. A launch takes longer than a watch is behind, so the other never ran.

**A hand's edit of a status** is answered with what a manager wrote last (`Instance.known`). Who has
just started knows nothing: it takes what it finds, and mends what cannot be, such as an instance
that runs nowhere.

Which instance is which, the uid says: one made anew under an old name is another, and has no
droplet.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from holdfast.core.leases.fleet import droplet_name
from holdfast.core.leases.lease import Lease, RackLease, unpack

Phase: TypeAlias = Literal["Pending", "Launching", "Running", "Stopped"]
Action: TypeAlias = Literal["Run", "Stop", "Reboot"]

LAUNCH_SECONDS = 1.0

LAUNCHING = "Launching"
INSUFFICIENT = "InsufficientCapacity"
REFUSED = "ActionRefused"
REBOOTED = "Rebooted"
OURS = frozenset({LAUNCHING, INSUFFICIENT, REFUSED, REBOOTED})
"""The types of the conditions that a lease manager writes. Others' are left as they are."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`since`: seconds of the epoch at which its status became this; of `Rebooted`, the last time.
    `generation`: of the spec that it answers."""

    type: str
    status: str
    reason: str
    message: str
    since: float
    generation: int = 0


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """`droplet`: where it is launched or runs; "" otherwise. `conditions`: ours, by their types."""

    phase: Phase = "Pending"
    droplet: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()

    def of(self, kind: str) -> Condition | None:
        return next((c for c in self.conditions if c.type == kind), None)

    def says(self, kind: str) -> bool:
        """Whether a condition is true."""
        return any(c.type == kind and c.status == "True" for c in self.conditions)


@dataclass(frozen=True, slots=True)
class Instance:
    """`zone` "": the first of the Region. `known`: the status that a manager wrote last, as far as
    this process knows. `others`: conditions that are not ours. `created` in seconds of the epoch;
    `generation`: of its spec."""

    name: str
    zone: str = ""
    action: Action = "Run"
    status: InstanceStatus = InstanceStatus()
    known: InstanceStatus | None = None
    others: tuple[Condition, ...] = ()
    created: float = 0.0
    generation: int = 1
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """Whose instances are settled: those with one of the droplets of `zone`, so many, and those to
    be launched there. The manager of the first of the Region's `zones` also sees to those that say
    no zone, and tells those that say a zone which the Region does not have."""

    zone: str
    zones: tuple[str, ...]
    droplets: int

    def has(self, instance: Instance, droplet: str) -> bool:
        """Whether it is ours to settle, with this droplet or none."""
        zone = droplet.rpartition("-r")[0] or instance.zone
        return zone == self.zone or (zone not in self.zones and self.zone == self.zones[0])

    def hosts(self, instance: Instance) -> bool:
        """Whether it may be launched on our droplets."""
        return instance.zone in ("", self.zone)


Change: TypeAlias = tuple[Instance, InstanceStatus]


def held_droplets(leases: Iterable[Lease], now: float) -> frozenset[str]:
    """The droplets whose lease is held at `now`, by whichever manager."""
    found: set[str] = set()
    for lease in leases:
        if not isinstance(lease, RackLease):
            found |= {lease.name} if lease.live(now) else set()
        elif lease.holder:
            left = lease.renewed + lease.seconds - now
            found |= {
                droplet_name(lease.zone, lease.rack, number)
                for number, age in enumerate(unpack(lease.packed), start=1)
                if age is not None and age < left
            }
    return frozenset(found)


def settle(
    instances: Collection[Instance], held: frozenset[str], now: float, home: Home
) -> tuple[Change, ...]:
    """The instances of `home` whose status is to be another, and which, the oldest first.
    `instances`: all of the namespace; `held`: the droplets of the zone whose lease is held."""
    stands = {i.uid: _sound(i.known or i.status) for i in instances}
    keepers = _keepers(instances, stands)
    taken = {s.droplet for s in stands.values()} | {i.status.droplet for i in instances}
    changes: list[Change] = []
    for instance in sorted(instances, key=_age):
        status = stands[instance.uid]
        if not home.has(instance, status.droplet):
            continue
        if status.droplet and (keeper := keepers[status.droplet]).uid != instance.uid:
            told = f"{status.droplet} is {keeper.name}'s"
            status = _unplaced(status, "DropletOfAnother", told, now)
        free = held - taken if home.hosts(instance) else frozenset[str]()
        after = _next(instance, status, held, free, home.droplets, instance.zone or home.zone, now)
        if after.droplet != status.droplet and after.droplet:
            assert after.droplet in held - taken, f"{after.droplet} is not free"
            taken.add(after.droplet)
        if after != instance.status:
            changes.append((instance, after))
    return tuple(changes)


def _age(instance: Instance) -> tuple[float, str]:
    return instance.created, instance.name


def _sound(status: InstanceStatus) -> InstanceStatus:
    """What a hand has left may be what no instance can be."""
    is_placed = status.phase in ("Launching", "Running")
    if is_placed and not status.droplet:
        return replace(status, phase="Pending")
    return status if is_placed or not status.droplet else replace(status, droplet="")


def _keepers(
    instances: Iterable[Instance], stands: Mapping[str, InstanceStatus]
) -> dict[str, Instance]:
    """Whose each droplet is."""
    keepers: dict[str, Instance] = {}
    for i in sorted(instances, key=lambda i: (stands[i.uid].phase != "Running", *_age(i))):
        if droplet := stands[i.uid].droplet:
            keepers.setdefault(droplet, i)
    return keepers


def _next(
    instance: Instance,
    status: InstanceStatus,
    held: frozenset[str],
    free: frozenset[str],
    droplets: int,
    zone: str,
    now: float,
) -> InstanceStatus:
    """The status after one step, from one that can be."""
    action, is_held = instance.action, status.droplet in held
    if status.phase == "Launching" and not is_held:
        told = f"the lease of {status.droplet} was lost before the launch was done"
        status = _unplaced(status, "LeaseLost", told, now)
    if status.phase == "Stopped" and action != "Stop":
        status = replace(status, phase="Pending")
    match status.phase:
        case "Stopped":
            return status
        case "Pending" if action == "Stop":
            return _stopped(status, now)
        case "Pending" if free:
            return _placed(status, min(free), now)
        case "Pending":
            told = f"0 of {droplets} droplets of {zone} have a held lease and are free"
            status = _set(status, INSUFFICIENT, True, "NoDropletFree", told, now)
            return replace(status, message=told)
        case "Running" if not is_held and _is_asked(instance, status):
            told = f"{action} is not done: the lease of {status.droplet} is not held"
            return _set(status, REFUSED, True, "LeaseNotHeld", told, now)
        case _ if action == "Stop":
            return _stopped(status, now)
        case "Launching":
            since = status.of(LAUNCHING)
            if since is not None and 0 <= now - since.since < LAUNCH_SECONDS:
                return status
            status = _set(status, LAUNCHING, False, "Launched", f"on {status.droplet}", now)
            status = replace(status, phase="Running", message=f"on {status.droplet}")
            return _rebooted(instance, status, now) if action == "Reboot" else status
        case _ if _is_asked(instance, status):
            return _rebooted(instance, status, now)
        case _:
            return _unrefused(status, "NotAsked", "nothing is asked for but to run", now)


def _is_asked(instance: Instance, status: InstanceStatus) -> bool:
    """Whether something is to be done to a running instance. A reboot is, once a generation."""
    done = status.of(REBOOTED)
    is_done = done is not None and done.generation >= instance.generation
    return instance.action == "Stop" or (instance.action == "Reboot" and not is_done)


def _unplaced(status: InstanceStatus, reason: str, told: str, now: float) -> InstanceStatus:
    status = _set(status, LAUNCHING, False, reason, told, now)
    return replace(status, phase="Pending", droplet="", message=told)


def _placed(status: InstanceStatus, droplet: str, now: float) -> InstanceStatus:
    told = f"on {droplet}, whose lease is held"
    status = _set(status, LAUNCHING, True, "DropletFound", told, now)
    status = _set(status, INSUFFICIENT, False, "DropletFound", told, now)
    return replace(status, phase="Launching", droplet=droplet, message=f"launching on {droplet}")


def _stopped(status: InstanceStatus, now: float) -> InstanceStatus:
    """It gives its droplet up: started again, it may come to another."""
    status = _unrefused(status, "Done", "it is stopped", now)
    status = _set(status, LAUNCHING, False, "Stopped", "as asked", now)
    if status.says(INSUFFICIENT):
        status = _set(status, INSUFFICIENT, False, "NotAsked", "it is to be stopped", now)
    return replace(status, phase="Stopped", droplet="", message="as asked")


def _rebooted(instance: Instance, status: InstanceStatus, now: float) -> InstanceStatus:
    """The order is given, and takes no time that anybody would see."""
    status = _unrefused(status, "Done", "it was rebooted", now)
    told = f"as asked in generation {instance.generation}"
    done = Condition(REBOOTED, "True", "Done", told, now, instance.generation)
    return _with(status, done)


def _unrefused(status: InstanceStatus, reason: str, told: str, now: float) -> InstanceStatus:
    return _set(status, REFUSED, False, reason, told, now) if status.says(REFUSED) else status


def _set(
    status: InstanceStatus, kind: str, is_true: bool, reason: str, message: str, now: float
) -> InstanceStatus:
    """The same status where the condition says so already."""
    before = status.of(kind)
    wanted = Condition(kind, str(is_true), reason, message, now)
    if before is None or before.status != wanted.status:
        return _with(status, wanted)
    return _with(status, replace(wanted, since=before.since, generation=before.generation))


def _with(status: InstanceStatus, condition: Condition) -> InstanceStatus:
    rest = [c for c in status.conditions if c.type != condition.type]
    return replace(status, conditions=tuple(sorted([*rest, condition], key=lambda c: c.type)))
