"""One state check: what it asks for, in which order, and what comes of every answer."""

from dataclasses import replace

import pytest

from holdfast.core.intents import Replace
from holdfast.core.leases.attempt import (
    Answered,
    AskAgent,
    Attempt,
    Failed,
    Outcome,
    Resolve,
    Spend,
    Step,
    StepReply,
    StoreCheck,
    attempt,
)
from holdfast.core.leases.lease import DropletLease, RackLease, pack, unpack
from holdfast.core.replies import (
    Absent,
    Conflict,
    Missed,
    Overloaded,
    Passed,
    Rejected,
    TimedOut,
    Written,
)

ME, OTHER = "us-east-1a/me", "us-east-1a/other"
UNIT, AGENT = "us-east-1a-r1-d1", "agent-1"
LEASE = DropletLease(UNIT, "us-east-1a", 1, 9.0, uid="u", resource_version="7")
THEIRS = replace(LEASE, holder=OTHER, agent=AGENT, acquired=1.0, renewed=95.0)
QUEUED, DEADLINE = 100.0, 101.0
ADDRESSES = ("10.0.0.1", "10.0.0.2")

SPENT = Answered(100.1)
RESOLVED = Answered(100.2, ADDRESSES)
KEPT = Answered(100.3)
SAID = Answered(100.4, (UNIT, AGENT))
WANTED = replace(
    LEASE, holder=ME, agent=AGENT, acquired=QUEUED, renewed=QUEUED, transitions=1, phase="Held"
)
STORED = replace(WANTED, resource_version="8")


def begun(lease: DropletLease | RackLease = LEASE) -> Attempt:
    return attempt(ME, lease, 0.5, QUEUED, DEADLINE)


def run(flow: Attempt, *replies: StepReply) -> tuple[list[Step], Outcome | None]:
    """What it asked for, and its outcome; None if it waits for another reply."""
    asked: list[Step] = []
    for reply in (None, *replies):
        try:
            asked.append(flow.send(reply))  # type: ignore[arg-type]  # None: it begins
        except StopIteration as stop:
            return asked, stop.value
    return asked, None


def test_it_asks_in_this_order_and_writes_under_the_version_that_it_read() -> None:
    asked, outcome = run(begun(), SPENT, RESOLVED, KEPT, SAID, Written(STORED, 100.5))
    assert asked == [
        Spend(0.5),
        Resolve(),
        StoreCheck(ADDRESSES, UNIT),
        AskAgent(UNIT),
        Replace(WANTED),
    ]
    assert (WANTED.uid, WANTED.resource_version) == (LEASE.uid, LEASE.resource_version)
    assert outcome == Outcome("", STORED)


@pytest.mark.parametrize(
    ("replies", "why", "told"),
    [
        ((SPENT, Failed(100.2, "NXDOMAIN")), "NameEmpty", "NXDOMAIN"),
        ((SPENT, TimedOut(100.2)), "NameEmpty", "TimedOut"),
        ((SPENT, RESOLVED, Failed(100.3, "refused")), "StoreUnreachable", "refused"),
        ((SPENT, RESOLVED, TimedOut(100.3)), "StoreUnreachable", "TimedOut"),
        ((SPENT, RESOLVED, Failed(100.3, "HTTP 503")), "StoreOverloaded", "HTTP 503"),
        ((SPENT, RESOLVED, KEPT, Failed(100.4, "no route")), "AgentSilent", "no route"),
        (
            (SPENT, RESOLVED, KEPT, Answered(100.4, ("us-east-1a-r2-d1", AGENT))),
            "AgentOfAnother",
            f"asked for {UNIT}, told of us-east-1a-r2-d1",
        ),
        (
            (SPENT, RESOLVED, KEPT, Answered(101.25, (UNIT, AGENT))),
            "Late",
            "0.25 s past its deadline",
        ),
    ],
)
def test_what_fails_on_the_way_writes_nothing(
    replies: tuple[StepReply, ...], why: str, told: str
) -> None:
    asked, outcome = run(begun(), *replies)
    assert outcome == Outcome(why, told=told)  # type: ignore[arg-type]
    assert not any(isinstance(step, Replace) for step in asked)


