"""Mode Jitter: contention as an outsider counts it, and what a run of it will show."""

import argparse
import json
import math
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holdfast.cli import sweep as command
from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.strict import admit
from holdfast.core.contention import contention
from holdfast.core.intents import Create, Delete, Get, List, PatchAlias, Pin, call_name
from holdfast.core.ledger import AliasSeen, Ledger, TreeSeen
from holdfast.core.objects import Alias, Plan, Tree
from holdfast.core.record import Record
from holdfast.core.scenario import scenario_of
from holdfast.live.metrics import CALL_BUCKETS
from holdfast.sim.arm import Weather
from holdfast.sim.faults import Faults
from holdfast.sim.latency import MEASURED, Latency
from holdfast.sim.measured import histograms, latencies, latency
from holdfast.sim.poisson import share
from holdfast.sim.prediction import Run, interval, misses, predict, reached, run_of
from holdfast.sim.quantiles import look
from holdfast.sim.scenario import simulate

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/result.schema.json").read_text())
A, B = "us-east-1a", "us-east-1b"


def jitter(**changes: Any) -> dict[str, Any]:
    """The packaged Scenario, its arms no longer than they have to be."""
    raw = admit(read_scenario("jitter"), "jitter")
    raw["spec"] |= changes
    return raw


def flip(ledger: Ledger, t: float, generation: int, zone: str) -> None:
    tree = f"dynamodb-p{generation}"
    ledger.see(t, TreeSeen(Tree(tree, "dynamodb", generation, uid=tree)), whole=False)
    alias = Alias("dynamodb", tree, generation, writer=f"{zone}/pod", resource_version=f"{t}")
    ledger.see(t, AliasSeen(alias), whole=False)


def test_plans_behind_are_counted_at_the_moment_of_the_flip() -> None:
    ledger = Ledger()
    for generation in (1, 2, 3):
        ledger.note(generation, "planned", f"plan/{generation}", "planner")
        flip(ledger, generation + 0.1, generation, A)
    ledger.note(4, "planned", "plan/4", "planner")
    flip(ledger, 4.1, 2, B)
    flip(ledger, 4.2, 4, B)
    found = contention(ledger.timeline, struck=False)
    assert found == {
        "plans": 4,
        "flips": 5,
        "staleFlips": 1,
        "struck": False,
        "byZone": {
            A: {"writes": 3, "behindMean": 0.0, "behindMax": 0, "behind": {"0": 3}},
            B: {"writes": 2, "behindMean": 1.0, "behindMax": 2, "behind": {"0": 1, "2": 1}},
        },
    }


def test_a_plan_that_is_heard_of_after_its_flip_counts_from_the_flip_on() -> None:
    ledger = Ledger()
    flip(ledger, 1.0, 7, A)
    flip(ledger, 1.1, 6, B)
    ledger.note(1.2, "planned", "plan/7", "planner")
    by_zone = contention(ledger.timeline, struck=False)["byZone"]
    assert (by_zone[A]["behind"], by_zone[B]["behind"]) == ({"0": 1}, {"1": 1})


def test_an_arm_lasts_its_time_from_the_first_plan_on() -> None:
    (arm, *_) = scenario_of("jitter", "uid", jitter()["spec"]).arms
    record = Record(arm, ("dynamodb",), jitter=True)
    assert not record.is_over(99.0, 30.0), "no plan yet"
    record.planned(0.0, 1)
    assert not record.is_over(29.9, 30.0)
    assert record.is_over(30.0, 30.0)


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    return simulate(jitter())


def test_a_run_says_how_old_every_write_was_and_whether_it_struck(
    simulated: dict[str, Any],
) -> None:
    jsonschema.validate(simulated, SCHEMA)
    assert simulated["verdict"] == "Pass", simulated["message"]
    late = {}
    for arm in simulated["arms"]:
        seen = arm["dns"]["contention"]
        flips = [x for x in arm["timeline"] if x["event"] in ("flip", "staleFlip")]
        assert seen["flips"] == len(flips) == sum(z["writes"] for z in seen["byZone"].values())
        assert seen["staleFlips"] == arm["dns"]["staleWritesApplied"]
        assert seen["struck"] == ("NonEmpty" in arm["invariantsBroken"])
        assert set(seen["byZone"]) == {A, B, "us-east-1c"}
        late[arm["name"]] = max(z["behindMax"] for z in seen["byZone"].values())
    assert late["pin-live"] >= 1
    assert late["generation"] == 0


