"""The benchmark's pieces that need no cluster: what is counted as what, and when a goal is met."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.bench_lease import kopf_cost, million, recovery, steady, writes
from e2e.bench_lease.nodes import Seen, parse, rows
from e2e.bench_lease.scenes import SETTLE_SECONDS, Look, document
from e2e.bench_lease.writers import OBJECTS, WRITERS, Rates, in_turns, leases_of, rate
from e2e.bench_leases import FULL, PARTS, QUICK
from holdfast.cli.strict import admit
from holdfast.core.leases.fleet import Fleet, Mode, fleet_of
from holdfast.core.leases.rules import birth_seconds

ID = "0123456789abcdef" * 4
TOLD = f"""\
1 (systemd) S 0 1 1 0 -1 4194560 4252 32748 0 0 10 5 42 18 20 0 1 0 59341 20410368 2937 0
7 (web (main) x) R 1 7 7 0 -1 4194304 84 0 1 0 250 50 0 0 20 0 1 0 358180 2703360 321 0
9 (kworker) S 2 0 0 0 -1 4194304 84 0 1 0 1 1 0 0 20 0 1 0 5 0 0 0
/proc/7/cgroup:{ID}
/proc/7/cgroup:{ID}
/proc/1/status:VmHWM:\t   12288 kB
/proc/1/status:VmRSS:\t   11264 kB
/proc/7/status:VmHWM:\t    4096 kB
/proc/7/status:VmRSS:\t    2048 kB
8 (gone
"""


def test_processes_of_a_node_are_read_with_their_containers_and_without_the_kernels() -> None:
    assert parse("node", TOLD) == {
        ("node", 1, 59341): Seen("systemd", "", 0.15, 11.0, 12.0),
        ("node", 7, 358180): Seen("web (main) x", ID, 3.0, 2.0, 4.0),
    }


def test_processes_of_a_name_are_one_row_and_the_busiest_stands_first() -> None:
    before = {
        ("a", 1, 1): Seen("kubelet", "", 10.0, 50.0, 60.0),
        ("b", 1, 1): Seen("kubelet", "", 20.0, 50.0, 60.0),
        ("a", 2, 1): Seen("holdfast", "c1", 5.0, 80.0, 80.0),
        ("a", 3, 1): Seen("ended", "", 5.0, 80.0, 80.0),
    }
    after = {
        ("a", 1, 1): Seen("kubelet", "", 11.0, 51.0, 60.0),
        ("b", 1, 1): Seen("kubelet", "", 22.0, 52.0, 90.0),
        ("a", 2, 1): Seen("holdfast", "c1", 10.0, 81.0, 82.0),
        ("a", 3, 2): Seen("another", "", 9.0, 80.0, 80.0),
    }
    found = rows(before, after, 10.0, {"c1": "holdfast-leases-us-east-1a"})
    assert [(r.name, r.processes, r.cores, r.rss_mb, r.largest_mb) for r in found] == [
        ("holdfast-leases-us-east-1a", 1, 0.5, 81.0, 82.0),
        ("kubelet", 2, 0.3, 103.0, 90.0),
    ]


def test_writers_write_as_often_as_asked_and_each_its_own_objects() -> None:
    under_way: set[int] = set()
    written: list[int] = []

    async def work(number: int) -> None:
        assert number not in under_way, "two writers had one object"
        under_way.add(number)
        await asyncio.sleep(0)
        under_way.discard(number)
        written.append(number)

    assert asyncio.run(rate(work, 2 * OBJECTS)) > 0
    assert sorted(written) == sorted([*range(OBJECTS)] * 2)


def test_variants_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[int], Awaitable[None]]:
        async def work(_: int) -> None:
            if not order or order[-1] != name:
                order.append(name)

        return work

    rates = asyncio.run(in_turns({"a": named("a"), "b": named("b")}, 2, WRITERS, ""))
    assert order == ["a", "b", "a", "b"]  # a b, b a, a b
    assert {name: len(found) for name, found in rates.found.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_the_median_of_its_rounds() -> None:
    rates = Rates({"rack": [100.0, 200.0, 300.0], "one": [100.0, 100.0, 600.0]})
    assert rates.ratios("rack", "one", 100) == {"ofEachRound": [100.0, 200.0, 50.0], "median": 100}
    assert rates.medians() == {"rack": 200.0, "one": 100.0}


def test_fenced_and_bare_writers_never_have_the_same_lease() -> None:
    one, other = ({lease.name for lease in leases_of(Mode.DROPLET, n)} for n in (1, 2))
    assert (len(one), len(other), one & other) == (OBJECTS, OBJECTS, set())
    racks = leases_of(Mode.RACK)
    assert (len(racks), {lease.leases for lease in racks}) == (OBJECTS, {100})


def test_cpu_of_a_renewal_is_the_median_of_the_rounds() -> None:
    found = [{"cpuSeconds": cpu, "renewals": 500, "events": 500} for cpu in (0.5, 5.0, 0.6)]
    assert kopf_cost.median_ms([dict(f) for f in found]) == 1.2


def leases(**more: Any) -> dict[str, Any]:
    return {
        "faultEndedAt": 40.0,
        "windowSeconds": 3.0,
        "offered": {"heartbeatsPerSecond": 40.0},
        "goodput": [[39.0 + 3 * n, 90 if n < 3 else n % 2] for n in range(30)],
        **more,
    }


def test_what_is_won_late_is_a_share_of_the_heartbeats_of_whole_windows() -> None:
    found = recovery._won_late(leases(), 50.0)
    assert found["windows"] == [n % 2 for n in range(17, 30)]
    assert (found["renewals"], found["heartbeats"]) == (7, 1560)
    assert found["share"] == pytest.approx(7 / 1560, abs=1e-4)
    assert recovery._won_late(leases(), 500.0)["share"] is None
    cut_off = {key: value for key, value in leases().items() if key != "faultEndedAt"}
    assert recovery._won_late(cut_off, 50.0)["share"] is None


def test_recovery_is_a_multiple_of_the_backlog_and_never_if_it_was_not_seen() -> None:
    assert recovery._recovered(leases(recoverySeconds=7.5), 5.0)["overBacklog"] == 1.5
    runs = [
        {"safe": {"overBacklog": took}, "aws-2025": {"share": share}}
        for took, share in ((1.2, 0.0), (None, None))
    ]
    one, both = ({"backlogSeconds": 5.0, "runs": runs[:n]} for n in (1, 2))
    assert [g.is_met for g in recovery.goals(one)] == [True, True, True]
    assert [g.is_met for g in recovery.goals(both)] == [True, True, False]
    blind = recovery.goals({"backlogSeconds": 5.0, "runs": runs[1:]})
    assert [g.is_met for g in blind] == [False]


def test_the_shortened_scenario_is_one_and_watches_for_long_enough() -> None:
    found, fleet = recovery.shortened()
    spec = admit(found, "shortened")["spec"]
    assert {arm["name"] for arm in spec["arms"]} == {"safe", "aws-2025"}
    backlog = recovery.backlog_seconds(fleet)
    assert backlog == 40 * 0.5 / 4
    assert spec["settleSeconds"] > 10 * backlog + 9 * fleet.period


@pytest.mark.parametrize(
    "fleet",
    [steady.FLEET, million._fleet(FULL.racks, FULL.heartbeat_seconds), million._fleet(20, 6)],
)
def test_scenarios_of_ours_are_admitted_and_last_as_long_as_asked(fleet: dict[str, Any]) -> None:
    spec = admit(document("bench", fleet, million.ZONES, 1080, 2000), "bench")["spec"]
    assert spec["timeline"][0]["when"]["afterSeconds"] + SETTLE_SECONDS == 1080
    assert spec["region"]["fleet"]["durationSeconds"] == fleet["durationSeconds"]


def test_a_million_leases_are_a_million_and_are_born_within_a_period() -> None:
    fleet = fleet_of(million._fleet(FULL.racks, FULL.heartbeat_seconds))
    assert isinstance(fleet, Fleet)
    assert fleet.leases * len(million.ZONES) >= 1_000_000
    assert fleet.units * len(million.ZONES) <= 10_100
    assert birth_seconds(fleet) <= fleet.period <= 240
    assert (fleet.period, fleet.duration) == (180, 600)


def test_leases_of_the_steady_zone_beat_evenly() -> None:
    fleet = fleet_of(steady.FLEET)
    assert isinstance(fleet, Fleet)
    assert (fleet.leases, fleet.period, birth_seconds(fleet)) == (1500, 30, 30)


def test_a_look_at_nothing_holds_nothing() -> None:
    assert (Look(0.0, 0, 0, 0).share, Look(0.0, 1, 4, 1).share) == (0.0, 0.25)


def test_the_goals_are_those_of_the_issue() -> None:
    ratio = {"ratio": {"median": 0.85}}
    told = writes.goals(ratio)
    told += PARTS["attempts"][1](ratio | {"medianPerSecond": {"attempts": 1.0, "bare": 2.0}})[:1]
    told += writes.rack_goals({"ratio": {"median": 30}, "leasesInARack": 100})
    told += steady.goals({"leases": 1500, "managerCores": 0.5, "heldShareOfEachLook": [1.0]})[:1]
    row = {"name": "holdfast-leases-us-east-1a", "cores": 0.1}
    found = {"leases": 10**6, "objects": 10**4, "leastShare": 0.999, "processes": [row]}
    told += million.goals(found | {"machineCores": {"busy": 1.0}})[:1]
    assert [(g.at_least, g.at_most, g.is_met) for g in told] == [
        (0.85, None, True),
        (0.40, None, True),
        (30, None, True),
        (None, 0.5, True),
        (99.9, None, True),
    ]


def test_quick_has_all_parts_and_less_of_each() -> None:
    for field in ("rounds", "calls", "droplets", "racks", "looks", "recoveries"):
        assert getattr(QUICK, field) <= getattr(FULL, field)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "x.json", "--part", "nonsense"], "invalid choice: 'nonsense'"),
        (["--quick"], "the following arguments are required: --json"),
        (["--json", "."], "a folder, and a file is wanted"),
    ],
)
def test_options_that_will_not_do_are_explained(words: list[str], said: str) -> None:
    command = [sys.executable, "-m", "e2e.bench_leases", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_without_a_cluster_it_says_how_to_get_one(tmp_path: Path) -> None:
    config = tmp_path / "none.json"
    config.write_text(json.dumps({"apiVersion": "v1", "kind": "Config"}))
    command = [sys.executable, "-m", "e2e.bench_leases", "--json", str(tmp_path / "x.json")]
    environment = {"KUBECONFIG": str(config), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, "no cluster" in done.stderr) == (2, True), done.stderr
