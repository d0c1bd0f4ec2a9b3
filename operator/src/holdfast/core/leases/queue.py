"""The queue of a lease manager: what waits, in which order, and what may join it."""

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.core.guards import Dedupe, LeaseGuards, Order, QueueAdmission
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import queue_bound

Refusal: TypeAlias = Literal["", "full", "throttled", "already"]
"""Why work did not join: the bound of a guard, the bound of a human, or its like is there."""


@dataclass(frozen=True, slots=True, order=True)
class Work:
    """One state check to be made. `unit`: which lease (or rack of leases), by its index. `queued`:
    seconds; its deadline runs from here, not from when a worker takes it. `tries`: how often it was
    tried before."""

    unit: int
    establishes: bool
    queued: float
    tries: int = 0


class Queue:
    """First in first out, or what is held before what is lost."""

    def __init__(self, fleet: Fleet, guards: LeaseGuards) -> None:
        self._first: deque[Work] = deque()
        self._then: deque[Work] = deque()
        self._waiting: dict[int, int] = {}
        self.obey(fleet, guards)

    def obey(self, fleet: Fleet, guards: LeaseGuards) -> None:
        """The knobs as they are now. What waits already stays."""
        self._guards = guards
        self._throttle = fleet.admit_at_most
        self._bound = queue_bound(fleet) if guards.admission is QueueAdmission.QUEUE_BOUND else None

    @property
    def bound(self) -> int | None:
        """The most that may wait now; None for no bound."""
        bounds = [b for b in (self._bound, self._throttle) if b is not None]
        return min(bounds) if bounds else None

    def __len__(self) -> int:
        return len(self._first) + len(self._then)

    def join(self, work: Work, under_way: int = 0) -> Refusal:
        """Let it wait, or say why not. `under_way`: what the workers have in hands. It counts in
        a bound: whoever joins has to wait for it, too. For that reason what is lost counts for
        nothing where a renewal goes before it: else a queue full of it would refuse renewals, and
        what is held would be lost, too."""
        if self._guards.dedupe is Dedupe.BY_DROPLET and self._waiting.get(work.unit):
            return "already"
        goes_first = self._guards.order is Order.RENEWALS_FIRST and not work.establishes
        ahead = (len(self._first) if goes_first else len(self)) + under_way
        if self._throttle is not None and ahead >= self._throttle:
            return "throttled"
        if self._bound is not None and ahead >= self._bound:
            return "full"
        sorts = self._guards.order is Order.RENEWALS_FIRST and work.establishes
        (self._then if sorts else self._first).append(work)
        self._waiting[work.unit] = self._waiting.get(work.unit, 0) + 1
        return ""

    def take(self) -> Work | None:
        """The next; None if nothing waits."""
        line = self._first or self._then
        if not line:
            return None
        work = line.popleft()
        left = self._waiting[work.unit] - 1
        if left:
            self._waiting[work.unit] = left
        else:
            del self._waiting[work.unit]
        return work

    def oldest(self) -> float | None:
        """Since when the one that waits longest does."""
        return min((line[0].queued for line in (self._first, self._then) if line), default=None)

    def clear(self) -> int:
        """Drop all; how many it was."""
        dropped = len(self)
        self._first.clear()
        self._then.clear()
        self._waiting.clear()
        return dropped
