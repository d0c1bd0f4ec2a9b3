"""Every interleaving of flows over the fake API server, breadth first.

A state is one integer: what is left of the budgets, the world's number, and each actor's local
number, packed side by side. A move of actor i depends only on (world, local i), so it is computed
once for that pair and is from then on an addition. What a move makes stale is renamed in the other
actors, by tables too. The first trace found to a broken invariant is a shortest one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from holdfast.check.locals import Locals
from holdfast.check.model import Model
from holdfast.check.worlds import Effect, Worlds
from holdfast.core.intents import MUTATIONS, Get, Intent, List, Pick
from holdfast.core.objects import Stored
from holdfast.core.replies import Passed
from holdfast.fake import FakeApi, Lost

LOCAL_BITS = 18
WORLD_BITS = 24
BUDGET_BITS = 4
_LOCAL_MASK = (1 << LOCAL_BITS) - 1
_WORLD_MASK = (1 << WORLD_BITS) - 1
_BUDGET_MASK = (1 << BUDGET_BITS) - 1
CRASHES, LOST, STALE, EXPIRIES = range(4)
"""Places of the budgets in a state."""


class TooLarge(Exception):
    """The exploration has met its limit of states, or of numbers."""


@dataclass(frozen=True, slots=True)
class Move:
    """What can happen next in a state: which actor (None: the environment), how, and the state
    after. `label` tells a fault or a move of the environment; `effect` is of calls answered."""

    who: int | None
    label: str
    intent: Intent | None
    effect: Effect | None
    state: int


@dataclass(slots=True)
class Exploration:
    """`exhaustive`: every state within the bounds was visited. `broken`: for each invariant, the
    state before and the state after the first step that broke it."""

    states: int
    worlds: int
    transitions: int
    depth: int
    seconds: float
    exhaustive: bool
    broken: dict[str, tuple[int, int]]
    parents: dict[int, int] = field(repr=False, default_factory=dict)


class Explorer:
    """`forget` and `symmetry` switch the two reductions off, to prove that they change nothing."""

    def __init__(self, model: Model, forget: bool = True, symmetry: bool = True) -> None:
        self.model = model
        self.worlds = Worlds(model)
        if model.symmetric:
            alike = Locals(model.actors[0], forget, nameless=True)
            self.locals = [alike for _ in model.actors]
        else:
            self.locals = [Locals(a, forget) for a in model.actors]
        self._sorted = model.symmetric and symmetry
        count = len(model.actors)
        self.shifts = [LOCAL_BITS * i for i in range(count)]
        self.world_shift = LOCAL_BITS * count
        self.budget_shift = self.world_shift + WORLD_BITS
        self._moves: list[dict[int, tuple[tuple[int, int], ...]]] = [{} for _ in model.actors]
        self._losses: list[dict[int, tuple[tuple[int, int], ...]]] = [{} for _ in model.actors]
        self._around: dict[int, tuple[tuple[int, int], ...]] = {}
        self._renames: list[dict[int, int]] = [{} for _ in model.actors]
        self._held: dict[int, tuple[str, ...]] = {}
        self._mortal = model.budgets.crashes > 0 or model.leases
        self._from = 0
        self.alarms: list[tuple[str, int, int]] = []
        self.seen: dict[int, int] = {}
        self.broken: dict[str, tuple[int, int]] = {}
        self.start = self._start()

    def _start(self) -> int:
        b = self.model.budgets
        packed = 0
        for at, n in enumerate((b.crashes, b.lost_replies, b.stale_reads, b.expiries)):
            if not 0 <= n <= _BUDGET_MASK:
                raise ValueError(f"a budget of {n} is not between 0 and {_BUDGET_MASK}")
            packed |= n << BUDGET_BITS * at
        state = packed << self.budget_shift | self.worlds.start << self.world_shift
        for shift, local in zip(self.shifts, self.locals, strict=True):
            state |= local.start << shift
        return self.canonical(state)

    def world_of(self, state: int) -> int:
        return state >> self.world_shift & _WORLD_MASK

    def local_of(self, state: int, actor: int) -> int:
        return state >> self.shifts[actor] & _LOCAL_MASK

    def explore(
        self,
        stop: frozenset[str] = frozenset(),
        max_states: int | None = None,
        progress: Callable[[int, int, int], None] | None = None,
    ) -> Exploration:
        """All states within the bounds, or until an invariant of `stop` breaks. Raises TooLarge
        above `max_states`. `progress(states, transitions, depth)` is called now and then."""
        began = time.perf_counter()
        seen: dict[int, int] = {self.start: self.start}
        frontier, depth, transitions, halted = [self.start], 0, 0, False
        broken: dict[str, tuple[int, int]] = {}
        for name in self.worlds.broken[self.worlds.start]:
            broken[name] = (self.start, self.start)
        self.seen, self.broken = seen, broken
        successors, alarms = self.successors, self.alarms
        limit = max_states or 1 << 62
        while frontier and not halted:
            reached: list[int] = []
            push = reached.append
            for number, state in enumerate(frontier):
                after = successors(state)
                transitions += len(after)
                for t in after:
                    if t not in seen:
                        seen[t] = state
                        push(t)
                if alarms:
                    for name, before, then in alarms:
                        broken.setdefault(name, (before, then))
                    alarms.clear()
                    halted = not stop.isdisjoint(broken)
                    if halted:
                        break
                if not number & 0x3FFF:
                    if progress:
                        progress(len(seen), transitions, depth)
                    if len(seen) > limit:
                        raise TooLarge(f"more than {limit} states")
            frontier = reached
            depth += bool(reached)
        return Exploration(
            states=len(seen),
            worlds=self.worlds.distinct,
            transitions=transitions,
            depth=depth,
            seconds=time.perf_counter() - began,
            exhaustive=not halted,
            broken=broken,
            parents=seen,
        )

    def successors(self, state: int) -> list[int]:
        """The states after every move: of the actors, of the environment, of the faults."""
        out: list[int] = []
        self._from = state
        world = state >> self.world_shift & _WORLD_MASK
        for actor, shift in enumerate(self.shifts):
            key = world << LOCAL_BITS | state >> shift & _LOCAL_MASK
            moves = self._moves[actor].get(key)
            if moves is None:
                moves = self._moves[actor][key] = self._compute(actor, world, key & _LOCAL_MASK)
            for delta, change in moves:
                out.append(self._renamed(state + delta, actor, change) if change else state + delta)
        around = self._around.get(world)
        if around is None:
            around = self._around[world] = self._compute_around(world)
        for delta, change in around:
            out.append(self._renamed(state + delta, -1, change) if change else state + delta)
        if state >> self.budget_shift or self._mortal:
            out.extend(t for _, _, t in self._faults(state, world))
        if self._sorted:
            return [self.canonical(t) for t in out]
        return out

    def moves(self, state: int) -> Iterator[Move]:
        """The same, told in full; slower."""
        self._from = state
        world = self.world_of(state)
        for actor, table in enumerate(self.locals):
            local = self.local_of(state, actor)
            intent = table.intents[local]
            for (delta, change), effect in self._own(actor, world, local):
                t = self._renamed(state + delta, actor, change)
                yield Move(actor, "", intent, effect, t)
        for label, intent, effect in self._surroundings(world):
            t = state + (effect.world - world << self.world_shift)
            yield Move(None, label, intent, effect, self._renamed(t, -1, effect.change))
        for who, label, t in self._faults(state, world):
            intent = None if who is None else self.locals[who].intents[self.local_of(state, who)]
            yield Move(who, label, intent, None, t)

    def _compute(self, actor: int, world: int, local: int) -> tuple[tuple[int, int], ...]:
        found = []
        for move, effect in self._own(actor, world, local):
            found.append(move)
            self._alarm(effect, actor, move)
        return tuple(found)

    def _own(self, actor: int, world: int, local: int) -> Iterator[tuple[tuple[int, int], Effect]]:
        """The moves of an actor by itself: the difference to the state, what it makes stale."""
        table = self.locals[actor]
        intent, cache = table.intents[local], table.all[local].cache
        if intent is None or self._waits(actor, world, local):
            return
        if cache is not None:
            caught_up = table.lagging(local, None)
            yield self._step(actor, world, local, world, caught_up, 0), Effect(world, Passed(0), 0)
            if isinstance(intent, Pick | List):
                seen = FakeApi({(type(o), o.name): o for o in cache})
                if seen.ready(intent):
                    reply = seen.perform(intent, self.worlds.now(world))
                    then = table.after(caught_up, reply)
                    yield self._step(actor, world, local, world, then, 0), Effect(world, reply, 0)
                return
        effect = self.worlds.perform(world, intent)
        if effect is None:
            return
        yield self._with_reply(actor, world, local, effect), effect

    def _waits(self, actor: int, world: int, local: int) -> bool:
        """Whether the actor has not begun, and does not yet."""
        true = self.model.actors[actor].waits_for
        if true is None or local != self.locals[actor].start:
            return False
        return not true(self.worlds.all[world].objects)

    def _with_reply(self, actor: int, world: int, local: int, effect: Effect) -> tuple[int, int]:
        table = self.locals[actor]
        held = local
        if effect.change:
            held = table.renamed(local, effect.change, self.worlds.renamings[effect.change])
        then = table.after(held, effect.reply)
        return self._step(actor, world, local, effect.world, then, effect.change)

    def _step(
        self, actor: int, world: int, local: int, after: int, then: int, change: int
    ) -> tuple[int, int]:
        if then > _LOCAL_MASK:
            raise TooLarge(f"more than {_LOCAL_MASK} local states")
        difference = self._to_world(world, after) + (then - local << self.shifts[actor])
        return difference, change

    def _alarm(self, effect: Effect, actor: int, move: tuple[int, int]) -> None:
        """Remember a broken invariant, with the step that is being computed for the first time."""
        if effect.broken:
            t = self.canonical(self._renamed(self._from + move[0], actor, move[1]))
            self.alarms.extend((name, self._from, t) for name in effect.broken)

    def _surroundings(self, world: int) -> Iterator[tuple[str, Intent, Effect]]:
        for label, intent in self.model.environment(self.worlds.all[world].objects):
            effect = self.worlds.perform(world, intent)
            if effect is not None:
                yield label, intent, effect

    def _compute_around(self, world: int) -> tuple[tuple[int, int], ...]:
        found = []
        for _, _, effect in self._surroundings(world):
            move = (self._to_world(world, effect.world), effect.change)
            found.append(move)
            self._alarm(effect, -1, move)
        return tuple(found)

    def _to_world(self, before: int, after: int) -> int:
        """The difference that another world makes to a state."""
        if after > _WORLD_MASK:
            raise TooLarge(f"more than {_WORLD_MASK} worlds")
        return after - before << self.world_shift

    def _renamed(self, state: int, actor: int, change: int) -> int:
        """The state after others hold what has become stale."""
        if not change:
            return state
        for other, shift in enumerate(self.shifts):
            if other == actor:
                continue
            local = state >> shift & _LOCAL_MASK
            key = change << LOCAL_BITS | local
            difference = self._renames[other].get(key)
            if difference is None:
                names = self.worlds.renamings[change]
                then = self.locals[other].renamed(local, change, names)
                if then > _LOCAL_MASK:
                    raise TooLarge(f"more than {_LOCAL_MASK} local states")
                difference = self._renames[other][key] = then - local << shift
            state += difference
        return state

    def canonical(self, state: int) -> int:
        """Of states that differ in who is who, the one with the locals in order."""
        if not self._sorted:
            return state
        found = sorted(state >> shift & _LOCAL_MASK for shift in self.shifts)
        packed = state >> self.world_shift << self.world_shift
        for shift, local in zip(self.shifts, found, strict=True):
            packed |= local << shift
        return packed

    def _faults(self, state: int, world: int) -> Iterator[tuple[int | None, str, int]]:
        """Who, which fault, and the state after it."""
        left = state >> self.budget_shift
        for actor, shift in enumerate(self.shifts):
            local = state >> shift & _LOCAL_MASK
            table = self.locals[actor]
            if self._waits(actor, world, local):
                continue  # what has not begun cannot fail
            if left >> BUDGET_BITS * CRASHES & _BUDGET_MASK:
                for fresh, how in self._restarts(actor, local):
                    delta, _ = self._step(actor, world, local, world, fresh, 0)
                    yield actor, f"crashes and {how}", state + delta - self._cost(CRASHES)
            if left >> BUDGET_BITS * LOST & _BUDGET_MASK:
                for number, (delta, change) in enumerate(self._losses_of(actor, world, local)):
                    t = self._renamed(state + delta, actor, change) - self._cost(LOST)
                    yield actor, "the reply is lost" if number else "the request is lost", t
            if left >> BUDGET_BITS * STALE & _BUDGET_MASK and table.all[local].cache is None:
                seen = tuple(sorted(self.worlds.all[world].objects.values(), key=_by_kind_and_name))
                behind = table.lagging(local, seen)
                delta, _ = self._step(actor, world, local, world, behind, 0)
                yield actor, "its cache lags from now on", state + delta - self._cost(STALE)
        held = self._holders(world)
        if held:
            free = self._mortal and self._keepers(state, world).isdisjoint(held)
            if not free and not left >> BUDGET_BITS * EXPIRIES & _BUDGET_MASK:
                return
            later = self._to_world(world, self.worlds.later(world))
            cost = 0 if free else self._cost(EXPIRIES)
            yield None, "time passes the lock", state + later - cost

    def _restarts(self, actor: int, local: int) -> Iterator[tuple[int, str]]:
        """How an actor may start again, and what that is to it."""
        table = self.locals[actor]
        anew = table.crashed(local, same_identity=False)
        if anew != local:
            yield anew, "starts again"
        same = table.crashed(local, same_identity=True)
        if self.model.restarts and same not in (anew, local):
            yield same, "starts again in its Pod"

    def _keepers(self, state: int, world: int) -> set[str]:
        """Who keeps what it holds, unless the budget lets time pass: the living. Where leases are
        held, an idle holder does not: it does not renew, and time is no fault then."""
        keepers = set()
        for actor, table in enumerate(self.locals):
            local = self.local_of(state, actor)
            if not self.model.leases or any(True for _ in self._own(actor, world, local)):
                keepers.add(table.identity(local))
        return keepers

    def _cost(self, budget: int) -> int:
        return 1 << self.budget_shift + BUDGET_BITS * budget

    def _holders(self, world: int) -> tuple[str, ...]:
        found = self._held.get(world)
        if found is None:
            objects, now = self.worlds.all[world].objects, self.worlds.now(world)
            found = self._held[world] = tuple(self.model.holders(objects, now))
        return found

    def _losses_of(self, actor: int, world: int, local: int) -> tuple[tuple[int, int], ...]:
        """What can come of a call without an answer: with its request lost, and, if it writes,
        with its reply lost."""
        key = world << LOCAL_BITS | local
        found = self._losses[actor].get(key)
        if found is None:
            table = self.locals[actor]
            intent = table.intents[local]
            moves = []
            if isinstance(intent, (Get, List, *MUTATIONS)):
                for lost in Lost if isinstance(intent, MUTATIONS) else (Lost.REQUEST,):
                    effect = self.worlds.perform(world, intent, lost)
                    assert effect is not None
                    moves.append(self._with_reply(actor, world, local, effect))
            found = self._losses[actor][key] = tuple(moves)
        return found


def _by_kind_and_name(obj: Stored) -> tuple[str, str]:
    return type(obj).__name__, obj.name
