"""A trace: the moves that lead from the start to a state, told one by one."""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.check.explorer import Exploration, Explorer, Move
from holdfast.check.model import Objects
from holdfast.check.telling import answer, call
from holdfast.core.intents import List, Pick
from holdfast.core.replies import Passed


@dataclass(frozen=True, slots=True)
class Row:
    """One move. `world` is the world after it, in the words of `describe`."""

    number: int
    step: str
    actor: str
    call: str
    reply: str
    world: tuple[str, ...]


def trace(
    explorer: Explorer,
    found: Exploration,
    before: int,
    after: int,
    describe: Callable[[Objects], tuple[str, ...]],
) -> tuple[Row, ...]:
    """The moves from the start to `before`, and the one from there to `after`. Shortest, for the
    exploration was breadth first."""
    path = [] if before == after == explorer.start else [after]
    while before != explorer.start:
        path.append(before)
        before = found.parents[before]
    rows: list[Row] = []
    # With symmetry the path knows states up to who is who; the moves are replayed by name.
    state = explorer.start
    for wanted in reversed(path):
        move = next(m for m in explorer.moves(state) if explorer.canonical(m.state) == wanted)
        rows.append(_row(explorer, len(rows) + 1, state, move, describe))
        state = move.state
    return tuple(rows)


def _row(
    explorer: Explorer,
    number: int,
    state: int,
    move: Move,
    describe: Callable[[Objects], tuple[str, ...]],
) -> Row:
    world = describe(explorer.worlds.all[explorer.world_of(move.state)].objects)
    if move.who is None:
        told = call(move.intent) if move.intent else move.label
        return Row(number, "", move.label if move.intent else "", told, "", world)
    reached = explorer.locals[move.who].reached[explorer.local_of(state, move.who)]
    asked = call(move.intent) if move.intent else ""
    got = answer(move.effect.reply) if move.effect else move.label
    if explorer.locals[move.who].all[explorer.local_of(state, move.who)].cache is not None:
        # Whoever lags has his lists from his cache, or the cache catches up; the rest is as ever.
        if move.effect and isinstance(move.effect.reply, Passed):
            asked, got = "", "its cache catches up"
        elif move.effect and isinstance(move.intent, List | Pick):
            got += ", says its lagging cache"
    if move.label.startswith(("crashes", "its cache")):
        asked, got = "", move.label
    name = explorer.model.actors[move.who].name
    return Row(number, reached.step if reached else "", name, asked, got, world)
