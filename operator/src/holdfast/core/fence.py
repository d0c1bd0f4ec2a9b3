"""turn, read and flip: the rungs of `dns.fence`.

    rung              turn              read                          flip
    None              -                 alias, its tree               blind PUT
    CheckOnce         takes the lock    alias, its tree               patch, if the lock is mine
    CheckEach         takes the lock    alias, its tree               patch, if the lock is mine
    LeaderOnly        asks for a Lease  alias, its tree               blind PUT
    ResourceVersion   -                 alias, its tree               PUT at the version just read
    CheckInLock       takes the lock    alias: refuses unless newer   patch, if the lock is mine
    Generation        -                 alias: refuses unless newer   PUT at the version just read

A write is safe when its precondition fails as soon as what was decided upon is no longer true. The
lock says who writes, the Lease who led a moment ago, and a version read after the decision says
nothing at all. Only the last two rungs decide on what their precondition guards.

A human's freeze is looked at wherever the alias is read before a write. It is a lock and a new
version at once, so a write in flight misses under every rung but the two blind ones.
"""

from collections.abc import Generator
from dataclasses import replace

from holdfast.core.actor import Actor, Rules
from holdfast.core.freeze import is_frozen
from holdfast.core.guards import LOCKS, Fence, Rollback
from holdfast.core.intents import Create, Get, Intent, Overwrite, PatchAlias, Replace
from holdfast.core.leader import is_leader
from holdfast.core.lock import Lock, is_free
from holdfast.core.names import tree_name
from holdfast.core.objects import Alias, Plan, Tree
from holdfast.core.places import AtCheck, AtFlip, AtList, AtRead, AtTree, AtTurn, Place
from holdfast.core.replies import (
    Absent,
    Conflict,
    Exists,
    Missed,
    Read,
    Rejected,
    Reply,
    Written,
)
from holdfast.core.rounds import Deferred, Frozen, Refused, Stale, Stop, Walk, refusal

_READ_DECIDES = frozenset({Fence.CHECK_IN_LOCK, Fence.GENERATION})
_BLIND = frozenset({Fence.NONE, Fence.LEADER_ONLY})


def turn(me: Actor, rules: Rules, here: AtTurn) -> Walk:
    """Gain whatever the rung writes under. Lost: the next round tries again with the same plan."""
    if rules.guards.fence in LOCKS:
        return (yield from _take_lock(me, rules, here))
    if rules.guards.fence is Fence.LEADER_ONLY:
        reply = yield from is_leader(me, rules.lock_seconds)
        if isinstance(reply, str):
            return Deferred(here, reply)
        if reply is not None:
            return refusal(here.plan.generation, here.endpoint, here, reply)
    return AtRead(here.plan, here.endpoint)


def _take_lock(me: Actor, rules: Rules, here: AtTurn) -> Walk:
    found, now = yield from _read_alias(rules, here)
    if found is None:
        return (yield from _birth(me, rules, here))
    _stop_if_frozen(here, found, now)
    if not is_free(found.lock, me.identity, now):
        return Deferred(_again(rules, here), f"the lock is held: {found.lock}")
    lock = Lock(me.identity, now + rules.lock_seconds).text()
    patch = PatchAlias(here.endpoint, expect_lock=found.lock, lock=lock)
    yield from _patch(rules, here, patch, "the lock was lost")
    return AtRead(here.plan, here.endpoint, lock)


def read(me: Actor, rules: Rules, here: AtRead) -> Walk:
    """Read the alias, and the tree that it names, for the rollback record."""
    plan, fence = here.plan, rules.guards.fence
    alias, now = yield from _read_alias(rules, here)
    if alias is None:
        if here.lock:
            return Deferred(_again(rules, here), "the alias was deleted")
        return (yield from _birth(me, rules, here))
    _stop_if_frozen(here, alias, now)
    if fence in _READ_DECIDES and alias.generation > plan.generation:
        yield from _release(here)
        return Stale(plan.generation, alias.generation, "read", here.endpoint, here.conflicted)
    if alias.generation == plan.generation and alias.target == _mine(here) and alias.intact:
        # Equality is no freshness check: writing the tree over itself would only turn the
        # rollback record into a copy of the live one.
        if here.lock:
            released = PatchAlias(here.endpoint, expect_lock=here.lock, lock="")
            yield from _patch(rules, here, released, "the lock expired")
        return _next(plan, here.endpoint)
    if here.conflicted and fence is Fence.GENERATION:
        # Our write lost to one that is no newer than our plan (a lock, a hand): once more, but
        # in a round of its own, after a back-off.
        return Deferred(_again(rules, here), "conflict with a write that was not newer")
    rollback = yield from _rollback_record(rules, here, alias)
    fenced = alias if fence not in LOCKS | _BLIND else None
    repairs = rules.guards.repairs and bool(alias.target) and not rollback
    return AtFlip(plan, here.endpoint, rollback, here.lock, fenced, here.conflicted, repairs)


