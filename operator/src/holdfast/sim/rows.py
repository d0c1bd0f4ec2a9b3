"""The tables as columns of numpy: what comes of the next event, for many lanes at one look.

What is not there yet is made by the tables, once, and then looked up for good.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from holdfast.core.intents import Get
from holdfast.core.objects import Alias
from holdfast.sim.tables import ASKS, Row, Tables

Ints: TypeAlias = NDArray[np.int64]

PLANNER = 0
"""The planner's place among memories; those of enactors follow."""
WRITE = ASKS.index("write")
(APPEND, WAIT, DEFERRED, REFUSED, DONE, RENAME, TAKEN, FREED, PATIENCE, STALE, LIVE, EMPTY) = (
    1 << i for i in range(12)
)
"""Flags of a row, for what it does beyond its own actor's next step."""


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
        self._told: list[Row | None] = [None]
        """By code: a row of those that make the same things former ones."""

    def start(self) -> list[int]:
        """The enactors' memories at the beginning."""
        return [self._known(memory) for memory in self.tables.start]

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
        self.memory.of[number], self.ask.of[number] = PLANNER, WRITE
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
        if key not in self._codes:
            self._codes[key] = len(self._told)
            self._told.append(row)
        return self._codes[key]

    def _rename(self, code: int, memory: int) -> int:
        if memory == PLANNER:
            return PLANNER
        row = self._told[code]
        assert row is not None
        return self._known(self.tables.told(memory - 1, row))


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
