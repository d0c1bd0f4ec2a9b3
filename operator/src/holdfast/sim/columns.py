"""Many seeds at once: a lane each, columns of numpy for the lanes, and look-ups in the tables.

Every turn, every lane does its own next event: the actor with the least time acts, one row of the
tables says what comes of it, and its next time is drawn. The lanes know nothing of each other. The
arithmetic is that of the plain engine, operation for operation, and so is the source of chance
(Python's Mersenne Twister, in blocks), so a seed's run is the same in both, to the last bit.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from holdfast.core.guards import LOCKS
from holdfast.core.region import backoff
from holdfast.sim.contention import NEVER, Exposure, Setting
from holdfast.sim.enactor import REFUSED_PAUSE_SECONDS
from holdfast.sim.lanes import Chance, Floats, Lanes, Looker
from holdfast.sim.rows import (
    APPEND,
    DEFERRED,
    DONE,
    EMPTY,
    FREED,
    LIVE,
    PATIENCE,
    PLANNER,
    REFUSED,
    RENAME,
    STALE,
    TAKEN,
    WAIT,
    Ints,
    Rows,
)
from holdfast.sim.tables import Tables

Steps: TypeAlias = list[tuple[Ints, Floats, Ints, Ints]]
"""Of every turn: the lanes' seeds, times, actors and rows."""

ATTEMPTS = 17
"""Back-offs after which they grow no more."""
_LOCK_SLACK = 0.001


