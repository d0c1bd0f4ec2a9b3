"""What a run of mode Jitter will show: the very Scenario, simulated many times.

An interval is for one further run, not for the mean of many. Of n + 1 runs that come about alike, a
further one is as likely the lowest as the second lowest, and so on; so it lies between the j-th
lowest and the j-th highest of the n with a chance of 1 - 2j / (n + 1), however the figures are
distributed. With 199 runs and j = 5 that is 95 %.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from holdfast.core.guards import effective
from holdfast.core.scenario import Arm, scenario_of
from holdfast.sim.arm import Weather, run_arm
from holdfast.sim.poisson import share

Json: TypeAlias = dict[str, Any]
RUNS = 199
CONFIDENCE = 0.95
RARE = 0.025
"""An outcome whose chance is surely less has not been predicted."""
ROUNDED = 5e-5
"""What rounding may have taken off an interval."""
FIGURES = ("flips", "staleFlips", "behindMean", "behindMax")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed. `shares`: of its writes, by how many plans behind they were."""

    struck: bool
    figures: Mapping[str, float]
    shares: Mapping[str, float]


def run_of(contention: Mapping[str, Any]) -> Run:
    """From `dns.contention` of an arm's document, of any engine."""
    behind: Counter[int] = Counter()
    for zone in contention["byZone"].values():
        behind.update({int(n): times for n, times in zone["behind"].items()})
    writes = behind.total()
    figures = {
        "flips": contention["flips"],
        "staleFlips": contention["staleFlips"],
        "behindMean": sum(n * times for n, times in behind.items()) / max(1, writes),
        "behindMax": max(behind, default=0),
    }
    shares = {str(n): times / writes for n, times in sorted(behind.items())}
    return Run(contention["struck"], figures, shares)


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """For one further value."""
    ordered = sorted(values)
    j = _rank(len(ordered), confidence)
    return ordered[j - 1], ordered[-j]


def reached(runs: int, confidence: float = CONFIDENCE) -> float:
    """The chance with which an interval of so many runs holds: what was asked for or a little
    more; less, if there are too few."""
    return 1 - 2 * _rank(runs, confidence) / (runs + 1)


def _rank(runs: int, confidence: float) -> int:
    return max(1, int((1 - confidence) / 2 * (runs + 1) + 1e-9))


def predict(
    raw: Mapping[str, Any],
    seeds: range,
    weathers: Mapping[str, Weather],
    jobs: int,
    confidence: float = CONFIDENCE,
    done: Callable[[], None] = lambda: None,
) -> list[Json]:
    """Arm by arm what a run of the Scenario will show. `weathers` by arm; `done` hears of every
    run."""
    scenario = scenario_of(raw["metadata"]["name"], "predicted", raw["spec"])
    arms = [arm for arm in scenario.arms if arm.name in weathers]
    predicted = []
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for arm in arms:
            runs = []
            work = partial(one_run, raw, arm.name, weathers[arm.name])
            for run in pool.map(work, seeds, chunksize=4):
                runs.append(run)
                done()
            predicted.append(arm_prediction(arm, runs, confidence))
    return predicted


def one_run(raw: Mapping[str, Any], arm: str, weather: Weather, seed: int) -> Run:
    scenario = scenario_of(raw["metadata"]["name"], "predicted", raw["spec"])
    chosen = next(a for a in scenario.arms if a.name == arm)
    return run_of(run_arm(scenario, chosen, seed, weather)["dns"]["contention"])


def arm_prediction(arm: Arm, runs: Sequence[Run], confidence: float) -> Json:
    def told(values: list[float]) -> Json:
        low, high = interval(values, confidence)
        mean = sum(values) / len(values)
        return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}

    struck = sum(run.struck for run in runs)
    behind = sorted({n for run in runs for n in run.shares}, key=int)
    return {
        "name": arm.name,
        "guards": effective(arm.guards)["dns"],
        "seconds": arm.settle_seconds,
        "runs": len(runs),
        "strikes": {
            "runs": struck,
            "chance": struck / len(runs),
            "chance95": [round(limit, 4) for limit in share(struck, len(runs))],
        },
        "figures": {name: told([run.figures[name] for run in runs]) for name in FIGURES},
        "behind": {n: told([run.shares.get(n, 0.0) for run in runs]) for n in behind},
    }


def misses(
    prediction: Mapping[str, Any], run: Run, names: Sequence[str] = FIGURES
) -> dict[str, str]:
    """What of a run lies outside of what was predicted for its arm: whether it struck, and the
    figures that are named. Of k intervals that hold with a chance of 1 - p each, all do with one of
    1 - kp at least."""
    low, high = prediction["strikes"]["chance95"]
    wrong = {}
    if (high if run.struck else 1 - low) < RARE:
        wrong["struck"] = f"{run.struck}; its chance is {low} to {high}"
    for name in names:
        told, value = prediction["figures"][name], run.figures[name]
        if not told["low"] - ROUNDED <= value <= told["high"] + ROUNDED:
            wrong[name] = f"{value:.4g}; {told['low']} to {told['high']} was predicted"
    return wrong
