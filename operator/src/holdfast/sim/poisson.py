"""A rate from a count, and how sure one can be of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """Events an hour, and the exact (Garwood) interval: `low` is the rate at which so many events
    or more would come with a chance of 2.5 %, `high` that at which so many or fewer would. Other
    books write these two as halves of chi-square quantiles with 2k and 2k + 2 degrees of freedom.
    """

    per_hour: float
    low: float
    high: float


def rate(events: int, hours: float, confidence: float = CONFIDENCE) -> Rate:
    """Of `events` seen in `hours` (more than 0) of exposure."""
    tail = (1 - confidence) / 2
    low = _solve(lambda mean: 1 - _at_most(events - 1, mean), tail) if events else 0.0
    high = _solve(lambda mean: 1 - _at_most(events, mean), 1 - tail)
    return Rate(events / hours, low / hours, high / hours)


def share(hits: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact (Clopper and Pearson's) interval of a chance, from `hits` of so many."""
    tail = (1 - confidence) / 2
    low = _root(lambda p: 1 - _binomial_at_most(hits - 1, of, p), tail) if hits else 0.0
    high = _root(lambda p: 1 - _binomial_at_most(hits, of, p), 1 - tail) if hits < of else 1.0
    return low, high


def _binomial_at_most(hits: int, of: int, chance: float) -> float:
    """The chance of `hits` or fewer, of fewer than all."""
    if chance in (0.0, 1.0):
        return 1.0 - chance
    yes, no, every = math.log(chance), math.log1p(-chance), math.lgamma(of + 1)
    return math.fsum(
        math.exp(every - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * yes + (of - k) * no)
        for k in range(hits + 1)
    )


def probability(per_hour: float) -> float:
    """Of at least one event in an hour."""
    return -math.expm1(-per_hour)


def _at_most(events: int, mean: float) -> float:
    """The chance of `events` or fewer where `mean` are expected: its terms from the last downwards,
    until they no longer matter."""
    if mean <= 0:
        return 1.0
    total, log_mean = 0.0, math.log(mean)
    for k in range(events, -1, -1):
        term = math.exp(k * log_mean - mean - math.lgamma(k + 1))
        total += term
        if k < mean and term < 1e-17 * total:
            break
    return min(1.0, total)


def _solve(rising: Callable[[float], float], wanted: float) -> float:
    """The argument at which a function that rises from 0 to 1 has a value: by halving."""
    low, high = 0.0, 1.0
    while rising(high) < wanted:
        low, high = high, 2 * high
    return _root(rising, wanted, low, high)


def _root(
    rising: Callable[[float], float], wanted: float, low: float = 0.0, high: float = 1.0
) -> float:
    for _ in range(100):
        middle = (low + high) / 2
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2
