"""Real contention: the fast engine is the plain one, bit for bit, and the figures add up."""

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli import sweep as command
from holdfast.cli.files import ForPeople
from holdfast.core.guards import LOCKS, Cleanup, Fence, dns_guards
from holdfast.core.intents import Get, Prove
from holdfast.core.objects import Alias, Plan, Slice, Tree
from holdfast.core.region import Region, region_of
from holdfast.sim import relative
from holdfast.sim.contention import Exposure, Setting, Trace, race
from holdfast.sim.faults import SIZE, Stalling, Stalls
from holdfast.sim.knobs import cells, setting_of, vary
from holdfast.sim.latency import MEASURED
from holdfast.sim.poisson import probability, rate
from holdfast.sim.quantiles import look
from holdfast.sim.sweep import Task, sweep, work
from holdfast.sim.tables import Tables, can_tabulate

OFTEN = Stalls(every_seconds=5)
STORM = Stalls(every_seconds=0.2, least_seconds=0.02, shape=0.6, most_seconds=3)


def region(fence: str = "CheckOnce", rate: int = 300, retention: int = 1, **guards: str) -> Region:
    spec = {
        "guards": {"dns": {"fence": fence, **guards}},
        "planner": {"churnPerMinute": rate},
        "retention": retention,
        "enactor": {"lockSeconds": 2},
    }
    return region_of("space", "us-east-1", spec)


RUNGS = pytest.mark.parametrize(
    ("fence", "cleanup", "rollback"),
    [
        *((f, "ByAge", "Coupled") for f in Fence if f is not Fence.LEADER_ONLY),
        ("CheckOnce", "SkipLiveWhenListing", "Coupled"),
        ("CheckOnce", "ByAge", "Decoupled"),
    ],
)


def assert_same_runs(setting: Setting, seeds: range, seconds: float) -> Counter[tuple[str, str]]:
    """Every event of every run, to the last bit; how often each call was answered how."""
    columns = pytest.importorskip("holdfast.sim.columns")
    steps: Any = []
    engine = columns.Columns(setting, seeds, seconds)
    found = engine.run(steps)
    met: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        trace: Trace = []
        assert race(setting, seed, seconds, trace) == found[seed]
        assert columns.lane_trace(steps, engine.rows, seed) == trace
        met.update((intent, reply) for _, _, intent, reply in trace)
    return met


@RUNGS
def test_columns_are_the_plain_engine_bit_for_bit(fence: str, cleanup: str, rollback: str) -> None:
    setting = Setting(region(fence, cleanup=cleanup, rollback=rollback), MEASURED, OFTEN)
    assert_same_runs(setting, range(6), 40.0)


@RUNGS
def test_and_in_a_storm(fence: str, cleanup: str, rollback: str) -> None:
    """Locks that expire in their holders' hands, trees that go while they are built and tested."""
    wild = replace(region(fence, 900, cleanup=cleanup, rollback=rollback), lock_seconds=0.03)
    met = assert_same_runs(Setting(wild, MEASURED, STORM), range(60), 6.0)
    assert met["Prove", "Unproven"], "a tree went before it was tested"
    if wild.guards.fence in LOCKS:
        assert met["PatchAlias", "Missed"], "a lock was taken over"


def test_and_where_the_last_good_answer_is_kept() -> None:
    """No plan of a sweep is empty: the runs are those without the guard."""
    kept = Setting(region(lastKnownGood="Enabled"), MEASURED, OFTEN)
    assert_same_runs(kept, range(3), 20.0)
    assert race(kept, 1, 20.0) == race(Setting(region(), MEASURED, OFTEN), 1, 20.0)


def test_policies_are_in_force_in_a_sweep_too() -> None:
    """The seeds that strike without them do not with them, and no old plan goes live."""
    struck = [race(Setting(region(), MEASURED, OFTEN), seed, 30) for seed in range(3)]
    assert all(run.struck for run in struck)
    policed = Setting(region(admission="Enabled"), MEASURED, OFTEN)
    kept = [race(policed, seed, 30) for seed in range(3)]
    assert not any(run.struck or run.stale_writes or run.live_deletes for run in kept)
    assert work(Task(0, policed, range(2), 5.0)).races == 0


def test_a_tree_that_was_made_anew_is_not_the_one_that_was_tested() -> None:
    """What an actor remembers of a tree is of a former one, once that is deleted."""
    chosen = region()
    tables = Tables(chosen, Setting(chosen).rivals())
    world, memory = tables.appended(tables.nothing), tables.older(tables.start[0])
    asked = [tables.intents[memory]]
    while not (isinstance(asked[-1], Get) and isinstance(asked[-2], Prove)):
        row = tables.row(world, memory, late=False)
        world, memory = row.world, row.memory
        asked.append(tables.intents[memory])
    assert tables.row(world, memory, late=False).ended == ""
    deleted = replace(row, changed=False, lock_lost="", deleted=relative.NEWEST)
    assert tables.row(world, tables.told(memory, deleted), late=False).ended == "deferred"


