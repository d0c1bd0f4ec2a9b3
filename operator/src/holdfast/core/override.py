"""What a human may do with every process of ours dead: freeze, override, thaw. Flows, as any.

`override` makes a plan one above everything there is (creating it is the compare-and-swap), builds
and proves its tree, and turns the alias to it at the version that it has read, rollback record and
all. So a rollback is a roll forward: a new generation with old content, and Monotone holds.

By default it freezes first. A frozen alias has a new version and a lock that is nobody's of us, so
what was in flight misses, and no plan overtakes the human's while its tree is being built.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from holdfast.core import tree
from holdfast.core.freeze import Freeze, is_freeze_lock
from holdfast.core.intents import Create, Get, Intent, List, Replace, Unpin
from holdfast.core.ledger import OPERATOR
from holdfast.core.lock import Lock, parse_lock
from holdfast.core.names import tree_name
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Tree
from holdfast.core.planner import newest_generation
from holdfast.core.replies import Absent, Conflict, Exists, Listed, Read, Rejected, Reply, Written
from holdfast.core.rounds import Deferred, Refused, Stop

TRIES = 20
"""How often a write that lost to another is decided upon anew."""
WEIGHT = 100
"""Of an address that a human gives."""


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


def override(order: Override) -> Human[Overridden]:
    """Give a name an answer by hand."""
    try:
        locks = {}
        if order.freeze is not None:
            locks = yield from _freeze_all(order.freeze)
        for _ in range(TRIES):
            plan = yield from _append(order)
            holder = OPERATOR + order.who
            yield from tree.build(plan, order.endpoint, holder, mends=True, proves=order.proves)
            was = yield from _turn(order, plan, locks)
            if was is not None:
                name = tree_name(order.endpoint, plan.generation)
                return Overridden(plan.generation, name, was, locks)
        return Failed(f"{order.endpoint}: others were quicker {TRIES} times: freeze first")
    except _NotDone as why:
        return Failed(str(why))
    except Stop as stop:
        match stop.outcome:
            case Refused(reason=reason) | Deferred(reason=reason):
                return Failed(reason)
            case other:
                return Failed(f"{type(other).__name__}")


def freeze(order: Freeze) -> Human[dict[str, str]]:
    """Freeze every alias that there is. Returns whose locks were taken over, by endpoint."""
    try:
        return (yield from _freeze_all(order))
    except _NotDone as why:
        return Failed(str(why))


def thaw(who: str) -> Human[tuple[str, ...]]:
    """Take every freeze away, and pins of operators off trees that no alias names. Returns the
    endpoints that were frozen."""
    try:
        aliases = yield from _aliases()
        for alias in aliases:
            yield from _change(alias, _thawed)
        yield from _unpin({a.target for a in aliases} | {a.rollback for a in aliases})
        return tuple(a.endpoint for a in aliases if a.frozen)
    except _NotDone as why:
        return Failed(f"{why} (thaw by {who})")


def _freeze_all(order: Freeze) -> Generator[Intent, Reply, dict[str, str]]:
    locks = {}
    for alias in (yield from _aliases()):
        before = yield from _change(alias, lambda a: _frozen(a, order))
        if before is not None and (lock := parse_lock(before.lock)) is not None:
            locks[alias.endpoint] = lock.holder
    return locks


def _frozen(alias: Alias, order: Freeze) -> Alias:
    lock = Lock(order.holder(), order.until).text()
    return replace(alias, lock=lock, frozen=order.text())


def _thawed(alias: Alias) -> Alias:
    lock = parse_lock(alias.lock)
    ours = lock is not None and is_freeze_lock(lock.holder)
    return replace(alias, lock="" if ours else alias.lock, frozen="")


def _change(alias: Alias, into: Callable[[Alias], Alias]) -> Generator[Intent, Reply, Alias | None]:
    """Write an alias changed, at its version; read anew upon conflict. Returns what it was before;
    None if there was nothing to change, or it is gone."""
    for _ in range(TRIES):
        wanted = into(alias)
        if wanted == alias:
            return None
        reply = yield Replace(wanted)
        if isinstance(reply, Written):
            return alias
        if not isinstance(reply, Conflict):
            raise _NotDone(_why(f"alias {alias.endpoint}", reply))
        reply = yield Get(Alias, alias.endpoint)
        match reply:
            case Read(Alias() as found):
                alias = found
            case Absent():
                return None
            case _:
                raise _NotDone(_why(f"alias {alias.endpoint}", reply))
    raise _NotDone(f"alias {alias.endpoint}: others were quicker {TRIES} times")


def _append(order: Override) -> Generator[Intent, Reply, Plan]:
    """Create a plan above everything, with the content that is wanted."""
    for _ in range(TRIES):
        reply = yield List(Plan)
        if not isinstance(reply, Listed):
            raise _NotDone(_why("plans", reply))
        plans = [p for p in reply.items if isinstance(p, Plan)]
        aliases = yield from _aliases()
        content = _content(order, plans)
        plan = Plan(newest_generation(plans, aliases) + 1, content)
        reply = yield Create(plan)
        if isinstance(reply, Written):
            return plan
        if not isinstance(reply, Exists):
            raise _NotDone(_why(plan.name, reply))
    raise _NotDone(f"plans: others were quicker {TRIES} times")


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
        what = f"plan {order.plan}" if order.plan else "no plan"
        raise _NotDone(f"{what} has addresses for {order.endpoint!r}; plans that have: {known}")
    return having[chosen]


def _turn(
    order: Override, plan: Plan, locks: dict[str, str]
) -> Generator[Intent, Reply, str | None]:
    """Turn the alias to the plan's tree. What it named before; None if something newer went live
    meanwhile, for then the plan has to be made anew."""
    target = tree_name(order.endpoint, plan.generation)
    writer = OPERATOR + order.who
    for _ in range(TRIES):
        reply = yield Get(Alias, order.endpoint)
        match reply:
            case Read(Alias() as alias):
                if alias.generation > plan.generation:
                    return None
                lock = parse_lock(alias.lock)
                if lock is not None and not is_freeze_lock(lock.holder):
                    locks[order.endpoint] = lock.holder
                wanted = replace(
                    _frozen(alias, order.freeze) if order.freeze else replace(alias, lock=""),
                    target=target,
                    generation=plan.generation,
                    rollback=target,
                    writer=writer,
                )
                was = alias.target
                reply = yield Replace(wanted)
            case Absent():
                was = ""
                born = Alias(order.endpoint, target, plan.generation, target, writer=writer)
                reply = yield Create(_frozen(born, order.freeze) if order.freeze else born)
        match reply:
            case Written():
                return was
            case Conflict() | Exists():
                continue
            case _:
                raise _NotDone(_why(f"alias {order.endpoint}", reply))
    raise _NotDone(f"alias {order.endpoint}: others were quicker {TRIES} times: freeze first")


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
    if isinstance(reply, Rejected):
        return f"{what}: refused: {reply.reason}: {reply.message}"
    return f"{what}: {type(reply).__name__}: try again; if it stays so, look at the API server"
