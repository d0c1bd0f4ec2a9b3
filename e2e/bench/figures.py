"""Samples become figures, and figures stand beside their goals."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of one thing over all its samples."""

    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


def spread(seconds: Sequence[float]) -> Spread:
    ordered = sorted(s * 1000 for s in seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return Spread(len(ordered), round(statistics.median(ordered), 1), at(0.9), at(0.99), at(1.0))


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure against its goal: `at_most` and `at_least` are bounds that count as met. Without
    either it stands beside the others for comparison."""

    figure: str
    value: float
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def document(self) -> dict[str, object]:
        bounds = {"atMost": self.at_most, "atLeast": self.at_least}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        told = {"figure": self.figure, "value": self.value, "unit": self.unit, **given}
        return {**told, "met": self.is_met} if given else told


def show(goals: Iterable[Goal], console: Console) -> None:
    table = Table("figure", "goal", "measured", "")
    for goal in goals:
        unit = f" {goal.unit}" if goal.unit else ""
        bound = said = ""
        if goal.at_most is not None or goal.at_least is not None:
            number = f"≤ {goal.at_most:g}" if goal.at_most is not None else f"≥ {goal.at_least:g}"
            bound, said = f"{number}{unit}", "met" if goal.is_met else "[bold]missed[/bold]"
        table.add_row(goal.figure, bound, f"{goal.value:g}{unit}", said)
    console.print(table)
