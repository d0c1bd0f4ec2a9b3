"""The page of faults is that of the cases there are."""

from pathlib import Path

from e2e.faults.cases import CASES
from e2e.faults.table import cases_expected, cases_in, explained
from e2e.faults.verdict import Reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"


def test_the_page_has_a_row_for_each_case_and_no_other() -> None:
    """Else: `python -m e2e.faults --docs docs/faults.md`, with a cluster."""
    assert cases_in(PAGE.read_text()) == cases_expected()


def test_the_page_has_no_failed_case_and_every_reason() -> None:
    text = PAGE.read_text()
    assert "FAILED" not in text
    for reason in Reason:
        assert f"{explained(reason)}\n" in text


def test_there_are_at_least_a_hundred_cases_and_each_has_its_name() -> None:
    assert len(CASES) >= 100
    assert len({c.name for c in CASES}) == len(CASES)
    assert sorted(c.name for c in CASES) == sorted(cases_expected())
