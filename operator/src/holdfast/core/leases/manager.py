"""A lease manager of one zone: when a state check is due, waits, is taken, and counts.

Theory of operation. Every unit (a lease, or a rack of leases) has a heartbeat each period, which
queues a state check; a worker takes it, and it counts only if it has ended by `queued + timeout`.
Where the queue is longer than what the workers do within the timeout, all that they do is done in
vain; whether it then becomes shorter again is what the guards decide. The manager is a state
machine: `beat`, `take` and `ended` are its events, each with the time, and it never asks for it.

What it believes of its leases comes from replies to its own writes and from its watch (`know`);
what is true of them stands in the lease objects.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.core.guards import (
    SAFE_LEASES,
    Concurrency,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    OnStart,
    Retry,
)
from holdfast.core.leases.attempt import Outcome
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.queue import Queue, Refusal, Work
from holdfast.core.leases.rules import BUDGET_MAX, RETRY_BUDGET, backoff, birth_seconds, cost

End: TypeAlias = Literal["held", "late", "failed", "conflict", "theirs"]
"""How an attempt ended. `late`: answered, but past its deadline, so whatever it found is void.
`failed`: not answered at all. `theirs`: another holds the lease."""


@dataclass(slots=True)
class Figures:
    """Counts since the manager's start, as its status tells them. `vain`: begun although
    the deadline had passed, or would have before the work was done."""

    started: int = 0
    succeeded: int = 0
    late: int = 0
    failed: int = 0
    conflicts: int = 0
    theirs: int = 0
    retried: int = 0
    denied_retries: int = 0
    dropped: int = 0
    full: int = 0
    throttled: int = 0
    deduped: int = 0
    lost: int = 0
    resets: int = 0
    vain: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """Work in a worker's hands. `cost`: seconds of the worker's own, besides its calls."""

    work: Work
    cost: float
    deadline: float
    age: float


@dataclass(slots=True)
class _Unit:
    """What the manager believes of one lease. `expires`: 0 for one that it does not hold.
    `forgiven`: it ran out while the dependency was gone for all, so it is renewed."""

    expires: float = 0.0
    forgiven: bool = False
    under_way: int = 0


class Manager:
    """Of the leases `units`. `chance` gives a float in [0, 1) each time it is asked. `is_new`: none
    of them was ever held: until all were, it obeys the safe guards. A busy machine would else bring
    down what nothing has been done to yet."""

    def __init__(
        self,
        fleet: Fleet,
        guards: LeaseGuards,
        units: Sequence[str],
        now: float,
        chance: Callable[[], float],
        is_new: bool = False,
    ) -> None:
        self.fleet, self.guards = fleet, guards
        self.names = tuple(units)
        self.figures = Figures()
        self.ages: deque[float] = deque(maxlen=512)
        self._oldest_begun = 0.0
        self.limit = float(fleet.workers)
        self.under_way = 0
        self.queue = Queue(fleet, guards)
        self._chance = chance
        self._unborn: LeaseGuards | None = None
        self._units = [_Unit() for _ in units]
        self._held: list[tuple[float, int]] = []
        self._beats: list[tuple[float, int]] = []
        self._later: list[tuple[float, int, Work]] = []
        self._budget = BUDGET_MAX
        self._dark: float | None = None
        if is_new:
            self._unborn = guards
            self._obey(SAFE_LEASES)
            self._spread(now, birth_seconds(fleet))
        else:
            self._begin(now)

    # --- events

    def obey(self, fleet: Fleet, guards: LeaseGuards) -> None:
        """The knobs as they are now. Units are those of the start."""
        self.fleet = fleet
        self.limit = min(self.limit, fleet.workers)
        if self._unborn is not None:
            self._unborn = guards
            guards = SAFE_LEASES
        self._obey(guards)

    def restart(self, now: float) -> None:
        """As a process that is started anew: its memory is gone, its leases are read again."""
        self.figures.restarts += 1
        self.figures.dropped += self.queue.clear() + len(self._later)
        self._later.clear()
        self._budget, self._dark = BUDGET_MAX, None
        self.limit = float(self.fleet.workers)
        for unit in self._units:
            unit.forgiven = False
        self._begin(now)

    def know(self, unit: int, expires: float, now: float) -> None:
        """What the watch says: we hold it until `expires`; 0: we do not."""
        self._run_out(now)
        known = self._units[unit]
        if expires > now:
            if expires != known.expires:
                heapq.heappush(self._held, (expires, unit))
            known.expires = expires
        elif known.expires:
            # Ours until now, and not by its own running out, which has been noted already.
            self.figures.lost += 1
            known.expires, known.forgiven = 0.0, False

    def beat(self, now: float) -> None:
        """Queue what is due: heartbeats, and retries whose back-off is over; notice what ran
        out."""
        self._run_out(now)
        while self._later and self._later[0][0] <= now:
            _, _, work = heapq.heappop(self._later)
            self._join(Work(work.unit, self._is_lost(work.unit, now), now, work.tries))
        while self._beats and self._beats[0][0] <= now:
            due, unit = self._beats[0]
            # A manager that was stopped for long skips the beats that it has slept through, and
            # each unit keeps its own moment of the period: beats in a row would be a burst.
            missed = max(0.0, (now - due) // self.fleet.period)
            after = due + (missed + 1) * self.fleet.period
            after += self.fleet.period * (after <= now)  # a division may have been rounded down
            heapq.heapreplace(self._beats, (after, unit))
            self._budget = min(BUDGET_MAX, self._budget + RETRY_BUDGET)
            self._join(Work(unit, self._is_lost(unit, now), now))

    def take(self, now: float) -> Taken | None:
        """Work for a free worker; None while there is none of either."""
        while self.under_way < int(self.limit) and (work := self.queue.take()) is not None:
            waiting = len(self.queue)
            # What it costs is decided when it is taken: it may have been lost, or won, meanwhile.
            needs = cost(self.fleet, self._is_lost(work.unit, now), waiting, self.under_way)
            deadline = work.queued + self.fleet.timeout
            hopeless = now + needs > deadline
            if hopeless and self.guards.expired is Expired.DROP:
                self.figures.dropped += 1
                continue
            if self.guards.dedupe is Dedupe.BY_DROPLET and self._units[work.unit].under_way:
                self.figures.deduped += 1
                continue
            self.under_way += 1
            self._units[work.unit].under_way += 1
            self.figures.started += 1
            self.figures.vain += hopeless
            self.ages.append(now - work.queued)
            return Taken(work, needs, deadline, now - work.queued)
        return None

    def ended(self, taken: Taken, end: End, now: float, expires: float = 0.0) -> None:
        """What came of an attempt. `expires`: of the lease, where it is held now."""
        work = taken.work
        self.under_way -= 1
        self._units[work.unit].under_way -= 1
        self._adapt(end)
        match end:
            case "held":
                self.figures.succeeded += 1
                self.know(work.unit, expires, now)
                self._units[work.unit].forgiven = False
                self._light(now)
                if self._unborn is not None and self.held(now) == len(self._units):
                    born, self._unborn = self._unborn, None
                    self._obey(born)
                return
            case "late":
                self.figures.late += 1
                self._light(now)  # it was answered: whatever was gone is back
            case "failed":
                self.figures.failed += 1
                self._darken(now)
            case "conflict":
                self.figures.conflicts += 1
            case "theirs":
                self.figures.theirs += 1
                return  # it is not ours to win: the next heartbeat asks again
        self._retry(work, now)

    # --- what it says

    def wake(self) -> float:
        """When the next event of its own is due; infinity if none is."""
        beat = self._beats[0][0] if self._beats else math.inf
        return min(beat, self._later[0][0]) if self._later else beat

    def held(self, now: float) -> int:
        self._run_out(now)
        return sum(u.expires > now for u in self._units)

    def oldest_begun(self) -> float:
        """The age of the oldest work that was begun since it was asked last; of what was begun
        before, while nothing else could be."""
        if self.ages or not self.under_way:
            self._oldest_begun = max(self.ages, default=0.0)
        self.ages.clear()
        return self._oldest_begun

    def oldest(self, now: float) -> float:
        """For how long the one that waits longest has; 0 if nothing waits."""
        since = self.queue.oldest()
        return 0.0 if since is None else now - since

    # --- inside

    def _obey(self, guards: LeaseGuards) -> None:
        self.guards = guards
        if guards.concurrency is Concurrency.FIXED:
            self.limit = float(self.fleet.workers)
        self.queue.obey(self.fleet, guards)

    def _begin(self, now: float) -> None:
        """Heartbeats come one by one over a period. `RelistAll` queues everything besides, once:
        as a habit for ever, the first few of every burst would take all that a bound admits."""
        self._spread(now, self.fleet.period)
        if self.guards.on_start is OnStart.RELIST_ALL:
            self._spread(now + self.fleet.period / max(1, len(self._units)), self.fleet.period)
            self._later = [(now, i, Work(i, False, now)) for i in range(len(self._units))]

    def _spread(self, since: float, over: float) -> None:
        """The next heartbeat of each, over so many seconds from `since`."""
        each = over / max(1, len(self._units))
        self._beats = [(since + each * i, i) for i in range(len(self._units))]

    def _is_lost(self, unit: int, now: float) -> bool:
        known = self._units[unit]
        return known.expires <= now and not known.forgiven

    def _run_out(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            expires, unit = heapq.heappop(self._held)
            known = self._units[unit]
            if known.expires == expires:
                known.expires = 0.0
                known.forgiven = self.guards.grace is Grace.RESET_TIMERS and self._is_dark(now)
                self.figures.lost += 1

    def _join(self, work: Work) -> Refusal:
        refused = self.queue.join(work, self.under_way)
        match refused:
            case "full":
                self.figures.full += 1
            case "throttled":
                self.figures.throttled += 1
            case "already":
                self.figures.deduped += 1
        return refused

    def _retry(self, work: Work, now: float) -> None:
        tries = work.tries + 1
        if self.guards.retry is Retry.IMMEDIATE:
            self.figures.retried += 1
            self._join(Work(work.unit, self._is_lost(work.unit, now), now, tries))
        elif self._budget >= 1:
            self._budget -= 1
            self.figures.retried += 1
            due = now + backoff(self.fleet, tries, self._chance())
            heapq.heappush(self._later, (due, work.unit, Work(work.unit, False, due, tries)))
        else:
            self.figures.denied_retries += 1

    def _adapt(self, end: End) -> None:
        """Additive increase, multiplicative decrease (Jacobson 1988), within the workers there
        are. A conflict says nothing about load."""
        if self.guards.concurrency is Concurrency.FIXED or end in ("conflict", "theirs"):
            return
        if end == "held":
            self.limit = min(float(self.fleet.workers), self.limit + 1 / max(1.0, self.limit))
        elif end == "late":
            self.limit = max(1.0, self.limit / 2)

    def _is_dark(self, now: float) -> bool:
        """Whether attempts have failed, and none was answered, for longer than any that is well can
        go without an answer: a period to its next heartbeat, and the timeout. So a rack that is
        lost takes its own leases along, not everybody's."""
        return self._dark is not None and now - self._dark >= self.fleet.period + self.fleet.timeout

    def _darken(self, now: float) -> None:
        if self._dark is None:
            self._dark = now

    def _light(self, now: float) -> None:
        """An answer. After the dark, with grace, everybody's timer is reset."""
        returned, self._dark = self._is_dark(now), None
        if returned and self.guards.grace is Grace.RESET_TIMERS:
            self.figures.resets += 1
            self.figures.dropped += self.queue.clear() + len(self._later)
            self._later.clear()
            self._spread(now, self.fleet.period)


def end_of(outcome: Outcome) -> End:
    """What a manager makes of an attempt's outcome."""
    match outcome.why:
        case "":
            return "held"
        case "Late":
            return "late"
        case "WriteConflict":
            return "conflict"
        case "LeaseOfAnother":
            return "theirs"
        case _:
            return "failed"
