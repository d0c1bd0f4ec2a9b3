"""What a fleet's numbers allow: the formulas of a lease manager, for one's own N, k, P and T.

Symbols: N state checks a period (a lease each, or a rack of them), P the period, k workers, c_r and
c_e a worker's seconds for a renewal and for an establishment, T the timeout, which runs from the
moment of queueing, L how long a lease lasts. λ = N/P first attempts a second; μ = k/c a second is
what the workers can do: of renewals while all is well, of establishments once all is lost.

Sources: Little's law and utilisation for the load; the incident for the bound (what waits longer
than T is done in vain) and for the collapse; Bronson et al., "Metastable Failures in Distributed
Systems" (HotOS 2021), for the region μ/R < λ < μ. The recovery is the solution of
N_held' = (k − N_held·c_r/P)/c_e: workers establish with whatever the renewals leave them.
"""

import math
from dataclasses import dataclass

from holdfast.core.leases import rules
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import RETRY_BUDGET


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a queue can keep a manager down by itself, and why."""

    exists: bool
    why: str


def load(fleet: Fleet) -> float:
    """ρ: the share of the workers' time that renewals take. From 1 on nothing helps but workers."""
    return fleet.units * fleet.renew / (fleet.workers * fleet.period)


def all_lost_load(fleet: Fleet) -> float:
    """The same when every lease is lost, and each heartbeat has to establish."""
    return fleet.units * fleet.establish / (fleet.workers * fleet.period)


def all_lost_drain_seconds(fleet: Fleet) -> float:
    """What the workers need for an establishment of every lease."""
    return fleet.units * fleet.establish / fleet.workers


def admission_bound(fleet: Fleet) -> float:
    """B*: how many establishments end within the timeout."""
    return fleet.workers * fleet.timeout / fleet.establish


def recovery_seconds(fleet: Fleet) -> float:
    """From all lost to all held, when no work is done in vain; infinity where ρ ≥ 1. Heartbeats
    come once a period: where the formula says less than P, it takes P all the same."""
    found = rules.recovery_seconds(fleet)
    return math.inf if found is None else found


def throttled_recovery_seconds(fleet: Fleet) -> float:
    """The same where one queue, first in first out, is kept full by a bound, and leases last long
    enough to bear refused renewals. Of the heartbeats a share p = 1/(ρ(h + (1 − h)·r)) finds room,
    with h the share that is held and r = c_e/c_r, renewals and the lost alike: h' = (1 − h)·p/P
    until p = 1, and one period more. Refused renewals leave time to establish, so it may be less
    than `recovery_seconds`."""
    rho, dearer = load(fleet), fleet.establish / fleet.renew
    if rho >= 1:
        return math.inf
    if rho * dearer <= 1:
        return fleet.period
    lost = (1 / rho - 1) / (dearer - 1)
    return fleet.period * (rho * ((dearer - 1) * (1 - lost) - math.log(lost)) + 1)


def most_units(fleet: Fleet) -> float:
    """The N at which ρ = 1."""
    return fleet.workers * fleet.period / fleet.renew


def lost_share(fleet: Fleet, seconds: float) -> float:
    """Of the leases, how many have run out so long after the last renewal succeeded. Renewals have
    uniform phases, so the oldest lease has L − P left, and the youngest L."""
    return min(1.0, max(0.0, (seconds - (fleet.duration - fleet.period)) / fleet.period))


def backlog_seconds(fleet: Fleet, seconds: float) -> float:
    """What the workers need for all that is queued in an outage of `seconds`, each heartbeat once
    and nothing dropped: those whose lease is lost by then cost an establishment."""
    dearer = lost_share(fleet, seconds) * (fleet.establish / fleet.renew - 1)
    return load(fleet) * seconds * (1 + dearer)


def trigger_seconds(fleet: Fleet) -> float:
    """The shortest outage that suffices: its backlog takes longer than T (excess backlog > μT), so
    that whatever is queued behind it comes too late as well."""
    low, high = 0.0, fleet.timeout / load(fleet)
    for _ in range(100):
        middle = (low + high) / 2
        if backlog_seconds(fleet, middle) < fleet.timeout:
            low = middle
        else:
            high = middle
    return high


def amplification(attempts: float, layers: int = 1) -> float:
    """Work for each request that fails: R attempts in each of so many layers, R^L."""
    return float(attempts) ** layers


def budget_amplification() -> float:
    """With a budget of β retries for each first attempt: never more than 1 + β."""
    return 1 + RETRY_BUDGET


def region(fleet: Fleet, attempts: float = math.inf) -> tuple[float, float]:
    """The loads ρ between which a metastable state exists: above the lower one, R attempts at
    establishing keep the workers busy (λ > μ_e/R); below the upper one, all is well until
    something happens (λ < μ_r)."""
    return fleet.renew / fleet.establish / attempts, 1.0


def metastable(fleet: Fleet, bound: float = math.inf, attempts: float = math.inf) -> Verdict:
    """Whether a collapse would last. `bound`: of the queue; infinity for none. `attempts`: of each
    heartbeat; infinity for retries without end."""
    fits, drain = admission_bound(fleet), all_lost_drain_seconds(fleet)
    low, _ = region(fleet, attempts)
    rho, timeout = load(fleet), fleet.timeout
    if fleet.establish > timeout:
        return Verdict(True, f"c_e = {fleet.establish:.4g} s > T: what is lost stays lost")
    if rho >= 1:
        return Verdict(True, f"overloaded without any trigger: ρ = {rho:.3g} ≥ 1")
    if bound <= fits:
        return Verdict(False, f"the queue's bound {bound:.4g} ≤ μT = {fits:.4g}: all in it fits T")
    if rho <= low:
        return Verdict(False, f"ρ = {rho:.3g} ≤ c_r/(R·c_e) = {low:.3g}: all attempts fit")
    if drain > timeout:
        return Verdict(True, f"all lost takes N·c_e/k = {drain:.4g} s > T = {timeout:.4g} s")
    once = f"each lease once takes N·c_e/k = {drain:.4g} s ≤ T = {timeout:.4g} s"
    return Verdict(True, f"{once}, but heartbeats that queue again behind it do not")
