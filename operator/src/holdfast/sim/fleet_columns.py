"""A lease manager with a million leases: `core.leases.manager` in columns, step by step.

The rules are the manager's: heartbeats, one queue or two, costs when work is taken, deadlines from
queueing, retries, bounds, restarts, resets. Time goes in steps, much shorter than the timeout: what
is queued in one step shares its moment, and the workers are one stream of k seconds a second, so a
figure is as exact as a step is short and k is large. A test compares the two managers.

Where the exact one adds the worker's calls to its cost, there are none here.
"""

import math
from dataclasses import dataclass

import numpy as np

from holdfast.core.guards import (
    Concurrency,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    OnStart,
    Order,
    QueueAdmission,
    Retry,
)
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import BUDGET_MAX, RETRY_BUDGET, backoff, cost, queue_bound
from holdfast.sim.fleet_queue import Floats, Ints, Line, Part, thinned, together

ATTEMPTS = 17
"""Back-offs after which they grow no more."""
HALVINGS = 64


@dataclass(slots=True)
class Counts:
    """Since the start. `spent`: the workers' seconds; `vain`: those of work that did not count."""

    beats: int = 0
    started: int = 0
    succeeded: int = 0
    late: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    dropped: int = 0
    spent: float = 0.0
    vain: float = 0.0


