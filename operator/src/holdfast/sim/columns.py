"""Many seeds at once: a lane each, columns of numpy for the lanes, and look-ups in the tables.

Every turn, every lane does its own next event: the actor with the least time acts, one row of the
tables says what comes of it, and its next time is drawn. The lanes know nothing of each other. The
arithmetic is that of the plain engine, operation for operation, and so is the source of chance
(Python's Mersenne Twister, in blocks), so a seed's run is the same in both, to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.core.guards import LOCKS
from holdfast.core.intents import Get
from holdfast.core.objects import Alias
from holdfast.core.region import backoff
from holdfast.sim import relative
from holdfast.sim.contention import NEVER, Exposure, Setting, source
from holdfast.sim.enactor import REFUSED_PAUSE_SECONDS
from holdfast.sim.quantiles import Table
from holdfast.sim.tables import ASKS, Row, Tables

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Steps: TypeAlias = list[tuple[Ints, Floats, Ints, Ints]]
"""Of every turn: the lanes' seeds, times, actors and rows."""

BLOCK = 512
MARGIN = 32
"""Uniform numbers a lane has ready, and how many are enough for any one event."""
ATTEMPTS = 17
PLANNER = 0
"""The planner's place among memories; those of enactors follow."""
_LOCK_SLACK = 0.001
_WRITE, _WAIT = ASKS.index("write"), ASKS.index("wait")
(APPEND, WAIT, DEFERRED, REFUSED, DONE, RENAME, TAKEN, FREED, PATIENCE, STALE, LIVE, EMPTY) = (
    1 << i for i in range(12)
)


class Grown:
    """A column that grows; what is new in it is -1."""

    def __init__(self, *shape: int) -> None:
        self.of: Ints = np.full(shape or (256,), -1, np.int64)

    def reach(self, *index: int) -> None:
        shape = tuple(
            n if i < n else max(2 * n, i + 1) for i, n in zip(index, self.of.shape, strict=True)
        )
        if shape != self.of.shape:
            former, self.of = self.of, np.full(shape, -1, np.int64)
            self.of[tuple(slice(n) for n in former.shape)] = former


class Rows:
    """The tables as columns, filled as they are needed."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.rows: list[Row | None] = []
        self.world, self.memory, self.ask = Grown(), Grown(), Grown()
        self.flags, self.code = Grown(), Grown()
        self._at = Grown(64, 256)
        self._late: dict[tuple[int, int], int] = {}
        self._older, self._renamed = Grown(), Grown(8, 256)
        self._codes: dict[tuple[bool, str, int], int] = {}

    def find(self, worlds: Ints, memories: Ints) -> Ints:
        """The row of every lane."""
        at = worlds * self._at.of.shape[1]
        at += memories
        rows: Ints = self._at.of.ravel().take(at)
        if rows.min() < 0:
            for lane in np.flatnonzero(rows < 0):
                world, memory = int(worlds[lane]), int(memories[lane])
                rows[lane] = self._row(world, memory)
        return rows

    def late(self, world: int, memory: int) -> int | None:
        """The row of an actor who finds the lock expired; None if he does not look at it."""
        intent = self.tables.intents[memory - 1] if memory != PLANNER else None
        if not (isinstance(intent, Get) and intent.kind is Alias):
            return None
        key = (world, memory)
        if key not in self._late:
            self._late[key] = self._add(self.tables.row(world, memory - 1, late=True))
        return self._late[key]

    def older(self, memories: Ints) -> Ints:
        """Memories after another plan."""
        return _mapped(self._older, (memories,), lambda m: self._shift(m))

    def renamed(self, codes: Ints, memories: Ints) -> Ints:
        """Memories after what the rows' codes say has become a former one."""
        return _mapped(self._renamed, (codes, memories), self._rename)

    def _row(self, world: int, memory: int) -> int:
        self._at.reach(world, memory)
        found = int(self._at.of[world, memory])
        if found < 0:
            if memory == PLANNER:
                found = self._plan(world)
            else:
                found = self._add(self.tables.row(world, memory - 1, late=False))
            self._at.of[world, memory] = found
        return found

    def _plan(self, world: int) -> int:
        number = self._number(None)
        self.world.of[number] = self._known_world(self.tables.appended(world))
        self.memory.of[number], self.ask.of[number] = PLANNER, _WRITE
        self.flags.of[number], self.code.of[number] = APPEND, 0
        return number

    def _add(self, row: Row) -> int:
        number = self._number(row)
        self.world.of[number] = self._known_world(row.world)
        self.memory.of[number] = self._known(row.memory)
        self.ask.of[number] = ASKS.index(row.ask)
        self.code.of[number] = self._code(row)
        self.flags.of[number] = (
            WAIT * (row.ask == "wait")
            | DEFERRED * (row.ended == "deferred")
            | REFUSED * (row.ended == "refused")
            | DONE * (row.ended == "done")
            | RENAME * bool((row.changed and self.tables.fenced) or row.lock_lost or row.deleted)
            | TAKEN * row.lock_taken
            | FREED * (bool(row.lock_lost) and not row.lock_taken)
            | PATIENCE * bool(row.patience)
            | STALE * row.stale
            | LIVE * row.live_delete
            | EMPTY * row.empty
        )
        return number

    def _number(self, row: Row | None) -> int:
        self.rows.append(row)
        number = len(self.rows) - 1
        for column in (self.world, self.memory, self.ask, self.flags, self.code):
            column.reach(number)
        return number

    def _known(self, memory: int) -> int:
        """A memory of the tables as a lane has it, with room for it in every column."""
        self._at.reach(0, memory + 1)
        return memory + 1

    def _known_world(self, world: int) -> int:
        self._at.reach(world, 0)
        return world

    def _shift(self, memory: int) -> int:
        return PLANNER if memory == PLANNER else self._known(self.tables.older(memory - 1))

    def _code(self, row: Row) -> int:
        key = (row.changed, row.lock_lost, row.deleted)
        return self._codes.setdefault(key, len(self._codes) + 1)

    def _rename(self, code: int, memory: int) -> int:
        if memory == PLANNER:
            return PLANNER
        changed, lock, deleted = next(k for k, c in self._codes.items() if c == code)
        found, tables = memory - 1, self.tables
        if changed:
            found = tables.renamed(found, relative.VERSION, relative.FORMER_VERSION)
        if lock:
            found = tables.renamed(found, lock, relative.former_lock(lock))
        if deleted:
            uid, former = relative.uid_of(deleted), relative.former_uid(deleted)
            found = tables.renamed(found, uid, former)
        return self._known(found)


