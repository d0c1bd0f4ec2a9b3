"""`holdfast check` as people run it: exit codes, the document, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holdfast.cli import main

ARM = "{arms: [{name: a, expect: OutagePrevented}], "
ROOT = Path(__file__).parents[2]


def checked(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "result.json"
    code = main(["check", *arguments, "--json", str(out)])
    document: dict[str, Any] = json.loads(out.read_text())
    return code, document


def test_the_document_follows_the_schema(tmp_path: Path) -> None:
    code, document = checked(tmp_path, "dns-race", "--plans", "3", "--lost-replies", "1")
    jsonschema.validate(document, json.loads((ROOT / "docs/result.schema.json").read_text()))
    assert code == 0
    assert (document["engine"], document["verdict"]) == ("check", "Pass")
    outcomes = {a["name"]: a["outcome"] for a in document["arms"]}
    assert outcomes == {
        "aws-2025": "OutageReproduced",
        "fenced": "OutagePrevented",
        "fenced-midwrite": "OutagePrevented",
        "override": "OutageReproduced",
    }
    assert document["arms"][0]["trace"]["to"] == "NonEmpty"
    assert document["arms"][1]["exploration"]["bounds"]["budgets"]["lostReplies"] == 1


def test_an_outage_that_was_not_expected_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "apiVersion: holdfast.dev/v1alpha1\nkind: Scenario\nmetadata: {name: wrong}\nspec:\n"
        "  arms: [{name: hopeful, guards: {dns: {fence: CheckEach}}, expect: OutagePrevented}]\n"
        "  check: {plans: 3}\n"
    )
    code, document = checked(tmp_path, str(file))
    assert code == 1
    assert document["arms"][0]["verdict"] == "Fail"
    printed = capsys.readouterr().out
    assert "exhaustive within 2 enactors, 3 plans, retention 1" in printed
    assert "a shortest way to break NonEmpty" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dns-race", "--plans", "9"], "--plans 9 is not between 1 and 8"),
        (["dns-race", "--crashes", "-1"], "--crashes -1 is not between 0 and 3"),
        (["dns-race", "--arm", "nobody"], "no arm is called nobody; there are aws-2025, fenced"),
        (["nowhere.yaml"], "no such file"),
        (["dns-race", "--max-states", "100"], "more than 100 states. Narrow the bounds"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{arms: [{name: a, guards: {dns: {fence: Fancy}}, expect: OutagePrevented}]}", "Fancy"),
        ("{arms: [{name: a, expect: Maybe}]}", "Maybe"),
        ("{arms: [{name: a, expect: OutagePrevented}], check: {plans: 99}}", "plans"),
        ("{arms: [{name: a, expect: OutagePrevented}], check: {plnas: 3}}", "plnas"),
        ("{arms: []}", "arms"),
        (ARM + "region: {endpoints: [resolver]}}", "name of a DNS server"),
        (ARM + "region: {endpoints: [sqs, sqs]}}", "'sqs' is there twice"),
    ],
)
def test_a_file_that_the_cluster_would_refuse_is_refused(
    spec: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.yaml"
    head = "apiVersion: holdfast.dev/v1alpha1\nkind: Scenario\nmetadata: {name: bad}\n"
    file.write_text(f"{head}spec: {spec}\n")
    assert main(["check", str(file)]) == 2
    assert says in capsys.readouterr().err


def test_it_starts_without_the_cluster_s_libraries() -> None:
    code = "import sys, holdfast.cli; print({'kopf', 'kubernetes', 'aiohttp'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
