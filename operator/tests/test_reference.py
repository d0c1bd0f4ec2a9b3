"""Pages and rules that are made from the code are in the repository as they would be made now."""

import re
from pathlib import Path

import pytest

from holdfast.cli import main, reference
from holdfast.core.alerts import ALERTS
from holdfast.core.planner_notices import LASTING
from holdfast.core.reasons import MEANINGS, Reason

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", sorted(reference.files()), ids=str)
def test_what_is_made_from_the_code_is_not_stale(path: Path) -> None:
    there = (ROOT / path).read_text(encoding="utf-8")
    assert there == reference.files()[path], "stale: run `make reference`"


def test_writing_makes_every_file(tmp_path: Path) -> None:
    assert main(["reference", "--write", str(tmp_path)]) == 0
    made = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    assert made == set(reference.files())


def test_a_page_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "events"]) == 0
    assert "| `StaleWriteRefused` | Warning |" in capsys.readouterr().out


def test_every_reason_has_a_meaning_and_a_place_on_a_page() -> None:
    assert set(MEANINGS) == set(Reason)
    pages = reference.pages()
    for reason, meaning in MEANINGS.items():
        assert f"| `{reason}` |" in pages["events" if meaning.is_said else "conditions"]
        assert meaning.sentence.endswith((".", ")."))


def test_every_reason_that_a_planner_sets_is_one_of_ready() -> None:
    (ready,) = re.findall(r"\| `Ready` .*", reference.pages()["conditions"])
    source = (ROOT / "operator/src/holdfast/live/notices.py").read_text()
    planners = source.partition("def ready(")[2].partition("class ")[0]
    said = {Reason[name] for name in re.findall(r"Reason\.(\w+)", planners)}
    assert len(said) == 4
    for reason in (*said, *LASTING):
        assert f"`{reason}`" in ready


def test_every_metric_of_ours_is_on_its_page() -> None:
    page = reference.pages()["metrics"]
    for name in (
        "holdfast_refusals_total",
        "holdfast_outages_prevented_total",
        "holdfast_build_info",
        "holdfast_plan_generation",
    ):
        assert f"| `{name}` |" in page


def test_the_reasons_of_a_humans_commands_are_documented_too() -> None:
    cli = ROOT / "operator/src/holdfast/cli"
    said = {
        word
        for path in cli.glob("*.py")
        for word in re.findall(r'\.leave\(\s*"(\w+)"', path.read_text())
    }
    assert said == {str(r) for r, m in MEANINGS.items() if m.who == "human"}


def test_every_alert_has_its_page_among_the_failures() -> None:
    for alert in ALERTS:
        page = (ROOT / reference.RUNBOOKS / alert.page).read_text(encoding="utf-8")
        assert alert.name in page
