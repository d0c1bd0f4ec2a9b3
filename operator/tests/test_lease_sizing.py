"""Each formula of `core.leases.sizing` beside a small simulation, and the command that shows it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.core.guards import (
    AWS_LEASES,
    SAFE_LEASES,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    Order,
    QueueAdmission,
    Retry,
)
from holdfast.core.leases import sizing
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.rules import BUDGET_MAX, RETRY_BUDGET, queue_bound
from holdfast.core.leases.sizing_figures import figures

columns = pytest.importorskip("holdfast.sim.fleet_columns")

NOTES = Fleet(
    droplets=1000, duration=90.0, period=30.0, timeout=10.0, workers=10, renew=0.05, establish=0.5
)
"""The example of the field notes: recovery in 54.7 s."""
PLAIN = replace(NOTES, droplets=300, renew=0.5, duration=1e6)
"""A queue like any other: all work costs the same, and no lease runs out. ρ = 0.5."""
KEPT = replace(
    AWS_LEASES,
    expired=Expired.DROP,
    dedupe=Dedupe.BY_DROPLET,
    retry=Retry.BUDGETED_JITTER,
    order=Order.RENEWALS_FIRST,
)
"""What the recovery's formula supposes."""
BOUNDED = replace(AWS_LEASES, admission=QueueAdmission.QUEUE_BOUND)


def fleet(n: int) -> Fleet:
    return replace(NOTES, droplets=n)


def managed(of: Fleet, guards: LeaseGuards = AWS_LEASES, attempts: float = math.inf):  # type: ignore[no-untyped-def]
    return columns.FleetColumns(of, guards, step=0.2, seed=1, attempts=attempts)


def recovered(manager, most: float) -> float:  # type: ignore[no-untyped-def]
    """Seconds until all is held; infinity if it takes longer than `most`."""
    since = manager.now
    while manager.held < manager.fleet.units:
        if manager.now > since + most:
            return math.inf
        manager.turn()
    return float(manager.now - since)


def is_down(manager, seconds: float = 400.0) -> bool:  # type: ignore[no-untyped-def]
    """Whether, so long after, less than a tenth of the heartbeats counts."""
    manager.run(manager.now + seconds)
    before, beats = manager.counts.succeeded, manager.counts.beats
    manager.run(manager.now + 60)
    return (manager.counts.succeeded - before) < 0.1 * (manager.counts.beats - beats)


def threshold(falls: Callable[[float], bool], low: float, high: float) -> float:
    """The least trigger that brings it down."""
    assert not falls(low)
    assert falls(high)
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if falls(middle) else (middle, high)
    return high


def test_the_field_notes_example() -> None:
    assert sizing.recovery_seconds(NOTES) == pytest.approx(54.7, abs=0.05)
    assert sizing.load(NOTES) == pytest.approx(1 / 6)
    assert sizing.all_lost_load(NOTES) == pytest.approx(5 / 3)
    assert sizing.all_lost_drain_seconds(NOTES) == 50
    assert sizing.admission_bound(NOTES) == 200
    assert queue_bound(NOTES) == 150


@pytest.mark.parametrize("n", [1000, 2000, 3000, 4000, 5000])
def test_recovery_takes_what_the_formula_says(n: int) -> None:
    """To 10 %, up to ρ = 0.83, and a quarter of a period, for heartbeats come once a period."""
    manager = managed(fleet(n), KEPT)
    manager.run(30)
    manager.lose_all()
    says = sizing.recovery_seconds(manager.fleet)
    assert abs(recovered(manager, 1500) - says) < 0.1 * says + NOTES.period / 4


@pytest.mark.parametrize("n", [2000, 3000, 4000])
def test_and_under_a_throttle_first_in_first_out(n: int) -> None:
    """Leases long enough that a refused renewal loses none: to 10 %."""
    long = replace(fleet(n), duration=1200.0)
    manager = managed(replace(long, admit_at_most=queue_bound(long)))
    manager.run(30)
    manager.lose_all()
    says = sizing.throttled_recovery_seconds(long)
    assert recovered(manager, 1500) == pytest.approx(says, rel=0.1)


def test_without_load_to_spare_nothing_comes_back() -> None:
    full = fleet(6000)
    assert sizing.most_units(full) == 6000
    assert math.isinf(sizing.recovery_seconds(full))
    assert math.isinf(sizing.throttled_recovery_seconds(full))
    for n, whole in ((5900, True), (6300, False)):
        manager = managed(replace(fleet(n), duration=1e6))
        manager.run(600)
        assert (manager.waiting < 100) is whole, "the queue grows from ρ = 1 on"


