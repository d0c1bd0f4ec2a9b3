"""What a human may do with every process of ours dead: freeze, override, thaw. Flows, as any.

`override` makes a plan one above everything there is (creating it is the compare-and-swap), builds
and proves its tree, and turns the alias to it at the version that it has read, rollback record and
all. So a rollback is a roll forward: a new generation with old content, and Monotone holds.

By default it freezes first. A frozen alias has a new version and a lock that is nobody's of us, so
what was in flight misses, and no plan overtakes the human's while its tree is being built.
"""

import re
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from holdfast.core import tree
from holdfast.core.freeze import Freeze, is_freeze_lock
from holdfast.core.intents import Create, Get, Intent, List, Reach, Replace, Unpin
from holdfast.core.ledger import OPERATOR
from holdfast.core.lock import Lock, parse_lock
from holdfast.core.names import GENERATION_MAX, tree_name
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Tree
from holdfast.core.planner import HIGHEST, newest_generation
from holdfast.core.planner_notices import WAY_DOWN
from holdfast.core.replies import (
    Absent,
    Conflict,
    Exists,
    Listed,
    Overloaded,
    Read,
    Rejected,
    Reply,
    TimedOut,
    Written,
)
from holdfast.core.rounds import Deferred, Refused, Stop

WEIGHT = 100
"""Of an address that a human gives."""
_PIN_MAX = 63 - len(OPERATOR)


@dataclass(frozen=True, slots=True)
class Override:
    """`plan`: whose content to copy, 0 for the newest that has addresses; `addresses`: instead of a
    plan's. `freeze`: None not to freeze. `proves`: ask the servers before the alias is turned."""

    who: str
    endpoint: str
    plan: int = 0
    addresses: tuple[str, ...] = ()
    freeze: Freeze | None = None
    proves: bool = True


@dataclass(frozen=True, slots=True)
class Overridden:
    """`tree` is live. `was`: what the alias named before, `locks`: whose lock was taken over, by
    endpoint."""

    generation: int
    tree: str
    was: str
    locks: dict[str, str]


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was turned. `reason` names the object and the way out."""

    reason: str


T = TypeVar("T")
Human: TypeAlias = Generator[Intent, Reply, T | Failed]


class _NotDone(Exception):
    pass


@dataclass(frozen=True, slots=True)
class At:
    """Where a human's command stands, and all that it knows there. `locks`: whose lock was taken
    over, by endpoint. `plan`: made, and with `proved` served. A write that lost to another is
    decided upon anew from here, for as long as the caller has patience."""

    frozen: bool = False
    plan: Plan | None = None
    proved: bool = False
    locks: tuple[tuple[str, str], ...] = ()


BEGIN = At()


def override(order: Override, here: At = BEGIN) -> Human[Overridden]:
    """Give a name an answer by hand."""
    try:
        while True:
            yield Reach("turn" if here.proved else "tree" if here.plan else "pick", memory=here)
            found = yield from _step(order, here)
            if isinstance(found, Overridden):
                return found
            here = found
    except _NotDone as why:
        return Failed(str(why))
    except Stop as stop:
        match stop.outcome:
            case Refused(reason=reason) | Deferred(reason=reason):
                return Failed(reason)
            case other:
                return Failed(f"{type(other).__name__}")


def freeze(order: Freeze, here: At = BEGIN) -> Human[dict[str, str]]:
    """Freeze every alias that there is. Returns whose locks were taken over, by endpoint."""
    try:
        while not here.frozen:
            yield Reach("pick", memory=here)
            here = yield from _freeze(order, here)
        return dict(here.locks)
    except _NotDone as why:
        return Failed(str(why))


def thaw() -> Human[tuple[str, ...]]:
    """Take every freeze away, and pins of operators off trees that no alias names. Returns the
    endpoints that there are."""
    try:
        while True:
            yield Reach("pick", memory=BEGIN)
            aliases = yield from _aliases()
            _, whole = yield from _write_all(aliases, _thawed)
            if whole:
                break
        yield from _unpin({a.target for a in aliases} | {a.rollback for a in aliases})
        return tuple(a.endpoint for a in aliases)
    except _NotDone as why:
        return Failed(str(why))


def pin_of(who: str) -> str:
    """Whose pin a human's is. It becomes the name of an annotation, which takes no other characters
    and no more of them."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", who)[:_PIN_MAX].strip("._-")
    return OPERATOR + (name or "somebody")


def _step(order: Override, here: At) -> Generator[Intent, Reply, At | Overridden]:
    if order.freeze is not None and not here.frozen:
        return (yield from _freeze(order.freeze, here))
    if here.plan is None:
        return (yield from _append(order, here))
    if not here.proved:
        holder = pin_of(order.who)
        yield from tree.build(here.plan, order.endpoint, holder, mends=True, proves=order.proves)
        return replace(here, proved=True)
    return (yield from _turn(order, here, here.plan))


def _freeze(order: Freeze, here: At) -> Generator[Intent, Reply, At]:
    """One look at the aliases, and a write to each that is not frozen by this order."""
    aliases = yield from _aliases()
    written, whole = yield from _write_all(aliases, lambda a: _frozen(a, order))
    return replace(here, frozen=whole, locks=_with(here.locks, written))


def _write_all(
    aliases: tuple[Alias, ...], into: Callable[[Alias], Alias]
) -> Generator[Intent, Reply, tuple[list[Alias], bool]]:
    """Write each alias changed, at the version that was read. Those that were written, as they were
    before; and whether that is all, or one of them lost to another write and all have to be read
    anew."""
    written: list[Alias] = []
    for alias in aliases:
        wanted = into(alias)
        if wanted == alias:
            continue
        reply = yield Replace(wanted)
        if isinstance(reply, Conflict):
            return written, False
        if not isinstance(reply, Written):
            raise _NotDone(_why(f"alias {alias.endpoint}", reply))
        written.append(alias)
    return written, True