def test_other_modes_have_no_contention() -> None:
    document = simulate(admit(read_scenario("dns-race"), "dns-race"))
    assert all("contention" not in arm["dns"] for arm in document["arms"])


def test_drops_are_told_without_holds() -> None:
    """A fenced enactor that is slow drops what it carried; a run without holds must say so."""
    raw = jitter()
    raw["spec"]["arms"] = [a for a in raw["spec"]["arms"] if a["name"] == "generation"]
    faults = Faults(slow={A: 6.0, B: 6.0})
    (arm,) = simulate(raw, weather=Weather(faults=faults))["arms"]
    assert arm["dns"]["staleDropped"] > 3
    assert not arm["invariantsBroken"]


def test_an_interval_holds_for_as_many_further_runs_as_it_says() -> None:
    """Of a skewed distribution, from which nothing is known."""
    chance = random.Random(1)
    hits = 0
    for _ in range(2000):
        low, high = interval([chance.expovariate(1.0) for _ in range(199)])
        hits += low <= chance.expovariate(1.0) <= high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)
    assert interval(range(1, 200)) == (5, 195)
    assert interval(range(1, 200), 0.99) == (1, 199)


def test_too_few_runs_say_for_how_much_they_hold() -> None:
    assert reached(199) == pytest.approx(0.95)
    assert reached(20) == pytest.approx(1 - 2 / 21)
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (1, 100, 0.0003, 0.0545),
    ],
)
def test_the_interval_of_a_chance_is_the_exact_one(
    hits: int, of: int, low: float, high: float
) -> None:
    """Against the printed tables of Clopper and Pearson."""
    assert share(hits, of) == pytest.approx((low, high), abs=1e-4)


def test_a_prediction_is_of_the_very_runs_that_simulate_makes() -> None:
    raw = jitter()
    raw["spec"]["arms"] = raw["spec"]["arms"][:1]
    raw["spec"]["arms"][0]["settleSeconds"] = 5
    (arm,) = predict(raw, range(20), {"aws-2025": Weather()}, jobs=1)
    runs = [run_of(simulate(raw, seed)["arms"][0]["dns"]["contention"]) for seed in range(20)]
    assert arm["strikes"]["runs"] == sum(r.struck for r in runs)
    flips = [r.figures["flips"] for r in runs]
    assert arm["figures"]["flips"]["mean"] == pytest.approx(sum(flips) / 20, abs=1e-4)
    assert (arm["figures"]["flips"]["low"], arm["figures"]["flips"]["high"]) == (
        min(flips),
        max(flips),
    )
    shares = [r.shares.get("0", 0.0) for r in runs]
    assert arm["behind"]["0"]["mean"] == pytest.approx(sum(shares) / 20, abs=1e-4)
    assert all(misses(arm, run) == {} for run in runs)
    wrong = Run(False, {**runs[0].figures, "staleFlips": 99}, runs[0].shares)
    assert list(misses(arm, wrong)) == ["staleFlips"]
    assert misses(arm, wrong, ("behindMean",)) == {}
    never = {**arm, "strikes": {"chance95": [0.0, 0.01]}}
    assert misses(never, Run(True, runs[0].figures, runs[0].shares))
    ever = {**arm, "strikes": {"chance95": [0.99, 1.0]}}
    assert misses(ever, Run(False, runs[0].figures, runs[0].shares))


def exposition(call: str, seconds: list[float]) -> str:
    """As prometheus_client writes it."""
    lines = [
        f'holdfast_call_seconds_bucket{{call="{call}",le="{bound}"}} '
        f"{sum(s <= bound for s in seconds)}.0"
        for bound in (*CALL_BUCKETS, math.inf)
    ]
    return "\n".join(lines).replace('"inf"', '"+Inf"')


