"""The day of the leases as SimPy processes: the yardstick of `bench.leases_sim`.

A zone of the profile aws-2025, lease by lease: each has a process of heartbeats, each worker is a
process that takes from a Store. The rules, the numbers and the script are those of `sim.fleet_day`.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import queue_bound
from holdfast.sim import fleet_day as day

MOST = 0.95
Process = Generator[simpy.Event, Any, None]


@dataclass(slots=True)
class Told:
    """`checks`: attempts that ended. `beats`: heartbeats. Seconds: `half_lost`, when half of the
    leases had run out; `most_back` and `whole`, when 95 % and all were held again."""

    checks: int = 0
    beats: int = 0
    half_lost: float = 0.0
    most_back: float = 0.0
    whole: float = 0.0

    @property
    def events(self) -> int:
        return self.checks + self.beats


class SimpyZone:
    """A zone from before the outage to the end of the day."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet, self._env = fleet, simpy.Environment(day.BEFORE)
        self._queue = simpy.Store(self._env)
        self._told = Told()
        self._up, self._bound, self._era = True, 0, 0
        self._under_way = 0
        n, start = fleet.leases, day.BEFORE
        phase = [fleet.period * i / n for i in range(n)]
        self._expires = [start - fleet.period + p + fleet.duration for p in phase]

    def run(self) -> Told:
        env = self._env
        for _ in range(self._fleet.workers):
            env.process(self._worker())
        self._spread()
        env.process(self._people())
        env.process(self._clerk())
        env.run(until=day.END)
        return self._told

    def _spread(self) -> None:
        """Heartbeats begin anew; those of the era before end."""
        self._era += 1
        n = self._fleet.leases
        for unit in range(n):
            self._env.process(self._heart(unit, self._fleet.period * unit / n, self._era))

    def _heart(self, unit: int, phase: float, era: int) -> Process:
        yield self._env.timeout(phase)
        while era == self._era:
            self._told.beats += 1
            self._join(unit)
            yield self._env.timeout(self._fleet.period)

    def _join(self, unit: int) -> None:
        if not self._bound or len(self._queue.items) + self._under_way < self._bound:
            self._queue.put((unit, self._env.now))

    def _worker(self) -> Process:
        env, fleet = self._env, self._fleet
        while True:
            unit, queued = yield self._queue.get()
            self._under_way += 1
            lost = self._expires[unit] <= env.now
            yield env.timeout(fleet.establish if lost else fleet.renew)
            self._under_way -= 1
            self._told.checks += 1
            if self._up and env.now <= queued + fleet.timeout:
                self._expires[unit] = max(self._expires[unit], queued + fleet.duration)
            else:
                self._join(unit)

    def _people(self) -> Process:
        """The script, from the moment at which the name is gone."""
        env = self._env
        yield env.timeout(-day.BEFORE)
        self._up = False
        yield env.timeout(day.CACHES_OVER)
        self._up = True
        yield env.timeout(day.PEOPLE_ACT - day.CACHES_OVER)
        self._bound = queue_bound(self._fleet)
        self._queue.items.clear()
        self._spread()
        for unit in range(self._fleet.leases):
            self._join(unit)
        yield env.timeout(day.THROTTLES_LIFTED - day.PEOPLE_ACT)
        self._bound = 0

    def _clerk(self) -> Process:
        """Looks as often as the columns' recorder does."""
        env, told, n = self._env, self._told, self._fleet.leases
        while True:
            yield env.timeout(day.SAMPLE)
            held = sum(expires > env.now for expires in self._expires)
            if not told.half_lost and env.now > 0 and 2 * held <= n:
                told.half_lost = env.now
            if not told.most_back and env.now > day.PEOPLE_ACT and held >= MOST * n:
                told.most_back = env.now
            if not told.whole and env.now > day.PEOPLE_ACT and held == n:
                told.whole = env.now
