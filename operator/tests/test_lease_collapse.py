"""The collapse of the incident's second loop, in a simulation of fifty lines, and what ends it.

40 leases, 4 workers, a heartbeat every 3 s, 1 s for a check from its queueing, leases of 9 s, 0.5 s
to establish, 0.05 s to renew. What the checks depend on is gone from 20 s to 60 s. The load of the
heartbeats is the same before, during and after.
"""

import math

import pytest
from lease_drive import INCIDENT, Drive, always, begun, guards, with_knobs

from holdfast.core.leases.rules import recovery_seconds

FORMULA = recovery_seconds(INCIDENT) or math.inf
PHASES = [60.0 + n / 4 for n in range(12)]
"""When the dependency is back: all moments of a period."""


def ended_at(back: float, profile: str = "aws-2025", **rungs: str) -> Drive:
    return begun(rungs=guards(profile, **rungs), there=lambda t: not 20 <= t < back).until(200)


def worst(profile: str = "aws-2025", **rungs: str) -> float:
    """The longest, over all phases, until every lease is held again and stays so; in units of the
    formula."""
    longest = 0.0
    for back in PHASES:
        drive = ended_at(back, profile, **rungs)
        whole = drive.whole_at(back)
        if not drive.stays_whole(whole):
            return math.inf
        longest = max(longest, whole - back)
    return longest / FORMULA


def test_the_formula() -> None:
    """−(P·c_e/c_r)·ln(1 − ρ), with ρ = 40 · 0.05 / (4 · 3)."""
    assert pytest.approx(5.47, abs=0.005) == FORMULA


def test_as_aws_ran_it_the_same_load_is_fine_before_and_fatal_after() -> None:
    drive = begun().until(160)
    beats = INCIDENT.units / INCIDENT.period
    assert drive.goodput(3, 20) == pytest.approx(beats, rel=0.05)
    assert drive.goodput(60, 160) == 0
    assert (drive.held[-1][1], drive.manager.under_way) == (0, 4)
    assert drive.manager.figures.late > 100 * 4 / 0.5 * 0.95
    assert drive.manager.oldest(160) > 60


def test_it_needs_a_trigger() -> None:
    drive = begun(there=always).until(160)
    assert drive.stays_whole(0.0)
    assert drive.peaks == (40, 4)


def test_a_short_trigger_is_survived() -> None:
    """Leases outlast it, so that all work stays cheap: its backlog is soon done."""
    drive = begun(there=lambda t: not 20 <= t < 23).until(60)
    assert drive.stays_whole(0.0)


def test_an_empty_start_is_a_trigger_too() -> None:
    """Everything at once, or spread over a period: 20 s of work for 1 s of patience."""
    for start in ("RelistAll", "Spread"):
        drive = begun(rungs=guards(onStart=start), there=always, held=False).until(160)
        assert drive.goodput(60, 160) == 0
    assert begun(rungs=guards("safe"), there=always, held=False).until(60).whole_at(0) < 1.2 * 5.47


@pytest.mark.parametrize(
    ("rungs", "most"),
    [
        ({"admission": "QueueBound"}, 1.35),
        ({"expired": "Drop"}, 1.3),
        ({"admission": "QueueBound", "expired": "Drop"}, 1.35),
        ({"grace": "ResetTimers"}, 0.6),
    ],
    ids=str,
)
def test_one_of_these_is_enough_by_itself(rungs: dict[str, str], most: float) -> None:
    """The formula is a fluid's; a lease that was refused, or dropped, waits for its next heartbeat,
    so the last stragglers take a part of a period more. What is forgiven needs a period."""
    assert worst(**rungs) <= most


@pytest.mark.parametrize(
    "rungs",
    [
        {"dedupe": "ByDroplet"},
        {"retry": "BudgetedJitter"},
        {"order": "RenewalsFirst"},
        {"concurrency": "Adaptive"},
        {"onStart": "Spread"},
        {
            "dedupe": "ByDroplet",
            "retry": "BudgetedJitter",
            "order": "RenewalsFirst",
            "onStart": "Spread",
        },
    ],
    ids=str,
)
def test_these_are_not(rungs: dict[str, str]) -> None:
    assert ended_at(60, **rungs).goodput(60, 200) == 0


def test_safe_recovers_and_does_so_without_any_one_of_its_guards() -> None:
    assert worst("safe") <= 1.2
    assert worst("safe", grace="None") <= 1.2
    for name, rung in (
        ("admission", "Unlimited"),
        ("expired", "DoAnyway"),
        ("dedupe", "Queue"),
        ("retry", "Immediate"),
        ("order", "Fifo"),
        ("concurrency", "Fixed"),
        ("onStart", "RelistAll"),
    ):
        assert worst("safe", **{name: rung}) <= 1.2, name


# --- what a human can do, in the midst of it


def in_the_midst(start: str, throttle: int | None, restart: bool, at: float = 100.0) -> Drive:
    drive = begun(rungs=guards(onStart=start)).until(at)
    if throttle is not None:
        with_knobs(drive, admit_at_most=throttle)
    if restart:
        drive.manager.restart(at)
    return drive.until(at + 100)


@pytest.mark.parametrize("start", ["RelistAll", "Spread"])
def test_a_restart_alone_does_not_help(start: str) -> None:
    """What comes after it is as much as before it: all lost, each heartbeat has to establish, and
    20 s of work for 40 leases come in 3 s."""
    drive = in_the_midst(start, None, restart=True)
    assert drive.whole_at(100) == math.inf
    assert drive.goodput(110, 200) == 0


def test_with_relist_all_it_is_no_better_in_the_first_second_either() -> None:
    """Eight of forty come in time, all at once or spread; the next eight wait for them."""
    for start in ("RelistAll", "Spread"):
        assert 0 < in_the_midst(start, None, restart=True).goodput(100, 110) < 2


@pytest.mark.parametrize("start", ["RelistAll", "Spread"])
def test_a_throttle_alone_helps_only_once_what_waits_is_worked_off(start: str) -> None:
    """All of it in vain: 1,064 checks at 8 a second, 133 s in which nothing is held."""
    drive = in_the_midst(start, 6, restart=False)
    assert drive.goodput(100, 200) == 0
    assert 230 < drive.until(260).whole_at(100) < 245


@pytest.mark.parametrize("start", ["RelistAll", "Spread"])
@pytest.mark.parametrize("at", [100.0, 100.7, 101.5, 102.9])
def test_both_together_do(start: str, at: float) -> None:
    drive = in_the_midst(start, 6, restart=True, at=at)
    whole = drive.whole_at(at)
    assert whole - at <= 15
    assert drive.stays_whole(whole)


@pytest.mark.parametrize(("throttle", "helps"), [(2, False), (4, True), (8, True)])
def test_a_throttle_below_the_workers_is_too_tight(throttle: int, helps: bool) -> None:
    """It counts what is under way: with 2, half of the workers never work, and renewals that come
    while two establish are refused until their leases have run out."""
    drive = in_the_midst("RelistAll", throttle, restart=True)
    assert (drive.whole_at(100) < 110) is helps


def test_a_throttle_may_be_taken_back_once_all_is_well() -> None:
    drive = in_the_midst("RelistAll", 6, restart=True)
    with_knobs(drive, admit_at_most=None)
    assert drive.until(300).stays_whole(200.0)


def test_one_run_is_like_another() -> None:
    one, two = begun(rungs=guards("safe")).until(160), begun(rungs=guards("safe")).until(160)
    assert (one.took, one.held, one.successes) == (two.took, two.held, two.successes)
