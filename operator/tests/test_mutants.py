"""A seeded mutant of each guard is caught by the checker.

A mutant is the guard's own flow with one thing spoilt on its way to the API server or back. Where
the guard holds, the mutant loses: a checker that stays silent on a spoilt guard proves nothing.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from holdfast.check.dns import dns_model
from holdfast.check.explorer import Explorer
from holdfast.check.liveness import stuck
from holdfast.check.model import Model
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import Cleanup, DnsGuards, Fence, Rollback
from holdfast.core.intents import (
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pin,
    Replace,
)
from holdfast.core.objects import Alias, Tree
from holdfast.core.replies import Conflict, Listed, Missed, Read, Reply, Written

Spoil: TypeAlias = Callable[[Intent], Intent | Reply]
Twist: TypeAlias = Callable[[Intent, Reply], Reply]

BOUNDS = {
    Cleanup.BY_AGE: Bounds(2, 4, 1, 1, Budgets(lock_expiries=1)),
    Cleanup.PIN_LIVE: Bounds(2, 3, 1, 1, Budgets(lock_expiries=0)),
}
GENERATION = DnsGuards(Fence.GENERATION, Cleanup.BY_AGE, Rollback.COUPLED)
CHECK_IN_LOCK = DnsGuards(Fence.CHECK_IN_LOCK, Cleanup.BY_AGE, Rollback.COUPLED)
PIN_LIVE = DnsGuards(Fence.CHECK_ONCE, Cleanup.PIN_LIVE, Rollback.COUPLED)


def spoilt(
    flow: Generator[Intent, Reply, Any], spoil: Spoil, twist: Twist
) -> Generator[Intent, Reply, Any]:
    """The flow, with its intents and their replies passed through. A `spoil` that gives a reply
    keeps the intent from being asked at all."""
    try:
        intent = next(flow)
        while True:
            asked = spoil(intent)
            is_intent = not isinstance(asked, Written | Read | Listed | Missed)
            reply = twist(intent, (yield asked)) if is_intent else asked  # type: ignore[misc]
            intent = flow.send(reply)  # type: ignore[arg-type]
    except StopIteration as stop:
        return stop.value


def same(intent: Intent) -> Intent | Reply:
    return intent


def heard(intent: Intent, reply: Reply) -> Reply:  # noqa: ARG001
    return reply


def mutant(guards: DnsGuards, spoil: Spoil = same, twist: Twist = heard) -> Model:
    model = dns_model(guards, BOUNDS[guards.cleanup])
    actors = tuple(
        replace(a, flow=lambda who, at, a=a: spoilt(a.flow(who, at), spoil, twist))
        for a in model.actors
    )
    return replace(model, actors=actors, versioned=None)


def blind_write(intent: Intent) -> Intent | Reply:
    """Generation without its resourceVersion."""
    if isinstance(intent, Replace) and isinstance(intent.obj, Alias):
        return Overwrite(replace(intent.obj, uid="", resource_version=""))
    return intent


def conflict_is_success(intent: Intent, reply: Reply) -> Reply:  # noqa: ARG001
    """Generation that takes a 409 for its own success: it then cleans by the age of a plan that
    is not live."""
    return Written(Alias("", "", 0), 0.0) if isinstance(reply, Conflict) else reply


def never_newer(intent: Intent, reply: Reply) -> Reply:
    """The refusal taken out: what the read says of the generation is not looked at."""
    match intent, reply:
        case Get(), Read(Alias() as alias, now):
            return Read(replace(alias, generation=0), now)
    return reply


def no_lock_test(intent: Intent) -> Intent | Reply:
    """CheckInLock whose flip does not test the lock."""
    match intent:
        case PatchAlias(endpoint, target=str(target), generation=int(generation)):
            return Overwrite(Alias(endpoint, target, generation, intent.rollback or ""))
    return intent


def no_pin(intent: Intent) -> Intent | Reply:
    """PinLive that forgets to pin."""
    return Written(Tree("", "", 0), 0.0) if isinstance(intent, Pin) else intent


def one_name(intent: Intent) -> Intent | Reply:
    """PinLive whose cleaner deletes whatever version there is."""
    if isinstance(intent, Delete) and intent.kind is Tree:
        return Delete(Tree, intent.name)
    return intent


def overlooks_pins(intent: Intent, reply: Reply) -> Reply:
    """PinLive whose cleaner does not look at pins, only at versions."""
    match intent, reply:
        case List(kind=kind), Listed(items, now) if kind is Tree:
            return Listed(tuple(replace(i, pins=()) for i in items), now)  # type: ignore[call-arg]
    return reply


def broken_by(model: Model) -> set[str]:
    explorer = Explorer(model)
    found = explorer.explore()
    return set(found.broken) | ({"Converges"} if stuck(explorer, found) else set())


@pytest.mark.parametrize("guards", [GENERATION, CHECK_IN_LOCK, PIN_LIVE], ids=str)
def test_unspoilt_they_hold(guards: DnsGuards) -> None:
    assert "NonEmpty" not in broken_by(mutant(guards))


@pytest.mark.parametrize(
    ("guards", "spoil", "twist"),
    [
        (GENERATION, blind_write, heard),
        (GENERATION, same, never_newer),
        (GENERATION, same, conflict_is_success),
        (CHECK_IN_LOCK, same, never_newer),
        (CHECK_IN_LOCK, no_lock_test, heard),
        (PIN_LIVE, no_pin, heard),
        (PIN_LIVE, one_name, heard),
        (PIN_LIVE, same, overlooks_pins),
    ],
    ids=lambda v: v.__name__ if callable(v) else f"{v.fence}-{v.cleanup}",
)
def test_spoilt_they_lose_the_name(guards: DnsGuards, spoil: Spoil, twist: Twist) -> None:
    assert "NonEmpty" in broken_by(mutant(guards, spoil, twist))


def test_a_pin_that_bears_the_zone_alone_is_no_pin() -> None:
    """Two incarnations of one zone, as in a rolling update, remove each other's pins."""
    blind = DnsGuards(Fence.NONE, Cleanup.PIN_LIVE, Rollback.COUPLED)
    model = mutant(blind)
    assert "NonEmpty" not in broken_by(model)
    actors = tuple(
        replace(a, flow=lambda _, at, a=a: a.flow("us-east-1a/", at)) for a in model.actors
    )
    assert "NonEmpty" in broken_by(replace(model, actors=actors))
