"""What is done by hand to what runs is refused, repaired, ignored or said; and the page says so."""

from collections.abc import Iterator

import pytest

from e2e.hand_cases import GROUPS
from e2e.hand_edits import PAGE, Found, masked, play
from e2e.hand_scenarios import KEYS

pytestmark = pytest.mark.cluster

REGIONS = [f"{group.name}/{case.name}" for group in GROUPS for case in group.cases]
SCENARIOS = [f"scenario/{key}" for key in KEYS]
ALL = [*REGIONS, *SCENARIOS, "down/operator-down"]


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    """All of it, played once: namespaces beside each other, Scenarios one after the other."""
    yield play()


@pytest.mark.parametrize("key", ALL)
def test_an_edit_comes_to_what_is_said_of_it(found: Found, key: str) -> None:
    row = found.rows[key]
    assert not row.wrong, f"{row.done}: {row.wrong}"
    there = {masked(line) for line in PAGE.read_text().splitlines()}
    assert masked(row.line().strip()) in there, (
        f"docs/bad-input.md is stale: python -m e2e.hand_edits --write\n{row.line()}"
    )


def test_with_safe_no_edit_empties_a_name_but_those_that_are_said_to(found: Found) -> None:
    emptied = {r.key for r in found.rows.values() if r.empties and not r.may_be_empty}
    assert emptied == set()
    safe = {r.key for r in found.rows.values() if r.may_be_empty and r.guards == "`safe`"}
    assert safe == {
        "safe-alias/forged",
        "safe-tree/unpinned-and-deleted",
        "scenario/arm-space",
        "scenario/arm-dns",
    }


def test_no_process_of_the_operator_has_restarted(found: Found) -> None:
    assert found.restarted == ()


def test_nobody_writes_once_nothing_is_to_be_done(found: Found) -> None:
    assert found.restless == ()