def test_on_its_deadline_it_is_in_time() -> None:
    asked, outcome = run(begun(), SPENT, RESOLVED, KEPT, Answered(DEADLINE, (UNIT, AGENT)))
    assert (asked[-1], outcome) == (Replace(WANTED), None)


@pytest.mark.parametrize(
    ("lease", "takes"),
    [
        (THEIRS, False),
        (replace(THEIRS, renewed=91.001), False),
        (replace(THEIRS, renewed=91.0), True),
        (replace(THEIRS, holder=""), True),
        (replace(THEIRS, holder=ME), True),
    ],
    ids=["another's", "another's until just after", "another's until then", "nobody's", "mine"],
)
def test_a_lease_of_another_is_taken_only_if_it_had_run_out_when_the_check_was_queued(
    lease: DropletLease, takes: bool
) -> None:
    """From then on it would be held: so whoever held it then is not asked for anything at all."""
    asked, outcome = run(begun(lease))
    if takes:
        assert (asked, outcome) == ([Spend(0.5)], None)
    else:
        assert (asked, outcome) == ([], Outcome("LeaseOfAnother", told=f"held by {OTHER}"))


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Written(STORED, DEADLINE), Outcome("", STORED)),
        (Written(STORED, 101.5), Outcome("Late", told="written 0.50 s past its deadline")),
        (Conflict(100.5), Outcome("WriteConflict", told="Conflict")),
        (Missed(100.5), Outcome("WriteConflict", told="Missed")),
        (Absent(100.5), Outcome("WriteConflict", told="Absent")),
        (TimedOut(100.5), Outcome("WriteFailed", told="TimedOut")),
        (Overloaded(100.5), Outcome("WriteFailed", told="Overloaded")),
        (
            Rejected("Forbidden", "no", 100.5),
            Outcome("WriteFailed", told="Forbidden: no"),
        ),
        (Passed(100.5), Outcome("WriteFailed", told="unexpected: Passed")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_comes_of_the_write(reply: StepReply, outcome: Outcome) -> None:
    _, found = run(begun(), SPENT, RESOLVED, KEPT, SAID, reply)
    assert found == outcome


def test_however_late_the_write_it_says_what_was_true_when_it_was_queued() -> None:
    mine = replace(LEASE, holder=ME, agent=AGENT, acquired=50.0, renewed=97.0)
    asked, _ = run(begun(mine), SPENT, RESOLVED, KEPT, Answered(DEADLINE, (UNIT, AGENT)))
    assert isinstance(asked[-1], Replace)
    assert asked[-1].obj == replace(mine, renewed=QUEUED, phase="Held")


def test_of_a_rack_it_writes_who_answered() -> None:
    rack = RackLease("us-east-1a-r1", "us-east-1a", 1, 9.0, uid="u", resource_version="7")
    rack = replace(rack, packed=pack([None] * 3))
    said = Answered(100.4, (rack.name, AGENT), frozenset({0, 2}))
    asked, _ = run(begun(rack), SPENT, RESOLVED, KEPT, said)
    assert isinstance(asked[-1], Replace)
    written = asked[-1].obj
    assert isinstance(written, RackLease)
    assert (unpack(written.packed), written.live(108.0)) == ([0, None, 0], 2)


@pytest.mark.parametrize("replies", range(5))
def test_cut_after_any_step_it_has_written_nothing_of_its_own(replies: int) -> None:
    """The flow holds nothing: dropped before its write, it leaves the world as it was."""
    flow = begun()
    asked, outcome = run(flow, *(SPENT, RESOLVED, KEPT, SAID)[:replies])
    flow.close()
    assert outcome is None
    assert [type(step) for step in asked] == [
        Spend,
        Resolve,
        StoreCheck,
        AskAgent,
        Replace,
    ][: replies + 1]
