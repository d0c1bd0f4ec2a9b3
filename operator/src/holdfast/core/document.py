"""The result document: one shape for all engines (docs/result.schema.json), from one place.

`probe` is what the customers' probe tells of itself: `name`, `families`, `intervalSeconds`,
`servers` (a Tally's report each) and `servedGenerations` of the first endpoint, both of each in
`endpoints` if it asks for several, `connects`, `answered` (by tree, the sets of addresses that it
was answered with), and `endedAt`, the moment of the telling; {} if it did not answer. All times are
seconds since the arm's first plan.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from holdfast.core.contention import contention
from holdfast.core.invariants import Invariant
from holdfast.core.objects import family_of
from holdfast.core.record import Record
from holdfast.core.scenario import Arm
from holdfast.core.timeline import stale_attempts
from holdfast.core.verdict import (
    BY_EMPTY_PLAN,
    EITHER,
    FROM_THE_START,
    Evidence,
    Expected,
    Verdict,
    guards_missing,
    judge,
    outcome_of,
    worst,
)

Json: TypeAlias = dict[str, Any]
Engine: TypeAlias = Literal["run", "simulate", "check"]

ALLOWANCE_SECONDS = 3.0
"""From the birth of the alias to the resolver's first good answer."""


def coverage(probe: Json, born: float) -> float:
    """Answers with or without addresses of the server that gave the fewest, over those due from
    the birth of the alias (with an allowance) to the end. 0 when there is nothing to count."""
    servers = _servers(probe)
    if not servers or not all("beganAt" in s for s in servers):
        return 0.0
    per_second = len(probe["families"]) / probe["intervalSeconds"]
    shares = [
        (s["ok"] + s["stale"] + s["empty"])
        / max(1.0, (probe["endedAt"] - min(s["beganAt"], born + ALLOWANCE_SECONDS)) * per_second)
        for s in servers
    ]
    return float(min(shares))


def evidence_of(record: Record, probe: Json) -> Evidence:
    """What the arm left behind, for its verdict."""
    servers, ledger = _servers(probe), record.ledger
    live = ledger.live_generations
    return Evidence(
        broken=frozenset(ledger.broken),
        empty_answers=_empty_answers(probe),
        coverage=coverage(probe, live[0][0] if live else 0.0),
        uncaught_holds=record.hold_watch.uncaught(record.holds),
        overdue_holds=tuple(sorted(record.hold_watch.overdue)),
        attempts=stale_attempts(record.holds, record.actors) + ledger.stale_writes_applied,
        healthy_at_first=bool(servers)
        and all("beganAt" in s for s in servers)
        and record.families.issubset(probe["families"]),
        cut_off=record.cut_off,
        watch_gaps=record.gaps,
        guards_as_asked=record.guards_as_asked,
        faults=_faults(record),
        undone_acts=record.act_watch.undone(record.acts),
        failed_acts=tuple(f"{n}: {w}" for n, w in sorted(record.act_watch.failed.items())),
        probe_told=bool(probe),
        metastability=record.leases.metastability() if record.leases is not None else None,
        leases_whole=record.leases is None or record.leases.was_whole,
        recovered_by=ledger.recovered_by if ledger.emptied or _empty_answers(probe) else None,
    )


def expected_of(arm: Arm) -> Expected:
    return Expected(arm.expect, arm.recovered_by, arm.keeps, arm.breaks, arm.metastability)


def _faults(record: Record) -> int:
    """What struck besides holds."""
    lost = sum(h.loses and h.name in record.hold_watch.caught for h in record.holds)
    return lost + len(record.act_watch.done) + (record.arm.start is not None)


def arm_document(record: Record, probe: Json, end: float) -> Json:
    """The arm's part of the result document. `end`: when the arm was over."""
    ledger, arm = record.ledger, record.arm
    if not record.converged(end):
        ledger.broken.setdefault(Invariant.CONVERGES, end)
    if mixed_trees(record.said, probe.get("answered") or {}):
        ledger.broken.setdefault(Invariant.WHOLE_PLAN, end)
    _note_answers(record, probe)
    if record.leases is not None:
        record.leases.judge(end)
        for invariant, t in record.leases.broken.items():
            ledger.broken.setdefault(invariant, t)
    evidence = evidence_of(record, probe)
    verdict, why = judge(expected_of(arm), evidence)
    missing = guards_missing(ledger.broken, arm.effective, _instead(record))
    return {
        "name": arm.name,
        "guards": record.guards_in_force or arm.effective,
        "expect": str(arm.expect or EITHER),
        "outcome": str(outcome_of(evidence)),
        "verdict": str(verdict),
        "message": why,
        "seconds": round(end, 1),
        "invariantsBroken": sorted(str(i) for i in ledger.broken),
        "guardsMissing": sorted(missing),
        "wouldHaveHeld": {guard: list(held) for guard, held in missing.items()},
        "dns": _dns(record, probe),
        **({"leases": record.leases.document(end)} if record.leases is not None else {}),
        "timeline": sorted(ledger.timeline, key=lambda line: line["t"]),
    }


