"""An arm explored: the verdict, what broke, and the shortest way to it, as a result document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from holdfast.check.dns import NOTHING_SPECIAL, Setting, dns_model, world_of
from holdfast.check.explorer import Exploration, Explorer
from holdfast.check.liveness import stuck
from holdfast.check.model import Objects
from holdfast.check.trace import Row, trace
from holdfast.core.bounds import Bounds, bounds_document
from holdfast.core.guards import DnsGuards
from holdfast.core.invariants import OUTAGE, Invariant
from holdfast.core.objects import Alias, Tree
from holdfast.core.scenario import Arm
from holdfast.core.verdict import (
    BY_EMPTY_PLAN,
    EITHER,
    FROM_THE_START,
    Outcome,
    Verdict,
    guards_missing,
)

Json: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[int, int, int], None]

TRACED = (
    Invariant.NON_EMPTY,
    Invariant.CONVERGES,
    Invariant.FROZEN_STAYS,
    Invariant.NO_LIVE_DELETE,
    Invariant.MONOTONE,
    Invariant.WHOLE_PLAN,
    Invariant.ROLLBACK_NAMES_A_TREE,
)
"""In the order of how much they matter: the trace of an arm is to the first of these that broke."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`traces`: by broken invariant, a shortest way to it. `stuck`: states that cannot recover."""

    found: Exploration
    traces: dict[str, tuple[Row, ...]]
    stuck: int

    @property
    def broken(self) -> frozenset[str]:
        return frozenset(self.traces)


def check(
    guards: DnsGuards,
    bounds: Bounds,
    whole: bool = True,
    max_states: int | None = None,
    progress: Progress | None = None,
    setting: Setting = NOTHING_SPECIAL,
) -> Checked:
    """Explore all states within the bounds, safety and liveness; with `whole` false, until the
    outage is found. Raises TooLarge above `max_states`."""
    explorer = Explorer(dns_model(guards, bounds, setting))
    stop = frozenset[str]() if whole else OUTAGE
    found = explorer.explore(stop, max_states, progress)
    traces = {
        name: trace(explorer, found, before, after, describe)
        for name, (before, after) in found.broken.items()
    }
    dead = stuck(explorer, found) if found.exhaustive else []
    if dead:
        first = dead[0]
        traces[Invariant.CONVERGES] = trace(explorer, found, found.parents[first], first, describe)
    return Checked(found, traces, len(dead))


def describe(objects: Objects) -> tuple[str, ...]:
    """What the aliases name, and which trees there are; `!` marks a name without an answer, and a
    tree without addresses."""
    world = world_of(objects)
    aliases = (o for o in objects.values() if isinstance(o, Alias))
    live = ", ".join(
        f"p{a.generation}" + ("" if a.target in world.trees else "!")
        for a in sorted(aliases, key=lambda a: a.name)
    )
    trees = sorted(
        (o for o in objects.values() if isinstance(o, Tree)),
        key=lambda t: (t.endpoint, t.generation),
    )
    standing = " ".join(f"p{t.generation}{'' if t.name in world.trees else '!'}" for t in trees)
    return live or "-", standing or "-"


def arm_document(arm: Arm, bounds: Bounds, checked: Checked) -> Json:
    """The arm's part of the result document, of engine `check`."""
    found, broken = checked.found, [Invariant(name) for name in checked.broken]
    reproduced = bool(OUTAGE & set(broken))
    outcome = Outcome.REPRODUCED if reproduced else Outcome.PREVENTED
    verdict, why = _judge(arm, outcome, found, broken)
    missing = guards_missing(broken, arm.effective, _instead(arm, bounds))
    told = next((i for i in TRACED if i in checked.traces), None)
    document = {
        "name": arm.name,
        "guards": arm.effective,
        "expect": str(arm.expect or EITHER),
        "outcome": str(outcome),
        "verdict": str(verdict),
        "message": why,
        "invariantsBroken": sorted(str(i) for i in broken),
        "guardsMissing": sorted(missing),
        "wouldHaveHeld": {guard: list(held) for guard, held in missing.items()},
        "exploration": {
            "distinctStates": found.states,
            "distinctWorlds": found.worlds,
            "transitions": found.transitions,
            "depth": found.depth,
            "exhaustive": found.exhaustive,
            "stuckStates": checked.stuck,
            "seconds": round(found.seconds, 3),
            "statesPerSecond": round(found.states / max(found.seconds, 1e-9)),
            "transitionsPerSecond": round(found.transitions / max(found.seconds, 1e-9)),
            "bounds": bounds_document(bounds),
        },
    }
    if told is not None:
        document["trace"] = {
            "to": str(told),
            "rows": [row_document(r) for r in checked.traces[told]],
        }
    return document


def _instead(arm: Arm, bounds: Bounds) -> Mapping[Invariant, tuple[str, ...]]:
    if arm.start is not None:
        return FROM_THE_START[arm.start]
    return BY_EMPTY_PLAN if bounds.bare_plans else {}


def row_document(row: Row) -> Json:
    names = ("step", "zone", "call", "reply", "live", "trees")
    values = (row.step, row.actor, row.call, row.reply, *row.world)
    return {"n": row.number} | {k: v for k, v in zip(names, values, strict=True) if v}


def _judge(
    arm: Arm, outcome: Outcome, found: Exploration, broken: list[Invariant]
) -> tuple[Verdict, str]:
    """An outage found is one, however little was explored; that there is none is only known of
    what was explored whole."""
    if arm.expect is Outcome.PREVENTED and outcome is Outcome.REPRODUCED:
        return Verdict.FAIL, "an interleaving leads to the outage although none was expected to"
    if arm.expect is Outcome.REPRODUCED and outcome is Outcome.PREVENTED and found.exhaustive:
        return Verdict.FAIL, "no interleaving within the bounds leads to the outage"
    if outcome is Outcome.PREVENTED and not found.exhaustive:
        return Verdict.INCONCLUSIVE, "not everything within the bounds was explored"
    return _judge_the_rest(arm, found, broken)


def _judge_the_rest(arm: Arm, found: Exploration, broken: list[Invariant]) -> tuple[Verdict, str]:
    """By whom the name is given back: nobody, if some state cannot recover; plans or repairs, if
    every state can. What a human does once cannot help a state after it."""
    stuck = Invariant.CONVERGES in broken
    if found.exhaustive and arm.recovered_by == "nobody" and not stuck:
        return Verdict.FAIL, "every state can recover, although nobody was expected to"
    if found.exhaustive and arm.recovered_by in ("nextPlan", "selfRepair") and stuck:
        return Verdict.FAIL, f"some states cannot recover, although {arm.recovered_by} should"
    for invariant in arm.keeps:
        if invariant in broken:
            return Verdict.FAIL, f"{invariant} breaks although it was expected to hold"
    for invariant in arm.breaks:
        if invariant not in broken and found.exhaustive:
            return Verdict.FAIL, f"{invariant} holds although it was expected to break"
    return Verdict.PASS, "as expected"