def test_an_admission_bound_is_what_ends_in_time() -> None:
    """All is lost and listed at once: kT/c_e establishments count, and no more."""
    alone = replace(NOTES, period=1e4, duration=3e4)
    manager = managed(alone, KEPT)
    manager.lose_all()
    manager.guards = AWS_LEASES
    manager.restart()
    manager.run(NOTES.timeout + 5)
    assert manager.counts.succeeded == pytest.approx(sizing.admission_bound(NOTES), rel=0.06)


@pytest.mark.parametrize(
    ("share", "falls"), [(0.75, False), (2.0, True)], ids=["three-quarters", "double"]
)
def test_a_bound_within_the_deadline_leaves_no_metastable_state(share: float, falls: bool) -> None:
    bound = int(share * sizing.admission_bound(PLAIN))
    assert sizing.metastable(PLAIN, bound=bound).exists is falls
    manager = managed(replace(PLAIN, admit_at_most=bound))
    manager.working = False
    manager.run(200)
    manager.working = True
    assert is_down(manager) is falls


def test_the_guard_has_none_whatever_the_trigger() -> None:
    for pause in (5.0, 40.0, 300.0):
        manager = managed(NOTES, BOUNDED)
        manager.up = False
        manager.run(pause)
        manager.up = True
        assert recovered(manager, 300) < 150
    assert not sizing.metastable(NOTES, bound=queue_bound(NOTES)).exists


@pytest.mark.parametrize(
    ("load", "attempts", "falls"),
    [(0.28, 3, False), (0.40, 3, True), (0.45, 2, False), (0.58, 2, True), (0.9, 1, False)],
)
def test_the_metastable_region(load: float, attempts: int, falls: bool) -> None:
    """μ/R < λ < μ: after the same long pause, R attempts keep the workers busy, or do not."""
    of = replace(PLAIN, droplets=round(600 * load))
    assert sizing.load(of) == pytest.approx(load)
    low, high = sizing.region(of, attempts)
    assert (low < load < high) is falls
    assert sizing.metastable(of, attempts=attempts).exists is falls
    manager = managed(of, attempts=attempts)
    manager.working = False
    manager.run(20 * of.timeout)
    manager.working = True
    assert is_down(manager, 2000.0) is falls


@pytest.mark.parametrize(("n", "falls"), [(230, False), (380, True)])
def test_and_where_what_is_lost_costs_more(n: int, falls: bool) -> None:
    """ρ is far below 1/R, and all is well but for the establishments: c_r/(R·c_e) < ρ."""
    of = fleet(n)
    low, _ = sizing.region(of, 2)
    assert (sizing.load(of) > low) is falls
    manager = managed(of, attempts=2)
    manager.up = False
    manager.run(300)
    manager.up = True
    manager.working = False
    manager.run(600)
    manager.working = True
    assert is_down(manager, 1000.0) is falls


@pytest.mark.parametrize("load", [0.2, 0.3, 0.5])
def test_a_trigger_suffices_when_its_backlog_exceeds_the_deadline(load: float) -> None:
    """Excess backlog > μT, to 30 %: what came first during a pause is late before it ends."""
    of = replace(PLAIN, droplets=round(600 * load))

    def falls(seconds: float) -> bool:
        manager = managed(of)
        manager.working = False
        manager.run(seconds)
        manager.working = True
        return is_down(manager)

    says = sizing.trigger_seconds(of)
    assert says == pytest.approx(of.timeout / load)
    assert threshold(falls, 2.0, 4 * says) == pytest.approx(says, rel=0.3)


@pytest.mark.parametrize("n", [500, 1000, 2000])
def test_and_so_for_an_outage_of_what_checks_need(n: int) -> None:
    def falls(seconds: float) -> bool:
        manager = managed(fleet(n))
        manager.up = False
        manager.run(seconds)
        manager.up = True
        return is_down(manager)

    says = sizing.trigger_seconds(fleet(n))
    assert threshold(falls, 2.0, 4 * says) == pytest.approx(says, rel=0.25)


@pytest.mark.parametrize("attempts", [1, 3, 5])
def test_retries_multiply_the_work(attempts: int) -> None:
    manager = managed(replace(NOTES, droplets=200), attempts=attempts)
    manager.up = False
    manager.run(60)
    done = manager.counts.started / manager.counts.beats
    assert done == pytest.approx(sizing.amplification(attempts), rel=0.05)
    assert sizing.amplification(attempts, 3) == attempts**3


def test_a_budget_of_retries_holds_them_to_its_share() -> None:
    guards = replace(AWS_LEASES, retry=Retry.BUDGETED_JITTER)
    manager = managed(replace(NOTES, duration=1e6), guards)
    manager.up = False
    manager.run(600)
    counts = manager.counts
    assert sizing.budget_amplification() == 1 + RETRY_BUDGET
    assert counts.started <= sizing.budget_amplification() * counts.beats + BUDGET_MAX
    assert counts.retried >= 0.9 * RETRY_BUDGET * counts.beats, "the budget is used"