def test_latencies_are_read_from_what_enactors_export() -> None:
    wanted = Latency(1.0, 4.0, 9.0, 30.0, 90.0)
    chance = random.Random(2)
    one, other = ([look(wanted.table, chance.random()) for _ in range(4000)] for _ in range(2))
    text = "\n".join(
        [exposition("CreateTree", one), exposition("CreateTree", other), exposition("Pin", [1.0])]
    )
    assert histograms(text)["CreateTree"][math.inf] == 8000
    found = latencies(text)
    assert set(found.calls) == {"CreateTree"}, "one Pin is no distribution"
    of = found.of(Create(Tree("t", "dynamodb", 1)))
    assert of.p50_ms == pytest.approx(4.0, rel=0.1)
    assert of.p90_ms == pytest.approx(9.0, rel=0.1)
    assert of.p99_ms == pytest.approx(30.0, rel=0.25)
    assert found.of(PatchAlias("dynamodb", "", "")) == MEASURED.write
    assert (found.watch, found.query) == (MEASURED.watch, MEASURED.query)
    with pytest.raises(ValueError, match="no call"):
        latencies("holdfast_rounds_total 3")


def test_what_enactors_do_not_measure_is_as_slow_as_gets_are() -> None:
    double = [2 * MEASURED.get.p50_ms / 1000] * 100
    found = latencies(exposition("GetAlias", double))
    assert found.watch.p50_ms == pytest.approx(2 * MEASURED.watch.p50_ms, rel=0.2)
    five = (found.watch.least_ms, found.watch.p50_ms, found.watch.p90_ms, found.watch.p99_ms)
    assert list(five) == sorted(five)
    quick = latencies(exposition("GetAlias", [0.0001] * 100))
    assert quick.watch == MEASURED.watch


def test_quantiles_rise_even_where_all_calls_took_alike() -> None:
    found = latency({0.001: 0.0, 0.002: 50.0, 0.004: 50.0, math.inf: 50.0})
    five = (found.least_ms, found.p50_ms, found.p90_ms, found.p99_ms, found.most_ms)
    assert list(five) == sorted(five)
    assert found.least_ms >= 1.0
    assert found.most_ms == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("intent", "name"),
    [
        (Create(Tree("t", "e", 1)), "CreateTree"),
        (Create(Plan(1, ())), "CreatePlan"),
        (Get(Alias, "e"), "GetAlias"),
        (List(Tree), "ListTree"),
        (Delete(Tree, "t"), "DeleteTree"),
        (PatchAlias("e", "", ""), "PatchAlias"),
        (Pin("t", "u", "z/p"), "Pin"),
    ],
)
def test_calls_have_the_names_that_metrics_give_them(intent: Any, name: str) -> None:
    assert call_name(intent) == name


def run(*arguments: str) -> int:
    root = argparse.ArgumentParser()
    command.add_command(root.add_subparsers())
    given = root.parse_args(["sweep", *arguments])
    return int(given.do(given))


def test_the_command_predicts_a_jitter_scenario_with_a_clusters_latencies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics, file = tmp_path / "metrics.txt", tmp_path / "prediction.json"
    calls = ("GetAlias", "GetTree", "PatchAlias", "CreateTree", "CreateSlice", "ListAlias")
    metrics.write_text("\n".join(exposition(call, [0.06] * 50) for call in calls))
    options = ["jitter", "--arm", "generation", "--seeds", "20", "--jobs", "1"]
    assert run(*options, "--latencies", str(metrics), "--json", str(file)) == 0
    (slow,) = json.loads(file.read_text())["arms"]
    assert run(*options, "--json", str(file)) == 0
    document = json.loads(file.read_text())
    (quick,) = document["arms"]
    assert (document["runs"], document["confidence"]) == (20, pytest.approx(1 - 2 / 21, abs=1e-4))
    assert slow["figures"]["behindMean"]["mean"] > quick["figures"]["behindMean"]["mean"]
    assert slow["strikes"]["runs"] == quick["strikes"]["runs"] == 0
    assert "plans behind at a write" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["jitter", "--seeds", "5"], "from 20 to"),
        (["jitter", "--arm", "nobody"], "jitter has aws-2025, pin-live, generation"),
        (["jitter", "--latencies", "no/such/file"], "no/such/file"),
        (["jitter", "--latencies", "pyproject.toml"], "no call of which"),
    ],
)
def test_bad_commands_end_with_a_sentence(
    arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ForPeople, match=why):
        run(*arguments)


def test_a_jitter_scenario_can_be_swept_over_knobs_too(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    options = ["jitter", "--vary", "planRate=240", "--seeds", "10", "--hours", "0.01"]
    assert run(*options, "--jobs", "1", "--json", str(file)) == 0
    assert json.loads(file.read_text())["varied"] == {"planRate": [240.0]}