def test_a_lane_runs_the_same_in_any_company() -> None:
    columns = pytest.importorskip("holdfast.sim.columns")
    setting = Setting(region(), MEASURED, OFTEN)
    together = columns.Columns(setting, range(8), 20.0).run()
    assert [columns.Columns(setting, [s], 20.0).run()[0] for s in range(8)] == together


def test_the_race_strikes_by_itself_and_one_guard_prevents_it() -> None:
    """The seeds that strike with CheckOnce do not with Generation, whatever else is the same."""
    struck = [race(Setting(region(), MEASURED, OFTEN), seed, 60) for seed in range(4)]
    assert any(run.struck for run in struck)
    fenced = [race(Setting(region("Generation"), MEASURED, OFTEN), seed, 60) for seed in range(4)]
    assert not any(run.struck or run.stale_writes or run.live_deletes for run in fenced)


def test_without_stalls_there_is_less_of_it() -> None:
    grid = [{"stallEvery": 0}, {"stallEvery": 5.0}]
    calm, stormy = sweep(region(rate=120), grid, range(40), 0.02, 1)
    assert calm["stalls"] is None
    assert calm["races"] <= stormy["races"]
    assert stormy["races"] > 0


def test_figures_are_the_same_on_one_core_and_on_two() -> None:
    grid = list(cells(dict([vary("retention=1,2"), vary("planRate=240")])))
    one, two = (sweep(region(), grid, range(50), 0.005, jobs) for jobs in (1, 2))
    assert one == two
    assert sum(c["events"] for c in one) > 10_000


def test_what_tables_cannot_do_the_plain_engine_does() -> None:
    leader = region("LeaderOnly")
    assert not can_tabulate(leader.guards, 1)
    assert not can_tabulate(dns_guards({"dns": {"cleanup": str(Cleanup.PIN_LIVE)}}), 1)
    assert not can_tabulate(dns_guards({}), 2)
    for switch in ("admission", "selfRepair"):
        assert not can_tabulate(dns_guards({"dns": {switch: "Enabled"}}), 1)
    assert can_tabulate(dns_guards({"dns": {"lastKnownGood": "Enabled"}}), 1)
    tally = work(Task(0, Setting(leader), range(2), 5.0))
    runs = [race(Setting(leader), seed, 5.0) for seed in range(2)]
    assert tally.events == sum(run.events for run in runs)
    assert tally.exposure_seconds == sum(run.seconds for run in runs)


def test_a_run_that_ends_with_its_race_is_exposed_no_longer() -> None:
    run = race(Setting(region(rate=600)), 0, 600)
    assert run.struck
    assert 0 < run.seconds < 600
    whole = race(Setting(region("Generation", rate=600)), 0, 20)
    assert whole == Exposure(20, events=whole.events)


