"""How likely the race is, hour by hour: every cell of a grid, many seeds, all cores."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from holdfast.core.guards import effective
from holdfast.core.region import Region
from holdfast.sim.contention import Exposure, Setting, race
from holdfast.sim.knobs import Value, setting_of
from holdfast.sim.poisson import probability, rate
from holdfast.sim.tables import Tables, can_tabulate

if TYPE_CHECKING:
    from holdfast.sim.rows import Rows

LANES_MAX = 2048
"""Seeds of one task: more fit no cache, fewer do not pay."""


@dataclass(frozen=True, slots=True)
class Task:
    cell: int
    setting: Setting
    seeds: range
    seconds: float


@dataclass(slots=True)
class Tally:
    """All seeds of one cell."""

    races: int = 0
    exposure_seconds: float = 0.0
    stale_writes: int = 0
    live_deletes: int = 0
    events: int = 0

    def add(self, run: Exposure) -> None:
        self.races += run.struck
        self.exposure_seconds += run.seconds
        self.stale_writes += run.stale_writes
        self.live_deletes += run.live_deletes
        self.events += run.events

    def merge(self, other: "Tally") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def has_columns() -> bool:
    """Whether numpy is there. Without it the plain engine runs: the same runs, a fiftieth of the
    speed."""
    return importlib.util.find_spec("numpy") is not None


_KNOWN: dict[tuple[Any, ...], "Rows"] = {}
"""The tables that this process has made: cells that differ in rates and times share them."""


def _rows(region: Region) -> "Rows":
    from holdfast.sim.rows import Rows

    key = (region.guards, region.retention, region.zones, region.endpoints)
    if key not in _KNOWN:
        _KNOWN[key] = Rows(Tables(region, Setting(region).rivals()))
    return _KNOWN[key]


def work(task: Task) -> Tally:
    """One task, in whatever process."""
    tally, region = Tally(), task.setting.region
    if has_columns() and can_tabulate(region.guards, len(region.endpoints)):
        from holdfast.sim.columns import Columns

        runs = Columns(task.setting, task.seeds, task.seconds, _rows(region)).run()
    else:
        runs = [race(task.setting, seed, task.seconds) for seed in task.seeds]
    for run in runs:
        tally.add(run)
    return tally


def tasks(
    region: Region, grid: list[dict[str, Value]], seeds: range, seconds: float, jobs: int
) -> Iterator[Task]:
    """Seeds in parts, the larger the better, but one at least for every core."""
    parts = -(-jobs // len(grid))
    size = max(1, min(LANES_MAX, -(-len(seeds) // parts)))
    for number, cell in enumerate(grid):
        setting = setting_of(region, cell)
        for first in range(0, len(seeds), size):
            yield Task(number, setting, seeds[first : first + size], seconds)


def sweep(
    region: Region,
    grid: list[dict[str, Value]],
    seeds: range,
    hours: float,
    jobs: int,
    done: Callable[[Task], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Every cell's figures, in the order of the grid. `done` hears of every task."""
    tallies = [Tally() for _ in grid]
    todo = list(tasks(region, grid, seeds, hours * 3600, jobs))
    if jobs == 1:
        for task in todo:
            tallies[task.cell].merge(work(task))
            done(task)
    else:
        with ProcessPoolExecutor(max_workers=min(jobs, len(todo))) as pool:
            waiting = {pool.submit(work, task): task for task in todo}
            for future in as_completed(waiting):
                tallies[waiting[future].cell].merge(future.result())
                done(waiting[future])
    return [figures(region, cell, tally) for cell, tally in zip(grid, tallies, strict=True)]


def figures(region: Region, cell: Mapping[str, Value], tally: Tally) -> dict[str, Any]:
    """A cell of the sweep's document. A run ends with its race, so races are counted against the
    time that all runs were exposed to one."""
    hours = tally.exposure_seconds / 3600
    found = rate(tally.races, hours)
    setting = setting_of(region, cell)
    return {
        "knobs": dict(cell),
        "guards": effective(setting.region.guards)["dns"],
        "stalls": asdict(setting.stalls) if setting.stalls else None,
        "races": tally.races,
        "exposureHours": round(hours, 4),
        "racesPerHour": _digits(found.per_hour),
        "racesPerHour95": [_digits(found.low), _digits(found.high)],
        "probabilityPerHour": _digits(probability(found.per_hour)),
        "probabilityPerHour95": [_digits(probability(f)) for f in (found.low, found.high)],
        "staleWrites": tally.stale_writes,
        "liveDeletes": tally.live_deletes,
        "events": tally.events,
    }


def _digits(number: float) -> float:
    return float(f"{number:.4g}")
