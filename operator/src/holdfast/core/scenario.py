"""A Scenario as values, read from its spec. The CRD has refused anything out of bounds.

What it cannot see is refused here: an arm's own fleet over its Region's, and what a timeline does
to leases where there are none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.core.acts import LEASE_ROLES, OF_LEASES, Act, act_of
from holdfast.core.bounds import Bounds, bounds_of
from holdfast.core.guards import (
    AWS_LEASES,
    DnsGuards,
    LeaseGuards,
    dns_guards,
    effective,
    lease_guards,
)
from holdfast.core.invariants import Invariant
from holdfast.core.leases.fleet import Fleet, broken_rules, fleet_of
from holdfast.core.leases.metastability import Metastability
from holdfast.core.ledger import RecoveredBy
from holdfast.core.region import ZONES
from holdfast.core.starts import Start
from holdfast.core.verdict import EITHER, Outcome


@dataclass(frozen=True, slots=True)
class Arm:
    """One run under one set of guards. `holds` are as a Region's spec has them. What is expected:
    the outcome (None: either), by whom the name was given back, and invariants that hold or break
    besides."""

    name: str
    guards: DnsGuards
    raw_guards: Mapping[str, Any]
    expect: Outcome | None
    holds: tuple[Mapping[str, Any], ...]
    acts: tuple[Act, ...] = ()
    start: Start | None = None
    recovered_by: RecoveredBy | None = None
    keeps: tuple[Invariant, ...] = ()
    breaks: tuple[Invariant, ...] = ()
    metastability: Metastability | None = None
    settle_seconds: float = 20.0
    """How long the arm is watched after its last hold was let go and its last act was done."""
    lease_guards: LeaseGuards = AWS_LEASES
    fleet: Fleet | None = None
    raw_fleet: Mapping[str, Any] | None = None

    @property
    def effective(self) -> dict[str, dict[str, str]]:
        """The guards asked for, as status and results tell them."""
        return effective(self.guards, self.lease_guards if self.fleet else None)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`deadline_seconds` bounds each arm from its first plan. `bounds`: how far the checker looks.
    `jitter`: nobody is held, and an arm lasts its `settle_seconds`."""

    name: str
    uid: str
    seed: int
    deadline_seconds: float
    region_name: str
    region: Mapping[str, Any]
    arms: tuple[Arm, ...]
    bounds: Bounds
    jitter: bool = False

    def namespace_of(self, arm: str) -> str:
        return f"{self.name}-{arm}"


def acts_of(timeline: list[Mapping[str, Any]]) -> tuple[Act, ...]:
    """What a timeline has others than enactors do: named after its place, `act-3`."""
    return tuple(
        act_of(f"act-{number}", entry)
        for number, entry in enumerate(timeline, start=1)
        if "operator" in entry or "scale" in entry
    )


def holds_of(timeline: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The holds of a timeline as a Region's spec has them, named after their place: `hold-1`, of an
    enactor unless they say otherwise. A lost reply is a hold that stops nobody."""
    holds: list[Mapping[str, Any]] = []
    for number, entry in enumerate(timeline, start=1):
        loses = "lostReply" in entry
        if not loses and "hold" not in entry:
            continue
        where = entry["lostReply"] if loses else entry["hold"]
        hold: dict[str, Any] = {
            "name": f"hold-{number}",
            "zone": where["zone"],
            "at": where["at"],
            "until": entry.get("until") or {},
            "deadlineSeconds": entry.get("deadlineSeconds", 60),
        }
        if loses:
            hold["losesReply"] = True
        if where.get("role", "enactor") != "enactor":
            hold["role"] = where["role"]
        for field in ("endpoint", "droplet", "when"):
            if where.get(field):
                hold[field] = where[field]
        holds.append(hold)
    return tuple(holds)


def scenario_of(name: str, uid: str, spec: Mapping[str, Any]) -> Scenario:
    """Raises ValueError or KeyError naming the field for what no engine can run."""
    region = dict(spec.get("region") or {})
    shared = list(spec.get("timeline") or ())
    settle = float(spec.get("settleSeconds", 20))
    fleet = dict(region.get("fleet") or {})
    arms = tuple(
        Arm(
            name=raw["name"],
            guards=dns_guards(raw.get("guards") or {}),
            raw_guards=raw.get("guards") or {},
            expect=None if raw["expect"] == EITHER else Outcome(raw["expect"]),
            holds=holds_of(timeline),
            acts=acts_of(timeline),
            start=Start(raw["start"]) if raw.get("start") else None,
            recovered_by=raw.get("recoveredBy"),
            metastability=raw.get("metastability"),
            keeps=tuple(map(Invariant, raw.get("keeps") or ())),
            breaks=tuple(map(Invariant, raw.get("breaks") or ())),
            settle_seconds=float(raw.get("settleSeconds", settle)),
            lease_guards=lease_guards(raw.get("guards") or {}),
            fleet=fleet_of(own_fleet),
            raw_fleet=own_fleet or None,
        )
        for raw in spec["arms"]
        for timeline in [list(raw.get("timeline", shared))]
        for own_fleet in [{**fleet, **(raw.get("fleet") or {})}]
    )
    zones = tuple(region.get("zones") or ZONES)
    for arm, raw in zip(arms, spec["arms"], strict=True):
        for wrong in _of_leases(arm, list(raw.get("timeline", shared)), zones):
            raise ValueError(f"arm {arm.name}: {wrong}")
    return Scenario(
        name=name,
        uid=uid,
        seed=int(spec.get("seed", 0)),
        deadline_seconds=float(spec.get("deadlineSeconds", 120)),
        region_name=str(region.pop("name", "us-east-1")),
        region=region,
        arms=arms,
        bounds=bounds_of(spec.get("check")),
        jitter=spec.get("mode") == "Jitter",
    )


def _of_leases(
    arm: Arm, timeline: list[Mapping[str, Any]], zones: tuple[str, ...]
) -> Iterator[str]:
    """What no engine can run: of its fleet, or without one."""
    if arm.fleet is not None:
        yield from (f"fleet.{field}: {why}" for field, why in broken_rules(arm.fleet))
        strangers = set(arm.fleet.restarts or ()).difference(zones)
        yield from (f"fleet.restarts: {z} is no zone of the region" for z in sorted(strangers))
        return
    for number, entry in enumerate(timeline):
        for what in _needs_leases(entry):
            yield f"timeline[{number}]: {what} needs a fleet, and there is none"


def _needs_leases(entry: Mapping[str, Any]) -> Iterator[str]:
    """What in an entry of a timeline there can be with leases alone."""
    scale, order, hold = (entry.get(kind) or {} for kind in ("scale", "operator", "hold"))
    if scale.get("role") in LEASE_ROLES:
        yield f"scale {scale['role']}"
    if order.get("command") in OF_LEASES:
        yield f"operator {order['command']}"
    if hold.get("role") in LEASE_ROLES:
        yield f"a hold of {hold['role']}"
    for name, told in (("when", hold), ("when", entry), ("until", entry)):
        for field in ("leasesHeld", "leasesLost"):
            if field in (told.get(name) or {}):
                yield f"{name}.{field}"
