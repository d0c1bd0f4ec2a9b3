"""The arithmetic of a lease manager, for one unit of work or for a numpy column of them.

Sources: the queue bound and the deadline are the incident's own (what waits longer than its
deadline is done in vain); the budget of retries is that of gRPC's and Finagle's retry throttling.
"""

import math

from holdfast.core.leases.fleet import CostOf, Fleet

BOUND_SHARE = 0.75
"""Of what can be done within the deadline, how much may wait: the rest is for variance."""
RETRY_BUDGET = 0.1
"""Retries for each first attempt: whatever fails, the work is at most 1.1 times the heartbeats."""
BUDGET_MAX = 10.0
"""Retries that may be saved up."""
BACKOFF_SECONDS = 0.1
BACKOFF_SHARE = 0.5
"""Of a period: the longest back-off."""


BIRTH_SHARE = 0.5
"""Of the workers, how many a fleet is built up with that nobody has held before."""


def birth_seconds(fleet: Fleet) -> float:
    """Over which a new fleet's first heartbeats are spread. A fleet is racked over years and not in
    a moment: a system begins healthy, and what makes it ill is to be shown, not its birth."""
    return fleet.units * fleet.establish / (BIRTH_SHARE * fleet.workers)


def queue_bound(fleet: Fleet) -> int:
    """How much may wait: 0.75·k·T/c of the dearer work, and one at least."""
    return max(1, int(BOUND_SHARE * fleet.workers * fleet.timeout / fleet.establish))


def cost(fleet: Fleet, establishes: bool, waiting: float, under_way: float) -> float:
    """Seconds that a worker needs for one unit of work, besides its calls."""
    base = fleet.establish if establishes else fleet.renew
    match fleet.cost_of:
        case CostOf.CONSTANT:
            return base
        case CostOf.QUEUE_DEPTH:
            return base * (1 + waiting / fleet.cost_scale)
        case CostOf.DOWNSTREAM:
            return base * (1 + under_way / fleet.cost_scale)


def backoff(fleet: Fleet, attempt: int, chance: float) -> float:
    """Seconds before retry `attempt` (from 1): exponential with full jitter, `chance` in [0, 1)."""
    ceiling = min(BACKOFF_SHARE * fleet.period, BACKOFF_SECONDS * 2.0 ** min(attempt, 16))
    return ceiling * chance


def recovery_seconds(fleet: Fleet) -> float | None:
    """From all lost to all held, where what is won back is renewed meanwhile; None if the load of
    the renewals alone is 1 or more. −(P·c_e/c_r)·ln(1−ρ): dn/dt = (k − n·c_r/P)/c_e."""
    load = fleet.units * fleet.renew / (fleet.workers * fleet.period)
    if load >= 1:
        return None
    return -(fleet.period * fleet.establish / fleet.renew) * math.log1p(-load)
