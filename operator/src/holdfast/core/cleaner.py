"""list and delete: the rungs of `dns.cleanup`. The cleaner keeps the last N trees, and runs in the
enactor that has just finished a plan.

`ByAge` is the incident's rule: age relative to the enactor's *own* plan, with no look at what is
live. `list` and `delete` are apart, so the list may be long out of date when it is acted upon.

Why `PinLive` holds: the last to flip an alias to a tree has its pin on that tree until it has read
that the alias names another, and nobody else removes it. So a tree that is named is pinned, and one
that was listed without a pin has another version by the time it is named. A tree that a rollback
record names counts as named.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeGuard

from holdfast.core.actor import Actor, Rules
from holdfast.core.guards import Cleanup
from holdfast.core.intents import Delete, Get, List, Unpin
from holdfast.core.names import tree_name
from holdfast.core.objects import Alias, Stored, Tree
from holdfast.core.places import AtDelete, AtList, AtReread, AtUnpin, Place
from holdfast.core.replies import Absent, Listed, Read
from holdfast.core.rounds import Applied, Round, Walk


def victims_by_age(trees: Iterable[Tree], generation: int, retention: int) -> tuple[Tree, ...]:
    """Trees more than `retention` generations older than `generation`, oldest first."""
    old = (t for t in trees if t.generation < generation - retention)
    return tuple(sorted(old, key=lambda t: (t.generation, t.endpoint)))


def choose(me: Actor, rules: Rules, here: AtList) -> Walk:
    """The trees to delete. A listing that fails is a reason to delete nothing: a tree left behind
    is listed again after the next plan, and costs memory, never an answer."""
    cleanup, pins = rules.guards.cleanup, rules.guards.pins
    named: frozenset[str] = frozenset()
    if pins or cleanup is Cleanup.SKIP_LIVE_WHEN_LISTING:
        reply = yield List(Alias)
        if not isinstance(reply, Listed):
            return AtDelete(here.generation, ())
        named = _named(reply.items, cleanup)
    reply = yield List(Tree)
    trees = [t for t in reply.items if _is_ours(t)] if isinstance(reply, Listed) else []
    victims = tuple(
        _noted(t, cleanup)
        for t in victims_by_age(trees, here.generation, rules.retention)
        if not _is_spared(t, cleanup, named)
    )
    if pins:
        pinned = tuple(_bare(t) for t in trees if _is_to_unpin(t, me, here, named))
        if pinned:
            return AtUnpin(here.generation, pinned, victims)
    if cleanup is Cleanup.REREAD_BEFORE_DELETE and victims:
        return AtReread(here.generation, victims)
    return AtDelete(here.generation, victims)


def _named(aliases: Iterable[Stored], cleanup: Cleanup) -> frozenset[str]:
    """The trees that are live; those to roll back to as well, where a tree may not go while it is
    named."""
    found = [a for a in aliases if isinstance(a, Alias)]
    rollbacks = (a.rollback for a in found if cleanup is not Cleanup.SKIP_LIVE_WHEN_LISTING)
    return frozenset((*(a.target for a in found), *rollbacks))


def _is_spared(tree: Tree, cleanup: Cleanup, named: frozenset[str]) -> bool:
    match cleanup:
        case Cleanup.PIN_LIVE:
            return tree.name in named or bool(tree.pins)
        case Cleanup.SKIP_LIVE_WHEN_LISTING:
            return tree.name in named
        case _:
            return False


def _is_ours(found: Stored) -> TypeGuard[Tree]:
    """Whether it is a tree by its name too: a Service that somebody has labelled so is not."""
    return isinstance(found, Tree) and found.name == tree_name(found.endpoint, found.generation)


def _noted(tree: Tree, cleanup: Cleanup) -> Tree:
    """What is remembered of a victim: its version only where the delete will bear it."""
    if cleanup in (Cleanup.REREAD_BEFORE_DELETE, Cleanup.PIN_LIVE):
        return tree
    return replace(_bare(tree), uid="")


def _bare(tree: Tree) -> Tree:
    return replace(tree, pins=(), resource_version="")


def _is_to_unpin(tree: Tree, me: Actor, here: AtList, named: frozenset[str]) -> bool:
    """Whether a tree of a former plan bears our pin, and no alias names it as we have just read.
    Pins of the dead stay: a leaked pin costs a tree, never an answer."""
    mine = me.identity in tree.pins and tree.generation != here.generation
    return mine and tree.name not in named


def unpin(me: Actor, here: AtUnpin) -> Walk:
    """Take our pin off the first. One that stays is listed again after the next plan."""
    first, *rest = here.pinned
    yield Unpin(first.name, first.uid, me.identity)
    if rest:
        return AtUnpin(here.generation, tuple(rest), here.victims)
    return AtDelete(here.generation, here.victims)


def reread(here: AtReread) -> Walk:
    """Is the first victim live? It may be a moment later."""
    first = here.victims[0]
    reply = yield Get(Alias, first.endpoint)
    match reply:
        case Read(Alias(target=target)) if target != first.name:
            return AtDelete(here.generation, here.victims)
        case Absent():
            return AtDelete(here.generation, here.victims)
        case _:
            return _rest(AtReread, here)


def delete(rules: Rules, here: AtDelete) -> Walk:
    """Delete the first victim. What could not be deleted is listed again after the next plan."""
    if not here.victims:
        return Applied(here.generation)
    first = here.victims[0]
    assert first.name == tree_name(first.endpoint, first.generation), first
    cleanup = rules.guards.cleanup
    if cleanup in (Cleanup.REREAD_BEFORE_DELETE, Cleanup.PIN_LIVE):
        yield Delete(Tree, first.name, first.uid, first.resource_version)
    else:
        yield Delete(Tree, first.name)
    return _rest(AtReread if cleanup is Cleanup.REREAD_BEFORE_DELETE else AtDelete, here)


def _rest(place: type[AtReread] | type[AtDelete], here: AtReread | AtDelete) -> Place | Round:
    rest = here.victims[1:]
    return place(here.generation, rest) if rest else Applied(here.generation)
