"""Lease managers on the real API server, with everything around them struck: writes, watches,
agents, clocks, hands, and each other. All leases are held in the end, and none ever by two."""

import asyncio
from collections.abc import Iterator

import pytest

from e2e.lease_hands import EDITS, IN_ITS_SECOND, REFUSED
from e2e.lease_play import Found, play
from e2e.lease_proxy import Harm, Watching
from e2e.lease_stories import WRITES

pytestmark = pytest.mark.cluster

WATCHES = ("stalled", "closed", "410 once", "3 s late", *(w for w in Watching if w != "plain"))
CASES = [
    *(f"{write}, {harm}" for write in WRITES for harm in Harm),
    *(f"watch {watching}" for watching in WATCHES),
    "429 on everything for 5 s",
    *(f"agent: {how}" for how in ("hang", "late", "another", "silent", "restarted")),
    *(f"clock {jump}00 s, and back" for jump in ("+6", "-6")),
    *(f"hand: {edit}" for edit in (*EDITS, *REFUSED, IN_ITS_SECOND, "deleted")),
    "hand: all is as it was",
    "hand: while no manager runs",
    "zombie",
    "two at once",
    "two at once, and one dies",
]
SECONDS_MAX = 100.0


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    """All of it, played once: zones of a Region beside each other."""
    yield asyncio.run(play())


@pytest.mark.parametrize("case", CASES)
def test_all_leases_are_held_in_the_end(found: Found, case: str) -> None:
    assert found.rows[case] == ""


def test_every_case_is_in_the_list(found: Found) -> None:
    assert sorted(found.rows) == sorted(CASES)


def test_no_lease_is_ever_held_by_two(found: Found) -> None:
    assert found.held_by_two == ()


def test_there_is_one_object_a_lease(found: Found) -> None:
    assert found.objects == ()


def test_what_managers_tell_of_themselves_adds_up(found: Found) -> None:
    assert found.counts == ()


def test_no_manager_has_crashed(found: Found) -> None:
    assert found.crashed == ()


def test_all_of_it_is_short(found: Found) -> None:
    assert found.seconds <= SECONDS_MAX
