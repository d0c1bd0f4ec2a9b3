"""Latencies as enactors measured them: from what their /metrics say of `holdfast_call_seconds`."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from holdfast.sim.latency import MEASURED, Latencies, Latency

SAMPLES_MIN = 20
"""Calls of which fewer were made keep what the simulator supposes of them."""
_BUCKET = re.compile(
    r'holdfast_call_seconds_bucket\{call="(?P<call>\w+)",le="(?P<le>[^"]+)"\} (?P<n>\S+)'
)
Histogram: TypeAlias = Mapping[float, float]
"""How many took so many seconds or fewer."""


def histograms(text: str) -> dict[str, Histogram]:
    """By call, of all processes whose metrics are in `text`, one after the other, together."""
    found: dict[str, defaultdict[float, float]] = {}
    for line in _BUCKET.finditer(text):
        buckets = found.setdefault(line["call"], defaultdict(float))
        buckets[float(line["le"])] += float(line["n"])
    return {call: dict(buckets) for call, buckets in found.items()}


def latencies(text: str) -> Latencies:
    """Raises ValueError if there are none in `text`. A watch's lag and a DNS query's time are not
    among what enactors measure: they are taken to be as much slower than supposed as GETs are. A
    proof is modelled query by query."""
    known = {
        call: latency(histogram)
        for call, histogram in histograms(text).items()
        if call != "Prove" and histogram[math.inf] >= SAMPLES_MIN
    }
    if not known:
        raise ValueError(f"no call of which there are {SAMPLES_MIN} in holdfast_call_seconds")
    gets = known.get("GetAlias", MEASURED.get)
    return replace(
        MEASURED,
        calls=known,
        watch=_slowed(MEASURED.watch, gets),
        query=_slowed(MEASURED.query, gets),
    )


def _slowed(latency: Latency, gets: Latency) -> Latency:
    """Quantile by quantile, and never quicker."""
    found, least = [], 0.0
    for quantile in ("least_ms", "p50_ms", "p90_ms", "p99_ms", "most_ms"):
        ratio = getattr(gets, quantile) / getattr(MEASURED.get, quantile)
        least = max(least, getattr(latency, quantile) * max(1.0, ratio))
        found.append(least)
    return Latency(*found)


def latency(histogram: Histogram) -> Latency:
    """The five quantiles; within a bucket the logarithm is linear."""
    least, p50, p90, p99, most = (_at(histogram, q) * 1000 for q in (0.0, 0.5, 0.9, 0.99, 1.0))
    return Latency(least, p50, p90, p99, most)


def _at(histogram: Histogram, quantile: float) -> float:
    """Seconds. Below the lowest bound and above the highest, as far again."""
    wanted = quantile * histogram[math.inf]
    bounds = sorted(b for b in histogram if b != math.inf)
    low, below = bounds[0] / 2, 0.0
    for bound in (*bounds, math.inf):
        count = histogram[bound]
        if count > below and count >= wanted:
            high = bound if bound != math.inf else 2 * bounds[-1]
            share = (wanted - below) / (count - below)
            return float(low * (high / low) ** share)
        low, below = bound, count
    return low