class Columns:
    """The runs of many seeds under one setting, of at most `seconds` each."""

    def __init__(
        self, setting: Setting, seeds: Sequence[int], seconds: float, rows: Rows | None = None
    ) -> None:
        region, latencies = setting.region, setting.latencies
        self.rows = rows or Rows(Tables(region, setting.rivals()))
        self._setting, self._seconds = setting, seconds
        self._rivals = rivals = len(region.zones)
        self._locks = region.guards.fence in LOCKS
        calls = (latencies.get, latencies.list, latencies.write, latencies.proof)
        self._calls = Looker(*(c.table for c in calls), None, None)
        self._watch = Looker(latencies.watch.table)
        self._draws: Ints = np.array([1, 1, 1, 1, 0, 0])
        self._ceilings: Floats = np.array([backoff(region, n, 1.0) for n in range(ATTEMPTS)])
        self._chance = Chance(seeds)
        lanes, start = len(seeds), self.rows.start()
        number = np.arange(lanes, dtype=np.int64)
        self._lanes = Lanes(
            number=number,
            base=number * (rivals + 1),
            seed=np.array(seeds, np.int64),
            world=np.full(lanes, self.rows.tables.nothing, np.int64),
            memory=np.tile(np.array([*start, PLANNER], np.int64), (lanes, 1)),
            due=np.repeat(np.array([[NEVER]] * rivals + [[0.0]]), lanes, axis=1),
            since=np.zeros((lanes, rivals + 1)),
            before=np.zeros((lanes, rivals + 1)),
            stall=np.full((lanes, rivals + 1), NEVER),
            deferrals=np.zeros((lanes, rivals + 1), np.int64),
            until=np.full(lanes, NEVER),
            stale=np.zeros(lanes, np.int64),
            live=np.zeros(lanes, np.int64),
        )
        stalls = setting.stalls
        self._gaps = Looker(stalls.gaps) if stalls else None
        self._lengths = Looker(stalls.lengths) if stalls else None
        if self._gaps:
            for rival in range(rivals):
                self._lanes.stall[:, rival] = self._gaps.look(self._chance.some(number))
        self._found: dict[int, Exposure] = {}
        self._turns = 0

    def run(self, steps: Steps | None = None) -> list[Exposure]:
        """What became of every seed, in their order."""
        order = self._lanes.seed.tolist()
        while len(self._lanes.seed):
            self._turn(steps)
        return [self._found[seed] for seed in order]

    def _turn(self, steps: Steps | None) -> None:
        """One event in every lane."""
        lanes, rows, chance = self._lanes, self.rows, self._chance
        actor, t = lanes.first()
        at = lanes.base + actor
        if t.max() > self._seconds:
            over = t > self._seconds
            self._end(np.flatnonzero(over), t, struck=False)
            self._keep(np.flatnonzero(~over))
            return
        self._turns += 1
        memory = lanes.memory.ravel().take(at)
        row = rows.find(lanes.world, memory)
        if self._locks:
            self._expire(row, memory, t)
        if steps is not None:
            steps.append((lanes.seed.copy(), t, actor, row.copy()))
        flags = rows.flags.of.take(row)
        lanes.world = rows.world.of.take(row)
        lanes.memory.ravel()[at] = rows.memory.of.take(row)
        ask = rows.ask.of.take(row)
        busy = np.flatnonzero(flags)
        on = t.copy()
        if len(busy):
            self._effects(busy, flags[busy], row, actor, t, on)
        self._stall(at, on, flags)
        if len(busy):
            self._pause(busy, flags[busy], actor, on)
        drawn = chance.every(self._draws.take(ask))
        due = on + self._calls.look(drawn, ask)
        waiting = busy[flags[busy] & WAIT > 0]
        due[waiting] = NEVER
        lanes.since.ravel()[at[waiting]] = on[waiting]
        lanes.due.ravel()[lanes.number + actor * len(t)] = due
        if self._locks:
            lanes.before.ravel()[at] = t
        struck = busy[flags[busy] & EMPTY > 0]
        if len(struck):
            self._end(struck, t, struck=True)
            stay = np.ones(len(t), bool)
            stay[struck] = False
            self._keep(np.flatnonzero(stay))

    def _expire(self, row: Ints, memory: Ints, t: Floats) -> None:
        """Who reads a lock after its time finds it free. The lock's text has milliseconds."""
        lanes = self._lanes
        for lane in np.flatnonzero(lanes.until <= t + _LOCK_SLACK):
            if float(f"{lanes.until[lane]:.3f}") <= t[lane]:
                late = self.rows.late(int(lanes.world[lane]), int(memory[lane]))
                row[lane] = row[lane] if late is None else late

    def _effects(
        self, busy: Ints, flags: Ints, row: Ints, actor: Ints, t: Floats, on: Floats
    ) -> None:
        """What the events of some lanes do beyond their own actor; `on` moves for who waited."""
        lanes, rows = self._lanes, self.rows
        some = busy[flags & RENAME > 0]
        if len(some):
            memories = lanes.memory[some]
            now = rows.renamed(rows.code.of[row[some]][:, None], memories)
            who = (np.arange(len(some)), actor[some])
            now[who] = memories[who]
            lanes.memory[some] = now
        if self._locks:
            lanes.until[busy[flags & FREED > 0]] = NEVER
            some = busy[flags & TAKEN > 0]
            seconds = self._setting.region.lock_seconds
            lanes.until[some] = lanes.before[some, actor[some]] + seconds
        lanes.stale[busy[flags & STALE > 0]] += 1
        lanes.live[busy[flags & LIVE > 0]] += 1
        for lane in busy[flags & PATIENCE > 0]:
            found = rows.rows[row[lane]]
            assert found is not None
            on[lane] += found.patience
        some = busy[flags & APPEND > 0]
        if len(some):
            self._spread(some, t)
            on[some] += self._setting.period_seconds

    def _spread(self, some: Ints, t: Floats) -> None:
        """Another plan: all that is remembered is one older, and who waited for it wakes."""
        lanes = self._lanes
        lanes.memory[some] = self.rows.older(lanes.memory[some])
        for rival in range(self._rivals):
            woken = some[lanes.due[rival, some] == NEVER]
            heard = t[woken] + self._watch.look(self._chance.some(woken))
            lanes.due[rival, woken] = np.maximum(heard, lanes.since[woken, rival])

    def _stall(self, at: Ints, on: Floats, flags: Ints) -> None:
        """`on` moves to the first moment at which the actor runs."""
        if self._gaps is None or self._lengths is None:
            return
        stall = self._lanes.stall.ravel()
        some = np.flatnonzero(stall.take(at) <= np.where(flags & APPEND, -1.0, on))
        while len(some):
            end = stall[at[some]] + self._lengths.look(self._chance.some(some))
            on[some] = np.maximum(on[some], end)
            stall[at[some]] = end + self._gaps.look(self._chance.some(some))
            some = some[stall[at[some]] <= on[some]]

    def _pause(self, busy: Ints, flags: Ints, actor: Ints, on: Floats) -> None:
        """Rounds that ended, and how long their actors wait before the next."""
        lanes = self._lanes
        ended = busy[flags & (DONE | REFUSED) > 0]
        lanes.deferrals[ended, actor[ended]] = 0
        some = busy[flags & DEFERRED > 0]
        if len(some):
            count = lanes.deferrals[some, actor[some]] + 1
            lanes.deferrals[some, actor[some]] = count
            ceiling = self._ceilings.take(np.minimum(count, ATTEMPTS - 1))
            on[some] += ceiling * self._chance.some(some)
        some = busy[flags & REFUSED > 0]
        if len(some):
            on[some] += REFUSED_PAUSE_SECONDS * (0.5 + 0.5 * self._chance.some(some))

    def _end(self, which: Ints, t: Floats, struck: bool) -> None:
        lanes = self._lanes
        for lane in which:
            self._found[int(lanes.seed[lane])] = Exposure(
                seconds=float(t[lane]) if struck else self._seconds,
                struck=struck,
                stale_writes=int(lanes.stale[lane]),
                live_deletes=int(lanes.live[lane]),
                events=self._turns,
            )

    def _keep(self, which: Ints) -> None:
        self._lanes.keep(which)
        self._chance.keep(which)


def lane_trace(steps: Steps, rows: Rows, seed: int) -> list[tuple[float, int, str, str]]:
    """One seed's run as the plain engine tells it."""
    told: list[tuple[float, int, str, str]] = []
    for seeds, t, actor, row in steps:
        for lane in np.flatnonzero(seeds == seed):
            found: Any = rows.rows[row[lane]]
            what = (found.intent, found.reply) if found else ("Create", "Written")
            told.append((float(t[lane]), int(actor[lane]), *what))
    return told
