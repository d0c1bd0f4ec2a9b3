"""From evidence to a verdict: the rules by which a Scenario passes.

A reproduced outage that was expected is a Pass. Missing data is never a Pass: an arm whose probe
did not run, whose holds did not catch, or in which no stale write was even attempted, proves
nothing and is Inconclusive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.core.guards import Cleanup, Fence
from holdfast.core.invariants import OUTAGE, Invariant
from holdfast.core.leases.metastability import Metastability
from holdfast.core.ledger import RecoveredBy
from holdfast.core.starts import Start

PROBE_COVERAGE_MIN = 0.9
"""The share of the expected queries below which an arm says nothing."""


class Outcome(StrEnum):
    REPRODUCED = "OutageReproduced"
    PREVENTED = "OutagePrevented"


EITHER = "Either"
"""What an arm may expect besides: what comes of unscripted contention is not known beforehand."""


class Verdict(StrEnum):
    PASS = "Pass"  # noqa: S105 - a verdict, not a password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


_WORST_FIRST = (Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one arm left behind.

    `coverage` is queries that got an answer with or without addresses, over those due since the
    alias was born. `cut_off`: the deadline came before the arm was over. `watch_gaps`: watches that
    had to be listed anew. `attempts`: stale writes refused or stale plans dropped, by the actors
    that some hold waits for where there is one, and stale writes applied: a cleanup may prevent the
    outage and not the regression. `guards_as_asked`: the Region's status repeats the guards that
    the arm names. `faults`: what else
    struck as the timeline has it: replies lost, acts done, a bad start. `undone_acts` never came to
    pass, `failed_acts` say why they could not. `probe_told`: it was there to be asked at the end.
    """

    broken: frozenset[Invariant]
    empty_answers: int
    coverage: float
    uncaught_holds: tuple[str, ...]
    overdue_holds: tuple[str, ...]
    attempts: int
    healthy_at_first: bool
    cut_off: bool
    watch_gaps: int
    guards_as_asked: bool
    faults: int = 0
    undone_acts: tuple[str, ...] = ()
    failed_acts: tuple[str, ...] = ()
    recovered_by: RecoveredBy | None = None
    probe_told: bool = True
    metastability: Metastability | None = None
    leases_whole: bool = True
    """Every lease of the arm was held at some time; true where there are none."""


def outcome_of(evidence: Evidence) -> Outcome:
    """The state defines the outage; an answer is evidence of it, and counts as such."""
    if evidence.broken & OUTAGE or evidence.empty_answers:
        return Outcome.REPRODUCED
    return Outcome.PREVENTED


@dataclass(frozen=True, slots=True)
class Expected:
    """What an arm expects. `outcome` None: either. `keeps` and `breaks`: invariants besides."""

    outcome: Outcome | None
    recovered_by: RecoveredBy | None = None
    keeps: tuple[Invariant, ...] = ()
    breaks: tuple[Invariant, ...] = ()
    metastability: Metastability | None = None


def judge(expected: Expected, evidence: Evidence) -> tuple[Verdict, str]:
    """The arm's verdict and the sentence that explains it."""
    outcome, expect = outcome_of(evidence), expected.outcome
    if outcome is Outcome.REPRODUCED and expect is Outcome.PREVENTED:
        return Verdict.FAIL, "the outage happened although it was expected to be prevented"
    missing = _missing(evidence)
    if missing:
        return Verdict.INCONCLUSIVE, missing
    if outcome is Outcome.PREVENTED and expect is Outcome.REPRODUCED:
        return Verdict.FAIL, "the outage did not happen although it was expected to"
    if otherwise := _otherwise(expected, evidence):
        return Verdict.FAIL, otherwise
    if expect is Outcome.PREVENTED and not evidence.attempts and not evidence.faults:
        return Verdict.INCONCLUSIVE, "no stale write was attempted, so none was prevented"
    return Verdict.PASS, "as expected"


def _otherwise(expected: Expected, evidence: Evidence) -> str:
    """What came otherwise than the arm says, besides the outcome; "" if nothing."""
    by, broken = evidence.recovered_by, evidence.broken
    if expected.recovered_by is not None and by != expected.recovered_by:
        return f"recovered by {by or 'nobody'}, {expected.recovered_by} was expected"
    if expected.metastability not in (None, evidence.metastability):
        return f"the leases: {evidence.metastability}, {expected.metastability} was expected"
    for invariant in expected.keeps:
        if invariant in broken:
            return f"{invariant} broke although it was expected to hold"
    for invariant in expected.breaks:
        if invariant not in broken:
            return f"{invariant} held although it was expected to break"
    return ""


def _missing(evidence: Evidence) -> str:
    """Why the evidence says nothing; "" if it does say something."""
    reasons = (
        (not evidence.probe_told, "the probe told nothing: its Pod is gone, or does not answer"),
        (
            not evidence.healthy_at_first,
            "the name was never answered, so nothing could be lost",
        ),
        (
            evidence.coverage < PROBE_COVERAGE_MIN,
            f"{evidence.coverage:.0%} of the probe's queries got an answer, "
            f"{PROBE_COVERAGE_MIN:.0%} are needed",
        ),
        (
            bool(evidence.uncaught_holds),
            f"never caught: {', '.join(evidence.uncaught_holds)}",
        ),
        (
            bool(evidence.overdue_holds),
            "released by their deadline, not by their condition: "
            f"{', '.join(evidence.overdue_holds)}",
        ),
        (bool(evidence.failed_acts), f"could not be done: {'; '.join(evidence.failed_acts)}"),
        (bool(evidence.undone_acts), f"never came to pass: {', '.join(evidence.undone_acts)}"),
        (evidence.cut_off, "the deadline came before the arm was over"),
        (bool(evidence.watch_gaps), "a watch was lost, so changes may not have been seen"),
        (not evidence.guards_as_asked, "the guards in force are not those that the arm names"),
        (not evidence.leases_whole, "the leases were never all held, so none could be lost"),
        (
            Invariant.NON_EMPTY in evidence.broken and not evidence.empty_answers,
            "the alias named nothing, but the probe saw no empty answer",
        ),
        (
            bool(evidence.empty_answers) and Invariant.NON_EMPTY not in evidence.broken,
            "the probe saw an empty answer, but the alias always named a tree",
        ),
    )
    return next((why for true, why in reasons if true), "")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The Scenario's verdict. Nothing ran: Inconclusive."""
    found = set(verdicts)
    return next((v for v in _WORST_FIRST if v in found), Verdict.INCONCLUSIVE)


