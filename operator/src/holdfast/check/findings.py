"""`explore`: a model explored, and what came of it as people and tests ask for it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TypeAlias

from holdfast.check import renaming
from holdfast.check.describing import by_kind
from holdfast.check.explorer import Exploration, Explorer, TooLarge
from holdfast.check.liveness import stuck
from holdfast.check.mistakes import ModelError
from holdfast.check.model import Budgets, Model, Objects
from holdfast.check.text_table import text_table
from holdfast.check.trace import Row, trace
from holdfast.check.vetting import GOAL, vetted

STATES_MAX = 1_000_000
Describe: TypeAlias = Callable[[Objects], Mapping[str, str]]
"""What a world looks like: a heading, and what stands below it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What an exploration found, within the budgets `bounds`.

    `exhaustive`: every state within the bounds was visited; `ended` says why not.
    `columns` are the headings of `Row.world`. `start` is the world at the start, in these columns.
    `stuck`: the states from which the goal cannot be reached; None if that was not looked at.
    """

    bounds: Budgets
    states: int
    worlds: int
    transitions: int
    depth: int
    seconds: float
    exhaustive: bool
    ended: str
    stuck: int | None
    columns: tuple[str, ...]
    start: tuple[str, ...]
    traces: Mapping[str, tuple[Row, ...]] = field(repr=False)

    @property
    def broken(self) -> frozenset[str]:
        """The names of what does not hold; "goal" if the goal can become unreachable."""
        return frozenset(self.traces)

    def trace(self, name: str) -> tuple[Row, ...]:
        """A shortest way to what breaks the invariant `name`. KeyError if it holds."""
        if name not in self.traces:
            raise KeyError(f"{name} is not among what broke: {', '.join(self.traces) or 'nothing'}")
        return self.traces[name]

    def table(self, name: str) -> str:
        """The trace as text. KeyError as above."""
        rows = self.trace(name)
        cells = [("0", "", "", "", "the start", *self.start)]
        cells += [(str(r.number), r.step, r.actor, r.call, r.reply, *r.world) for r in rows]
        head = ("", "step", "who", "asks for", "gets", *self.columns)
        told = [at for at in range(len(head)) if at == 0 or any(row[at] for row in cells)]
        return text_table([head[at] for at in told], [[row[at] for at in told] for row in cells])

    def check(self, breaks: Iterable[str] = ()) -> "Findings":
        """These findings, if exactly the invariants `breaks` are broken. AssertionError otherwise,
        with a shortest trace to what should hold."""
        expected = frozenset([breaks] if isinstance(breaks, str) else breaks)
        if self.broken == expected:
            return self
        held = expected - self.broken
        parts = [f"{', '.join(sorted(held))} should break, and held"] if held else []
        parts += [self._told(name) for name in self._nearest() if name not in expected][:1]
        raise AssertionError("\n\n".join([*parts, self.summary()]))

    def summary(self) -> str:
        """What was explored, in which bounds, and what came of it."""
        b = self.bounds
        bounds = (
            f"crashes {b.crashes}, lost replies {b.lost_replies}, stale reads {b.stale_reads}, "
            f"expiries {b.expiries}"
        )
        how = "exhaustive" if self.exhaustive else f"NOT exhaustive ({self.ended})"
        lines = [
            f"{how} within {bounds}",
            f"{self.states:,} states, {self.worlds:,} worlds, {self.transitions:,} transitions, "
            f"depth {self.depth}",
        ]
        judged = f"broken: {', '.join(self._nearest())}" if self.broken else "nothing broke"
        if self.stuck is not None:
            judged += "; the goal can be reached from every state"
        if self.stuck:
            judged += f" but {self.stuck:,}"
        return "\n".join([*lines, judged])

    def __str__(self) -> str:
        return "\n\n".join([self.summary(), *map(self._told, self._nearest())])

    def _nearest(self) -> list[str]:
        return sorted(self.traces, key=lambda name: (len(self.traces[name]), name))

    def _told(self, name: str) -> str:
        moves = len(self.traces[name])
        if name == GOAL:
            title = f"after {moves} moves, nothing that can happen leads to the goal any more"
        else:
            title = f"{name} breaks; {moves} moves, and no way is shorter"
        return f"{title}:\n\n{self.table(name)}"


def explore(
    model: Model,
    *,
    stop: bool | Collection[str] = False,
    max_states: int = STATES_MAX,
    liveness: bool = True,
    describe: Describe = by_kind,
) -> Findings:
    """Every interleaving of the model's actors, its environment and the faults in its budgets.

    `stop`: end as soon as one of these invariants (True: any) is broken. `liveness`: look whether
    the goal stays reachable, if the model has one and everything was explored. Raises ModelError if
    the model is none, TooLarge if there are more than `max_states` states and nothing broke so far;
    if something did, the findings are not exhaustive.
    """
    if max_states < 1:
        raise ModelError(f"max_states={max_states}: at least one")
    explorer = Explorer(vetted(model))
    found, ended = _explored(explorer, _stop(stop), max_states)
    ways = dict(found.broken)
    dead: list[int] | None = None
    if liveness and model.goal is not None and found.exhaustive:
        dead = stuck(explorer, found)
        if dead:
            ways[GOAL] = (found.parents[dead[0]], dead[0])
    return _findings(explorer, found, ended, ways, None if dead is None else len(dead), describe)


def _explored(explorer: Explorer, stop: frozenset[str], most: int) -> tuple[Exploration, str]:
    """What was found, and why not everything was looked at."""
    began, latest = perf_counter(), [0, 0, 0]

    def progress(*numbers: int) -> None:
        latest[:] = numbers

    try:
        found = explorer.explore(stop, most, progress)
    except TooLarge as error:
        seen, broken = explorer.seen, explorer.broken
        if not broken:
            raise TooLarge(f"{error}. {_advice(explorer)}") from None
        _, transitions, depth = latest
        seconds, worlds = perf_counter() - began, explorer.worlds.distinct
        found = Exploration(len(seen), worlds, transitions, depth, seconds, False, broken, seen)
        return found, str(error)
    return found, "" if found.exhaustive else "stopped at what broke"


class _AnyName(frozenset[str]):
    """The set of all names."""

    def isdisjoint(self, other: Iterable[object]) -> bool:
        return not any(True for _ in other)


def _stop(stop: bool | Collection[str]) -> frozenset[str]:
    if isinstance(stop, bool):
        return _AnyName() if stop else frozenset()
    return frozenset([stop] if isinstance(stop, str) else stop)


def _findings(
    explorer: Explorer,
    found: Exploration,
    ended: str,
    ways: Mapping[str, tuple[int, int]],
    dead: int | None,
    describe: Describe,
) -> Findings:
    headings: dict[str, None] = {}

    def learn(objects: Objects) -> tuple[str, ...]:
        headings.update(dict.fromkeys(describe(objects)))
        return ()

    def cells(objects: Objects) -> tuple[str, ...]:
        told = describe(objects)
        return tuple(_readable(explorer, told.get(h) or "-") for h in headings)

    start = explorer.worlds.all[explorer.worlds.start].objects
    learn(start)
    for before, after in ways.values():
        trace(explorer, found, before, after, learn)
    traces = {
        name: tuple(
            replace(r, call=_readable(explorer, r.call), reply=_readable(explorer, r.reply))
            for r in trace(explorer, found, before, after, cells)
        )
        for name, (before, after) in ways.items()
    }
    return Findings(
        bounds=explorer.model.budgets,
        states=found.states,
        worlds=found.worlds,
        transitions=found.transitions,
        depth=found.depth,
        seconds=found.seconds,
        exhaustive=found.exhaustive,
        ended=ended,
        stuck=dead,
        columns=tuple(headings),
        start=cells(start),
        traces=traces,
    )


def _readable(explorer: Explorer, text: str) -> str:
    """The symbols of uids and versions, told by the object that they belong to."""
    if "@" not in text:
        return text
    keys = explorer.worlds.keys
    words = {"u": "<uid of {}>", "v": "<version of {}>", "x": "<stale: {}>"}
    return renaming.SYMBOL.sub(
        lambda s: words[s.group(2)].format(keys[int(s.group(1))][1]), text
    ).replace(renaming.UNVERSIONED, "<version>")


def _advice(explorer: Explorer) -> str:
    named = zip(explorer.model.actors, explorer.locals, strict=True)
    locals_ = ", ".join(f"{actor.name} {len(table.all):,}" for actor, table in named)
    return (
        f"Local states: {locals_}; worlds: {explorer.worlds.distinct:,}. Either something grows "
        "without end (a counter in a memory, names that are never used twice), or the model is "
        "larger than it needs to be: fewer actors, objects and budgets, or a higher max_states"
    )
