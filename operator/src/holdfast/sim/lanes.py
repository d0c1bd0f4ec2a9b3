"""A lane for every seed: its clock, its stream of chance, and draws for all lanes at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.sim.contention import source
from holdfast.sim.quantiles import Table
from holdfast.sim.rows import Ints

Floats: TypeAlias = NDArray[np.float64]

BLOCK = 512
"""Uniform numbers that a lane draws at once."""


class Chance:
    """A stream of uniform numbers for every lane: the very numbers of Python's `random`."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._streams = [_twister(seed) for seed in seeds]
        self._block: Floats = np.empty((len(seeds), BLOCK))
        self._stream: Ints = np.arange(len(seeds), dtype=np.int64)
        self._used: Ints = np.full(len(seeds), BLOCK, np.int64)

    def some(self, lanes: Ints) -> Floats:
        """The next number of some lanes."""
        used = self._used[lanes]
        if used.max(initial=0) >= BLOCK:
            self._fill(lanes[used >= BLOCK])
            used = self._used[lanes]
        self._used[lanes] = used + 1
        return self._block[self._stream[lanes], used]

    def every(self, taken: Ints) -> Floats:
        """The next number of every lane; `taken`: 1 where it is used, 0 where only looked at."""
        if self._used.max() >= BLOCK:
            self._fill(np.flatnonzero(self._used >= BLOCK))
        at = self._stream * BLOCK
        at += self._used
        self._used += taken
        numbers: Floats = self._block.ravel().take(at)
        return numbers

    def keep(self, lanes: Ints) -> None:
        self._stream, self._used = self._stream[lanes], self._used[lanes]

    def _fill(self, lanes: Ints) -> None:
        """More for lanes that have used all they had."""
        for stream in self._stream[lanes]:
            self._block[stream] = self._streams[stream].random_sample(BLOCK)
        self._used[lanes] = 0


def _twister(seed: int) -> np.random.RandomState:
    _, state, _ = source(seed).getstate()
    stream = np.random.RandomState()
    stream.set_state(("MT19937", np.array(state[:-1], np.uint32), state[-1], 0, 0.0))
    return stream


class Looker:
    """Draws from tables of one size; a lane says which."""

    def __init__(self, *tables: Table | None) -> None:
        size = max(len(t) for t in tables if t)
        rows = [t or (0.0,) * size for t in tables]
        self._low: Floats = np.array(rows, np.float64)
        self._step: Floats = np.diff(self._low, axis=1, append=0.0)
        self._size, self._cells = size, float(size - 1)
        self._low, self._step = self._low.ravel(), self._step.ravel()

    def look(self, chance: Floats, which: Ints | int = 0) -> Floats:
        x = chance * self._cells
        i = x.astype(np.int64)
        x -= i
        i += which * self._size
        found: Floats = self._low.take(i) + x * self._step.take(i)
        return found


@dataclass(slots=True)
class Lanes:
    """The state of every lane: arrays of lanes, or of lanes × actors with the planner last; `due`
    the other way round, for it is looked through at every turn."""

    number: Ints
    base: Ints
    seed: Ints
    world: Ints
    memory: Ints
    due: Floats
    since: Floats
    before: Floats
    stall: Floats
    deferrals: Ints
    until: Floats
    stale: Ints
    live: Ints

    def first(self) -> tuple[Ints, Floats]:
        """Who acts next in every lane, and when; of two at once, the one with the lower number."""
        t = self.due[0].copy()
        actor = np.zeros(len(t), np.int64)
        for i in range(1, len(self.due)):
            due = self.due[i]
            np.putmask(actor, due < t, i)
            np.minimum(t, due, out=t)
        return actor, t

    def keep(self, lanes: Ints) -> None:
        due = np.ascontiguousarray(self.due[:, lanes])
        for name in self.__slots__:
            if name != "due":
                setattr(self, name, getattr(self, name)[lanes])
        self.due = due
        self.number = np.arange(len(lanes), dtype=np.int64)
        self.base = self.number * len(due)
