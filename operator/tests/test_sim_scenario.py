"""Scenarios in virtual time: what happens, and that it happens again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from holdfast.cli import main
from holdfast.cli.files import ForPeople
from holdfast.cli.strict import admit
from holdfast.sim.arm import Weather
from holdfast.sim.enactor import Enactor
from holdfast.sim.faults import Crash, Faults, Stalls
from holdfast.sim.scenario import simulate

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/result.schema.json").read_text())


def scenario(name: str = "dns-race") -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load((ROOT / f"scenarios/{name}.yaml").read_text())
    return raw


@pytest.fixture(scope="module")
def race() -> dict[str, Any]:
    return simulate(admit(scenario(), "dns-race"))


def arm(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(a for a in document["arms"] if a["name"] == name)
    return found


def test_the_race_comes_out_as_on_the_cluster(race: dict[str, Any]) -> None:
    assert (race["engine"], race["verdict"], race["seed"]) == ("simulate", "Pass", 20251020)
    aws = arm(race, "aws-2025")
    assert set(aws["invariantsBroken"]) == {"NonEmpty", "Monotone", "NoLiveDelete", "Converges"}
    dns = aws["dns"]
    assert (dns["recoveredBy"], dns["staleWritesApplied"]) == ("nobody", 1)
    assert [g for _, _, g in dns["liveGenerations"]] == [1, 2, 3, 4, 1]
    seen = dns["authoritative"]
    assert 3.0 < seen["firstEmptyAt"] < 3.5
    assert seen["lastEmptyAt"] == seen["endedAt"], "to the end"
    assert dns["resolver"]["firstEmptyAt"] > seen["firstEmptyAt"], "the cache hides it for a while"


def test_one_guard_prevents_it_by_a_check_and_by_a_precondition(race: dict[str, Any]) -> None:
    dropped, refused = arm(race, "fenced")["dns"], arm(race, "fenced-midwrite")["dns"]
    assert (dropped["staleDropped"], dropped["staleWritesRefused"]) == (
        1,
        {"conflict": 0, "policy": 0},
    )
    assert (refused["staleDropped"], refused["staleWritesRefused"]) == (
        0,
        {"conflict": 1, "policy": 0},
    )
    for dns in (dropped, refused):
        assert dns["authoritative"]["empty"] == dns["resolver"]["empty"] == 0
        assert dns["staleWritesApplied"] == 0


def test_the_document_is_the_clusters(race: dict[str, Any]) -> None:
    jsonschema.validate(race, SCHEMA)


@pytest.mark.parametrize("seed", range(8))
def test_holds_make_the_order_of_events_whatever_the_seed(seed: int) -> None:
    assert simulate(scenario(), seed)["verdict"] == "Pass"


def test_every_scenario_of_ours_runs_and_passes() -> None:
    for file in sorted((ROOT / "scenarios").glob("*.yaml")):
        raw = yaml.safe_load(file.read_text())
        if raw["kind"] == "Scenario":
            document = simulate(admit(raw, file.name))
            jsonschema.validate(document, SCHEMA)
            assert document["verdict"] == "Pass", document["message"]


def test_same_seed_same_document() -> None:
    weather = Weather(
        faults=Faults(
            slow={"us-east-1a": 3.0},
            stalls=Stalls(every_seconds=2.0),
            lost=0.02,
            crashes=(Crash(1.5, "us-east-1b", 0.5),),
        )
    )
    first, second = (json.dumps(simulate(scenario(), 7, weather)) for _ in range(2))
    assert first == second
    assert first != json.dumps(simulate(scenario(), 8, weather))


def test_same_seed_same_bytes_in_another_process(tmp_path: Path) -> None:
    files = []
    for hash_seed in ("0", "4711"):
        file = tmp_path / f"{hash_seed}.json"
        code = f"from holdfast.cli import main; main(['simulate', 'dns-race', '--json', '{file}'])"
        command = [sys.executable, "-c", code]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        subprocess.run(command, check=True, env=environment, capture_output=True)
        files.append(file.read_bytes())
    assert files[0] == files[1]


def test_no_framework_of_the_cluster_is_imported() -> None:
    code = (
        "import sys, holdfast.cli as c; c.main(['simulate', 'dns-race']);"
        "frameworks = {'kopf', 'kubernetes', 'aiohttp', 'uvloop', 'numpy'};"
        "print(sorted(frameworks & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_faults_do_not_break_a_fenced_name() -> None:
    raw = scenario()
    raw["spec"]["arms"] = [a for a in raw["spec"]["arms"] if a["name"] == "fenced"]
    raw["spec"]["timeline"] = []
    raw["spec"]["settleSeconds"] = 60
    crashes = tuple(Crash(3.0 * i + 0.51, f"us-east-1{'abc'[i % 3]}") for i in range(1, 15))
    faults = Faults(stalls=Stalls(every_seconds=1.0), lost=0.05, crashes=crashes)
    document = simulate(raw, 3, Weather(faults=faults))
    broken = set(arm(document, "fenced")["invariantsBroken"])
    assert not broken & {"NonEmpty", "Monotone", "NoLiveDelete", "Converges"}


def test_a_hold_that_never_catches_is_no_pass() -> None:
    raw = scenario()
    raw["spec"]["timeline"][0]["hold"]["when"] = {"plansBehind": 1000}
    raw["spec"]["deadlineSeconds"] = 15
    document = simulate(raw)
    assert document["verdict"] == "Inconclusive"
    assert "hold-1" in arm(document, "aws-2025")["message"]


WHEN = {"when": {"empty": "dynamodb"}}
OVERRIDE = {"operator": {"command": "override", "endpoint": "sqs"}, **WHEN}
SCALE = {"scale": {"role": "store", "zone": "us-east-1x", "replicas": 0}, **WHEN}


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("regoin",), {}, "spec.regoin: unknown field"),
        (("region", "retention"), -1, "retention: -1 is less than 1"),
        (("region", "planner", "churnPerMinute"), 1e9, "is not of type integer"),
        (("region", "planner", "churnPerMinute"), 10**9, "is more than"),
        (("deadlineSeconds",), True, "True is not of type integer"),
        (("arms", 0, "guards", "fnece"), "x", "unknown field"),
        (("arms", 0, "guards", "dns"), {"fence": "Generatoin"}, "is none of"),
        (("arms", 0, "expect"), None, "expect: missing"),
        (("timeline", 0, "hold", "zone"), "eu-1", "no zone of the region"),
        (("arms",), [], "0 items"),
        (("timeline",), [OVERRIDE], "'sqs' is no endpoint of the region"),
        (("timeline",), [SCALE], "'us-east-1x' is no zone of the region"),
    ],
)
def test_what_the_api_server_would_refuse_is_refused(
    path: tuple[str | int, ...], value: object, why: str
) -> None:
    raw = scenario()
    at: Any = raw["spec"]
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(ForPeople, match=why):
        admit(raw, "file.yaml")


def test_bad_commands_end_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "no-such-scenario"]) == 2
    assert "no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["simulate", "dns-race", "--seed", "-1"])


def test_scaling_to_what_is_there_changes_nothing() -> None:
    raw = scenario()
    scale = {"role": "enactor", "zone": "us-east-1a", "replicas": 1}
    raw["spec"]["timeline"].append({"scale": scale, "when": {"held": "us-east-1a"}})
    assert arm(simulate(raw, 1), "aws-2025")["outcome"] == "OutageReproduced"


def test_a_double_goes_again_and_there_is_one_at_most() -> None:
    """The zone's own enactor stands at a hold; what doubles it works."""
    raw = scenario()
    for count, after in ((2, 1), (2, 2), (1, 3)):
        scale = {"role": "enactor", "zone": "us-east-1a", "replicas": count}
        when = {"held": "us-east-1a", "afterSeconds": after}
        raw["spec"]["timeline"].append({"scale": scale, "when": when})
    begun = list[str]()
    ended = list[str]()
    with pytest.MonkeyPatch.context() as patch:
        start, stop = Enactor.start, Enactor.stop
        patch.setattr(Enactor, "start", lambda e: (begun.append(e._zone), start(e)))
        patch.setattr(Enactor, "stop", lambda e: (ended.append(e._zone), stop(e)))
        simulate({**raw, "spec": {**raw["spec"], "arms": raw["spec"]["arms"][:1]}}, 1)
    assert (begun.count("us-east-1a"), ended) == (2, ["us-east-1a"])
