from dataclasses import replace

import pytest

from holdfast.core.guards import (
    AWS_2025,
    PROFILES,
    SAFE,
    Cleanup,
    DnsGuards,
    Fence,
    Rollback,
    Switch,
    dns_guards,
    effective,
)
from holdfast.core.lock import NO_RECORD, NO_RECORDS, Lock, is_free, parse_lock

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
        (NO_RECORDS, True),
    ],
)
def test_who_may_take_a_lock_at_ten(text: str, free: bool) -> None:
    assert is_free(text, ME, now=10.0) is free


@pytest.mark.parametrize("text", ["", NO_RECORD, NO_RECORDS])
def test_a_lock_that_is_not_there_is_nobodys(text: str) -> None:
    assert parse_lock(text) is None


def test_a_profile_with_one_rung_changed() -> None:
    assert dns_guards({}) == AWS_2025
    changed = dns_guards({"profile": "aws-2025", "dns": {"fence": "Generation"}})
    assert changed == DnsGuards(Fence.GENERATION, Cleanup.BY_AGE, Rollback.COUPLED)


def test_the_profiles() -> None:
    off, on = Switch.DISABLED, Switch.ENABLED
    aws = DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED, off, off, off)
    safe = DnsGuards(Fence.GENERATION, Cleanup.PIN_LIVE, Rollback.DECOUPLED, on, on, on)
    assert (dns_guards({"profile": "aws-2025"}), dns_guards({"profile": "safe"})) == (aws, safe)
    assert list(PROFILES) == ["aws-2025", "safe"]


def test_the_six_guards_as_a_spec_and_a_result_name_them() -> None:
    told = {
        "fence": "CheckEach",
        "cleanup": "RereadBeforeDelete",
        "rollback": "Decoupled",
        "admission": "Enabled",
        "selfRepair": "Disabled",
        "lastKnownGood": "Enabled",
    }
    found = dns_guards({"profile": "safe", "dns": told})
    assert effective(found) == {"dns": told}
    assert (found.repairs, found.keeps_last_good) == (False, True)
    assert dns_guards({"profile": "safe", "dns": {}}) == SAFE


@pytest.mark.parametrize(
    ("guards", "pins"),
    [
        (AWS_2025, False),
        (SAFE, True),
        (replace(AWS_2025, cleanup=Cleanup.PIN_LIVE), True),
        (replace(AWS_2025, admission=Switch.ENABLED), True),
        (replace(AWS_2025, self_repair=Switch.ENABLED), False),
    ],
)
def test_who_asks_for_pins(guards: DnsGuards, pins: bool) -> None:
    """The cleaner, or a policy that sees one object alone."""
    assert guards.pins is pins


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"profile": "aws"}, "guards.profile: 'aws' is none of aws-2025"),
        ({"dns": {"fnece": "Generation"}}, "guards.dns.fnece: no such guard"),
        ({"dns": {"selfRepair": True}}, "guards.dns.selfRepair: True is none of Disabled, Enabled"),
        ({"dns": {"self_repair": "Enabled"}}, "guards.dns.self_repair: no such guard"),
        ({"dns": {"fence": False}}, "guards.dns.fence: False is none of None, CheckOnce, "),
    ],
)
def test_a_misspelt_guard_is_refused_by_name(spec: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        dns_guards(spec)
