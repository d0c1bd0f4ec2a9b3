"""The DNS Enactor: makes the newest plan true, endpoint by endpoint. One round is one flow.

Theory of operation. The invariant is NonEmpty: every alias names an existing tree that is served.

- `tree` comes before `flip`, and is proved by a DNS query: a Service and its slices reach the
  servers by separate watches, so an untested flip is an empty answer for some milliseconds, and
  for seconds after an outage of the API server. The proof runs once, before `turn`: repeated under
  the lock it would notice a deleted tree and quietly repair the incident's race.
- With `CheckOnce` the lock annotation is the only precondition of `flip`. Freshness was checked
  once, when the plan was picked, and the plan is kept across every retry: that span of `yield`s is
  the race of 20 October 2025.
- With `Generation` nothing is written unless the alias still has the uid and resourceVersion at
  which it was seen to be older than our plan, so an alias never goes back, and a tree older than a
  live one is never needed again.

A retry that could repeat without bound (lock lost, conflict, no answer) ends the round and carries
its plan *and its step* into the next: a round that started over at `tree` would build the deleted
tree anew, which is a partial fix, and histories would grow for ever under the checker.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

from holdfast.core import tree
from holdfast.core.cleaner import clean
from holdfast.core.guards import DnsGuards, Fence, Rollback
from holdfast.core.intents import Create, Get, Intent, List, PatchAlias, Pick, Reach, Replace
from holdfast.core.lock import Lock, is_free
from holdfast.core.names import tree_name
from holdfast.core.objects import Alias, Plan, Tree
from holdfast.core.replies import (
    Absent,
    Conflict,
    Exists,
    Listed,
    Missed,
    Picked,
    Read,
    Reply,
    Written,
)
from holdfast.core.rounds import (
    Applied,
    Carried,
    Deferred,
    Flow,
    Idle,
    Refused,
    Stale,
    Stop,
    refusal,
    unexpected,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who enacts. `identity` is `<zone>/<pod uid>`: two incarnations are never confused."""

    zone: str
    identity: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The knobs of a Region that an enactor obeys."""

    guards: DnsGuards
    retention: int
    lock_seconds: float


def enact(me: Actor, rules: Rules, carried: Carried | None = None) -> Flow:
    """One round. Never raises for what the world may answer; the outcome says what came of it."""
    try:
        return (yield from _round(me, rules, carried))
    except Stop as stop:
        return stop.outcome


def _round(me: Actor, rules: Rules, carried: Carried | None) -> Flow:
    if carried is None:
        plan = yield from _pick()
        if plan is None:
            return Idle()
        if (yield from _check(plan)):
            return (yield from _finish(rules, plan, (), tuple(e.endpoint for e in plan.endpoints)))
    else:
        plan = carried.plan

    flipped: list[str] = []
    already: list[str] = []
    waiting = carried.endpoint if carried else ""
    for wanted in plan.endpoints:
        if waiting and wanted.endpoint != waiting:
            continue
        if not waiting:
            yield from tree.build(plan, wanted)
        waiting = ""
        here = Carried(plan, wanted.endpoint)
        if rules.guards.fence is Fence.CHECK_ONCE:
            moved = yield from _flip_under_lock(me, rules, here)
        else:
            moved = yield from _flip_if_newer(me, rules, here)
        (flipped if moved else already).append(wanted.endpoint)

    return (yield from _finish(rules, plan, tuple(flipped), tuple(already)))


def _finish(rules: Rules, plan: Plan, flipped: tuple[str, ...], already: tuple[str, ...]) -> Flow:
    deleted, undeleted = yield from clean(plan.generation, rules.retention)
    return Applied(plan.generation, flipped, already, deleted, undeleted)


def _pick() -> Generator[Intent, Reply, Plan | None]:
    yield Reach("pick")
    reply = yield Pick()
    assert isinstance(reply, Picked), reply
    return reply.plan


def _check(plan: Plan) -> Generator[Intent, Reply, bool]:
    """The one freshness check. True if the plan is live at every endpoint already; a plan that is
    live at some goes on, for an earlier round may have been cut between two endpoints."""
    yield Reach("check", plan.generation)
    reply = yield List(Alias)
    if not isinstance(reply, Listed):
        raise Stop(refusal(plan.generation, "", None, reply))
    aliases = {a.endpoint: a for a in reply.items if isinstance(a, Alias)}
    live = max((a.generation for a in aliases.values()), default=0)
    if live > plan.generation:
        raise Stop(Stale(plan.generation, live, "check"))
    return all(
        (alias := aliases.get(e.endpoint)) is not None
        and (alias.generation, alias.target)
        == (plan.generation, tree_name(e.endpoint, plan.generation))
        for e in plan.endpoints
    )


def _birth(me: Actor, here: Carried) -> Generator[Intent, Reply, bool]:
    """Create an absent alias with every record present, already naming our tested tree.
    False when another enactor was quicker."""
    plan = here.plan
    alias = Alias(
        endpoint=here.endpoint,
        target=tree_name(here.endpoint, plan.generation),
        generation=plan.generation,
        writer=me.identity,
    )
    reply = yield Create(alias)
    match reply:
        case Written():
            return True
        case Exists():
            return False
        case _:
            raise unexpected(here, reply)


def _read_alias(here: Carried) -> Generator[Intent, Reply, tuple[Alias | None, float]]:
    reply = yield Get(Alias, here.endpoint)
    match reply:
        case Read(Alias() as alias, now):
            return alias, now
        case Absent(now):
            return None, now
        case _:
            raise unexpected(here, reply)


def _flip_under_lock(me: Actor, rules: Rules, here: Carried) -> Generator[Intent, Reply, bool]:
    """turn, read, flip as AWS ran them. True if we flipped, False if it was flipped already."""
    plan = here.plan
    mine = tree_name(here.endpoint, plan.generation)
    yield Reach("turn", plan.generation, here.endpoint)
    found, now = yield from _read_alias(here)
    if found is None:
        if (yield from _birth(me, here)):
            return True
        raise Stop(Deferred(here, "another enactor created the alias first"))
    if not is_free(found.lock, me.identity, now):
        raise Stop(Deferred(here, f"the lock is held: {found.lock}"))
    lock = Lock(me.identity, now + rules.lock_seconds).text()
    yield from _write(
        here, PatchAlias(here.endpoint, expect_lock=found.lock, lock=lock), "the lock was lost"
    )

    yield Reach("read", plan.generation, here.endpoint)
    alias, _ = yield from _read_alias(here)
    if alias is None:
        raise Stop(Deferred(here, "the alias was deleted"))
    if alias.target == mine and alias.generation == plan.generation:
        # Equality is no freshness check: writing the tree over itself would only turn the
        # rollback record into a copy of the live one.
        yield from _write(
            here, PatchAlias(here.endpoint, expect_lock=lock, lock=""), "the lock expired"
        )
        return False
    rollback = yield from _rollback_record(rules, here, alias, lock)

    yield Reach("flip", plan.generation, here.endpoint)
    yield from _write(
        here,
        PatchAlias(
            here.endpoint,
            expect_lock=lock,
            lock="",
            target=mine,
            generation=plan.generation,
            rollback=rollback,
            writer=me.identity,
        ),
        "the lock was lost before the flip",
    )
    return True


def _flip_if_newer(me: Actor, rules: Rules, here: Carried) -> Generator[Intent, Reply, bool]:
    """turn, read, flip behind the fence. True if we flipped, False if it was flipped already."""
    plan = here.plan
    mine = tree_name(here.endpoint, plan.generation)
    yield Reach("turn", plan.generation, here.endpoint)
    conflicted = False
    while True:
        yield Reach("read", plan.generation, here.endpoint)
        alias, _ = yield from _read_alias(here)
        if alias is None:
            if (yield from _birth(me, here)):
                return True
            raise Stop(Deferred(here, "another enactor created the alias first"))
        if alias.generation > plan.generation:
            raise Stop(Stale(plan.generation, alias.generation, "read", here.endpoint, conflicted))
        if alias.generation == plan.generation and alias.target == mine:
            return False
        if conflicted:
            # Our write lost to one that is no newer than our plan (a lock, a hand): once more,
            # but in a round of its own, or histories would have no end.
            raise Stop(Deferred(here, "conflict with a write that was not newer"))
        rollback = yield from _rollback_record(rules, here, alias, "")
        yield Reach("flip", plan.generation, here.endpoint)
        reply = yield Replace(
            replace(
                alias,
                target=mine,
                generation=plan.generation,
                rollback=rollback,
                writer=me.identity,
            )
        )
        match reply:
            case Written():
                return True
            case Conflict():
                conflicted = True
            case _:
                raise unexpected(here, reply)


def _rollback_record(
    rules: Rules, here: Carried, alias: Alias, lock: str
) -> Generator[Intent, Reply, str]:
    """What the rollback record shall say: the tree that the alias names now.

    The coupling that kept us-east-1 down: if that tree is gone, the record cannot be written, and
    with `Coupled` the whole apply fails although the new tree is perfectly healthy.
    """
    if not alias.target:
        return ""
    reply = yield Get(Tree, alias.target)
    match reply:
        case Read():
            return alias.target
        case Absent() if rules.guards.rollback is Rollback.DECOUPLED:
            return ""
        case Absent():
            if lock:
                yield PatchAlias(here.endpoint, expect_lock=lock, lock="")
            raise Stop(
                Refused(
                    here.plan.generation,
                    here.endpoint,
                    f"no rollback record: {alias.target} does not exist",
                )
            )
        case _:
            raise unexpected(here, reply)


def _write(here: Carried, patch: PatchAlias, lost: str) -> Generator[Intent, Reply, None]:
    """A write guarded by the lock. A miss says nothing about who won: the next round reads."""
    reply = yield patch
    match reply:
        case Written():
            return
        case Missed() | Conflict() | Absent():
            raise Stop(Deferred(here, lost))
        case _:
            raise unexpected(here, reply)
