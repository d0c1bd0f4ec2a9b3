"""The knobs of a sweep: what may be varied, within which bounds, and what a cell is."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from holdfast.core.guards import Cleanup, Fence, Rollback
from holdfast.core.region import Region
from holdfast.sim.contention import Setting
from holdfast.sim.faults import Stalls
from holdfast.sim.latency import MEASURED

Value: TypeAlias = float | int | str
CELLS_MAX = 400


@dataclass(frozen=True, slots=True)
class Knob:
    """`low` and `high` are the CRD's where it has them. `rungs`, where it is a guard."""

    says: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    rungs: tuple[str, ...] = ()

    def read(self, name: str, text: str) -> Value:
        """Raises ValueError with a sentence."""
        if self.rungs:
            if text not in self.rungs:
                raise ValueError(f"{name}: {text!r} is none of {', '.join(self.rungs)}")
            return text
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            what = "a whole number" if self.whole else "a number"
            raise ValueError(f"{name}: {text!r} is not {what}") from None
        if not self.low <= value <= self.high:
            raise ValueError(f"{name}: {text} is not from {self.low:g} to {self.high:g}")
        return value


KNOBS: Mapping[str, Knob] = {
    "retention": Knob("generations that the cleaner keeps", 1, 50, whole=True),
    "planRate": Knob("plans a minute", 0.1, 6000),
    "backoffMilliseconds": Knob("first back-off", 1, 60_000, whole=True),
    "backoffMaxMilliseconds": Knob("longest back-off", 1, 600_000, whole=True),
    "lockSeconds": Knob("how long a lock holds", 0.1, 3600),
    "enactors": Knob("rivals", 2, 5, whole=True),
    "fence": Knob("the guard dns.fence", rungs=tuple(Fence)),
    "cleanup": Knob("the guard dns.cleanup", rungs=tuple(Cleanup)),
    "rollback": Knob("the guard dns.rollback", rungs=tuple(Rollback)),
    "stallEvery": Knob("seconds between stalls of an enactor, on average; 0: none", 0, 1e6),
    "stallLeast": Knob("seconds of the shortest stall", 0.001, 60),
    "stallShape": Knob("of the Pareto distribution: the less, the longer the tail", 0.2, 10),
    "stallMost": Knob("seconds of the longest stall", 0.001, 600),
}


def vary(text: str) -> tuple[str, tuple[Value, ...]]:
    """`retention=1,2,3` as a name and its values. Raises ValueError with a sentence."""
    name, equals, values = text.partition("=")
    if name not in KNOBS:
        raise ValueError(f"{name!r} is no knob; there are {', '.join(KNOBS)}")
    if not equals or not values:
        raise ValueError(f"{name}: values are missing, as in {name}=1,2,3")
    found = tuple(KNOBS[name].read(name, v.strip()) for v in values.split(","))
    if len(set(found)) != len(found):
        raise ValueError(f"{name}: the same value twice")
    return name, found


def cells(varied: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
    """Every combination, the last knob fastest. Raises ValueError if there are too many."""
    count = 1
    for values in varied.values():
        count *= len(values)
    if count > CELLS_MAX:
        raise ValueError(f"{count} cells are too many: at most {CELLS_MAX}")
    for values in itertools.product(*varied.values()):
        yield dict(zip(varied, values, strict=True))


_GUARDS: Mapping[str, Callable[[str], Any]] = {
    "fence": Fence,
    "cleanup": Cleanup,
    "rollback": Rollback,
}
_STALLS = {
    "stallEvery": "every_seconds",
    "stallLeast": "least_seconds",
    "stallShape": "shape",
    "stallMost": "most_seconds",
}


def setting_of(region: Region, cell: Mapping[str, Value]) -> Setting:
    """What a cell races under: the Region, with the cell's knobs turned, and stalls."""
    guards = {f.name: getattr(region.guards, f.name) for f in fields(region.guards)}
    guards |= {name: _GUARDS[name](str(v)) for name, v in cell.items() if name in _GUARDS}
    zones = region.zones
    if "enactors" in cell:
        zones = tuple(f"us-east-1{letter}" for letter in "abcde"[: int(cell["enactors"])])
    turned = replace(
        region,
        guards=type(region.guards)(**guards),
        zones=zones,
        holds=(),
        retention=int(cell.get("retention", region.retention)),
        churn_per_minute=float(cell.get("planRate", region.churn_per_minute)),
        lock_seconds=float(cell.get("lockSeconds", region.lock_seconds)),
        backoff_seconds=_seconds(cell, "backoffMilliseconds", region.backoff_seconds),
        backoff_max_seconds=_seconds(cell, "backoffMaxMilliseconds", region.backoff_max_seconds),
    )
    stalls = replace(Stalls(), **{f: float(cell[k]) for k, f in _STALLS.items() if k in cell})
    return Setting(turned, MEASURED, stalls if stalls.every_seconds else None)


def _seconds(cell: Mapping[str, Value], name: str, default: float) -> float:
    return float(cell[name]) / 1000 if name in cell else default
