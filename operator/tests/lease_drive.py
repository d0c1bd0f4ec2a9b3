"""A lease manager driven in virtual time: a heap of the ends of what is under way, and no more.

An attempt ends when its cost is over; it holds if the dependency is there then and its deadline has
not passed. What takes no time on a cluster but for the network takes none here.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.core.guards import LeaseGuards, lease_guards
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.manager import End, Manager, Taken

INCIDENT = Fleet(racks=1, droplets=40)
"""N = 40, k = 4, P = 3 s, T = 1 s, L = 9 s, c_e = 0.5 s, c_r = 0.05 s."""
DARK = (20.0, 60.0)
"""When the dependency is gone."""


def up(now: float) -> bool:
    return not DARK[0] <= now < DARK[1]


def always(now: float) -> bool:  # noqa: ARG001
    return True


def half(*_: Any) -> float:
    """Chance, as the tests have it."""
    return 0.5


def guards(profile: str = "aws-2025", **rungs: str) -> LeaseGuards:
    """A profile with some rungs changed, named as in a spec."""
    return lease_guards({"leases": {"profile": profile, **rungs}})


@dataclass(slots=True)
class Drive:
    """`lost`: units that never answer. `successes`: when, and which unit. `held`: after every
    event. `peaks`: most that waited, and most that was under way."""

    manager: Manager
    up: Callable[[float], bool] = up
    lost: frozenset[int] = frozenset()
    now: float = 0.0
    successes: list[tuple[float, int]] = field(default_factory=list)
    took: list[tuple[float, Taken]] = field(default_factory=list)
    held: list[tuple[float, int]] = field(default_factory=list)
    peaks: tuple[int, int] = (0, 0)
    _ends: list[tuple[float, int, Taken]] = field(default_factory=list)
    _count: int = 0

    def until(self, end: float) -> "Drive":
        """Let time pass to `end`."""
        while (due := self._next()) <= end:
            self.now = max(self.now, due)
            self._step()
        self.now = end
        return self

    def _next(self) -> float:
        return min(self.manager.wake(), self._ends[0][0] if self._ends else math.inf)

    def _step(self) -> None:
        manager, now = self.manager, self.now
        while self._ends and self._ends[0][0] <= now:
            self._end(heapq.heappop(self._ends)[2])
        manager.beat(now)
        waited = len(manager.queue)
        while (taken := manager.take(now)) is not None:
            self._count += 1
            heapq.heappush(self._ends, (now + taken.cost, self._count, taken))
            self.took.append((now, taken))
        self.peaks = max(self.peaks[0], waited), max(self.peaks[1], manager.under_way)
        self.held.append((now, manager.held(now)))

    def _end(self, taken: Taken) -> None:
        now = self.now
        end: End = "held" if now <= taken.deadline else "late"
        if not self.up(now) or taken.work.unit in self.lost:
            end = "failed"
        if end == "held":
            self.successes.append((now, taken.work.unit))
        self.manager.ended(taken, end, now, taken.work.queued + self.manager.fleet.duration)

    # --- what came of it

    def goodput(self, since: float, until: float) -> float:
        """Successes a second."""
        return sum(since < t <= until for t, _ in self.successes) / (until - since)

    def whole_at(self, since: float) -> float:
        """When all leases were held again, at or after `since`; infinity if they never were."""
        units = self.manager.fleet.units
        return min((t for t, held in self.held if t >= since and held == units), default=math.inf)

    def stays_whole(self, since: float) -> bool:
        units = self.manager.fleet.units
        later = [held for t, held in self.held if t >= since]
        return bool(later) and set(later) == {units}


def begun(
    fleet: Fleet = INCIDENT,
    rungs: LeaseGuards | None = None,
    there: Callable[[float], bool] = up,
    held: bool = True,
    lost: frozenset[int] = frozenset(),
) -> Drive:
    """A manager at 0 s, which holds everything (or nothing), and nothing waits."""
    names = fleet.names("us-east-1a")
    manager = Manager(fleet, rungs or guards(), names, 0.0, half)
    if held:
        for unit in range(len(names)):
            manager.know(unit, fleet.duration, 0.0)
    return Drive(manager, there, lost)


def with_knobs(drive: Drive, **knobs: Any) -> None:
    """A human turns knobs of the fleet, at the drive's time."""
    manager = drive.manager
    manager.obey(replace(manager.fleet, **knobs), manager.guards)
