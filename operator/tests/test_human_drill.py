"""What a drill says that was done, missed or out of order, from what was seen alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from holdfast.cli.drill_report import document
from holdfast.core.drill import (
    AliasNow,
    Answered,
    Done,
    PlanMade,
    RegionNow,
    Report,
    Server,
    Sight,
    Step,
    judge,
    would_hold,
)
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import AWS_2025, SAFE, Cleanup, DnsGuards, Fence, Rollback
from holdfast.core.objects import Alias

ZERO = 100.0
FENCED = replace(AWS_2025, fence=Fence.GENERATION)
WORD = Freeze("alice", FOREVER, "it is empty")
BROKEN = Alias("dynamodb", "dynamodb-p1", 1, writer="us-east-1a/a")
FROZEN = replace(BROKEN, frozen=WORD.text())
TURNED = replace(FROZEN, target="dynamodb-p9", generation=9, writer="operator/alice")
THAWED = replace(TURNED, frozen="")
NEWEST = replace(THAWED, target="dynamodb-p10", generation=10, writer="us-east-1b/b")


def answers(t: float, server: Server, good: bool) -> Answered:
    return Answered(ZERO + t, server, good)


def region(t: float, freeze: Freeze | None = None, guards: DnsGuards = AWS_2025) -> RegionNow:
    return RegionNow(ZERO + t, freeze, guards)


def alias(t: float, now: Alias) -> AliasNow:
    return AliasNow(ZERO + t, now)


LOST: tuple[Sight, ...] = (
    region(-20),
    PlanMade(ZERO - 19, 1),
    alias(-18, BROKEN),
    answers(-15, "resolver", True),
    answers(-15, "authoritative", True),
    PlanMade(ZERO - 1, 8),
    answers(0, "authoritative", False),
    answers(2, "resolver", False),
)
FREEZE = (region(10, WORD), alias(10.1, FROZEN))
OVERRIDE = (PlanMade(ZERO + 20, 9), alias(20.1, TURNED), answers(20.2, "authoritative", True))
SERVED = (answers(60, "resolver", True),)
GUARD = (region(70, WORD, FENCED),)
THAW = (alias(80, THAWED), region(80.1, None, FENCED))
CONVERGED = (PlanMade(ZERO + 81, 10), alias(81.2, NEWEST))
BY_THE_BOOK = (*LOST, *FREEZE, *OVERRIDE, *SERVED, *GUARD, *THAW, *CONVERGED)


def told(*sights: Sequence[Sight], at: float = 90) -> Report:
    seen = sorted((s for part in sights for s in part), key=lambda s: s.t)
    return judge(seen, ZERO + at)


def done(report: Report) -> dict[str, Done]:
    return {s.step: s.done for s in report.steps if s.step is not Step.LOOK}


def test_all_of_the_runbook_in_its_order_is_a_pass() -> None:
    report = told(BY_THE_BOOK)
    assert report.passed
    assert report.is_over
    assert set(done(report).values()) == {Done.DONE}
    assert report.recovered == {"authoritative": 20.2, "resolver": 60.0}
    assert {s.step: s.seconds for s in report.steps} == {
        "look": None,
        "freeze": 10.1,
        "override": 20.1,
        "verify": 60.0,
        "guard": 70.0,
        "thaw": 80.1,
        "converge": 81.2,
    }


def test_looking_is_neither_done_nor_missed() -> None:
    report = told(BY_THE_BOOK)
    assert report.steps[0].step is Step.LOOK
    assert report.steps[0].done is Done.NOT_OBSERVABLE


def test_nobody_did_anything() -> None:
    report = told(LOST)
    assert report.of(Done.MISSED) == tuple(s for s in Step if s is not Step.LOOK)
    assert report.recovered == {"authoritative": None, "resolver": None}
    assert not report.is_over


def test_before_the_first_empty_answer_there_is_nothing_to_judge() -> None:
    report = judge(LOST[:-2], ZERO)
    assert report.empty_at is None
    assert not report.is_over


def test_no_such_name_before_the_name_was_ever_served_is_no_outage() -> None:
    assert judge([Answered(1.0, "authoritative", False)], 2.0).empty_at is None


@pytest.mark.parametrize(
    ("left_out", "missed"),
    [
        (FREEZE, {Step.FREEZE}),
        (GUARD, {Step.GUARD}),
        (SERVED, {Step.VERIFY}),
        (CONVERGED, {Step.CONVERGE}),
        ((*THAW, *CONVERGED), {Step.THAW, Step.CONVERGE}),
    ],
)
def test_what_was_left_out_is_named(left_out: tuple[Sight, ...], missed: set[Step]) -> None:
    plain = {TURNED: THAWED} if left_out is FREEZE else {}
    unguarded = {(WORD, FENCED): (WORD, AWS_2025), (None, FENCED): (None, AWS_2025)}
    sights: list[Sight] = []
    for sight in BY_THE_BOOK:
        if sight in left_out:
            continue
        if isinstance(sight, AliasNow):
            sight = replace(sight, alias=plain.get(sight.alias, sight.alias))
        if isinstance(sight, RegionNow) and left_out is GUARD:
            freeze, guards = unguarded.get((sight.freeze, sight.guards), (sight.freeze, AWS_2025))
            sight = replace(sight, freeze=freeze, guards=guards)
        if isinstance(sight, RegionNow) and left_out is FREEZE:
            sight = replace(sight, freeze=None)
        sights.append(sight)
    report = told(sights)
    expected = missed | ({Step.THAW} if left_out is FREEZE else set())
    assert set(report.of(Done.MISSED)) == expected
    assert not report.passed


def test_a_freeze_after_the_override_is_out_of_order() -> None:
    turned = replace(TURNED, frozen="")
    late = (alias(5, turned), answers(5.1, "authoritative", True), alias(30, TURNED))
    report = told(LOST, late, SERVED, (region(30, WORD),), GUARD, THAW, CONVERGED)
    assert done(report)["freeze"] is Done.OUT_OF_ORDER
    assert report.of(Done.OUT_OF_ORDER) == (Step.FREEZE,)
    assert report.is_over
    assert not report.passed


def test_a_thaw_before_the_guard_and_before_the_resolver_answers() -> None:
    early = (alias(30, THAWED), region(30.1, None))
    guard = (region(70, None, FENCED),)
    report = told(LOST, FREEZE, OVERRIDE, early, CONVERGED, SERVED, guard)
    assert report.of(Done.OUT_OF_ORDER) == (Step.VERIFY, Step.GUARD)
    assert [s.note for s in report.steps if s.done is Done.OUT_OF_ORDER] == ["after the thaw"] * 2
    assert report.is_over


def test_a_name_that_is_lost_again_is_not_recovered() -> None:
    again = (answers(85, "authoritative", False),)
    report = told(BY_THE_BOOK, again)
    assert report.recovered["authoritative"] is None
    assert not report.is_over
    back = told(BY_THE_BOOK, again, (answers(88, "authoritative", True),))
    assert back.recovered["authoritative"] == 88.0


def test_a_freeze_that_passes_by_itself_is_a_thaw() -> None:
    word = Freeze("alice", ZERO + 75, "for a while")
    held = replace(FROZEN, frozen=word.text())
    turned = replace(TURNED, frozen=word.text())
    sights = (region(10, word), alias(10.1, held), alias(20.1, turned), *OVERRIDE[2:])
    assert done(told(LOST, sights, at=74))["thaw"] is Done.MISSED
    assert done(told(LOST, sights, at=76))["thaw"] is Done.DONE


def test_an_override_by_another_hand_counts_by_the_freeze_that_it_passed() -> None:
    """kubectl, by somebody who left the writer's annotation as it was."""
    by_hand = replace(TURNED, writer=BROKEN.writer)
    report = told(LOST, FREEZE, (alias(20.1, by_hand), answers(20.2, "authoritative", True)))
    assert done(report)["override"] is Done.DONE


