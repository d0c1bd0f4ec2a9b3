"""The alerts that would have told: each said twice, as PromQL and as code, from one value.

An expression is a small tree with two readings. `promql` writes it for Prometheus, `at` says for
which groups of labels it holds at a time, over samples kept here. A test holds the two against each
other on random series. Only shapes whose truth does not hang on extrapolation are used: that
something has risen at all, or that one gauge is above another.

Ranges are no multiple of the scrape interval: whether a range includes its left end is not the same
in Prometheus 2 and 3.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias

SCRAPE_SECONDS = 5
EVALUATE_SECONDS = 5
STALE_SECONDS = 300
"""How long Prometheus takes a series' last sample for its value."""

Labels: TypeAlias = frozenset[tuple[str, str]]
Key: TypeAlias = tuple[str, Labels]
"""A metric's name, and the labels of one series of it."""
Points: TypeAlias = list[tuple[float, float]]
Samples: TypeAlias = Mapping[Key, Points]
"""Series: (time, value), in order of time."""


def series(metric: str, **labels: str) -> Key:
    return metric, frozenset(labels.items())


@dataclass(frozen=True, slots=True)
class Select:
    """The series of a metric whose labels have one of the values."""

    metric: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def promql(self) -> str:
        terms = [f'{k}="{v[0]}"' if len(v) == 1 else f'{k}=~"{"|".join(v)}"' for k, v in self.where]
        return self.metric + (f"{{{', '.join(terms)}}}" if terms else "")

    def of(self, samples: Samples) -> Iterable[tuple[Labels, Points]]:
        for (metric, labels), points in samples.items():
            mine = dict(labels)
            if metric == self.metric and all(mine.get(k) in values for k, values in self.where):
                yield labels, points


class Expression(Protocol):
    def promql(self) -> str: ...

    def at(self, t: float, samples: Samples) -> frozenset[Labels]:
        """The groups for which it holds."""


@dataclass(frozen=True, slots=True)
class Rises:
    """A counter has gone up within the last `seconds`; a restart does not hide it."""

    counter: Select
    by: tuple[str, ...]
    seconds: int

    def promql(self) -> str:
        what = f"increase({self.counter.promql()}[{self.seconds}s])"
        return f"sum by ({', '.join(self.by)}) ({what}) > 0"

    def at(self, t: float, samples: Samples) -> frozenset[Labels]:
        return frozenset(
            _group(labels, self.by)
            for labels, points in self.counter.of(samples)
            if _increase([v for at, v in points if t - self.seconds <= at <= t]) > 0
        )


@dataclass(frozen=True, slots=True)
class IsAbove:
    """The highest of one gauge, `seconds` ago, is above the highest of another now."""

    high: Select
    low: Select
    by: tuple[str, ...]
    seconds: int

    def promql(self) -> str:
        by = ", ".join(self.by)
        high = f"max by ({by}) ({self.high.promql()} offset {self.seconds}s)"
        return f"{high} > max by ({by}) ({self.low.promql()})"

    def at(self, t: float, samples: Samples) -> frozenset[Labels]:
        high = _highest(self.high, self.by, t - self.seconds, samples)
        low = _highest(self.low, self.by, t, samples)
        return frozenset(g for g, value in high.items() if g in low and value > low[g])


@dataclass(frozen=True, slots=True)
class HasFallen:
    """The highest of a gauge is below what it was at some time within the last `seconds`."""

    gauge: Select
    by: tuple[str, ...]
    seconds: int

    def promql(self) -> str:
        by, what = ", ".join(self.by), self.gauge.promql()
        return f"max by ({by}) (max_over_time({what}[{self.seconds}s])) > max by ({by}) ({what})"

    def at(self, t: float, samples: Samples) -> frozenset[Labels]:
        high = _highest(self.gauge, self.by, t, samples, self.seconds, max)
        now = _highest(self.gauge, self.by, t, samples)
        return frozenset(g for g, value in high.items() if g in now and value > now[g])


@dataclass(frozen=True, slots=True)
class Unless:
    """The first holds, and for the same group the second does not."""

    holds: Expression
    but: Expression

    def promql(self) -> str:
        return f"({self.holds.promql()}) unless ({self.but.promql()})"

    def at(self, t: float, samples: Samples) -> frozenset[Labels]:
        return self.holds.at(t, samples) - self.but.at(t, samples)


