"""From evidence to a verdict: the rules by which a Scenario passes.

A reproduced outage that was expected is a Pass. Missing data is never a Pass: an arm whose probe
did not run, whose holds did not catch, or in which no stale write was even attempted, proves
nothing and is Inconclusive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.core.guards import DnsGuards, effective
from holdfast.core.invariants import OUTAGE, Invariant

PROBE_COVERAGE_MIN = 0.9
"""The share of the expected queries below which an arm says nothing."""


class Outcome(StrEnum):
    REPRODUCED = "OutageReproduced"
    PREVENTED = "OutagePrevented"


class Verdict(StrEnum):
    PASS = "Pass"  # noqa: S105 - a verdict, not a password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


_WORST_FIRST = (Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one arm left behind. `coverage` is queries answered or missed, over those expected."""

    broken: frozenset[Invariant]
    empty_answers: int
    coverage: float
    uncaught_holds: tuple[str, ...]
    overdue_holds: tuple[str, ...]
    stale_refused: int
    stale_dropped: int
    healthy_at_first: bool


def outcome_of(evidence: Evidence) -> Outcome:
    """The state defines the outage; an answer is evidence of it, and counts as such."""
    if evidence.broken & OUTAGE or evidence.empty_answers:
        return Outcome.REPRODUCED
    return Outcome.PREVENTED


def judge(expect: Outcome, evidence: Evidence) -> tuple[Verdict, str]:
    """The arm's verdict and the sentence that explains it."""
    outcome = outcome_of(evidence)
    if outcome is Outcome.REPRODUCED and expect is Outcome.PREVENTED:
        return Verdict.FAIL, "the outage happened although it was expected to be prevented"
    if not evidence.healthy_at_first:
        return Verdict.INCONCLUSIVE, "the name was never answered, so nothing could be lost"
    if evidence.coverage < PROBE_COVERAGE_MIN:
        return (
            Verdict.INCONCLUSIVE,
            f"the probe made {evidence.coverage:.0%} of its queries, {PROBE_COVERAGE_MIN:.0%} are"
            " needed",
        )
    if evidence.uncaught_holds:
        return Verdict.INCONCLUSIVE, f"never caught: {', '.join(evidence.uncaught_holds)}"
    if evidence.overdue_holds:
        return (
            Verdict.INCONCLUSIVE,
            f"released by their deadline, not by their condition: "
            f"{', '.join(evidence.overdue_holds)}",
        )
    if outcome is Outcome.REPRODUCED and not evidence.empty_answers:
        return Verdict.INCONCLUSIVE, "the alias named nothing, but the probe saw no empty answer"
    if outcome is not expect:
        return Verdict.FAIL, "the outage did not happen although it was expected to"
    attempts = evidence.stale_refused + evidence.stale_dropped
    if outcome is Outcome.PREVENTED and not attempts:
        return Verdict.INCONCLUSIVE, "no stale write was attempted, so none was prevented"
    return Verdict.PASS, "as expected"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The Scenario's verdict. Nothing ran: Inconclusive."""
    found = set(verdicts)
    return next((v for v in _WORST_FIRST if v in found), Verdict.INCONCLUSIVE)


_HOLDS: Mapping[Invariant, tuple[str, ...]] = {
    Invariant.NON_EMPTY: ("dns.fence=Generation",),
    Invariant.MONOTONE: ("dns.fence=Generation",),
    Invariant.NO_LIVE_DELETE: ("dns.fence=Generation",),
    Invariant.CONVERGES: ("dns.rollback=Decoupled",),
    Invariant.ROLLBACK_NAMES_A_TREE: (),
}
"""The rungs that hold each invariant. No rung of today keeps the rollback record true: age-based
cleaning breaks it behind the best fence, whenever a generation is skipped."""


def guards_missing(
    broken: Iterable[Invariant], guards: DnsGuards
) -> dict[str, tuple[Invariant, ...]]:
    """The guards that are not on, as `dns.fence=Generation`, with what each would have held."""
    on = {f"dns.{name}={rung}" for name, rung in effective(guards)["dns"].items()}
    found: dict[str, tuple[Invariant, ...]] = {}
    for invariant in sorted(broken):
        for guard in _HOLDS[invariant]:
            if guard not in on:
                found[guard] = (*found.get(guard, ()), invariant)
    return found


def guard_yaml(guard: str) -> str:
    """The line of YAML that turns a guard on: `guards: {dns: {fence: Generation}}`."""
    name, _, rung = guard.partition("=")
    group, _, field = name.partition(".")
    return f"guards: {{{group}: {{{field}: {rung}}}}}"
