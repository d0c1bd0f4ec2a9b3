"""`holdfast ablate` as people run it, on a few of the combinations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holdfast.cli import ablate, main
from holdfast.core.guards import AWS_2025, Fence

ROOT = Path(__file__).parents[2]
SCENARIO = (
    "apiVersion: holdfast.dev/v1alpha1\nkind: Scenario\nmetadata: {name: few}\nspec:\n"
    "  arms: [{name: any, expect: OutageReproduced}]\n"
    "  check: {plans: 3, budgets: {lockExpiries: 0}}\n"
)


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    few = (AWS_2025, replace(AWS_2025, fence=Fence.GENERATION))
    monkeypatch.setattr(ablate, "combinations", lambda: few)
    file = tmp_path / "few.yaml"
    file.write_text(SCENARIO)
    return str(file)


def test_the_document_the_traces_and_what_is_printed(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, traces = tmp_path / "out/ablation.json", tmp_path / "traces"
    arguments = ["--json", str(out), "--traces", str(traces), "--jobs", "1"]
    assert main(["ablate", scenario, *arguments]) == 0
    document = json.loads(out.read_text())
    jsonschema.validate(document, json.loads((ROOT / "docs/ablation.schema.json").read_text()))
    outcomes = [c["outcome"] for c in document["combinations"]]
    assert outcomes == ["OutageReproduced", "OutagePrevented"]
    assert document["smallestSets"][0] == {
        "keeps": ["NonEmpty"],
        "sets": [["dns.fence=Generation"]],
    }
    told = (traces / "CheckOnce-ByAge-Coupled.md").read_text()
    assert "## A shortest way to break NonEmpty: 24 calls" in told
    assert len(list(traces.iterdir())) == 2
    printed = capsys.readouterr().out
    assert "1 of 2 combinations prevent the outage. Exhaustive within 2 enactors" in printed
    assert "root cause" not in printed


def test_the_picture_is_the_same_every_time(scenario: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = [tmp_path / "a.svg", tmp_path / "b.svg", tmp_path / "c.png"]
    pictures = [a for f in files for a in ("--picture", str(f))]
    assert main(["ablate", scenario, *pictures, "--jobs", "1"]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    svg = files[0].read_text()
    assert "<dc:date>" not in svg
    assert "1 of 2 combinations of guards prevent the outage" in svg


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.yaml"], "no such file"),
        (["dns-race", "--jobs", "0"], "--jobs 0 is not 1 or more"),
        (["dns-race", "--picture", "guards.gif"], "guards.gif: it ends in none of .svg, .png"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_explored(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablate", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_one_that_is_too_large_is_named(
    scenario: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explore_in_this_process(*arguments: Any) -> Any:
        yield ablate._explore(*(arguments[0][0], arguments[1]))

    monkeypatch.setattr(ablate, "STATES_MAX", 100)
    monkeypatch.setattr(ablate, "_in_processes", explore_in_this_process)
    assert main(["ablate", scenario]) == 2
    assert "CheckOnce-ByAge-Coupled: more than 100 states. Narrow" in capsys.readouterr().err