def test_automation_that_heals_the_name_is_no_override() -> None:
    healed = replace(BROKEN, target="dynamodb-p9", generation=9, writer="us-east-1b/b")
    report = told(LOST, (alias(5, healed), answers(5.1, "authoritative", True)))
    assert done(report)["override"] is Done.MISSED
    assert report.recovered["authoritative"] == 5.1


def test_a_resolver_that_never_heard_of_it_lost_nothing() -> None:
    unheard = LOST[:-1]
    report = told(unheard, FREEZE, OVERRIDE)
    assert report.recovered == {"authoritative": 20.2, "resolver": 0.0}


def test_a_guard_that_is_taken_off_again_is_none() -> None:
    off = (region(75, WORD, AWS_2025), *THAW[:1], region(80.1, None, AWS_2025))
    report = told(LOST, FREEZE, OVERRIDE, SERVED, GUARD, off, CONVERGED)
    assert report.of(Done.MISSED) == (Step.GUARD,)


@pytest.mark.parametrize(
    ("guards", "holds"),
    [
        (AWS_2025, False),
        (replace(AWS_2025, rollback=Rollback.DECOUPLED), False),
        (replace(AWS_2025, fence=Fence.CHECK_EACH), False),
        (replace(AWS_2025, fence=Fence.CHECK_IN_LOCK), True),
        (FENCED, True),
        (replace(AWS_2025, cleanup=Cleanup.PIN_LIVE), True),
        (SAFE, True),
    ],
)
def test_a_guard_is_one_that_keeps_the_name(guards: DnsGuards, holds: bool) -> None:
    assert would_hold(guards) is holds


def test_the_document_says_all_of_it() -> None:
    report = told(BY_THE_BOOK)
    raw = document(report, "recovered", "drill-practice", "dynamodb.us-east-1.cloud.test")
    assert raw["verdict"] == "Pass"
    assert raw["recoverySeconds"] == {"authoritative": 20.2, "resolver": 60.0}
    assert raw["firstEmptyAt"] == "1970-01-01T00:01:40Z"
    assert [s["step"] for s in raw["steps"]] == [str(s) for s in Step]
    assert (raw["missed"], raw["outOfOrder"]) == ([], [])
