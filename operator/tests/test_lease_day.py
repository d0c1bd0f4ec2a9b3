"""A million leases in columns: the same manager, the same day at any size, twice the same."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lease_drive import Drive

from holdfast.cli import main
from holdfast.cli.leases_day import document_of
from holdfast.core.guards import (
    AWS_LEASES,
    SAFE_LEASES,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    OnStart,
    Order,
    QueueAdmission,
    Retry,
)
from holdfast.core.leases import sizing
from holdfast.core.leases.fleet import CostOf, Fleet
from holdfast.core.leases.manager import Manager

columns = pytest.importorskip("holdfast.sim.fleet_columns")
fleet_day = pytest.importorskip("holdfast.sim.fleet_day")
day_figures = pytest.importorskip("holdfast.sim.fleet_day_figures")

SMALL = Fleet(
    droplets=500, duration=90.0, period=30.0, timeout=10.0, workers=5, renew=0.05, establish=0.5
)
DARK = (60.0, 180.0)


class Both:
    """The exact manager and the columns, with the same phases and the same troubles."""

    def __init__(self, fleet: Fleet, guards: LeaseGuards) -> None:
        self.fleet, self.guards = fleet, guards
        start = replace(guards, on_start=OnStart.SPREAD)
        chance = random.Random(1).random
        self.exact = Manager(fleet, start, fleet.names("z"), 0.0, chance)
        self.exact.guards = guards
        phase = fleet.period / fleet.units
        for unit in range(fleet.units):
            self.exact.know(unit, fleet.duration - fleet.period + phase * unit, 0.0)
        self.drive = Drive(self.exact, self.up)
        self.columns = columns.FleetColumns(fleet, guards, step=0.1)
        self.seen: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}

    def up(self, now: float) -> bool:
        return not DARK[0] <= now < DARK[1]

    def until(self, end: int) -> None:
        for now in range(int(self.drive.now) + 1, end + 1):
            self.drive.until(now)
            while self.columns.now < now - 0.05:
                self.columns.up = self.up(self.columns.now)
                self.columns.turn()
            exact = (self.exact.held(now), len(self.exact.queue))
            self.seen[now] = exact, (self.columns.held, self.columns.waiting)

    def people(self, throttle: int | None) -> None:
        fleet = replace(self.fleet, admit_at_most=throttle)
        self.exact.obey(fleet, self.guards)
        self.columns.obey(fleet)
        self.exact.restart(self.drive.now)
        self.columns.restart()

    def agree(self) -> None:
        """Every second: the held leases, to 4 % of all; the queue, to 3 %, and a tenth of all. What
        comes 2 s sooner or later is the same."""
        n = self.fleet.units
        for now in range(3, int(self.drive.now) - 2):
            held, waiting = self.seen[now][1]
            near = [self.seen[t][0] for t in range(now - 2, now + 3)]
            few, most = min(h for h, _ in near), max(h for h, _ in near)
            assert few - 0.04 * n <= held <= most + 0.04 * n, now
            few, most = min(w for _, w in near), max(w for _, w in near)
            assert 0.97 * few - 0.1 * n <= waiting <= 1.03 * most + 0.1 * n, now


GUARDS: dict[str, Callable[[], LeaseGuards]] = {
    "aws-2025": lambda: AWS_LEASES,
    "safe": lambda: SAFE_LEASES,
    "safe without grace": lambda: replace(SAFE_LEASES, grace=Grace.NONE),
    "bound": lambda: replace(AWS_LEASES, admission=QueueAdmission.QUEUE_BOUND),
    "drop": lambda: replace(AWS_LEASES, expired=Expired.DROP),
    "dedupe": lambda: replace(AWS_LEASES, dedupe=Dedupe.BY_DROPLET),
    "budget": lambda: replace(AWS_LEASES, retry=Retry.BUDGETED_JITTER),
    "renewals first": lambda: replace(AWS_LEASES, order=Order.RENEWALS_FIRST),
    "grace": lambda: replace(AWS_LEASES, grace=Grace.RESET_TIMERS),
}


@pytest.mark.parametrize("name", list(GUARDS))
def test_columns_are_the_exact_manager(name: str) -> None:
    both = Both(SMALL, GUARDS[name]())
    both.until(360)
    both.agree()
    exact, ours = both.exact.figures, both.columns.counts
    assert ours.succeeded == pytest.approx(exact.succeeded, rel=0.04, abs=20)
    assert ours.failed == pytest.approx(exact.failed, rel=0.04, abs=20)
    assert ours.late == pytest.approx(exact.late, rel=0.04, abs=20)


@pytest.mark.parametrize("throttle", [None, 75])
@pytest.mark.parametrize("on_start", list(OnStart))
def test_and_when_people_restart_it(on_start: OnStart, throttle: int | None) -> None:
    both = Both(SMALL, replace(AWS_LEASES, on_start=on_start))
    both.until(240)
    both.people(throttle)
    both.until(400)
    both.agree()
    assert (both.columns.held == SMALL.droplets) is (throttle is not None)


def test_renewals_first_keeps_what_is_held() -> None:
    """Half is lost. In one queue what is held waits behind it, and lapses; in two it is kept."""
    held = {}
    for order in Order:
        fleet = replace(SMALL, droplets=2250)
        manager = columns.FleetColumns(fleet, replace(AWS_LEASES, order=order), step=0.2, seed=1)
        manager.run(30)
        manager.expires[::2] = manager.now
        manager.run(430)
        held[order] = manager.held
    assert held[Order.FIFO] == 0
    assert held[Order.RENEWALS_FIRST] >= 2250 // 2


def test_a_reset_begins_the_heartbeats_anew() -> None:
    """Dark until 7 s into a period: unit 0, whose turn has just passed, comes at once."""
    found = {}
    for grace in Grace:
        manager = columns.FleetColumns(SMALL, replace(AWS_LEASES, grace=grace), step=0.1)
        manager.up = False
        manager.run(187)
        manager.up = True
        manager.run(190)
        found[grace] = bool(manager.expires[0] > manager.now)
    assert found == {Grace.NONE: False, Grace.RESET_TIMERS: True}


@pytest.mark.parametrize("cost_of", [CostOf.QUEUE_DEPTH, CostOf.DOWNSTREAM])
def test_and_where_work_grows_dearer(cost_of: CostOf) -> None:
    both = Both(replace(SMALL, cost_of=cost_of, cost_scale=400.0), AWS_LEASES)
    both.until(300)
    both.agree()


def test_leases_run_out_as_uniform_phases_do() -> None:
    """Held: all until L − P, then a straight line to none at L."""
    fleet = replace(SMALL, droplets=3000, workers=50)
    manager = columns.FleetColumns(fleet, AWS_LEASES, step=0.5, seed=3)
    manager.run(45)
    manager.up = False
    for seconds in range(2, 100, 7):
        manager.run(45 + seconds)
        lost = 1 - manager.held / fleet.droplets
        assert lost == pytest.approx(sizing.lost_share(fleet, seconds), abs=0.03)


# --- the day

DROPLETS, SEED = 10_000, 7


@pytest.fixture(scope="module")
def day() -> Any:
    return fleet_day.simulate(DROPLETS, SEED)


def test_the_day_at_a_hundredth_has_the_same_shape(day: Any) -> None:
    rows = {row.name: row for row in day_figures.rows(day)}
    told = [r for r in rows.values() if r.label is day_figures.Label.PREDICTED]
    assert len(told) >= 4
    assert [r.name for r in told if not r.is_right] == []
    assert rows["lost50"].simulated == pytest.approx(57.5, rel=0.01)
    assert rows["decay"].simulated == pytest.approx(4.0, rel=0.05)
    assert rows["goodput"].simulated == 0
    assert rows["recovery"].simulated == pytest.approx(74, rel=0.15)
    assert rows["nobody"].simulated == rows["restartOnly"].simulated == 0


def test_the_one_fitted_parameter_is_no_prediction(day: Any) -> None:
    rows = day_figures.rows(day)
    fitted = [r.name for r in rows if r.label is day_figures.Label.FITTED]
    assert fitted == ["establish", "recovery"]
    takes = sizing.throttled_recovery_seconds(day.fleet)
    assert takes == pytest.approx(fleet_day.ALL_BACK - fleet_day.PEOPLE_ACT, rel=1e-3)
    set_rows = [r for r in rows if r.label is day_figures.Label.SET]
    assert all(r.ratio is None and not r.is_right for r in set_rows)


def test_before_and_after_it_is_an_ordinary_day(day: Any) -> None:
    people = day.people
    assert people.held[people.at(-60.0)] == DROPLETS
    assert (people.held[people.at(6 * 3600) :] == DROPLETS).all()
    assert (people.vain[people.at(6 * 3600) :] == 0).all()
    assert (people.held[people.at(3700) : people.at(fleet_day.PEOPLE_ACT)] == 0).all()


def test_a_seed_is_a_day_and_another_another(
    tmp_path: Path, day: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "day.json"
    asked = ["leases", "day", f"--droplets={DROPLETS}", f"--seed={SEED}", f"--json={file}"]
    assert main(asked) == 0
    assert json.loads(file.read_text()) == json.loads(json.dumps(document_of(day)))
    told = capsys.readouterr().out
    assert "14 of 14 predictions within 25 %" in told
    assert "to the 74 min below" in told
    one, other = (fleet_day.until_people(1000, AWS_LEASES, seed).curve() for seed in (1, 2))
    assert (one.held != other.held).any()


def test_a_picture_is_the_same_twice(tmp_path: Path, day: Any) -> None:
    pytest.importorskip("matplotlib")
    from holdfast.cli.leases_day_picture import draw

    files = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for file in files:
        draw(document_of(day), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "people" in files[0].read_text()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--droplets=0"], "--droplets 0: from 3,000"),
        (["--droplets=-5"], "--droplets -5: from 3,000"),
        (["--droplets=999999999"], "to 5,000,000"),
        (["--seed=-1"], "--seed -1"),
        (["--picture=x.gif"], "--picture x.gif"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leases", "day", *options]) == 2
    assert says in capsys.readouterr().err


# --- the map


def test_the_map_agrees_with_the_formulas_away_from_their_line() -> None:
    lease_map = pytest.importorskip("holdfast.sim.lease_map")
    cells = lease_map.explore(1, loads=(0.03, 0.2, 0.65, 1.05), outages=(10.0, 180.0))
    found = {(c.panel, c.load, c.outage): str(c.found) for c in cells}
    assert found["aws-2025", 0.2, 10.0] == "vulnerable"
    assert found["aws-2025", 0.2, 180.0] == "metastable"
    assert found["aws-2025", 0.65, 180.0] == "metastable"
    assert found["two-attempts", 0.03, 180.0] == "stable", "λ < μ/R"
    assert found["two-attempts", 0.2, 180.0] == "metastable"
    assert found["bound", 0.2, 180.0] == "stable"
    assert found["bound", 0.65, 180.0] == "partly", "a bound alone refuses renewals, too"
    assert found["renewals-first", 0.65, 180.0] == "stable"
    assert {found[p.name, 1.05, 10.0] for p in lease_map.PANELS} == {"overloaded"}
    for panel in lease_map.document(cells)["panels"]:
        assert panel["agrees"] >= len(panel["cells"]) - 1


@pytest.mark.parametrize(
    "options",
    [
        ["--vary=retention=1"],
        ["--arm=x"],
        ["--seeds=3"],
        ["--hours=2"],
        ["--seed=7"],
        ["--jobs=0"],
        ["--picture=x.y"],
    ],
)
def test_the_map_refuses_what_is_for_another_sweep(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "leases", *options]) == 2
    assert options[0].partition("=")[0] in capsys.readouterr().err
