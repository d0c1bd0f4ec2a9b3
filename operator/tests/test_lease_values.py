"""Leases as they are stored: packed, renewed, and who may take one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.leases.lease import (
    AGE_MAX,
    NEVER,
    DropletLease,
    RackLease,
    may_take,
    pack,
    renewed,
    supersedes,
    unpack,
)

ME, OTHER = "us-east-1a/me", "us-east-1a/other"
DROPLET = DropletLease("us-east-1a-r1-d1", "us-east-1a", 1, 9.0, uid="u", resource_version="7")
MINE = replace(
    DROPLET, holder=ME, agent="one", acquired=40.0, renewed=100.0, transitions=1, phase="Held"
)
RACK = RackLease("us-east-1a-r1", "us-east-1a", 1, 9.0, packed=pack([None] * 4))
AGES = st.lists(st.one_of(st.none(), st.integers(0, AGE_MAX)), max_size=50)
WHOLE = st.integers(0, 200).map(float)


@given(AGES)
def test_packed_ages_survive_the_round_trip(ages: list[int | None]) -> None:
    assert unpack(pack(ages)) == ages
    assert len(pack(ages)) == 2 * len(ages)


def test_how_ages_look() -> None:
    assert pack([0, 1, 63, 64, AGE_MAX, AGE_MAX + 1, None]) == "00010_10_-" + 2 * NEVER
    assert unpack("") == []


def test_a_digit_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="not found"):
        unpack("00!0")


@given(AGES, WHOLE, WHOLE)
def test_a_rack_runs_out_with_the_last_of_its_leases(
    ages: list[int | None], at: float, now: float
) -> None:
    rack = replace(RACK, holder=ME, renewed=at, packed=pack(ages))
    said = [at - a + 9.0 for a in ages if a is not None]
    assert rack.live(now) == sum(expires > now for expires in said)
    assert rack.expires == max(said, default=0.0)
    assert rack.leases == len(ages)


def test_what_nobody_holds_has_no_leases() -> None:
    assert (DROPLET.expires, DROPLET.live(1.0), DROPLET.leases) == (0.0, 0, 1)
    held = replace(RACK, renewed=100.0, packed=pack([0, 0, None, None]))
    assert (held.expires, held.live(100.0), held.leases) == (0.0, 0, 4)


@pytest.mark.parametrize(
    ("holder", "now", "may"),
    [
        ("", 0.0, True),
        (ME, 0.0, True),
        (ME, 200.0, True),
        (OTHER, 108.9, False),
        (OTHER, 109.0, True),
    ],
)
def test_who_may_take_a_lease_that_lasts_until_109(holder: str, now: float, may: bool) -> None:
    assert may_take(replace(MINE, holder=holder), ME, now) is may
    rack = replace(RACK, holder=holder, renewed=100.0, packed=pack([0, 3, None, None]))
    assert may_take(rack, ME, now) is may


@pytest.mark.parametrize(
    ("new", "known", "is_news"),
    [
        ("8", "7", True),
        ("7", "7", False),
        ("10", "9", True),
        ("9", "10", False),
        ("abc", "10", True),
        ("8", "abc", True),
    ],
)
def test_a_watch_is_behind_the_replies_to_ones_own_writes(
    new: str, known: str, is_news: bool
) -> None:
    brought, seen = (replace(MINE, resource_version=version) for version in (new, known))
    assert supersedes(brought, seen) is is_news
    assert supersedes(replace(brought, uid="another"), seen)
    assert supersedes(brought, None)


def test_what_is_renewed_stays_acquired() -> None:
    after = renewed(MINE, ME, "one", 103.0, frozenset())
    assert after == replace(MINE, renewed=103.0)


@pytest.mark.parametrize(
    ("before", "agent", "at", "transitions"),
    [
        (replace(DROPLET), "one", 103.0, 1),
        (MINE, "another", 103.0, 1),
        (MINE, "one", 109.0, 1),
        (replace(MINE, holder=OTHER), "one", 120.0, 2),
        (replace(MINE, holder=OTHER), "one", 103.0, 2),
    ],
    ids=["nobody's", "another agent", "ran out", "another's, ran out", "another's"],
)
def test_what_is_won_anew_is_acquired_now(
    before: DropletLease, agent: str, at: float, transitions: int
) -> None:
    after = renewed(before, ME, agent, at, frozenset())
    assert (after.holder, after.agent, after.acquired, after.renewed) == (ME, agent, at, at)
    assert (after.transitions, after.phase) == (transitions, "Held")
    assert (after.uid, after.resource_version) == ("u", "7")


def test_a_check_that_was_queued_before_the_last_takes_nothing_back() -> None:
    assert renewed(MINE, ME, "one", 97.0, frozenset()) == MINE


@given(st.sampled_from(["", ME, OTHER]), st.sampled_from(["one", "two"]), WHOLE, WHOLE)
def test_no_write_prolongs_beyond_what_its_check_was_queued_for(
    holder: str, agent: str, at: float, last: float
) -> None:
    before = replace(MINE, holder=holder, agent=agent, renewed=last)
    after = renewed(before, ME, "one", at, frozenset())
    assert after.expires <= max(at + 9.0, before.expires)


def test_of_a_rack_those_that_answered_are_fresh_and_the_others_age() -> None:
    """Rather older than they are than younger: 2.2 s have gone by, so they are 3 s older."""
    rack = replace(RACK, holder=ME, agent="one", renewed=100.0, packed=pack([0, 2, None, 1]))
    after = renewed(rack, ME, "one", 102.2, frozenset({0, 2}))
    assert isinstance(after, RackLease)
    assert (unpack(after.packed), after.renewed) == ([0, 5, 0, 4], 102.2)
    assert (after.live(107.1), after.live(109.0)) == (3, 2)


def test_another_agent_begins_with_those_that_answer_it() -> None:
    rack = replace(RACK, holder=ME, agent="one", renewed=100.0, packed=pack([0, 2, None, 1]))
    after = renewed(rack, ME, "two", 102.0, frozenset({1}))
    assert isinstance(after, RackLease)
    assert unpack(after.packed) == [None, 0, None, None]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=1, max_size=6),
    st.floats(0, 30),
    st.frozensets(st.integers(0, 5)),
)
def test_no_droplet_of_a_rack_outlives_its_last_answer(
    ages: list[int | None], later: float, answered: frozenset[int]
) -> None:
    rack = replace(RACK, holder=ME, agent="one", renewed=100.0, packed=pack(ages))
    after = renewed(rack, ME, "one", 100.0 + later, answered)
    assert isinstance(after, RackLease)
    for place, (was, now) in enumerate(zip(ages, unpack(after.packed), strict=True)):
        if place in answered:
            assert now == 0
        elif now is not None:
            assert was is not None
            assert after.renewed - now <= 100.0 - was
