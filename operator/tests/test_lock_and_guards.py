import pytest

from holdfast.core.guards import AWS_2025, Cleanup, DnsGuards, Fence, Rollback, dns_guards
from holdfast.core.lock import NO_RECORD, Lock, is_free, parse_lock

ME, OTHER = "us-east-1a/me", "us-east-1b/other"


def test_a_lock_survives_the_round_trip() -> None:
    assert parse_lock(Lock(ME, 12.5).text()) == Lock(ME, 12.5)


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("", True),
        (Lock(OTHER, 10.1).text(), False),
        (Lock(OTHER, 10.0).text(), True),
        (Lock(ME, 99.0).text(), True),
        ("written by hand", True),
        (f"{OTHER} inf", True),
        (f"{OTHER} nan", True),
        ("∞", True),
        (NO_RECORD, True),
    ],
)
def test_who_may_take_a_lock_at_ten(text: str, free: bool) -> None:
    assert is_free(text, ME, now=10.0) is free


def test_a_profile_with_one_rung_changed() -> None:
    assert dns_guards({}) == AWS_2025
    changed = dns_guards({"profile": "aws-2025", "dns": {"fence": "Generation"}})
    assert changed == DnsGuards(Fence.GENERATION, Cleanup.BY_AGE, Rollback.COUPLED)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"profile": "aws"}, "guards.profile: 'aws' is none of aws-2025"),
        ({"dns": {"fnece": "Generation"}}, "guards.dns.fnece: no such guard"),
        ({"dns": {"fence": False}}, "guards.dns.fence: False is none of None, CheckOnce, "),
    ],
)
def test_a_misspelt_guard_is_refused_by_name(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dns_guards(spec)
