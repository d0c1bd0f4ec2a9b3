"""What goes wrong with actors: they stall, they are slow, they crash, their calls are lost."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from holdfast.fake import Lost
from holdfast.sim.quantiles import Table, look, tabulate

SIZE = 65_536
CALL_TIMEOUT_SECONDS = 10.0
"""As the cluster's client has it."""


@dataclass(frozen=True, slots=True)
class Stalls:
    """An actor stands still now and then: garbage collection, a throttled container, a page fault
    on a slow disk, a machine that migrates. Nobody published what stalled the enactor of October
    2025, so this is an assumption, with knobs: pauses come at random (exponential), and last as a
    Pareto distribution says, up to a limit. With the defaults half of them last less than 20 ms,
    one in ten more than 100 ms, one in a hundred more than 1 s, one in a thousand more than 10 s.
    """

    every_seconds: float = 60.0
    least_seconds: float = 0.01
    shape: float = 1.0
    most_seconds: float = 60.0

    @property
    def gaps(self) -> Table:
        """Seconds from the end of a stall to the next."""
        return _gaps(self.every_seconds)

    @property
    def lengths(self) -> Table:
        """Seconds of a stall."""
        return _lengths(self.least_seconds, self.shape, self.most_seconds)


@lru_cache(maxsize=64)
def _gaps(every: float) -> Table:
    last = 1 - 0.5 / SIZE
    return tabulate(lambda q: -every * math.log(1 - min(q, last)), SIZE)


@lru_cache(maxsize=64)
def _lengths(least: float, shape: float, most: float) -> Table:
    last = 1 - 0.5 / SIZE
    return tabulate(lambda q: min(most, least * (1 - min(q, last)) ** (-1 / shape)), SIZE)


class Stalling:
    """The stalls of one actor, drawn as time passes."""

    def __init__(self, stalls: Stalls | None, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._gaps = stalls.gaps if stalls else ()
        self._lengths = stalls.lengths if stalls else ()
        self._next = self._gap() if stalls else math.inf

    def awake(self, t: float) -> float:
        """The first moment from `t` on at which the actor runs."""
        while self._next <= t:
            end = self._next + look(self._lengths, self._draw())
            t = max(t, end)
            self._next = end + self._gap()
        return t

    def _gap(self) -> float:
        return look(self._gaps, self._draw())


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that dies at `t` and is there again, as another incarnation, a while later. What it
    had sent arrives."""

    t: float
    zone: str
    down_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Faults:
    """Of one run. `slow`: by zone, a factor on all that its enactor does. `lost`: the share of
    calls whose request or reply is lost, half each; the caller learns of it by its time-out."""

    slow: dict[str, float] = field(default_factory=dict)
    stalls: Stalls | None = None
    lost: float = 0.0
    crashes: tuple[Crash, ...] = ()

    def loses(self, draw: Callable[[], float]) -> Lost | None:
        if not self.lost or draw() >= self.lost:
            return None
        return Lost.REQUEST if draw() < 0.5 else Lost.REPLY


NONE = Faults()
