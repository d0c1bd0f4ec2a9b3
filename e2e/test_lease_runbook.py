"""The runbook's part about leases, as it is written, against managers that have collapsed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster_tools import get, items, kubectl, run, until
from e2e.oncall import as_oncall, assert_prints, perform
from e2e.runbook import RUNBOOK, Block, leases_with_holdfast, leases_with_kubectl

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parent.parent
SPACE = "lease-restart-nothing"


@pytest.fixture
def collapsed() -> Iterator[None]:
    """The arm in which nobody does anything, with the store back and nothing won."""
    raw = yaml.safe_load((ROOT / "scenarios/lease-restart.yaml").read_text())
    raw["spec"]["arms"] = [a for a in raw["spec"]["arms"] if a["name"] == "nothing"]
    raw["spec"] |= {"settleSeconds": 200, "deadlineSeconds": 400}
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(raw))
    try:
        until(is_collapsed, "the store is back, and nothing is won", 200)
        yield
    finally:
        run("kubectl", "delete", "scenario", "lease-restart", "--ignore-not-found", "--wait")
        gone = ("get", "namespace", SPACE)
        until(lambda: run("kubectl", *gone).returncode != 0, "the namespace is gone", 90)


def is_collapsed() -> bool:
    """Too late is only what was answered: so the store is."""
    found = run("kubectl", "get", "region", "us-east-1", "-n", SPACE, "-o", "yaml")
    zones: dict[str, Any] = {}
    if found.returncode == 0:
        zones = (yaml.safe_load(found.stdout).get("status") or {}).get("leases") or {}
    return len(zones) == 3 and all(
        not said["held"] and said["late"] > 50 and said["ageAtStartSeconds"] > 5
        for said in zones.values()
    )


@pytest.mark.parametrize(
    ("of", "words"),
    [
        pytest.param(leases_with_holdfast, 2, id="holdfast"),
        pytest.param(leases_with_kubectl, 1, id="kubectl alone", marks=[pytest.mark.leases]),
    ],
)
@pytest.mark.usefixtures("collapsed")
def test_the_runbook_as_written_brings_the_leases_back(of: Any, words: int, tmp_path: Path) -> None:
    blocks: list[Block] = of(RUNBOOK.read_text())
    assert blocks
    printed = perform(blocks, as_oncall(tmp_path, SPACE))
    assert_prints(blocks, printed, words)
    region = get("region", "us-east-1", "-n", SPACE)
    assert "admitAtMost" not in region["spec"]["fleet"]
    phases = [ls["status"]["phase"] for ls in items("dropletleases", "-n", SPACE)]
    assert phases == ["Held"] * 120
