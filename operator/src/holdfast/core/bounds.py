"""How far the checker looks: `Scenario.spec.check`. What it finds is exhaustive within these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Budgets:
    """How often each fault may strike in one behaviour."""

    crashes: int = 0
    lost_replies: int = 0
    stale_reads: int = 0
    lock_expiries: int = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    enactors: int = 2
    plans: int = 4
    retention: int = 1
    endpoints: int = 1
    budgets: Budgets = field(default_factory=Budgets)
    bare_plans: int = 0
    """Of the plans, how many may leave every endpoint without addresses."""


def bounds_of(raw: Mapping[str, Any] | None) -> Bounds:
    """From `spec.check`; what is left out has its default."""
    raw = raw or {}
    budgets = raw.get("budgets") or {}
    return Bounds(
        enactors=int(raw.get("enactors", 2)),
        plans=int(raw.get("plans", 4)),
        retention=int(raw.get("retention", 1)),
        endpoints=int(raw.get("endpoints", 1)),
        bare_plans=int(raw.get("barePlans", 0)),
        budgets=Budgets(
            crashes=int(budgets.get("crashes", 0)),
            lost_replies=int(budgets.get("lostReplies", 0)),
            stale_reads=int(budgets.get("staleReads", 0)),
            lock_expiries=int(budgets.get("lockExpiries", 1)),
        ),
    )


def bounds_document(bounds: Bounds) -> dict[str, Any]:
    """As written into results, beside the word exhaustive."""
    return {
        "enactors": bounds.enactors,
        "plans": bounds.plans,
        "retention": bounds.retention,
        "endpoints": bounds.endpoints,
        **({"barePlans": bounds.bare_plans} if bounds.bare_plans else {}),
        "budgets": {
            "crashes": bounds.budgets.crashes,
            "lostReplies": bounds.budgets.lost_replies,
            "staleReads": bounds.budgets.stale_reads,
            "lockExpiries": bounds.budgets.lock_expiries,
        },
    }
