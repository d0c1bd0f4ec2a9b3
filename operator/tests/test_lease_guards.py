"""The guards of the lease managers, as a spec names them and a result tells them."""

from dataclasses import fields, replace
from typing import Any

import pytest

from holdfast.core.guards import (
    AWS_2025,
    AWS_LEASES,
    LEASE_PROFILES,
    SAFE_LEASES,
    Concurrency,
    Dedupe,
    Expired,
    Grace,
    LeaseGuards,
    OnStart,
    Order,
    QueueAdmission,
    Retry,
    effective,
    lease_guards,
)

LADDERS: dict[str, Any] = {
    "admission": QueueAdmission,
    "expired": Expired,
    "dedupe": Dedupe,
    "retry": Retry,
    "order": Order,
    "concurrency": Concurrency,
    "grace": Grace,
    "onStart": OnStart,
}


def test_the_profiles_are_the_two_ends_of_every_ladder() -> None:
    worst = LeaseGuards(*(next(iter(ladder)) for ladder in LADDERS.values()))
    best = LeaseGuards(*(list(ladder)[-1] for ladder in LADDERS.values()))
    assert worst == AWS_LEASES == lease_guards({})
    assert best == SAFE_LEASES == lease_guards({"profile": "safe"})
    assert list(LEASE_PROFILES) == ["aws-2025", "safe"]


def test_the_leases_may_have_a_profile_of_their_own() -> None:
    spec = {"profile": "aws-2025", "leases": {"profile": "safe", "expired": "DoAnyway"}}
    assert lease_guards(spec) == replace(SAFE_LEASES, expired=Expired.DO_ANYWAY)
    assert lease_guards({"profile": "safe", "leases": {"profile": "aws-2025"}}) == AWS_LEASES
    assert lease_guards({"profile": "safe", "leases": {}}) == SAFE_LEASES


@pytest.mark.parametrize(("field", "ladder"), LADDERS.items(), ids=str)
def test_every_rung_can_be_chosen_alone(field: str, ladder: type[Any]) -> None:
    ours = "on_start" if field == "onStart" else field
    for rung in ladder:
        found = lease_guards({"leases": {field: str(rung)}})
        assert found == replace(AWS_LEASES, **{ours: rung})
    assert {f.name for f in fields(LeaseGuards)} == {
        "on_start" if name == "onStart" else name for name in LADDERS
    }


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            {"leases": {"expired": "Dropped"}},
            "guards.leases.expired: 'Dropped' is none of DoAnyway, Drop",
        ),
        (
            {"leases": {"onStart": "Relist"}},
            "guards.leases.onStart: 'Relist' is none of RelistAll, Spread",
        ),
        ({"leases": {"on_start": "Spread"}}, "guards.leases.on_start: no such guard, only adm"),
        ({"leases": {"fence": "Generation"}}, "guards.leases.fence: no such guard"),
        ({"leases": {"retry": True}}, "guards.leases.retry: True is none of Immediate"),
        ({"leases": {"profile": "aws"}}, "guards.leases.profile: 'aws' is none of aws-2025, safe"),
        ({"profile": "best"}, "guards.profile: 'best' is none of aws-2025, safe"),
    ],
)
def test_a_misspelt_rung_is_named_with_those_there_are(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="guards") as error:
        lease_guards(spec)
    assert says in str(error.value)


def test_the_guards_in_force_are_told_as_a_spec_names_them() -> None:
    told = effective(AWS_2025, SAFE_LEASES)
    assert list(told) == ["dns", "leases"]
    assert told["leases"] == {
        "admission": "QueueBound",
        "expired": "Drop",
        "dedupe": "ByDroplet",
        "retry": "BudgetedJitter",
        "order": "RenewalsFirst",
        "concurrency": "Adaptive",
        "grace": "ResetTimers",
        "onStart": "Spread",
    }
    assert lease_guards({"leases": told["leases"]}) == SAFE_LEASES


def test_a_region_without_a_fleet_tells_of_no_leases() -> None:
    assert list(effective(AWS_2025)) == ["dns"]