def flip(me: Actor, rules: Rules, here: AtFlip) -> Walk:
    """The alias names our tree, the rollback record what it named: one write."""
    plan = here.plan
    if here.lock:
        patch = PatchAlias(
            here.endpoint,
            expect_lock=here.lock,
            lock="",
            target=_mine(here),
            generation=plan.generation,
            rollback=here.rollback,
            writer=_writer(me, here),
        )
        yield from _patch(rules, here, patch, "the lock was lost before the flip")
        return _next(plan, here.endpoint)
    wanted = _wanted(me, here)
    reply = yield Overwrite(wanted) if here.alias is None else Replace(wanted)
    match reply:
        case Written():
            return _next(plan, here.endpoint)
        case Conflict() if here.conflicted:
            return Deferred(_again(rules, here), "conflict upon conflict")
        case Conflict():
            return AtRead(plan, here.endpoint, conflicted=True)
        case _:
            return refusal(plan.generation, here.endpoint, _again(rules, here), reply)


def _wanted(me: Actor, here: AtFlip) -> Alias:
    """The alias as we want it; at the version read, where one was."""
    read = here.alias or Alias(here.endpoint, "", 0)
    return replace(
        read,
        target=_mine(here),
        generation=here.plan.generation,
        rollback=here.rollback,
        writer=_writer(me, here),
        frozen="",
        intact=True,
    )


def _writer(me: Actor, here: AtFlip) -> str:
    return f"{me.identity} repair" if here.repairs else me.identity


def _stop_if_frozen(here: AtTurn | AtRead, alias: Alias, now: float) -> None:
    if is_frozen(alias.frozen, now):
        raise Stop(Frozen(here.plan.generation, here.endpoint, alias.frozen))


def _mine(here: AtTurn | AtRead | AtFlip) -> str:
    return tree_name(here.endpoint, here.plan.generation)


def _next(plan: Plan, endpoint: str) -> Place:
    """The tree of the endpoint after this one; after the last, the cleaner's list."""
    names = [e.endpoint for e in plan.endpoints]
    after = names[names.index(endpoint) + 1 :]
    return AtTree(plan, after[0]) if after else AtList(plan.generation)


def _again(rules: Rules, here: AtTurn | AtRead | AtFlip) -> Place:
    """Where a plan that has to wait goes on: before its turn, with its check if it has one there.
    Never at `tree`."""
    if rules.guards.fence is Fence.CHECK_EACH:
        return AtCheck(here.plan, here.endpoint)
    return AtTurn(here.plan, here.endpoint)


def _unexpected(rules: Rules, here: AtTurn | AtRead | AtFlip, reply: Reply) -> Stop:
    again = _again(rules, here)
    return Stop(refusal(here.plan.generation, here.endpoint, again, reply))


def _read_alias(
    rules: Rules, here: AtTurn | AtRead
) -> Generator[Intent, Reply, tuple[Alias | None, float]]:
    reply = yield Get(Alias, here.endpoint)
    match reply:
        case Read(Alias() as alias, now):
            return alias, now
        case Absent(now):
            return None, now
        case _:
            raise _unexpected(rules, here, reply)


def _birth(me: Actor, rules: Rules, here: AtTurn | AtRead) -> Walk:
    """Create an absent alias with every record present, already naming our tested tree."""
    plan = here.plan
    reply = yield Create(Alias(here.endpoint, _mine(here), plan.generation, writer=me.identity))
    match reply:
        case Written():
            return _next(plan, here.endpoint)
        case Exists():
            return Deferred(_again(rules, here), "another enactor created the alias first")
        case _:
            raise _unexpected(rules, here, reply)


def _rollback_record(rules: Rules, here: AtRead, alias: Alias) -> Generator[Intent, Reply, str]:
    """What the rollback record shall say: the tree that the alias names now.

    The coupling that kept us-east-1 down: if that tree is gone, the record cannot be written, and
    with `Coupled` the whole apply fails although the new tree is perfectly healthy. A repair asks
    for no such record: what it heals is just that.
    """
    if not alias.target:
        return ""
    reply = yield Get(Tree, alias.target)
    match reply:
        case Read():
            return alias.target
        case Absent() if rules.guards.rollback is Rollback.DECOUPLED or rules.guards.repairs:
            return ""
        case Absent():
            yield from _release(here)
            why = f"no rollback record: {alias.target} does not exist"
            raise Stop(Refused(here.plan.generation, here.endpoint, why))
        case _:
            raise _unexpected(rules, here, reply)


def _release(here: AtRead | AtFlip) -> Generator[Intent, Reply, None]:
    """Give the lock back, if we hold one. If that fails it expires."""
    if here.lock:
        yield PatchAlias(here.endpoint, expect_lock=here.lock, lock="")


def _patch(
    rules: Rules, here: AtTurn | AtRead | AtFlip, patch: PatchAlias, lost: str
) -> Generator[Intent, Reply, None]:
    """A write guarded by the lock. A miss says nothing about who won: the next round reads."""
    reply = yield patch
    match reply:
        case Written():
            return
        case Missed() | Conflict() | Absent():
            raise Stop(Deferred(_again(rules, here), lost))
        case Rejected() if isinstance(here, AtFlip):
            yield from _release(here)  # a policy refused the flip: nobody has to wait for us
            raise _unexpected(rules, here, reply)
        case _:
            raise _unexpected(rules, here, reply)