def test_tables_stay_small_in_long_runs() -> None:
    columns = pytest.importorskip("holdfast.sim.columns")
    setting = Setting(region(rate=60, retention=2))
    engine = columns.Columns(setting, range(16), 300.0)
    engine.run()
    tables: Tables = engine.rows.tables
    assert len(tables.worlds) < 200
    assert len(tables.memories) < 2000


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (2, 0.2422, 7.2247), (10, 4.7954, 18.3904)],
)
def test_the_interval_is_garwoods(events: int, low: float, high: float) -> None:
    """Against the printed tables of exact Poisson limits."""
    found = rate(events, 1.0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    assert rate(events, 2.0).high == pytest.approx(found.high / 2)


def test_large_counts_lose_no_digits() -> None:
    found = rate(10_000, 1.0)
    assert found.low == pytest.approx(10_000 - 1.96 * 100, rel=1e-3)
    assert found.high == pytest.approx(10_000 + 1.96 * 100, rel=1e-3)
    assert probability(1e-9) == pytest.approx(1e-9)


@given(st.floats(0, 1, exclude_max=True))
def test_draws_stay_within_their_quantiles(chance: float) -> None:
    for latency in (MEASURED.get, MEASURED.write, MEASURED.watch):
        seconds = look(latency.table, chance)
        assert latency.least_ms / 1000 * 0.999 <= seconds <= latency.most_ms / 1000 * 1.001
    assert 0 < look(Stalls().lengths, chance) <= 60


def test_quantiles_are_what_was_asked_for() -> None:
    write = MEASURED.write
    for quantile, ms in ((0.5, write.p50_ms), (0.9, write.p90_ms), (0.99, write.p99_ms)):
        assert look(write.table, quantile) * 1000 == pytest.approx(ms, rel=1e-2)
    lengths = Stalls().lengths
    for quantile, seconds in ((0.5, 0.02), (0.9, 0.1), (0.99, 1.0)):
        assert look(lengths, quantile) == pytest.approx(seconds, rel=1e-2)
    mean = sum(Stalls().gaps) / SIZE
    assert mean == pytest.approx(60, rel=1e-2)


def test_who_stalls_runs_again_after_it() -> None:
    stalling = Stalling(Stalls(every_seconds=10, least_seconds=1, shape=10), lambda: 0.5)
    gap = look(Stalls(every_seconds=10).gaps, 0.5)
    assert stalling.awake(gap - 0.1) == gap - 0.1
    assert gap + 1 < stalling.awake(gap + 0.1) < gap + 1.2
    assert Stalling(None, lambda: 0.5).awake(math.pi) == math.pi


@given(st.integers(-300_000, 0), st.integers(1, 5))
def test_shifting_there_and_back_changes_nothing(by: int, generation: int) -> None:
    at = relative.NEWEST - generation
    name, uid = f"dynamodb-p{at}", relative.uid_of(at)
    objects = (
        Plan(at, ()),
        Alias("dynamodb", name, at),
        Tree(name, "dynamodb", at, uid=uid),
        Slice(f"{name}-{uid}-v4", name, uid, "IPv4", ("10.0.0.1",)),
    )
    moved = relative.shifted(objects, by)
    assert relative.shifted(moved, -by) == objects
    assert moved[2].generation == at + by
    assert moved[3].name == f"dynamodb-p{at + by}-_p{at + by}-v4"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("retantion=1", "is no knob"),
        ("retention", "values are missing"),
        ("retention=", "values are missing"),
        ("retention=0", "not from 1 to 50"),
        ("retention=1.5", "not a whole number"),
        ("planRate=nan", "not from"),
        ("planRate=1e309", "not from"),
        ("fence=Generatoin", "is none of"),
        ("retention=1,1", "twice"),
    ],
)
def test_a_knob_that_cannot_be_turned_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        vary(text)


def test_knobs_reach_what_they_turn() -> None:
    cell = {
        "planRate": 30.0,
        "backoffMilliseconds": 10,
        "backoffMaxMilliseconds": 20,
        "lockSeconds": 3.0,
        "enactors": 2,
        "fence": "None",
        "stallEvery": 7.0,
    }
    setting = setting_of(region(), cell)
    turned = setting.region
    assert setting.period_seconds == 2.0
    assert (turned.backoff_seconds, turned.backoff_max_seconds) == (0.01, 0.02)
    assert (turned.lock_seconds, len(turned.zones), turned.guards.fence) == (3.0, 2, Fence.NONE)
    assert setting.stalls == Stalls(every_seconds=7.0)


def run(*arguments: str) -> int:
    import argparse

    root = argparse.ArgumentParser()
    command.add_command(root.add_subparsers())
    given = root.parse_args(["sweep", *arguments])
    return int(given.do(given))


def test_the_command_writes_figures_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "sweep.json", tmp_path / "sweep.svg"
    options = ["--vary", "planRate=240", "--vary", "retention=1,2,3", "--seeds", "20"]
    options += ["--hours", "0.01", "--jobs", "1", "--json", str(file), "--picture", str(picture)]
    assert run(*options) == 0
    document: dict[str, Any] = json.loads(file.read_text())
    assert [c["knobs"]["retention"] for c in document["cells"]] == [1, 2, 3]
    assert document["varied"] == {"planRate": [240.0], "retention": [1, 2, 3]}
    for cell in document["cells"]:
        low, high = cell["racesPerHour95"]
        assert low <= cell["racesPerHour"] <= high
        assert 0 < cell["exposureHours"] <= 0.2
    assert picture.read_text().startswith("<?xml")
    assert "races/h" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--vary", "retantion=1"], "is no knob"),
        (["--seeds", "0"], "--seeds 0"),
        (["--hours", "nan"], "--hours nan"),
        (["--arm", "nobody"], "--arm nobody"),
        (["--jobs", "0"], "--jobs 0"),
        (["no-such-file"], "no such file"),
        (["--vary", "planRate=" + ",".join(str(i) for i in range(1, 500))], "too many"),
    ],
)
def test_bad_commands_end_with_a_sentence(arguments: list[str], why: str) -> None:
    with pytest.raises(ForPeople, match=why):
        run(*arguments)