def _instead(record: Record) -> Mapping[Invariant, tuple[str, ...]]:
    """Where the name was emptied otherwise than by the race, other guards would have held."""
    if record.arm.start is not None:
        return FROM_THE_START[record.arm.start]
    return BY_EMPTY_PLAN if record.published_bare else {}


def _dns(record: Record, probe: Json) -> Json:
    ledger, actors = record.ledger, record.actors.values()
    dns: Json = {
        "name": probe.get("name", ""),
        "families": probe.get("families", []),
        **(probe.get("servers") or {}),
        "staleWritesApplied": ledger.stale_writes_applied,
        "staleWritesRefused": {
            "conflict": sum(a.stale_refused for a in actors),
            "policy": sum(a.policy_refused for a in actors),
        },
        "staleDropped": sum(a.stale_dropped for a in actors),
        "liveGenerations": [list(g) for g in ledger.live_generations],
        "servedGenerations": probe.get("servedGenerations", {}),
        "connects": probe.get("connects", {}),
        "watchGaps": record.gaps,
    }
    if "endpoints" in probe:
        dns["endpoints"] = {
            e: {**seen["servers"], "servedGenerations": seen["servedGenerations"]}
            for e, seen in probe["endpoints"].items()
        }
    if record.jitter:
        dns["contention"] = contention(ledger.timeline, Invariant.NON_EMPTY in ledger.broken)
    if ledger.emptied or _empty_answers(probe):
        by = ledger.recovered_by
        dns |= {"recoveredBy": by, "healedByItself": by in ("nextPlan", "selfRepair")}
    return dns


def _servers(probe: Json) -> list[Json]:
    """What every server answered, for every endpoint that was asked for."""
    told = (probe.get("endpoints") or {"": probe}).values()
    return [s for each in told for s in (each.get("servers") or {}).values()]


def _empty_answers(probe: Json) -> int:
    return sum(int(s["empty"]) for s in _servers(probe))


def mixed_trees(
    said: Mapping[str, tuple[str, ...]], answered: Mapping[str, list[list[str]]]
) -> tuple[str, ...]:
    """The trees that answered customers with other addresses than their plan's, all of one family.
    An empty answer is NonEmpty's."""
    return tuple(
        tree
        for tree, sets in sorted(answered.items())
        if tree in said and any(sorted(s) != _of_family(said[tree], s) for s in sets)
    )


def _of_family(addresses: tuple[str, ...], like: list[str]) -> list[str]:
    return sorted(a for a in addresses if family_of(a) == family_of(like[0]))


def _note_answers(record: Record, probe: Json) -> None:
    """Put the first empty answer and the recovery into the timeline."""
    seen = (probe.get("servers") or {}).get("authoritative", {})
    for field, event in (("firstEmptyAt", "firstEmptyAnswer"), ("recoveredAt", "answeredAgain")):
        if seen.get(field) is not None:
            record.ledger.note(seen[field], event, "authoritative", "probe")


def result_document(
    scenario: str,
    engine: Engine,
    seed: int,
    arms: list[Json],
    verdict: str = "",
    message: str = "",
) -> Json:
    """The whole document; verdict and message are worked out where none are given."""
    verdict = verdict or str(worst(Verdict(a["verdict"]) for a in arms if "verdict" in a))
    return {
        "scenario": scenario,
        "engine": engine,
        "seed": seed,
        "verdict": verdict,
        "message": message or summary(verdict, arms),
        "arms": arms,
    }


def summary(verdict: str, arms: Iterable[Mapping[str, Any]]) -> str:
    """The Scenario's sentence: what was not as expected, arm by arm."""
    every = list(arms)
    wrong = [f"{a['name']}: {a['message']}" for a in every if a["verdict"] != Verdict.PASS]
    return "; ".join(wrong) or f"all {len(every)} arms as expected ({verdict})"
