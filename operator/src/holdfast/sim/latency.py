"""How long things take: quantiles, measured on a cluster."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from holdfast.core.intents import Get, Intent, List, Prove, call_name
from holdfast.sim.quantiles import Table, tabulate

SIZE = 4096


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds at five quantiles; between them the logarithm is linear."""

    least_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    most_ms: float

    @property
    def table(self) -> Table:
        """Seconds."""
        return _table(self)


_QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)


@lru_cache(maxsize=256)
def _table(latency: Latency) -> Table:
    five = (latency.least_ms, latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.most_ms)
    points = [math.log(ms / 1000) for ms in five]
    return tabulate(lambda quantile: _at(points, quantile), SIZE)


def _at(points: list[float], quantile: float) -> float:
    upper = next(i for i, q in enumerate(_QUANTILES) if quantile <= q)
    low, high = _QUANTILES[upper - 1], _QUANTILES[upper]
    share = (quantile - low) / (high - low)
    return math.exp(points[upper - 1] + share * (points[upper] - points[upper - 1]))


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of every kind of call and watch. A call has its effect, and its reply, at the end of its
    latency; a change reaches a watcher one `watch` later."""

    get: Latency = Latency(0.8, 2.4, 4.0, 25.0, 60.0)
    list: Latency = Latency(1.2, 3.2, 5.2, 25.0, 70.0)
    write: Latency = Latency(2.0, 3.1, 4.0, 6.0, 30.0)
    status: Latency = Latency(3.0, 6.0, 9.0, 20.0, 50.0)
    watch: Latency = Latency(0.4, 1.1, 1.6, 2.6, 15.0)
    query: Latency = Latency(0.2, 0.4, 0.6, 1.5, 8.0)
    proof: Latency = Latency(0.6, 2.0, 3.2, 12.0, 40.0)
    """Of a whole proof, where no DNS server is modelled: from the write of a tree's last slice to
    the answer that bears its addresses."""

    calls: Mapping[str, Latency] = field(default_factory=dict)
    """Of single calls, by their names in metrics, where they are known better."""

    def of(self, intent: Intent) -> Latency:
        if self.calls and (known := self.calls.get(call_name(intent))):
            return known
        match intent:
            case Get():
                return self.get
            case List():
                return self.list
            case Prove():
                return self.proof
            case _:
                return self.write


MEASURED = Latencies()
"""Chosen so that the sums come out as measured on the kind cluster: see docs/simulator.md."""