def test_what_no_establishment_can_do_in_time() -> None:
    hopeless = replace(NOTES, establish=11.0)
    assert sizing.metastable(hopeless, bound=1).exists


def test_an_outage_that_is_forgiven_needs_one_period() -> None:
    """The guard that the formulas leave out: after the dark, what ran out is renewed."""
    takes = {}
    for name, guards in (("safe", SAFE_LEASES), ("none", replace(SAFE_LEASES, grace=Grace.NONE))):
        manager = managed(NOTES, guards)
        manager.up = False
        manager.run(200)
        manager.up = True
        takes[name] = recovered(manager, 600)
    assert takes["safe"] == pytest.approx(NOTES.period, abs=2)
    assert takes["none"] > 1.5 * takes["safe"]


def test_every_formula_bears_its_numbers() -> None:
    found = {f.name: f for f in figures(NOTES)}
    assert found["load"].formula == "N·c_r/(kP) = 1,000·0.05/(10·30)"
    assert found["recoverySeconds"].formula.endswith("−(30·0.5/0.05)·ln(1 − 0.1667)")
    assert "50 s > T = 10 s" in found["metastable"].formula
    assert "150 ≤ μT = 200" in found["metastableBounded"].formula
    assert all(any(c.isdigit() for c in f.formula) for f in found.values())


# --- the command

GOOD = {
    "droplets": "1000",
    "period": "30",
    "renew-ms": "50",
    "establish-ms": "500",
    "timeout": "10",
    "workers": "10",
}


def size(**options: str) -> list[str]:
    given = GOOD | {k.replace("_", "-"): v for k, v in options.items()}
    return ["leases", "size", *(f"--{k}={v}" for k, v in given.items())]


def test_the_table_and_its_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "size.json"
    assert main([*size(), f"--json={out}"]) == 0
    told = capsys.readouterr().out
    assert "54.7 s" in told
    assert "N·c_e/(kP) = 1,000·0.5/(10·30)" in told
    document = json.loads(out.read_text())
    assert document["figures"]["admissionBound"]["value"] == 200
    assert document["figures"]["metastableBounded"]["value"] is False


def test_infinity_is_never_and_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "size.json"
    assert main([*size(droplets="6000"), f"--json={out}"]) == 0
    assert "never" in capsys.readouterr().out
    assert json.loads(out.read_text())["figures"]["recoverySeconds"]["value"] is None


@pytest.mark.parametrize("value", ["1e3", "nan", "", "many", "1.5"])
def test_what_is_no_whole_number_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(size(droplets=value))
    assert "--droplets" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["period", "renew-ms", "establish-ms", "timeout", "lease"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "soon"])
def test_what_is_no_number_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(size(**{option: value}))
    assert f"--{option}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"droplets": "0"}, ["--droplets 0", "from 1 to 1,000,000,000", "one zone"]),
        ({"droplets": "-1"}, ["--droplets -1", "from 1"]),
        ({"droplets": "1" + 30 * "0"}, ["--droplets 1000", "1,000,000,000"]),
        ({"workers": "0"}, ["--workers 0", "from 1"]),
        ({"workers": "10000000"}, ["--workers 10000000", "1,000,000"]),
        ({"period": "0"}, ["--period 0", "more than 0"]),
        ({"period": "-3"}, ["--period -3", "more than 0"]),
        ({"period": "1e300"}, ["--period 1e+300", "up to"]),
        ({"renew_ms": "0"}, ["--renew-ms 0", "more than 0"]),
        ({"establish_ms": "-1"}, ["--establish-ms -1", "more than 0"]),
        ({"establish_ms": "20"}, ["--establish-ms 20", "--renew-ms (50)"]),
        ({"establish_ms": "10001"}, ["--establish-ms 10001", "longer --timeout"]),
        ({"timeout": "0"}, ["--timeout 0", "more than 0"]),
        ({"timeout": "90"}, ["--timeout 90", "less than the lease's 90 s", "--lease above 90"]),
        ({"lease": "89"}, ["--lease 89", "90 s", "--period at most 29.6"]),
        ({"lease": "1e9"}, ["--lease 1e+09", "up to"]),
        ({"attempts": "0"}, ["--attempts 0", "from 1 to 1,000"]),
    ],
)
def test_an_error_names_the_option_the_bound_and_the_way_out(
    options: dict[str, str], says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(size(**options)) == 2
    told = capsys.readouterr().err
    assert told.startswith("holdfast: ")
    for part in says:
        assert part in told