_FENCED = ("dns.fence=Generation", "dns.fence=CheckInLock")
_ANSWERED = (*_FENCED, "dns.cleanup=PinLive", "dns.admission=Enabled")
_SHEDS = ("leases.admission=QueueBound", "leases.expired=Drop", "leases.grace=ResetTimers")
HOLDS: Mapping[Invariant, tuple[str, ...]] = {
    Invariant.NON_EMPTY: _ANSWERED,
    Invariant.NO_LIVE_DELETE: _ANSWERED,
    Invariant.MONOTONE: (*_FENCED, "dns.admission=Enabled"),
    Invariant.FROZEN_STAYS: (
        *_FENCED,
        "dns.fence=ResourceVersion",
        "dns.fence=CheckEach",
        "dns.fence=CheckOnce",
    ),
    Invariant.CONVERGES: (*_ANSWERED, "dns.rollback=Decoupled", "dns.selfRepair=Enabled"),
    Invariant.ROLLBACK_NAMES_A_TREE: ("dns.cleanup=PinLive", "dns.admission=Enabled"),
    Invariant.WHOLE_PLAN: (),
    Invariant.SINGLE_HOLDER: (),
    Invariant.IN_FLIGHT_BOUNDED: (),
    Invariant.QUEUE_BOUNDED: (),
    Invariant.NO_EXPIRED_WORK_DONE: ("leases.expired=Drop",),
    Invariant.GOODPUT: _SHEDS,
    Invariant.ESTABLISHED_NOT_LOST: _SHEDS,
    Invariant.ALL_RECOVER: _SHEDS,
    Invariant.STATIC_STABILITY: (),
}
"""The rungs each of which alone, changed in aws-2025, keeps the invariant: found by exploring every
change, and compared with that by a test. A fence alone does not keep the rollback record true:
cleaning by age breaks it whenever a generation is skipped. Answers are whole on every rung: a tree
is one plan's. aws-2025 keeps a human's freeze as it is; the fences named hold where a blind rung
does not."""


BY_EMPTY_PLAN = {Invariant.NON_EMPTY: ("dns.lastKnownGood=Enabled",)}
"""What would have held where it was a plan without addresses that emptied the name."""
FROM_THE_START: Mapping[Start, Mapping[Invariant, tuple[str, ...]]] = {
    Start.NAMES_NOTHING: {
        Invariant.NON_EMPTY: (),
        Invariant.CONVERGES: ("dns.rollback=Decoupled", "dns.selfRepair=Enabled"),
    },
    Start.NO_ADDRESSES: {Invariant.NON_EMPTY: (), Invariant.ROLLBACK_NAMES_A_TREE: ()},
    Start.DEAD_LOCK: {Invariant.CONVERGES: ("dns.fence=Generation",)},
}
"""What is otherwise after a bad start. What was empty before any loop began, no guard of theirs
would have kept; and what gets out of it is not what would have kept out of it."""


def guards_missing(
    broken: Iterable[Invariant],
    guards: Mapping[str, Mapping[str, str]],
    instead: Mapping[Invariant, tuple[str, ...]] | None = None,
) -> dict[str, tuple[Invariant, ...]]:
    """The guards each of which would have held some of what broke, as `dns.fence=Generation`, with
    what. None is named for what broke although a guard that holds it is on: that is unexplained.
    `guards`: the effective ones, by group, name and rung."""
    on = {f"{group}.{name}={rung}" for group, of in guards.items() for name, rung in of.items()}
    found: dict[str, tuple[Invariant, ...]] = {}
    holds = {**HOLDS, **(instead or {})}
    for invariant in sorted(broken):
        if on.isdisjoint(holds[invariant]):
            for guard in holds[invariant]:
                if _holds_with(guard, invariant, guards["dns"]):
                    found[guard] = (*found.get(guard, ()), invariant)
    return found


def _holds_with(guard: str, invariant: Invariant, others: Mapping[str, str]) -> bool:
    """Whether what holds an invariant in aws-2025 does so beside these guards. Pins keep the
    rollback record only where a write records what it replaces, which a blind one does not, and
    where a pin is taken off with a look at the record."""
    if invariant is not Invariant.ROLLBACK_NAMES_A_TREE:
        return True
    skips = others["cleanup"] == Cleanup.SKIP_LIVE_WHEN_LISTING
    looks = not skips or guard == "dns.cleanup=PinLive"
    return looks and others["fence"] not in (Fence.NONE, Fence.LEADER_ONLY)


def guard_yaml(guard: str) -> str:
    """The line of YAML that turns a guard on: `guards: {dns: {fence: Generation}}`."""
    name, _, rung = guard.partition("=")
    group, _, field = name.partition(".")
    return f"guards: {{{group}: {{{field}: {rung}}}}}"
