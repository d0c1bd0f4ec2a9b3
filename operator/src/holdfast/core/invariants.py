"""The invariants. One definition each, for every engine and every test.

`World` is what the API server holds at one moment. The predicates return the endpoints (or trees)
that break the rule, empty when it holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.core.freeze import is_frozen
from holdfast.core.objects import Alias, Plan, Slice, Stored, Tree


class Invariant(StrEnum):
    NON_EMPTY = "NonEmpty"
    """Every alias names an existing tree."""
    ROLLBACK_NAMES_A_TREE = "RollbackNamesATree"
    """A rollback record that says anything names an existing tree."""
    MONOTONE = "Monotone"
    """No write lowers an alias's generation."""
    NO_LIVE_DELETE = "NoLiveDelete"
    """No delete succeeds on a tree that an alias names at that moment."""
    WHOLE_PLAN = "WholePlan"
    """An endpoint's answer is exactly one plan's."""
    FROZEN_STAYS = "FrozenStays"
    """No write of automation moves an alias that a human has frozen."""
    CONVERGES = "Converges"
    """Every endpoint reaches the newest plan once plans and faults leave it time to."""
    SINGLE_HOLDER = "SingleHolder"
    """A lease that has not run out is never another's."""
    IN_FLIGHT_BOUNDED = "InFlightBounded"
    """No manager has more state checks under way than workers."""
    QUEUE_BOUNDED = "QueueBounded"
    """Where a queue is bounded, no more waits in it."""
    NO_EXPIRED_WORK_DONE = "NoExpiredWorkDone"
    """No state check is begun that cannot end within its deadline."""
    GOODPUT = "Goodput"
    """Some lease is renewed in every period in which the dependency is there."""
    ESTABLISHED_NOT_LOST = "EstablishedNotLost"
    """What was won back after the fault is not lost again."""
    ALL_RECOVER = "AllRecover"
    """Once faults have stopped, every lease is held again before the arm ends, and stays so."""
    STATIC_STABILITY = "StaticStability"
    """Running instances and served answers are unaffected by a control loop that is dead."""


OF_LEASES = frozenset(
    {
        Invariant.SINGLE_HOLDER,
        Invariant.IN_FLIGHT_BOUNDED,
        Invariant.QUEUE_BOUNDED,
        Invariant.NO_EXPIRED_WORK_DONE,
        Invariant.GOODPUT,
        Invariant.ESTABLISHED_NOT_LOST,
        Invariant.ALL_RECOVER,
        Invariant.STATIC_STABILITY,
    }
)
"""Of the second loop; the others are of DNS."""
OUTAGE = frozenset({Invariant.NON_EMPTY, Invariant.GOODPUT, Invariant.ALL_RECOVER})
"""The invariants whose breaking is the outage. Others are reported and do not make one."""


@dataclass(frozen=True, slots=True)
class World:
    """Aliases by endpoint, and the names of the trees that exist."""

    aliases: Mapping[str, Alias]
    trees: frozenset[str]


def empty_aliases(world: World) -> tuple[str, ...]:
    return tuple(e for e, a in sorted(world.aliases.items()) if a.target not in world.trees)


def dangling_rollbacks(world: World) -> tuple[str, ...]:
    return tuple(
        e for e, a in sorted(world.aliases.items()) if a.rollback and a.rollback not in world.trees
    )


def goes_back(before: Alias | None, after: Alias) -> bool:
    return before is not None and after.generation < before.generation


def overrides_a_freeze(before: Alias | None, after: Alias, now: float = 0.0) -> bool:
    """Whether automation has moved an alias that is frozen at `now`, in seconds of the epoch. A
    human's override writes the new tree into the rollback record as well, which automation never
    does."""
    frozen = before is not None and is_frozen(before.frozen, now)
    moved = before is not None and before.target != after.target
    return frozen and moved and after.rollback != after.target


def live_delete(world: World, tree: str) -> tuple[str, ...]:
    """The endpoints whose alias names `tree`, asked at the moment of its deletion."""
    return tuple(e for e, a in sorted(world.aliases.items()) if a.target == tree)


def mixed_answers(objects: Iterable[Stored]) -> tuple[str, ...]:
    """The endpoints that answer with addresses which are not those of the one plan that their alias
    names. An empty answer is NonEmpty's, not ours."""
    stored = tuple(objects)
    plans = {o.generation: o for o in stored if isinstance(o, Plan)}
    trees = {o.name: o for o in stored if isinstance(o, Tree)}
    mixed = []
    for alias in (o for o in stored if isinstance(o, Alias)):
        tree, plan = trees.get(alias.target), plans.get(alias.generation)
        wanted = plan.of(alias.endpoint) if plan else None
        if tree is None or wanted is None:
            continue
        pieces = [o for o in stored if isinstance(o, Slice) and o.tree_uid == tree.uid]
        answer = tuple(sorted(a for p in pieces for a in p.addresses))
        if answer and answer != wanted.addresses():
            mixed.append(alias.endpoint)
    return tuple(sorted(mixed))