def _with(
    locks: tuple[tuple[str, str], ...], aliases: Iterable[Alias]
) -> tuple[tuple[str, str], ...]:
    """The locks taken over, with those of these aliases."""
    found = dict(locks)
    for alias in aliases:
        lock = parse_lock(alias.lock)
        if lock is not None and not is_freeze_lock(lock.holder):
            found[alias.endpoint] = lock.holder
    return tuple(sorted(found.items()))


def _frozen(alias: Alias, order: Freeze | None) -> Alias:
    if order is None:
        return replace(alias, lock="")
    lock = Lock(order.holder(), order.until).text()
    return replace(alias, lock=lock, frozen=order.text())


def _thawed(alias: Alias) -> Alias:
    lock = parse_lock(alias.lock)
    ours = lock is not None and is_freeze_lock(lock.holder)
    return replace(alias, lock="" if ours else alias.lock, frozen="")


def _append(order: Override, here: At) -> Generator[Intent, Reply, At]:
    """Create a plan above everything, with the content that is wanted."""
    reply = yield List(Plan)
    if not isinstance(reply, Listed):
        raise _NotDone(_why("plans", reply))
    plans = [p for p in reply.items if isinstance(p, Plan)]
    content = _content(order, plans)
    aliases = yield from _aliases()
    newest = newest_generation(plans, aliases)
    if newest >= GENERATION_MAX:
        raise _NotDone(f"no plan above {newest}: {HIGHEST}; {WAY_DOWN}")
    plan = Plan(newest + 1, content)
    reply = yield Create(plan)
    match reply:
        case Written():
            return replace(here, plan=plan, proved=False)
        case Exists():
            return here
        case _:
            raise _NotDone(_why(plan.name, reply))


def _content(order: Override, plans: list[Plan]) -> tuple[EndpointPlan, ...]:
    """What the new plan says: of our endpoint what is asked for, of the others what the newest plan
    says, so that a plan which covers the region never takes another name down."""
    newest = max(plans, key=lambda p: p.generation, default=None)
    others = [e for e in (newest.endpoints if newest else ()) if e.endpoint != order.endpoint]
    wanted = EndpointPlan(order.endpoint, _front_ends(order, plans))
    return tuple(sorted((*others, wanted), key=lambda e: e.endpoint))


def _front_ends(order: Override, plans: Iterable[Plan]) -> tuple[FrontEnd, ...]:
    if order.addresses:
        return tuple(FrontEnd(a, WEIGHT) for a in sorted(set(order.addresses)))
    having = {
        p.generation: found.front_ends
        for p in plans
        if (found := p.of(order.endpoint)) is not None and found.front_ends
    }
    chosen = order.plan or max(having, default=0)
    if chosen not in having:
        known = ", ".join(map(str, sorted(having)[-5:])) or "none: give --addresses"
        what = f"plan {order.plan} has no" if order.plan else "no plan has"
        raise _NotDone(f"{what} addresses for {order.endpoint!r}; plans that have: {known}")
    return having[chosen]


def _turn(order: Override, here: At, plan: Plan) -> Generator[Intent, Reply, At | Overridden]:
    """Turn the alias to the plan's tree. If something newer went live meanwhile, the plan has to be
    made anew."""
    target = tree_name(order.endpoint, plan.generation)
    reply = yield Get(Alias, order.endpoint)
    match reply:
        case Read(Alias() as alias) if alias.generation > plan.generation:
            return replace(here, plan=None, proved=False)
        case Read(Alias() as alias):
            was, locks = alias.target, _with(here.locks, [alias])
            change = replace(
                _frozen(alias, order.freeze),
                target=target,
                generation=plan.generation,
                rollback=target,
                writer=OPERATOR + order.who,
            )
            reply = yield Replace(change)
        case Absent():
            was, locks = "", here.locks
            born = Alias(order.endpoint, target, plan.generation, target)
            born = replace(_frozen(born, order.freeze), writer=OPERATOR + order.who)
            reply = yield Create(born)
        case _:
            raise _NotDone(_why(f"alias {order.endpoint}", reply))
    match reply:
        case Written():
            return Overridden(plan.generation, target, was, dict(locks))
        case Conflict() | Exists():
            return here
        case _:
            raise _NotDone(_why(f"alias {order.endpoint}", reply))


def _aliases() -> Generator[Intent, Reply, tuple[Alias, ...]]:
    reply = yield List(Alias)
    if not isinstance(reply, Listed):
        raise _NotDone(_why("aliases", reply))
    return tuple(a for a in reply.items if isinstance(a, Alias))


def _unpin(named: set[str]) -> Generator[Intent, Reply, None]:
    reply = yield List(Tree)
    if not isinstance(reply, Listed):
        return  # a leaked pin costs a tree, never an answer
    for found in reply.items:
        if isinstance(found, Tree) and found.name not in named:
            for holder in found.pins:
                if holder.startswith(OPERATOR):
                    yield Unpin(found.name, found.uid, holder)


def _why(what: str, reply: Reply) -> str:
    match reply:
        case Rejected(reason, message):
            return f"{what}: refused: {reason}: {message}"
        case TimedOut():
            wrong = "no answer from the API server"
        case Overloaded():
            wrong = "the API server is overloaded"
        case Absent():
            wrong = "not there (404)"
        case _:
            wrong = f"unexpected: {type(reply).__name__}"
    return f"{what}: {wrong}: try again; if it stays so, look at the API server"
