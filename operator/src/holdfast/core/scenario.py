"""A Scenario as values, read from its spec. The CRD has refused anything out of bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.core.acts import Act, act_of
from holdfast.core.bounds import Bounds, bounds_of
from holdfast.core.guards import DnsGuards, dns_guards
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import RecoveredBy
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
    settle_seconds: float = 20.0
    """How long the arm is watched after its last hold was let go and its last act was done."""


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
    """The holds of a timeline as a Region's spec has them, named after their place: `hold-1`. A
    lost reply is a hold that stops nobody."""
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
        for field in ("endpoint", "when"):
            if where.get(field):
                hold[field] = where[field]
        holds.append(hold)
    return tuple(holds)


def scenario_of(name: str, uid: str, spec: Mapping[str, Any]) -> Scenario:
    """Raises ValueError or KeyError naming the field for what no engine can run."""
    region = dict(spec.get("region") or {})
    shared = list(spec.get("timeline") or ())
    settle = float(spec.get("settleSeconds", 20))
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
            keeps=tuple(map(Invariant, raw.get("keeps") or ())),
            breaks=tuple(map(Invariant, raw.get("breaks") or ())),
            settle_seconds=float(raw.get("settleSeconds", settle)),
        )
        for raw in spec["arms"]
        for timeline in [list(raw.get("timeline", shared))]
    )
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
