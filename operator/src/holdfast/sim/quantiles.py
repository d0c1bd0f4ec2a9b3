"""Draws from a table of quantiles: one uniform number and one look, the same in every engine, to
the last bit."""

from collections.abc import Callable
from typing import TypeAlias

Table: TypeAlias = tuple[float, ...]
"""Values at evenly spaced quantiles from 0 to 1; between two of them the value is linear."""


def tabulate(value: Callable[[float], float], size: int) -> Table:
    """`value` of a quantile in (0, 1], rounded so that a table never depends on a library's last
    digit. Quantile 0 is taken for half a step."""
    return tuple(round(value(max(i, 0.5) / size), 9) for i in range(size + 1))


def look(table: Table, chance: float) -> float:
    """The value at `chance`, which is in [0, 1)."""
    x = chance * (len(table) - 1)
    i = int(x)
    low = table[i]
    return low + (x - i) * (table[i + 1] - low)
