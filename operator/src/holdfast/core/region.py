"""A Region's knobs as values, read from its spec. The CRD has refused anything out of bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.core.actor import Rules
from holdfast.core.freeze import FOREVER, Freeze, seconds_of
from holdfast.core.guards import (
    AWS_LEASES,
    DnsGuards,
    LeaseGuards,
    dns_guards,
    effective,
    lease_guards,
)
from holdfast.core.holds import Hold, hold_of
from holdfast.core.leases.fleet import Fleet, fleet_of
from holdfast.core.objects import Family

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
"""Where a spec names none."""


@dataclass(frozen=True, slots=True)
class Region:
    """All knobs and guards of one region's control loops. Times in seconds."""

    namespace: str
    name: str
    endpoints: tuple[str, ...]
    zones: tuple[str, ...]
    retention: int
    plan_history: int
    churn_per_minute: float
    lock_seconds: float
    backoff_seconds: float
    backoff_max_seconds: float
    guards: DnsGuards
    holds: tuple[Hold, ...]
    paused: bool
    families: tuple[Family, ...] = ("IPv4",)
    freeze: Freeze | None = None
    parallel: int = 4
    """Endpoints that an enactor walks at once, where there are no holds."""
    seed: int | None = None
    """Of the back-off, in a run of `mode: Jitter`; None: as chance will have it."""
    fleet: Fleet | None = None
    lease_guards: LeaseGuards = AWS_LEASES

    def is_frozen(self, now: float) -> bool:
        """Whether a human has switched the Region's automation off."""
        return self.freeze is not None and self.freeze.until > now

    @property
    def effective(self) -> dict[str, dict[str, str]]:
        """The guards in force, as status tells them; of leases where there are any."""
        return effective(self.guards, self.lease_guards if self.fleet else None)

    def rules(self) -> Rules:
        return Rules(self.guards, self.retention, self.lock_seconds)


def age(raw: Mapping[str, Any]) -> tuple[str, str]:
    """By which the oldest Region of a namespace is the least. Only that one is served."""
    meta = raw["metadata"]
    return str(meta.get("creationTimestamp", "")), str(meta["name"])


def region_of(namespace: str, name: str, spec: Mapping[str, Any]) -> Region:
    """Raises ValueError for a guard that does not exist (see `dns_guards`)."""
    planner = spec.get("planner") or {}
    enactor = spec.get("enactor") or {}
    return Region(
        namespace=namespace,
        name=name,
        endpoints=tuple(spec.get("endpoints") or ("dynamodb",)),
        zones=tuple(spec.get("zones") or ZONES),
        retention=int(spec.get("retention", 2)),
        plan_history=int(spec.get("planHistory", 100)),
        churn_per_minute=float(planner.get("churnPerMinute", 0)),
        lock_seconds=float(enactor.get("lockSeconds", 10)),
        backoff_seconds=int(enactor.get("backoffMilliseconds", 50)) / 1000,
        backoff_max_seconds=int(enactor.get("backoffMaxMilliseconds", 2000)) / 1000,
        guards=dns_guards(spec.get("guards") or {}),
        holds=tuple(hold_of(h) for h in spec.get("holds") or ()),
        paused=bool(spec.get("paused", False)),
        families=tuple(spec.get("families") or ("IPv4",)),
        freeze=_freeze(spec.get("freeze")),
        parallel=int(enactor.get("parallel", 4)),
        seed=spec.get("seed"),
        fleet=fleet_of(spec.get("fleet")),
        lease_guards=lease_guards(spec.get("guards") or {}),
    )


def _freeze(raw: Mapping[str, Any] | None) -> Freeze | None:
    if not raw:
        return None
    until = seconds_of(str(raw.get("until") or ""))
    seconds = FOREVER if until is None else until
    return Freeze(str(raw["who"]), seconds, str(raw.get("why", "")))


def backoff(region: Region, attempt: int, chance: float) -> float:
    """Seconds before round `attempt` + 1: exponential with full jitter, `chance` in [0, 1)."""
    ceiling = min(region.backoff_max_seconds, region.backoff_seconds * 2.0 ** min(attempt, 16))
    return ceiling * chance
