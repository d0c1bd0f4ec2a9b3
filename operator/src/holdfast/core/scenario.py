"""A Scenario as values, read from its spec. The CRD has refused anything out of bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.core.bounds import Bounds, bounds_of
from holdfast.core.guards import DnsGuards, dns_guards
from holdfast.core.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Arm:
    """One run under one set of guards. `holds` are as a Region's spec has them."""

    name: str
    guards: DnsGuards
    raw_guards: Mapping[str, Any]
    expect: Outcome
    holds: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`deadline_seconds` bounds each arm from its first plan; `settle_seconds` is how long an arm
    is watched after its last hold has been released. `bounds`: how far the checker looks."""

    name: str
    uid: str
    seed: int
    deadline_seconds: float
    settle_seconds: float
    region_name: str
    region: Mapping[str, Any]
    arms: tuple[Arm, ...]
    bounds: Bounds

    def namespace_of(self, arm: str) -> str:
        return f"{self.name}-{arm}"


def holds_of(timeline: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The holds of a timeline as a Region's spec has them: named `hold-1`, `hold-2`, ..."""
    holds: list[Mapping[str, Any]] = []
    for number, entry in enumerate(timeline, start=1):
        where = entry["hold"]
        hold = {
            "name": f"hold-{number}",
            "zone": where["zone"],
            "at": where["at"],
            "until": entry["until"],
            "deadlineSeconds": entry.get("deadlineSeconds", 60),
        }
        if where.get("when"):
            hold["when"] = where["when"]
        holds.append(hold)
    return tuple(holds)


def scenario_of(name: str, uid: str, spec: Mapping[str, Any]) -> Scenario:
    """Raises ValueError or KeyError naming the field for what no engine can run."""
    region = dict(spec.get("region") or {})
    shared = list(spec.get("timeline") or ())
    arms = tuple(
        Arm(
            name=raw["name"],
            guards=dns_guards(raw.get("guards") or {}),
            raw_guards=raw.get("guards") or {},
            expect=Outcome(raw["expect"]),
            holds=holds_of(list(raw.get("timeline") or shared)),
        )
        for raw in spec["arms"]
    )
    return Scenario(
        name=name,
        uid=uid,
        seed=int(spec.get("seed", 0)),
        deadline_seconds=float(spec.get("deadlineSeconds", 120)),
        settle_seconds=float(spec.get("settleSeconds", 20)),
        region_name=str(region.pop("name", "us-east-1")),
        region=region,
        arms=arms,
        bounds=bounds_of(spec.get("check")),
    )
