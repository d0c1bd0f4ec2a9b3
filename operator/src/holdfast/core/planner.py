"""The DNS Planner: turns the load balancers it sees into the next regional plan.

A plan covers the whole region and is immutable; its name is its generation, so creating it is the
compare-and-swap, and two plans of one generation cannot be, whatever crashes in between.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass

from holdfast.core.intents import Create, Delete, Intent, List
from holdfast.core.names import GENERATION_MAX, plan_name
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Tree
from holdfast.core.replies import (
    NAMESPACE_TERMINATING,
    Exists,
    Listed,
    Rejected,
    Reply,
    Written,
)

HIGHEST = "it is the highest there is"


@dataclass(frozen=True, slots=True)
class Planned:
    plan: Plan


@dataclass(frozen=True, slots=True)
class Unplanned:
    """Nothing was appended, and why. `newest` is the newest generation known now."""

    reason: str
    newest: int
    final: bool = False
    """The namespace is on its way out: nothing can be appended in it any more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the API server holds: the highest generation ever used, and the plans that are left."""

    newest: int
    plans: tuple[Plan, ...]


def wanted(
    endpoints: Iterable[str], front_ends: Iterable[FrontEnd], keeps_last_good: bool = True
) -> tuple[EndpointPlan, ...]:
    """The content of a plan: every endpoint answered by every front end. () if there is no front
    end and the last good answer is to be kept: such a plan is not published."""
    fleet = tuple(sorted(set(front_ends), key=lambda f: f.address))
    if not fleet and keeps_last_good:
        return ()
    return tuple(EndpointPlan(e, fleet) for e in sorted(set(endpoints)))


def newest_generation(plans: Iterable[Plan], aliases: Iterable[Alias]) -> int:
    """The highest generation ever used, as far as anything still says so: 0 at first. Aliases
    count too, so that deleting all plans by hand does not start the numbers again."""
    return max([*(p.generation for p in plans), *(a.generation for a in aliases)], default=0)


def append(
    content: tuple[EndpointPlan, ...], newest: int
) -> Generator[Intent, Reply, Planned | Unplanned]:
    """Append one plan above `newest`. If that generation is taken, look again and let the caller
    decide anew: the plan that took it may have the same content."""
    if newest >= GENERATION_MAX:
        return Unplanned(HIGHEST, newest)
    plan = Plan(newest + 1, content)
    reply = yield Create(plan)
    match reply:
        case Written():
            return Planned(plan)
        case Exists():
            found = yield from look()
            newest = found.newest if isinstance(found, Seen) else plan.generation
            return Unplanned(f"generation {plan.generation} is taken", newest)
        case Rejected(reason, message):
            return Unplanned(f"{reason}: {message}", newest, reason == NAMESPACE_TERMINATING)
        case _:
            return Unplanned(f"not written: {type(reply).__name__}", newest)


def look() -> Generator[Intent, Reply, Seen | Unplanned]:
    """What there is now, or which reply said that it is not to be seen."""
    plans = yield List(Plan)
    if not isinstance(plans, Listed):
        return Unplanned(f"not seen: {type(plans).__name__}", 0)
    aliases = yield List(Alias)
    if not isinstance(aliases, Listed):
        return Unplanned(f"not seen: {type(aliases).__name__}", 0)
    found = tuple(p for p in plans.items if isinstance(p, Plan))
    live = (a for a in aliases.items if isinstance(a, Alias))
    return Seen(newest_generation(found, live), found)


def trim(plan_history: int) -> Generator[Intent, Reply, tuple[int, ...]]:
    """Delete plans beyond the newest `plan_history`, never one whose tree exists."""
    plans = yield List(Plan)
    trees = yield List(Tree)
    if not (isinstance(plans, Listed) and isinstance(trees, Listed)):
        return ()
    standing = {t.generation for t in trees.items if isinstance(t, Tree)}
    ordered = sorted((p for p in plans.items if isinstance(p, Plan)), key=lambda p: -p.generation)
    old = [p.generation for p in ordered[plan_history:] if p.generation not in standing]
    for generation in sorted(old):
        yield Delete(Plan, plan_name(generation))
    return tuple(sorted(old))