def _mapped(table: Grown, index: tuple[Ints, ...], make: Callable[..., int]) -> Ints:
    """`table[index]`, with what is not there yet made one by one."""
    table.reach(*(int(i.max(initial=0)) for i in index))
    found: Ints = table.of[index]
    if found.min(initial=0) < 0:
        full = np.broadcast_arrays(*index)
        for at in np.argwhere(found < 0):
            key = tuple(int(i[tuple(at)]) for i in full)
            table.of[key] = make(*key)
            found[tuple(at)] = table.of[key]
    return found


class Chance:
    """A stream of uniform numbers for every lane: the very numbers of Python's `random`."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._streams = [_twister(seed) for seed in seeds]
        self._block: Floats = np.empty((len(seeds), BLOCK))
        self._stream: Ints = np.arange(len(seeds), dtype=np.int64)
        self._used: Ints = np.full(len(seeds), BLOCK, np.int64)

    def refresh(self) -> None:
        """Have enough for any one event."""
        if self._used.max() > BLOCK - MARGIN:
            for lane in np.flatnonzero(self._used > BLOCK - MARGIN):
                self._fill(int(lane))

    def some(self, lanes: Ints) -> Floats:
        """The next number of some lanes."""
        used = self._used[lanes]
        if used.max(initial=0) >= BLOCK:
            for lane in lanes[used >= BLOCK]:
                self._fill(int(lane))
            used = self._used[lanes]
        self._used[lanes] = used + 1
        return self._block[self._stream[lanes], used]

    def every(self, taken: Ints) -> Floats:
        """The next number of every lane; `taken`: 1 where it is used, 0 where only looked at."""
        at = self._stream * BLOCK
        at += self._used
        self._used += taken
        numbers: Floats = self._block.ravel().take(at)
        return numbers

    def keep(self, lanes: Ints) -> None:
        self._stream, self._used = self._stream[lanes], self._used[lanes]

    def _fill(self, lane: int) -> None:
        used, stream = int(self._used[lane]), int(self._stream[lane])
        block = self._block[stream]
        left = block[used:].copy()
        block[: len(left)] = left
        block[len(left) :] = self._streams[stream].random_sample(used)
        self._used[lane] = 0


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


class Columns:
    """The runs of many seeds under one setting, of at most `seconds` each."""

    def __init__(
        self, setting: Setting, seeds: Sequence[int], seconds: float, rows: Rows | None = None
    ) -> None:
        region, latencies = setting.region, setting.latencies
        self._rows = rows or Rows(Tables(region, setting.rivals()))
        self._setting, self._seconds = setting, seconds
        self._rivals = rivals = len(region.zones)
        self._locks = region.guards.fence in LOCKS
        calls = (latencies.get, latencies.list, latencies.write, latencies.proof)
        self._calls = Looker(*(c.table for c in calls), None, None)
        self._watch = Looker(latencies.watch.table)
        self._draws: Ints = np.array([1, 1, 1, 1, 0, 0])
        self._ceilings: Floats = np.array([backoff(region, n, 1.0) for n in range(ATTEMPTS)])
        self._chance = Chance(seeds)
        lanes, start = len(seeds), [m + 1 for m in self._rows.tables.start]
        self._rows.find(np.zeros(1, np.int64), np.zeros(1, np.int64))
        for memory in start:
            self._rows._known(memory - 1)
        number = np.arange(lanes, dtype=np.int64)
        self._lanes = Lanes(
            number=number,
            base=number * (rivals + 1),
            seed=np.array(seeds, np.int64),
            world=np.full(lanes, self._rows.tables.nothing, np.int64),
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
        lanes, rows, chance = self._lanes, self._rows, self._chance
        chance.refresh()
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
                late = self._rows.late(int(lanes.world[lane]), int(memory[lane]))
                row[lane] = row[lane] if late is None else late

    def _effects(
        self, busy: Ints, flags: Ints, row: Ints, actor: Ints, t: Floats, on: Floats
    ) -> None:
        """What the events of some lanes do beyond their own actor; `on` moves for who waited."""
        lanes, rows = self._lanes, self._rows
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
        lanes.memory[some] = self._rows.older(lanes.memory[some])
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
