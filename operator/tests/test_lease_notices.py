"""What people hear of a lease manager: numbers, seldom, and what is behind them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lease_drive import INCIDENT, Drive, begun, guards

from holdfast.core.leases.fleet import Fleet, Mode
from holdfast.core.leases.manager import Figures, Manager
from holdfast.core.leases.notices import LULL_SECONDS, LeaseWitness, Sight, Told, sight_of
from holdfast.core.reasons import MEANINGS, Notice, Reason
from holdfast.core.region import region_of
from holdfast.live import metrics
from holdfast.live.notices import LeaseNotices

ZONE = "us-east-1a"
ALL = Sight(
    zone=ZONE,
    noun="leases",
    held=40,
    units=40,
    queue=0,
    under_way=0,
    oldest=0.0,
    admits=6,
    throttle=None,
    timeout=1.0,
    period=3.0,
)
DARK = "us-east-1a-r1-d7: NameEmpty: dynamodb.us-east-1.cloud.test: NOERROR, 0 addresses"


def looks(*figures: Figures, sight: Sight = ALL, every: float = 1.0) -> list[list[Told]]:
    """One look after the other at the same sight."""
    witness = LeaseWitness()
    return [witness.look(100 + n * every, f, sight) for n, f in enumerate(figures)]


def alone(found: list[Told]) -> Told:
    (told,) = found
    return told


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figures", "sight", "reason", "guard", "message"),
    [
        (
            Figures(full=12),
            replace(ALL, queue=2, under_way=4),
            Reason.LEASE_QUEUE_FULL,
            "leases.admission=QueueBound",
            "12 state checks of us-east-1a not queued: 6 are admitted, 2 wait and 4 are under way "
            "now (leases.admission=QueueBound)",
        ),
        (
            Figures(throttled=1),
            replace(ALL, queue=5, throttle=5),
            Reason.LEASE_THROTTLED,
            "",
            "1 state check of us-east-1a not queued: a human lets 5 wait or be under way, 5 wait "
            "and 0 are under way now (spec.fleet.admitAtMost)",
        ),
        (
            Figures(dropped=3),
            ALL,
            Reason.LEASE_WORK_DROPPED,
            "leases.expired=Drop",
            "3 state checks of us-east-1a dropped: too old to end within 1 s of their queueing "
            "(leases.expired=Drop)",
        ),
        (
            Figures(dropped=3, restarts=1),
            ALL,
            Reason.LEASE_WORK_DROPPED,
            "",
            "3 state checks of us-east-1a dropped: a human had the memory dropped (holdfast leases "
            "restart)",
        ),
        (
            Figures(denied_retries=2),
            ALL,
            Reason.LEASE_RETRY_DENIED,
            "leases.retry=BudgetedJitter",
            "2 state checks of us-east-1a not tried again: the budget of retries is spent "
            "(leases.retry=BudgetedJitter)",
        ),
        (
            Figures(deduped=9),
            ALL,
            Reason.LEASE_ALREADY_QUEUED,
            "leases.dedupe=ByDroplet",
            "9 state checks of us-east-1a left out: the same lease's waits, or is under way, "
            "already (leases.dedupe=ByDroplet)",
        ),
        (
            Figures(failed=4),
            replace(ALL, last_failure=DARK),
            Reason.LEASE_ATTEMPT_FAILED,
            "",
            f"4 state checks of us-east-1a failed, at last {DARK}",
        ),
        (
            Figures(late=14),
            replace(ALL, queue=30, oldest=4.25, last_failure=DARK),
            Reason.LEASE_ATTEMPT_LATE,
            "",
            "14 state checks of us-east-1a came too late for their 1 s: 30 wait, the oldest for "
            "4.2 s",
        ),
        (
            Figures(theirs=2),
            replace(ALL, last_failure="us-east-1a-r1-d1: LeaseOfAnother: held by us-east-1a/x"),
            Reason.LEASE_OF_ANOTHER,
            "",
            "2 state checks of us-east-1a found leases that another holds, at last "
            "us-east-1a-r1-d1: LeaseOfAnother: held by us-east-1a/x",
        ),
        (
            Figures(conflicts=1),
            replace(ALL, last_failure="us-east-1a-r1-d1: WriteConflict: Conflict"),
            Reason.LEASE_WRITE_CONFLICT,
            "",
            "1 state check of us-east-1a lost the write to another (409), at last "
            "us-east-1a-r1-d1: WriteConflict: Conflict",
        ),
        (
            Figures(resets=1),
            ALL,
            Reason.LEASE_TIMERS_RESET,
            "",
            "us-east-1a has an answer again: 40 heartbeats begin anew, over 3 s, and what ran out "
            "meanwhile is renewed (leases.grace=ResetTimers)",
        ),
        (
            Figures(lost=7),
            replace(ALL, held=33),
            Reason.LEASES_LOST,
            "",
            "7 leases of us-east-1a lost: 33 of 40 are held",
        ),
    ],
)
def test_what_has_grown_is_told_with_its_numbers_and_the_guard_behind_it(
    figures: Figures, sight: Sight, reason: Reason, guard: str, message: str
) -> None:
    (found,) = looks(figures, sight=sight)
    notice = alone(found).notice
    assert (notice.reason, notice.guard, notice.message) == (reason, guard, message)
    assert (notice.loud, notice.blocks) == (True, False)
    assert MEANINGS[reason].who == "lease manager"


def test_what_has_not_grown_is_not_told_again() -> None:
    _, again = looks(Figures(full=3, late=2), Figures(full=3, late=2))
    assert again == []


def test_ordinary_work_is_nothing_to_tell() -> None:
    busy = Figures(started=500, succeeded=499, retried=3, vain=0)
    assert looks(busy) == [[]]


def test_a_reset_says_what_it_dropped_and_that_it_was_it() -> None:
    (found,) = looks(Figures(dropped=5, resets=1))
    dropped, reset = (told.notice for told in found)
    assert dropped.guard == "leases.grace=ResetTimers"
    assert "heartbeats begin anew" in dropped.message
    assert reset.reason is Reason.LEASE_TIMERS_RESET


def test_lost_leases_are_told_with_what_took_them() -> None:
    witness = LeaseWitness()
    dark = replace(ALL, last_failure=DARK)
    witness.look(100.0, Figures(failed=30), dark)
    found = witness.look(101.0, Figures(failed=40, late=1, lost=40), replace(dark, held=0))
    (lost,) = [t.notice for t in found if t.notice.reason is Reason.LEASES_LOST]
    assert lost.message == (
        "40 leases of us-east-1a lost: 0 of 40 are held; 40 state checks of the last 10 s failed, "
        f"at last {DARK}"
    )


# --- how loud it is said --------------------------------------------------------------------------


def loud(found: list[list[Told]]) -> list[int]:
    """The looks at which something was loud."""
    return [n for n, told in enumerate(found) if any(t.notice.loud for t in told)]


def test_what_goes_on_is_loud_when_it_begins_and_counted_from_then_on() -> None:
    found = looks(*(Figures(full=10 * n) for n in range(1, 301)))
    assert loud(found) == [0]
    assert sum(alone(f).times for f in found) == 3000


def test_what_begins_anew_is_loud_again_and_stands_for_what_was_counted() -> None:
    counts = [5, 7, 9, *[9] * 60, 10]
    found = looks(*(Figures(full=n) for n in counts))
    assert loud(found) == [0, len(counts) - 1]
    last = alone(found[-1])
    assert last.times == 1
    assert last.notice.message.startswith("5 state checks of us-east-1a not queued")


def test_a_pause_between_two_of_a_kind_is_no_end() -> None:
    short = int(LULL_SECONDS) - 1
    counts = [n for n in range(1, 11) for _ in range(short)]
    assert loud(looks(*(Figures(full=n) for n in counts))) == [0]


def test_what_comes_and_goes_is_loud_every_thirty_seconds_at_most() -> None:
    rest = int(LULL_SECONDS) + 1
    counts = [n for n in range(1, 11) for _ in range(rest)]
    assert loud(looks(*(Figures(full=n) for n in counts))) == [0, 3 * rest, 6 * rest, 9 * rest]


def test_what_is_behind_it_changes_and_it_is_loud_again_after_thirty_seconds() -> None:
    witness = LeaseWitness()
    store = "us-east-1a-r1-d7: StoreUnreachable: store 10.0.0.1: no answer"
    heard = []
    for n in range(60):
        sight = replace(ALL, last_failure=DARK if n < 3 else store)
        told = alone(witness.look(100.0 + n, Figures(failed=n + 1), sight))
        if told.notice.loud:
            heard.append((n, told.notice.message))
    assert heard == [
        (0, f"1 state check of us-east-1a failed, at last {DARK}"),
        (30, f"30 state checks of us-east-1a failed, at last {store}"),
    ]


def test_another_lease_that_fails_for_the_same_reason_is_no_news() -> None:
    witness = LeaseWitness()
    heard = [
        alone(
            witness.look(100.0 + n, Figures(failed=n + 1), replace(ALL, last_failure=last))
        ).notice
        for n in range(60)
        for last in [f"us-east-1a-r1-d{n}: AgentSilent: agent 1: 503"]
    ]
    assert [n.loud for n in heard] == [True, *[False] * 59]


def test_reasons_do_not_drown_one_another() -> None:
    first, second = looks(Figures(late=1), Figures(late=2, full=1))
    assert alone(first).notice.loud
    assert [(t.notice.reason, t.notice.loud) for t in second] == [
        (Reason.LEASE_QUEUE_FULL, True),
        (Reason.LEASE_ATTEMPT_LATE, False),
    ]


def test_a_manager_that_counts_from_zero_again_is_another() -> None:
    _, told = looks(Figures(started=50, late=9), Figures(started=2, late=1))
    assert alone(told).times == 1


# --- the condition --------------------------------------------------------------------------------


def test_all_held_says_so_in_the_same_words_each_time() -> None:
    witness = LeaseWitness()
    witness.look(100.0, Figures(late=4), ALL)
    said = witness.state(ALL)
    assert (said.reason, said.message) == (Reason.ALL_HELD, "all 40 leases of us-east-1a are held")


@pytest.mark.parametrize(
    ("figures", "cause"),
    [
        (Figures(), ""),
        (Figures(late=9, failed=2), "; 9 state checks of the last 10 s came too late"),
        (Figures(late=1, full=50), "; 1 state check of the last 10 s came too late"),
        (
            Figures(full=50, dropped=3),
            "; 50 state checks of the last 10 s were not queued, by leases.admission",
        ),
        (
            Figures(throttled=5),
            "; 5 state checks of the last 10 s were not queued, by a human's throttle",
        ),
    ],
)
def test_the_main_cause_is_what_wins_nothing_and_else_what_is_refused(
    figures: Figures, cause: str
) -> None:
    witness, partly = LeaseWitness(), replace(ALL, held=33)
    witness.look(100.0, figures, partly)
    said = witness.state(partly)
    assert said.reason is Reason.LEASES_LOST
    assert said.message == f"33 of 40 leases of us-east-1a are held{cause}"


def test_a_cause_of_long_ago_is_none() -> None:
    witness, partly = LeaseWitness(), replace(ALL, held=33)
    for n in range(12):
        witness.look(100.0 + n, Figures(late=9), partly)
    assert witness.state(partly).message == "33 of 40 leases of us-east-1a are held"


# --- of a manager ---------------------------------------------------------------------------------


def seconds(drive: Drive, until: float, each: Callable[[Drive], Any]) -> list[Any]:
    """What comes of a look every second."""
    found = []
    while drive.now < until:
        drive.until(drive.now + 1.0)
        found.append(each(drive))
    return found


def heard(rungs: Any, until: float = 200.0) -> dict[str, int]:
    """How many loud notices of each reason a dark store makes."""
    drive, witness = begun(rungs=rungs), LeaseWitness()
    out: dict[str, int] = {}

    def look(d: Drive) -> None:
        held = d.manager.held(d.now)
        sight = sight_of(ZONE, d.manager, d.now, held, "")
        for told in witness.look(d.now, d.manager.figures, sight):
            out[str(told.notice.reason)] = out.get(str(told.notice.reason), 0) + told.notice.loud

    seconds(drive, until, look)
    return out


def test_a_collapse_is_heard_of_in_a_few_notices() -> None:
    found = heard(guards())
    assert set(found) == {"LeaseAttemptFailed", "LeaseAttemptLate", "LeasesLost"}
    assert all(1 <= times <= 4 for times in found.values())


def test_what_guards_refuse_is_heard_of_and_nothing_is_late() -> None:
    found = heard(guards("safe"))
    assert {"LeaseRetryDenied", "LeaseTimersReset", "LeaseAttemptFailed"} <= set(found)
    assert all(times <= 7 for times in found.values())
    assert sum(found.values()) <= 20


def test_a_fleet_of_racks_is_told_of_in_racks() -> None:
    fleet = Fleet(racks=5, droplets=200, mode=Mode.RACK)
    drive = begun(fleet)
    sight = sight_of(ZONE, drive.manager, 0.0, 4, "")
    assert LeaseWitness().state(sight).message == "4 of 5 racks of us-east-1a are held"


# --- as it is posted ------------------------------------------------------------------------------


class Said(LeaseNotices):
    """Keeps what it would post."""

    def __init__(self, space: str) -> None:
        super().__init__(None, region_of(space, "us-east-1", {}), ZONE, "pod")  # type: ignore[arg-type]
        self.said: list[Notice] = []
        self._events.say = self.said.append  # type: ignore[method-assign]

    @property
    def state(self) -> tuple[bool, Reason]:
        condition = self.conditions.of("us-east-1a.holdfast.dev/LeasesHeld")
        assert condition is not None
        return condition.gist


def value(metric: Any, *labels: str) -> float:
    return float(metric.labels(*labels)._value.get())


def test_a_condition_says_whether_all_are_held() -> None:
    drive, said = begun(), Said("lease-notices-1")

    def look(d: Drive) -> tuple[bool, Reason]:
        said.look(d.now, d.manager, d.manager.held(d.now), "")
        return said.state

    states = seconds(drive, 100.0, look)
    well, ill = (True, Reason.ALL_HELD), (False, Reason.LEASES_LOST)
    assert set(states[:20]) == {well}
    assert set(states[35:]) == {ill}, "as it collapses and stays so"


def test_figures_are_counted_once_each() -> None:
    space = "lease-notices-2"
    drive, said = begun(rungs=guards(admission="QueueBound")), Said(space)
    seconds(drive, 100.0, lambda d: said.look(d.now, d.manager, d.manager.held(d.now), ""))
    figures = drive.manager.figures
    assert value(metrics.REFUSALS, space, "LeaseQueueFull") == figures.full > 50
    assert value(metrics.LEASE_ATTEMPTS, space, ZONE, "held") == figures.succeeded > 100
    assert value(metrics.LEASE_ATTEMPTS, space, ZONE, "failed") == figures.failed > 10
    assert value(metrics.LEASES_HELD, space, ZONE) == drive.manager.held(100.0)
    assert value(metrics.WORK_WASTED, space, ZONE) == figures.vain
    assert value(metrics.LEASE_QUEUE, space, ZONE) == len(drive.manager.queue)


def test_ages_at_start_are_observed_as_work_is_begun() -> None:
    space = "lease-notices-3"
    drive, said = begun(there=lambda _: True), Said(space)

    def look(d: Drive) -> None:
        said.look(d.now, d.manager, d.manager.held(d.now), "")
        d.manager.oldest_begun()

    seconds(drive, 30.0, look)
    (family,) = metrics.LEASE_AGE.collect()
    counts = {
        s.labels["region"]: s.value for s in family.samples if s.name.endswith("_seconds_count")
    }
    assert counts[space] == drive.manager.figures.started > 300


def test_a_guard_of_leases_is_no_plan_that_was_kept_back() -> None:
    said = Said("lease-notices-4")
    said.look(0.0, with_figures(full=3), 40, "")
    (notice,) = said.said
    assert notice.guard == "leases.admission=QueueBound"
    there = {s.labels["region"] for s in next(iter(metrics.PREVENTED.collect())).samples}
    assert "lease-notices-4" not in there


def with_figures(**counts: int) -> Manager:
    manager = begun(INCIDENT).manager
    manager.figures = Figures(**counts)
    return manager


def test_a_notice_of_one_lease_is_posted_under_its_name() -> None:
    said = Said("lease-notices-5")
    told = Notice(Reason.LEASE_DELETED, "us-east-1a-r1-d1 was deleted", "us-east-1a-r1-d1")
    said.tell(told)
    assert said.said == [told]
