"""A freeze by values: what stands in the annotation, and until when it holds."""

import ast
import inspect
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core import freeze as module
from holdfast.core.freeze import FOREVER, Freeze, is_freeze_lock, is_frozen, parse_freeze
from holdfast.core.lock import Lock, is_free, parse_lock
from holdfast.core.region import region_of

NINE = datetime(2025, 10, 20, 9, 25, tzinfo=UTC).timestamp()

words = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1)
sentences = st.lists(words).map(" ".join)


@given(words, st.integers(0, int(FOREVER)), sentences)
def test_a_freeze_survives_the_round_trip(who: str, until: int, why: str) -> None:
    assert parse_freeze(Freeze(who, float(until), why).text()) == Freeze(who, float(until), why)


def test_what_stands_in_the_annotation_can_be_read_by_people() -> None:
    assert Freeze("alice", NINE, "the name is empty").text() == (
        "alice 2025-10-20T09:25:00Z the name is empty"
    )
    assert Freeze("alice", FOREVER, "").text() == "alice 9999-12-31T23:59:59Z"
    assert Freeze("alice", FOREVER * 2, "").text() == "alice 9999-12-31T23:59:59Z"


def test_nothing_is_no_freeze() -> None:
    assert parse_freeze("") is None
    assert not is_frozen("", 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "alice tomorrow",
        "alice  2025-10-20T09:25:00Z two spaces",
        "alice 2025-10-20T09:25:60Z a second that is none",
        "alice 2025-13-01T00:00:00Z a month that is none",
        "alice 99999999999999999999 a number",
        "alice smith 2025-10-20T09:25:00Z a who with white space",
        "∞",
        " ",
    ],
)
def test_what_cannot_be_read_was_put_there_by_somebody_and_holds(text: str) -> None:
    found = parse_freeze(text)
    assert found is not None
    assert is_frozen(text, FOREVER - 1)


@given(st.text(min_size=1))
def test_no_text_is_too_odd_and_none_is_no_freeze(text: str) -> None:
    found = parse_freeze(text)
    assert found is not None
    assert found.until <= FOREVER


def test_it_holds_until_its_time_and_not_longer() -> None:
    text = Freeze("alice", NINE, "").text()
    assert is_frozen(text, NINE - 0.001)
    assert not is_frozen(text, NINE)
    assert is_frozen(Freeze("alice", FOREVER, "").text(), FOREVER - 1)


@pytest.mark.parametrize(
    "stamp",
    [
        "2025-10-20T09:25:00Z",
        "2025-10-20T11:25:00+02:00",
        "2025-10-20T09:25:00",
        "2025-10-20t09:25:00.000Z",
    ],
)
def test_stamps_are_read_alike_in_every_time_zone(
    stamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            assert parse_freeze(f"alice {stamp} why") == Freeze("alice", NINE, "why")
    time.tzset()


def test_no_time_is_later_than_for_ever() -> None:
    found = parse_freeze("alice 9999-12-31T23:59:59-12:00 west of everything")
    assert found == Freeze("alice", FOREVER, "west of everything")
    assert parse_freeze(found.text()) == found


def test_the_lock_beside_it_keeps_enactors_out_as_long_as_it_holds() -> None:
    order = Freeze("alice", NINE, "why")
    text = Lock(order.holder(), order.until).text()
    lock = parse_lock(text)
    assert lock is not None
    assert is_freeze_lock(lock.holder)
    assert not is_freeze_lock("us-east-1a/freeze")
    assert not is_free(text, "us-east-1a/x", NINE - 0.001)
    assert is_free(text, "us-east-1a/x", NINE)
    assert not is_free(Lock(order.holder(), FOREVER).text(), "us-east-1a/x", FOREVER - 1)


@pytest.mark.parametrize(
    ("raw", "until"),
    [
        ({"who": "alice"}, FOREVER),
        ({"who": "alice", "until": "2025-10-20T09:25:00Z"}, NINE),
        ({"who": "alice", "until": "2025-10-20T09:25:00z"}, FOREVER),
        ({"who": "alice", "until": None}, FOREVER),
    ],
)
def test_a_regions_freeze(raw: dict[str, object], until: float) -> None:
    """`z` is a stamp to the API server and none to Python: then the freeze stays."""
    region = region_of("ns", "us-east-1", {"freeze": raw})
    assert region.freeze == Freeze("alice", until, "")
    assert region.is_frozen(until - 1)
    assert not region.is_frozen(until)
    assert not region_of("ns", "us-east-1", {"freeze": {}}).is_frozen(0.0)


def test_it_never_asks_for_the_time() -> None:
    """It may import datetime, for stamps alone."""
    tree = ast.parse(inspect.getsource(module))
    asked = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert not asked & {"now", "utcnow", "today", "time", "monotonic"}