@dataclass(frozen=True, slots=True)
class Green:
    """A series that people watch, and that stays at `value` through what an alert is for."""

    name: str
    expr: str
    value: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Alert:
    """`for_seconds`: how long the expression has to hold before it fires. `page` is below
    docs/failures/. `beats`: the series that is green all the while."""

    name: str
    expression: Expression
    for_seconds: int
    severity: str
    summary: str
    page: str
    beats: Green

    def firing(
        self, samples: Samples, start: float, end: float, every: float = EVALUATE_SECONDS
    ) -> Iterator[tuple[float, frozenset[Labels]]]:
        """For which groups it fires, at each evaluation from `start` on."""
        active: dict[Labels, float] = {}
        for n in range(int((end - start) // every) + 1):
            t = start + n * every
            active = {g: active.get(g, t) for g in self.expression.at(t, samples)}
            yield t, frozenset(g for g, since in active.items() if t - since >= self.for_seconds)


def _group(labels: Labels, by: tuple[str, ...]) -> Labels:
    return frozenset((k, v) for k, v in labels if k in by)


def _increase(values: list[float]) -> float:
    """What a counter has gained over these samples; one that falls began again at 0."""
    gained = (now - was if now >= was else now for was, now in pairwise(values))
    return sum(gained)


def _highest(
    gauge: Select,
    by: tuple[str, ...],
    t: float,
    samples: Samples,
    seconds: float = STALE_SECONDS,
    of: Callable[[list[float]], float] = lambda values: values[-1],
) -> dict[Labels, float]:
    """The highest of each group, by what each series' samples of the last `seconds` come to."""
    found: dict[Labels, float] = {}
    for labels, points in gauge.of(samples):
        values = [v for at, v in points if t - seconds <= at <= t]
        if values:
            group = _group(labels, by)
            found[group] = max(of(values), found.get(group, of(values)))
    return found


# --- the series that stayed green -----------------------------------------------------------------

_ANSWERS = "holdfast_answers_total"
_BY_SERVER = "sum by (namespace, server)"
BY_CODE = Green(
    "holdfast:answers_success:ratio",
    f'{_BY_SERVER} (rate({_ANSWERS}{{answer=~"ok|stale|empty"}}[1m])) '
    f"/ {_BY_SERVER} (rate({_ANSWERS}[1m]))",
    1.0,
    "Success by response code: the share of answers that are NOERROR. An empty answer is one.",
)
WITH_ADDRESSES = Green(
    "holdfast:answers_with_addresses:ratio",
    f'{_BY_SERVER} (rate({_ANSWERS}{{answer=~"ok|stale"}}[1m])) '
    f"/ {_BY_SERVER} (rate({_ANSWERS}[1m]))",
    1.0,
    "The share of answers that have addresses. A plan of yesterday has some too.",
)
_NONE = "sum by (region) (0 * holdfast_rounds_total)"
APPLY_ERRORS = Green(
    "holdfast:apply_errors:rate",
    f'sum by (region) (rate(holdfast_rounds_total{{outcome="Refused"}}[1m])) or {_NONE}',
    0.0,
    "Applies that fail. An enactor that stands still, or is not there, fails none.",
)
API_ERRORS = Green(
    "holdfast:api_errors:rate",
    'sum by (region) (rate(holdfast_refusals_total{reason=~"ApiUnreachable|ApiOverloaded"}[1m])) '
    f"or {_NONE}",
    0.0,
    "Calls that the API server does not answer, or refuses for now. It is perfectly healthy.",
)
_ATTEMPTS = "holdfast_lease_attempts_total"
_BY_ZONE = "sum by (region, zone)"
UNANSWERED = Green(  # over no more than its alert looks at: a minute would still hold the outage
    "holdfast:lease_attempts_failed:ratio",
    f'{_BY_ZONE} (rate({_ATTEMPTS}{{result="failed"}}[17s])) / {_BY_ZONE} (rate({_ATTEMPTS}[17s]))',
    0.0,
    "The share of state checks that store or droplet do not answer. With the store back none is "
    "left, and one that is answered too late is no error.",
)
GREENS = (BY_CODE, WITH_ADDRESSES, APPLY_ERRORS, API_ERRORS, UNANSWERED)

# --- the alerts -----------------------------------------------------------------------------------

EMPTY_ANSWER = Alert(
    "HoldfastEmptyAnswer",
    Rises(Select(_ANSWERS, (("answer", ("empty",)),)), ("namespace", "server"), 32),
    for_seconds=0,
    severity="critical",
    summary="A name is answered with NOERROR and no addresses: customers can reach nothing.",
    page="empty-answer.md",
    beats=BY_CODE,
)
_PROPOSED, _SERVED = (
    Select("holdfast_plan_generation", (("stage", (stage,)),)) for stage in ("proposed", "served")
)
PLAN_LAG = Alert(
    "HoldfastPlanLag",
    IsAbove(_PROPOSED, _SERVED, ("region", "endpoint"), 17),
    for_seconds=10,
    severity="warning",
    summary="A plan that was the newest 17 s ago is not served yet.",
    page="plan-lag.md",
    beats=APPLY_ERRORS,
)
_REFUSED = ("RollbackMissing", "ForeignSlice", "WriteRejected", "PolicyRefused")
STUCK_APPLY = Alert(
    "HoldfastStuckApply",
    Unless(
        Rises(Select("holdfast_refusals_total", (("reason", _REFUSED),)), ("region",), 17),
        Rises(Select("holdfast_writes_total", (("result", ("flipped",)),)), ("region",), 17),
    ),
    for_seconds=20,  # longer than the range: one refusal alone does not do
    severity="critical",
    summary="Applies are refused again and again, and none gets through.",
    page="stuck-apply.md",
    beats=API_ERRORS,
)
REGRESSION = Alert(
    "HoldfastRegression",
    HasFallen(_SERVED, ("region", "endpoint"), 17),
    for_seconds=0,
    severity="critical",
    summary="What is served is older than what was served within the last 17 s.",
    page="regression.md",
    beats=WITH_ADDRESSES,
)
_LATE, _HELD = (
    Rises(Select(_ATTEMPTS, (("result", (result,)),)), ("region", "zone"), 17)
    for result in ("late", "held")
)
LEASE_COLLAPSE = Alert(
    "HoldfastLeaseCollapse",
    Unless(_LATE, _HELD),
    for_seconds=20,  # longer than the range: one check that is late does not do
    severity="critical",
    summary="State checks end too late, and no lease is renewed: all work of the zone is in vain.",
    page="lease-collapse.md",
    beats=UNANSWERED,
)
ALERTS = (EMPTY_ANSWER, PLAN_LAG, STUCK_APPLY, REGRESSION, LEASE_COLLAPSE)


def evaluate(
    samples: Samples, start: float, end: float, every: float = EVALUATE_SECONDS
) -> dict[str, float]:
    """When each alert first fires, by its name; those that never do are absent."""
    found = {}
    for alert in ALERTS:
        firing = (t for t, groups in alert.firing(samples, start, end, every) if groups)
        first = next(firing, None)
        if first is not None:
            found[alert.name] = first
    return found
