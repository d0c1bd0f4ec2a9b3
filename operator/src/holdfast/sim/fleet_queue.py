"""The queue of a lease manager, in columns: parts that were queued at the same moment.

Entries are units' indices. A part of heartbeats is a view into the one array of all units, so a
queue of tens of millions costs no more memory than its retries do.
"""

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(slots=True)
class Part:
    """What was queued in one step. `queued`: seconds. `tries`: of each unit; None for none yet."""

    queued: float
    units: Ints
    tries: Ints | None = None

    def split(self, count: int) -> "tuple[Part, Part]":
        """The first so many, and the others."""
        mine = others = None
        if self.tries is not None:
            mine, others = self.tries[:count], self.tries[count:]
        return (
            Part(self.queued, self.units[:count], mine),
            Part(self.queued, self.units[count:], others),
        )

    def only(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Part":
        tries = None if self.tries is None else self.tries[which]
        return Part(self.queued, self.units[which], tries)


class Line:
    """First in, first out."""

    def __init__(self) -> None:
        self.parts: deque[Part] = deque()
        self.waiting = 0

    def join(self, part: Part) -> None:
        if len(part.units):
            self.parts.append(part)
            self.waiting += len(part.units)

    def take(self, most: int) -> Part:
        """Of the oldest part, so many at most."""
        part = self.parts.popleft()
        if len(part.units) > most:
            part, rest = part.split(most)
            self.parts.appendleft(rest)
        self.waiting -= len(part.units)
        return part

    def back(self, part: Part) -> None:
        """What was taken and could not be begun any more: it stays the first."""
        if len(part.units):
            self.parts.appendleft(part)
            self.waiting += len(part.units)

    def clear(self) -> None:
        self.parts.clear()
        self.waiting = 0


def together(queued: float, some: list[tuple[Ints, Ints | None]]) -> Part:
    """One part of several: many small ones would cost more than what is in them."""
    if len(some) == 1:
        return Part(queued, *some[0])
    tries = [t for _, t in some if t is not None]
    units = np.concatenate([u for u, _ in some])
    return Part(queued, units, np.concatenate(tries) if tries else None)


def thinned(part: Part, room: int, offset: float) -> Part:
    """So many of a part's units, evenly apart. Which of the units that come within one step find
    room is chance: `offset`, in [0, 1)."""
    count = len(part.units)
    if room >= count:
        return part
    if room <= 0:
        return Part(part.queued, part.units[:0], None if part.tries is None else part.tries[:0])
    which = ((np.arange(room) + offset) * (count / room)).astype(np.int64)
    return part.only(which)
