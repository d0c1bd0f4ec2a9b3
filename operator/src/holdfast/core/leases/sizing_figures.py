"""The formulas of `sizing` as a table's rows: the quantity, its value, and how it comes about."""

import math
from dataclasses import dataclass

from holdfast.core.leases import sizing
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import BOUND_SHARE, RETRY_BUDGET, queue_bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity. `formula`: as text, with the numbers put in. `value` may be infinite; of unit
    yes/no it is 1 or 0."""

    name: str
    says: str
    value: float
    unit: str
    formula: str


def figures(fleet: Fleet, attempts: float = math.inf) -> tuple[Figure, ...]:
    """All of them, in the order in which one asks. The fleet is that of one manager."""
    return (*_loads(fleet), *_bounds(fleet), *_collapse(fleet, attempts))


def _loads(fleet: Fleet) -> tuple[Figure, ...]:
    n, k, p = f"{fleet.units:,}", f"{fleet.workers:,}", _n(fleet.period)
    renew, establish = _n(fleet.renew), _n(fleet.establish)
    rho, lost = sizing.load(fleet), sizing.all_lost_load(fleet)
    drain = sizing.all_lost_drain_seconds(fleet)
    return (
        Figure("load", "load of the renewals ρ", rho, "", f"N·c_r/(kP) = {n}·{renew}/({k}·{p})"),
        Figure(
            "allLostLoad",
            "load when all is lost",
            lost,
            "",
            f"N·c_e/(kP) = {n}·{establish}/({k}·{p})",
        ),
        Figure(
            "allLostDrainSeconds",
            "an establishment of each",
            drain,
            "s",
            f"N·c_e/k = {n}·{establish}/{k}",
        ),
        Figure(
            "mostLeases",
            "N at which ρ = 1",
            sizing.most_units(fleet),
            "",
            f"kP/c_r = {k}·{p}/{renew}",
        ),
    )


def _bounds(fleet: Fleet) -> tuple[Figure, ...]:
    k, p, t = f"{fleet.workers:,}", _n(fleet.period), _n(fleet.timeout)
    renew, establish = _n(fleet.renew), _n(fleet.establish)
    fits, used, rho = sizing.admission_bound(fleet), queue_bound(fleet), sizing.load(fleet)
    ends = f"−({p}·{establish}/{renew})·ln(1 − {_n(rho)})" if rho < 1 else "never, for ρ ≥ 1"
    share = f"{BOUND_SHARE:g}"
    return (
        Figure(
            "admissionBound", "admission bound B*", fits, "checks", f"kT/c_e = {k}·{t}/{establish}"
        ),
        Figure(
            "queueBound",
            "bound to use",
            used,
            "checks",
            f"{share}·B* = ⌊{share}·{_n(fits)}⌋, at least 1",
        ),
        Figure(
            "recoverySeconds",
            "recovery from all lost",
            sizing.recovery_seconds(fleet),
            "s",
            f"−(P·c_e/c_r)·ln(1 − ρ) = {ends}",
        ),
        Figure(
            "throttledRecoverySeconds",
            "the same, one queue, throttled",
            sizing.throttled_recovery_seconds(fleet),
            "s",
            f"P·(ρ·((c_e/c_r − 1)(1 − x) − ln x) + 1), x = lost when all find room; P = {p}",
        ),
    )


def _collapse(fleet: Fleet, attempts: float) -> tuple[Figure, ...]:
    free = sizing.metastable(fleet, attempts=attempts)
    bound = sizing.metastable(fleet, bound=queue_bound(fleet), attempts=attempts)
    low, high = sizing.region(fleet, attempts)
    trigger, often = sizing.trigger_seconds(fleet), _n(attempts)
    twice = _n(sizing.amplification(attempts, 2))
    takes = _n(sizing.backlog_seconds(fleet, trigger))
    return (
        Figure("metastable", "metastable state, no bound", float(free.exists), "yes/no", free.why),
        Figure(
            "metastableBounded",
            "the same with that bound",
            float(bound.exists),
            "yes/no",
            bound.why,
        ),
        Figure(
            "metastableAbove",
            "it exists from load",
            low,
            "",
            f"μ_e/R < λ < μ_r: c_r/(R·c_e) < ρ < {high:g}, R = {often}",
        ),
        Figure(
            "triggerSeconds",
            "outage d that suffices",
            trigger,
            "s",
            f"ρ·d·(1 + lost·(c_e/c_r − 1)) = {takes} s = T: excess backlog > μT",
        ),
        Figure(
            "amplification",
            "attempts for one, no budget",
            sizing.amplification(attempts),
            "",
            f"R = {often} in one layer, R^2 = {twice} in two",
        ),
        Figure(
            "budgetAmplification",
            "the same with a budget",
            sizing.budget_amplification(),
            "",
            f"1 + β = 1 + {RETRY_BUDGET:g}",
        ),
    )


def _n(number: float) -> str:
    return "∞" if math.isinf(number) else f"{number:.4g}"