class FleetColumns:
    """The manager of one zone. `up`: whether what a check needs can be reached. `working`: whether
    the workers take anything. `attempts`: of a heartbeat, where retries are immediate; infinity, as
    the manager's, for no end. `seed` None: phases are even, and so is chance."""

    def __init__(
        self,
        fleet: Fleet,
        guards: LeaseGuards,
        step: float,
        seed: int | None = None,
        now: float = 0.0,
        attempts: float = math.inf,
    ) -> None:
        assert 0 < step <= fleet.period, "no unit has two heartbeats in a step"
        self.fleet, self.guards, self.step, self.now = fleet, guards, step, now
        self.counts = Counts()
        self.up = self.working = True
        self.limit = float(fleet.workers)
        self._attempts = attempts
        self._chance = np.random.default_rng(0 if seed is None else seed)
        self._turn = 0
        self._start = now
        n = fleet.units
        self._all: Ints = np.arange(n, dtype=np.int32)
        even = np.arange(n) / n
        self._phase: Floats = fleet.period * (
            even if seed is None else np.sort(self._chance.random(n))
        )
        self._origin, self._begun = now, 0
        self.expires: Floats = now - fleet.period + self._phase + fleet.duration
        self._forgiven = np.zeros(n, bool)
        self._waits = np.zeros(n, bool)
        self._first, self._then = Line(), Line()
        self._later: dict[int, list[tuple[Ints, Ints | None]]] = {}
        self._credit = 0.0
        self._busy, self._taken = 0.0, 0
        self._budget = BUDGET_MAX
        self._dark: float | None = None
        self._ceilings = np.array([backoff(fleet, i, 1.0) for i in range(ATTEMPTS)])
        self._counting = guards.retry is Retry.BUDGETED_JITTER or math.isfinite(attempts)

    # --- what people do

    def obey(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def restart(self) -> None:
        """The memory of the manager is gone; its leases are read again."""
        self._clear()
        self._budget, self._dark = BUDGET_MAX, None
        self.limit = float(self.fleet.workers)
        self._forgiven[:] = False
        self._spread()
        if self.guards.on_start is OnStart.RELIST_ALL:
            self._later[self._turn] = [(self._all, None)]

    def lose_all(self) -> None:
        """As if every lease had run out this moment."""
        np.minimum(self.expires, self.now, out=self.expires)

    # --- what it says

    @property
    def waiting(self) -> int:
        return self._first.waiting + self._then.waiting

    @property
    def held(self) -> int:
        return int(np.count_nonzero(self.expires > self.now))

    # --- time

    def run(self, until: float) -> None:
        while self.now < until - self.step / 2:
            self.turn()

    def turn(self) -> None:
        """One step."""
        self._join_due()
        self._work()
        self._turn += 1
        self.now = self._start + self._turn * self.step

    def _join_due(self) -> None:
        at = self.now + self.step / 2
        if due := self._later.pop(self._turn, None):
            self._join(together(at, due))
        for units in self._due(self.now + self.step):
            self.counts.beats += len(units)
            self._budget += RETRY_BUDGET * len(units)
            self._join(Part(at, units))

    def _due(self, until: float) -> list[Ints]:
        """Whose heartbeats come before `until`. Counted on from the last, so that no rounding
        leaves one out or has it twice."""
        n, begun = len(self._all), self._begun
        periods, rest = divmod(until - self._origin, self.fleet.period)
        self._begun = max(begun, int(periods) * n + int(self._phase.searchsorted(rest)))
        first, last = begun % n, begun % n + self._begun - begun
        return [self._all[first:last], self._all[: max(0, last - n)]]

    def _join(self, part: Part) -> None:
        guards = self.guards
        if guards.dedupe is Dedupe.BY_DROPLET:
            part = part.only(~self._waits[part.units])
        if guards.order is Order.RENEWALS_FIRST:
            lost = self._lost(part.units, self.now)
            self._admit(self._first, part.only(~lost), self._first.waiting)
            self._admit(self._then, part.only(lost), self.waiting)
        else:
            self._admit(self._first, part, self.waiting)

    def _admit(self, line: Line, part: Part, waiting: int) -> None:
        """As much of it as there is room for, behind so many."""
        guards, fleet = self.guards, self.fleet
        room = len(part.units)
        # Room is made all through a step: half of what is taken in one is gone when the half comes.
        ahead = waiting - self._taken // 2 + math.ceil(self._busy)
        if fleet.admit_at_most is not None:
            room = min(room, fleet.admit_at_most - ahead)
        if guards.admission is QueueAdmission.QUEUE_BOUND:
            room = min(room, queue_bound(fleet) - ahead)
        if room < len(part.units):
            self.counts.refused += len(part.units) - max(0, room)
            part = thinned(part, room, float(self._chance.random()))
        if guards.dedupe is Dedupe.BY_DROPLET:
            self._waits[part.units] = True
        line.join(part)

    def _lost(self, units: Ints, now: float) -> np.ndarray:
        """Which of them have to be established. Those that ran out in the dark are forgiven."""
        expires = self.expires[units]
        lost: np.ndarray = expires <= now
        if self.guards.grace is Grace.RESET_TIMERS:
            lost &= ~self._forgiven[units]
            if self._is_dark(now):
                lost &= expires <= self._dark_since()
        return lost

    def _work(self) -> None:
        streams = int(self.limit) if self.working else 0
        self._busy, self._taken = 0.0, 0
        if not streams:
            return
        self._credit += streams * self.step
        while self._credit > 0 and (line := self._first if self._first.waiting else self._then):
            if not line.waiting:
                # What was not used is gone: an idle worker saves nothing up.
                self._credit = 0.0
                break
            self._serve(line, streams)
            if streams != int(self.limit):
                break
        self._busy = min(self._busy / self.step, streams)
        self._budget = min(BUDGET_MAX, self._budget)

    def _serve(self, line: Line, streams: int) -> None:
        """Begin the oldest part's work, as far as the workers' time in this step goes."""
        fleet, credit = self.fleet, self._credit
        waiting = self.waiting
        renew = cost(fleet, False, waiting, streams)
        establish = cost(fleet, True, waiting, streams)
        part = line.take(math.ceil(credit / renew))
        queued, deadline = part.queued, part.queued + fleet.timeout
        # Nobody takes what has not been queued yet.
        begins = max(queued, self.now + self.step - credit / streams)
        needs = np.where(self._lost(part.units, begins), establish, renew)
        if self.guards.expired is Expired.DROP:
            fits = begins + needs.cumsum() / streams + needs * (1 - 1 / streams) <= deadline
            if not fits.all():
                self.counts.dropped += len(fits) - int(np.count_nonzero(fits))
                self._leave(part.only(~fits))
                part, needs = part.only(fits), needs[fits]
        before = needs.cumsum() - needs
        count = int(before.searchsorted(credit))
        if count < len(needs):
            part, rest = part.split(count)
            line.back(rest)
            needs, before = needs[:count], before[:count]
        if not count:
            return
        spent = float(before[-1] + needs[-1])
        self._credit -= spent
        self._busy += spent
        self._taken += count
        self._leave(part)
        self._ended(part, needs, begins + before / streams + needs, deadline, spent)

    def _leave(self, part: Part) -> None:
        if self.guards.dedupe is Dedupe.BY_DROPLET:
            self._waits[part.units] = False

    def _ended(
        self, part: Part, needs: Floats, ends: Floats, deadline: float, spent: float
    ) -> None:
        counts = self.counts
        counts.started += len(needs)
        counts.spent += spent
        if not self.up:
            counts.failed += len(needs)
            counts.vain += spent
            if self._dark is None:
                self._dark = self.now
            self._retry(part, ends)
            return
        well = ends <= deadline
        good = int(np.count_nonzero(well))
        won = part.units if good == len(well) else part.units[well]
        self.expires[won] = np.maximum(self.expires[won], part.queued + self.fleet.duration)
        counts.succeeded += good
        counts.late += len(well) - good
        if self.guards.concurrency is Concurrency.ADAPTIVE:
            self._adapt(good, len(well) - good)
        lit = self._light()
        self._forgiven[won] = False
        if good < len(well):
            late = ~well
            counts.vain += float(needs[late].sum())
            if not lit:
                self._retry(part.only(late), ends[late])

    def _retry(self, part: Part, ends: Floats) -> None:
        """Again, at once or after a back-off: at the step in which it is due."""
        tries = None
        if self._counting:
            tries = np.ones_like(part.units) if part.tries is None else part.tries + np.int32(1)
        units = part.units
        if self.guards.retry is Retry.BUDGETED_JITTER:
            count = min(len(units), int(self._budget))
            self._budget -= count
            assert tries is not None
            units, tries, ends = units[:count], tries[:count], ends[:count]
            pause = self._ceilings.take(np.minimum(tries, ATTEMPTS - 1))
            ends = ends + pause * self._chance.random(count)
        elif tries is not None:
            again = tries < self._attempts
            units, tries, ends = units[again], tries[again], ends[again]
        self.counts.retried += len(units)
        if not len(units):
            return
        turns = np.maximum(((ends - self._start) / self.step).astype(np.int64), self._turn + 1)
        first, last = int(turns.min()), int(turns.max())
        for turn in range(first, last + 1):
            mine = slice(None) if first == last else turns == turn
            some = units[mine]
            if len(some):
                again_tries = None if tries is None else tries[mine]
                self._later.setdefault(turn, []).append((some, again_tries))

    def _adapt(self, good: int, late: int) -> None:
        if good:
            self.limit = min(float(self.fleet.workers), self.limit + good / max(1.0, self.limit))
        if late:
            self.limit = max(1.0, self.limit / 2.0 ** min(late, HALVINGS))

    # --- dark and light

    def _dark_since(self) -> float:
        """From when on nothing was answered for as long as what is well would have been."""
        assert self._dark is not None
        return self._dark + self.fleet.period + self.fleet.timeout

    def _is_dark(self, now: float) -> bool:
        return self._dark is not None and now >= self._dark_since()

    def _light(self) -> bool:
        """An answer. After the dark, with grace, everybody's timer is reset: whether it was."""
        returned = self._is_dark(self.now) and self.guards.grace is Grace.RESET_TIMERS
        if returned:
            ran_out = (self.expires > self._dark_since()) & (self.expires <= self.now)
            self._forgiven |= ran_out
            self._clear()
            self._spread()
        self._dark = None
        return returned

    def _clear(self) -> None:
        self.counts.dropped += self.waiting
        self._first.clear()
        self._then.clear()
        self._later.clear()
        self._waits[:] = False

    def _spread(self) -> None:
        """Heartbeats begin anew, one by one over a period."""
        self._origin, self._begun = self.now, 0
        self._phase = self.fleet.period * (np.arange(len(self._all)) / len(self._all))
