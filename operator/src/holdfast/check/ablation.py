"""Every combination of guards explored: what each keeps and breaks, and which changes suffice.

A *change* is a rung that aws-2025 does not have, written as `dns.fence=Generation`; a set of guards
is the set of its changes. No change is a cause: several smallest sets keep the same invariant, and
each of them is the whole list of what would have been enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.check.report import Json, check, row_document
from holdfast.check.trace import Row
from holdfast.core.bounds import Bounds, bounds_document
from holdfast.core.guards import AWS_2025, Cleanup, DnsGuards, Fence, Rollback, effective
from holdfast.core.invariants import OUTAGE, Invariant
from holdfast.core.verdict import Outcome

Changes: TypeAlias = frozenset[str]

WEIGHT = (
    Invariant.NON_EMPTY,
    Invariant.NO_LIVE_DELETE,
    Invariant.MONOTONE,
    Invariant.CONVERGES,
    Invariant.WHOLE_PLAN,
    Invariant.ROLLBACK_NAMES_A_TREE,
)
"""The invariants, in the order of how much they matter."""

BUT_ROLLBACK = frozenset(WEIGHT) - {Invariant.ROLLBACK_NAMES_A_TREE}
QUESTIONS = (*(frozenset({i}) for i in WEIGHT), BUT_ROLLBACK, frozenset(WEIGHT))
"""What the smallest sets are asked to keep: each invariant, all but the rollback record's, all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One combination, explored whole. `traces`: by broken invariant, a shortest way to it.
    `stuck`: states that cannot recover. `peak_bytes`: the most memory that its process had."""

    guards: DnsGuards
    traces: Mapping[Invariant, tuple[Row, ...]]
    states: int
    worlds: int
    transitions: int
    depth: int
    stuck: int
    seconds: float
    peak_bytes: int = 0

    @property
    def broken(self) -> frozenset[Invariant]:
        return frozenset(self.traces)

    @property
    def outage(self) -> bool:
        return bool(OUTAGE & self.broken)


def combinations() -> tuple[DnsGuards, ...]:
    """Every rung with every other, worst first."""
    return tuple(
        DnsGuards(fence, cleanup, rollback)
        for fence in Fence
        for cleanup in Cleanup
        for rollback in Rollback
    )


def explore(guards: DnsGuards, bounds: Bounds, max_states: int | None = None) -> Finding:
    """Raises TooLarge above `max_states`."""
    checked = check(guards, bounds, max_states=max_states)
    found = checked.found
    return Finding(
        guards,
        {Invariant(name): rows for name, rows in checked.traces.items()},
        found.states,
        found.worlds,
        found.transitions,
        found.depth,
        checked.stuck,
        found.seconds,
    )


def name_of(guards: DnsGuards) -> str:
    """As in a file's name: `CheckOnce-ByAge-Coupled`."""
    return "-".join((guards.fence, guards.cleanup, guards.rollback))


def changes(guards: DnsGuards) -> Changes:
    """The rungs that aws-2025 does not have. Empty: these are the guards of aws-2025."""
    before = effective(AWS_2025)["dns"]
    after = effective(guards)["dns"]
    return frozenset(f"dns.{name}={rung}" for name, rung in after.items() if rung != before[name])


def smallest(findings: Iterable[Finding], wanted: frozenset[Invariant]) -> tuple[Changes, ...]:
    """The sets of changes that keep all of `wanted`, and of which no proper subset does. One empty
    set: aws-2025 keeps them as it is. None: no combination keeps them."""
    enough = {changes(f.guards) for f in findings if not wanted & f.broken}
    least = (s for s in enough if not any(other < s for other in enough))
    return tuple(sorted(least, key=lambda s: (len(s), sorted(s))))


def ablation_document(
    scenario: str, bounds: Bounds, findings: Iterable[Finding], seconds: float, jobs: int
) -> Json:
    """What `--json` writes (docs/ablation.schema.json)."""
    every = tuple(findings)
    return {
        "scenario": scenario,
        "engine": "ablate",
        "bounds": bounds_document(bounds),
        "changedFrom": {"profile": "aws-2025", **effective(AWS_2025)},
        "seconds": round(seconds, 1),
        "jobs": jobs,
        "combinations": [_combination(f) for f in every],
        "smallestSets": [
            {
                "keeps": [str(i) for i in WEIGHT if i in wanted],
                "sets": [sorted(s) for s in smallest(every, wanted)],
            }
            for wanted in QUESTIONS
        ],
    }


def _combination(found: Finding) -> Json:
    outcome = Outcome.REPRODUCED if found.outage else Outcome.PREVENTED
    return {
        "guards": effective(found.guards),
        "changes": sorted(changes(found.guards)),
        "outcome": str(outcome),
        "invariantsBroken": [str(i) for i in WEIGHT if i in found.broken],
        "invariantsKept": [str(i) for i in WEIGHT if i not in found.broken],
        "exploration": {
            "distinctStates": found.states,
            "distinctWorlds": found.worlds,
            "transitions": found.transitions,
            "depth": found.depth,
            "stuckStates": found.stuck,
            "seconds": round(found.seconds, 3),
            "peakMebibytes": round(found.peak_bytes / 2**20),
        },
        "traces": {
            str(i): [row_document(r) for r in found.traces[i]] for i in WEIGHT if i in found.traces
        },
    }
