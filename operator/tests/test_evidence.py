"""Ledger, answers and verdicts by values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.answers import Answer, Tally, classify
from holdfast.core.document import evidence_of
from holdfast.core.guards import AWS_2025, Fence, Rollback, effective
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import AliasSeen, Ledger, Seen, SliceSeen, TreeSeen
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.record import Record
from holdfast.core.scenario import Arm
from holdfast.core.verdict import (
    Evidence,
    Expected,
    Outcome,
    Verdict,
    guard_yaml,
    guards_missing,
    judge,
    outcome_of,
    worst,
)


def alias(generation: int, rollback: str = "", version: str = "1", lock: str = "") -> AliasSeen:
    target = f"dynamodb-p{generation}"
    writer = "us-east-1a/pod"
    return AliasSeen(
        Alias("dynamodb", target, generation, rollback, lock, writer, "u", version), gone=False
    )


def tree(generation: int, gone: bool = False) -> TreeSeen:
    name, uid = f"dynamodb-p{generation}", f"u-{generation}"
    return TreeSeen(Tree(name, "dynamodb", generation, (), uid, "1"), gone)


def piece(generation: int) -> SliceSeen:
    name, uid = f"dynamodb-p{generation}", f"u-{generation}"
    return SliceSeen(Slice(f"{name}-v4", name, uid, "IPv4", ("10.0.0.1",)))


def whole(*generations: int) -> list[Seen]:
    """Trees with their addresses."""
    return [seen for g in generations for seen in (tree(g), piece(g))]


def test_the_incident_in_the_ledger() -> None:
    ledger = Ledger()
    for seen in whole(1, 4):
        ledger.see(0.0, seen)
    for t, seen in enumerate(
        [alias(4), alias(4, lock="x", version="2"), alias(1, version="3")], start=2
    ):
        ledger.see(float(t), seen)
    assert ledger.stale_writes_applied == 1
    assert ledger.live_generations == [(2.0, "dynamodb", 4), (4.0, "dynamodb", 1)]
    assert set(ledger.broken) == {Invariant.MONOTONE}
    flip = ledger.timeline[-1]
    assert flip["event"] == "staleFlip"
    assert (flip["resourceVersionBefore"], flip["resourceVersionAfter"]) == ("2", "3")
    ledger.see(5.0, tree(1, gone=True))
    assert set(ledger.broken) == {
        Invariant.MONOTONE,
        Invariant.NO_LIVE_DELETE,
        Invariant.NON_EMPTY,
    }
    assert ledger.emptied == [(5.0, "dynamodb")]
    assert ledger.empty_now == {"dynamodb"}
    for seen in (*whole(5), alias(5, version="9")):
        ledger.see(6.0, seen)
    assert not ledger.empty_now


def test_a_listing_is_judged_as_a_whole_and_a_deleted_alias_is_an_outage() -> None:
    ledger = Ledger()
    ledger.see(0.0, alias(4), whole=False)
    ledger.see(0.0, tree(4), whole=False)
    ledger.judge(0.0)
    assert not ledger.broken
    gone = AliasSeen(alias(4).alias, gone=True)
    ledger.see(1.0, gone)
    assert set(ledger.broken) == {Invariant.NON_EMPTY}


def test_a_rollback_record_that_names_nothing_is_reported_and_is_no_outage() -> None:
    ledger = Ledger()
    for seen in (tree(1), tree(5), alias(5, rollback="dynamodb-p1"), tree(1, gone=True)):
        ledger.see(0.0, seen)
    assert set(ledger.broken) == {Invariant.ROLLBACK_NAMES_A_TREE}
    assert outcome_of(evidence(broken=frozenset(ledger.broken))) is Outcome.PREVENTED


@pytest.mark.parametrize(
    ("rcode", "addresses", "generation", "answer"),
    [
        ("NOERROR", 3, 7, Answer.OK),
        ("NOERROR", 3, 6, Answer.STALE),
        ("NOERROR", 3, None, Answer.OK),
        ("NOERROR", 0, 7, Answer.EMPTY),
        ("NXDOMAIN", 0, None, Answer.NXDOMAIN),
        ("SERVFAIL", 0, None, Answer.SERVFAIL),
        ("REFUSED", 0, None, Answer.SERVFAIL),
    ],
)
def test_classes_of_answers(
    rcode: str, addresses: int, generation: int | None, answer: Answer
) -> None:
    assert classify(rcode, addresses, generation, newest=7) is answer


def test_an_empty_episode_lasts_from_the_first_empty_to_the_next_good_answer() -> None:
    tally = Tally()
    tally.add(0.0, Answer.NXDOMAIN, None)  # before it was born
    for t, answer in [(1.0, Answer.OK), (2.0, Answer.EMPTY), (2.5, Answer.MISSING)]:
        tally.add(t, answer, 7 if answer is Answer.OK else None)
    assert tally.empty_seconds() == pytest.approx(0.5)
    tally.add(3.0, Answer.OK, 8)
    report = tally.report(zero=1.0)
    assert report["queries"] == 4
    assert report["emptySeconds"] == 1.0
    assert (report["firstEmptyAt"], report["recoveredAt"]) == (1.0, 2.0)
    assert tally.generations == [(1.0, 7), (3.0, 8)]


def test_a_tally_without_a_good_answer_reports_no_times() -> None:
    tally = Tally()
    tally.add(0.0, Answer.EMPTY, None)
    assert "beganAt" not in tally.report()
    assert tally.report()["queries"] == 0


@given(st.lists(st.sampled_from(list(Answer)), max_size=60))
def test_counts_add_up_and_emptiness_is_bounded(answers: list[Answer]) -> None:
    tally = Tally()
    for t, answer in enumerate(answers):
        tally.add(float(t), answer, 1)
    assert sum(tally.counts.values()) == tally.queries <= len(answers)
    assert 0 <= tally.empty_seconds() <= len(answers)
    assert (tally.empty_seconds() == 0) or tally.counts[Answer.EMPTY] > 0


def evidence(**changes: object) -> Evidence:
    good = Evidence(
        broken=frozenset(),
        empty_answers=0,
        coverage=1.0,
        uncaught_holds=(),
        overdue_holds=(),
        attempts=1,
        healthy_at_first=True,
        cut_off=False,
        watch_gaps=0,
        guards_as_asked=True,
    )
    return replace(good, **changes)  # type: ignore[arg-type]


BROKEN = frozenset({Invariant.NON_EMPTY})
REPRODUCED, PREVENTED = Outcome.REPRODUCED, Outcome.PREVENTED


@pytest.mark.parametrize(
    ("expect", "changes", "verdict", "why"),
    [
        (PREVENTED, {}, Verdict.PASS, "as expected"),
        (REPRODUCED, {"broken": BROKEN, "empty_answers": 9}, Verdict.PASS, "as expected"),
        (REPRODUCED, {}, Verdict.FAIL, "did not happen"),
        (PREVENTED, {"broken": BROKEN}, Verdict.FAIL, "although it was expected to be prevented"),
        (PREVENTED, {"empty_answers": 1}, Verdict.FAIL, "expected to be prevented"),
        (PREVENTED, {"empty_answers": 1, "coverage": 0.1}, Verdict.FAIL, "expected to be"),
        (REPRODUCED, {"broken": BROKEN}, Verdict.INCONCLUSIVE, "the probe saw no empty answer"),
        (PREVENTED, {"attempts": 0}, Verdict.INCONCLUSIVE, "no stale write was attempted"),
        (PREVENTED, {"coverage": 0.89}, Verdict.INCONCLUSIVE, "89% of the probe"),
        (PREVENTED, {"cut_off": True}, Verdict.INCONCLUSIVE, "deadline came before"),
        (PREVENTED, {"watch_gaps": 1}, Verdict.INCONCLUSIVE, "a watch was lost"),
        (PREVENTED, {"guards_as_asked": False}, Verdict.INCONCLUSIVE, "guards in force"),
        (REPRODUCED, {"empty_answers": 1}, Verdict.INCONCLUSIVE, "always named a tree"),
        (PREVENTED, {"healthy_at_first": False}, Verdict.INCONCLUSIVE, "never answered"),
        (PREVENTED, {"uncaught_holds": ("hold-2",)}, Verdict.INCONCLUSIVE, "hold-2"),
        (PREVENTED, {"overdue_holds": ("hold-1",)}, Verdict.INCONCLUSIVE, "deadline"),
    ],
)
def test_the_rules_of_a_verdict(
    expect: Outcome, changes: dict[str, object], verdict: Verdict, why: str
) -> None:
    found, sentence = judge(Expected(expect), evidence(**changes))
    assert found is verdict
    assert why in sentence


def test_a_stale_write_that_was_applied_and_did_no_harm_is_an_attempt() -> None:
    """As behind PinLive: the alias goes back, and its tree is still there."""
    record = Record(Arm("pinned", AWS_2025, {}, PREVENTED, ()), ("dynamodb",))
    for seen in (*whole(1, 4), alias(4)):
        record.see(0.0, seen)
    assert evidence_of(record, {}).attempts == 0
    record.see(1.0, alias(1, version="3"))
    assert evidence_of(record, {}).attempts == 1
    assert outcome_of(evidence_of(record, {})) is PREVENTED


def test_the_scenario_is_as_bad_as_its_worst_arm() -> None:
    assert worst([Verdict.PASS, Verdict.PASS]) is Verdict.PASS
    assert worst([Verdict.PASS, Verdict.FAIL]) is Verdict.FAIL
    assert worst([Verdict.FAIL, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert worst(list(Verdict)) is Verdict.ERROR
    assert worst([]) is Verdict.INCONCLUSIVE


def test_what_broke_names_the_guard_that_is_not_on_and_its_yaml() -> None:
    broken = [Invariant.NON_EMPTY, Invariant.MONOTONE, Invariant.CONVERGES]
    every = (Invariant.CONVERGES, Invariant.MONOTONE, Invariant.NON_EMPTY)
    assert guards_missing(broken, effective(AWS_2025)) == {
        "dns.fence=Generation": every,
        "dns.fence=CheckInLock": every,
        "dns.cleanup=PinLive": (Invariant.CONVERGES, Invariant.NON_EMPTY),
        "dns.admission=Enabled": every,
        "dns.rollback=Decoupled": (Invariant.CONVERGES,),
        "dns.selfRepair=Enabled": (Invariant.CONVERGES,),
    }
    assert guards_missing(list(Invariant), effective(AWS_2025)), "every invariant has an entry"


def test_what_broke_behind_a_guard_that_holds_it_is_not_explained() -> None:
    fenced = replace(AWS_2025, fence=Fence.GENERATION)
    assert guards_missing([Invariant.NON_EMPTY, Invariant.CONVERGES], effective(fenced)) == {}
    healed = replace(AWS_2025, rollback=Rollback.DECOUPLED)
    assert guards_missing([Invariant.CONVERGES], effective(healed)) == {}
    assert "dns.fence=Generation" in guards_missing([Invariant.NON_EMPTY], effective(healed))


def test_a_guard_is_told_with_its_line_of_yaml() -> None:
    assert guard_yaml("dns.fence=Generation") == "guards: {dns: {fence: Generation}}"


EMPTIED = {"broken": BROKEN, "empty_answers": 9}


@pytest.mark.parametrize(
    ("expected", "changes", "verdict", "why"),
    [
        (Expected(None), {}, Verdict.PASS, "as expected"),
        (Expected(None), EMPTIED, Verdict.PASS, "as expected"),
        (Expected(None), {"attempts": 0}, Verdict.PASS, "as expected"),
        (Expected(None), {"coverage": 0.1}, Verdict.INCONCLUSIVE, "10% of the probe"),
        (Expected(PREVENTED), {"attempts": 0, "faults": 1}, Verdict.PASS, "as expected"),
        (
            Expected(REPRODUCED, "operator"),
            EMPTIED | {"recovered_by": "operator"},
            Verdict.PASS,
            "as expected",
        ),
        (
            Expected(REPRODUCED, "operator"),
            EMPTIED | {"recovered_by": "nextPlan"},
            Verdict.FAIL,
            "recovered by nextPlan, operator was expected",
        ),
        (
            Expected(REPRODUCED, "nobody"),
            EMPTIED | {"recovered_by": "nobody"},
            Verdict.PASS,
            "as expected",
        ),
        (
            Expected(None, "selfRepair"),
            {},
            Verdict.FAIL,
            "recovered by nobody, selfRepair was expected",
        ),
        (
            Expected(PREVENTED, keeps=(Invariant.CONVERGES,)),
            {"broken": frozenset({Invariant.CONVERGES})},
            Verdict.FAIL,
            "Converges broke although it was expected to hold",
        ),
        (Expected(PREVENTED, keeps=(Invariant.CONVERGES,)), {}, Verdict.PASS, "as expected"),
        (
            Expected(PREVENTED, breaks=(Invariant.MONOTONE,)),
            {},
            Verdict.FAIL,
            "Monotone held although it was expected to break",
        ),
        (
            Expected(PREVENTED, breaks=(Invariant.MONOTONE,)),
            {"broken": frozenset({Invariant.MONOTONE})},
            Verdict.PASS,
            "as expected",
        ),
        (
            Expected(PREVENTED, keeps=(Invariant.CONVERGES,)),
            EMPTIED,
            Verdict.FAIL,
            "the outage happened",
        ),
        (
            Expected(PREVENTED, breaks=(Invariant.MONOTONE,)),
            {"watch_gaps": 1},
            Verdict.INCONCLUSIVE,
            "a watch was lost",
        ),
        (
            Expected(REPRODUCED, "operator"),
            EMPTIED | {"undone_acts": ("act-5",)},
            Verdict.INCONCLUSIVE,
            "never came to pass: act-5",
        ),
        (
            Expected(REPRODUCED, "operator"),
            EMPTIED | {"failed_acts": ("act-5: no plan has addresses",)},
            Verdict.INCONCLUSIVE,
            "could not be done: act-5: no plan has addresses",
        ),
    ],
)
def test_what_an_arm_expects_besides_the_outage(
    expected: Expected, changes: dict[str, object], verdict: Verdict, why: str
) -> None:
    found, sentence = judge(expected, evidence(**changes))
    assert (found, why in sentence) == (verdict, True), sentence
