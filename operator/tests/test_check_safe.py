"""The profile `safe` under the checker keeps everything, and what each of its new guards adds."""

from dataclasses import replace

import pytest

from holdfast.check.dns import dns_model
from holdfast.check.explorer import Explorer
from holdfast.check.report import check
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import AWS_2025, SAFE, Cleanup, DnsGuards, Fence, Rollback, Switch
from holdfast.core.invariants import OUTAGE, Invariant

NONE = Budgets(lock_expiries=0)


@pytest.mark.parametrize(
    ("bounds", "states"),
    [
        (Bounds(2, 3, 1, 1, NONE), 25_527),
        (Bounds(2, 3, 1, 1, replace(NONE, lost_replies=1)), 142_325),
        (Bounds(2, 2, 1, 1, replace(NONE, crashes=1)), 55_191),
        (Bounds(2, 2, 1, 1, replace(NONE, stale_reads=1)), 59_424),
        (Bounds(1, 4, 1, 1, Budgets(1, 1, 1, 0)), 102_054),
        (Bounds(2, 2, 1, 2, NONE), 13_738),
        (Bounds(1, 3, 1, 2, replace(NONE, crashes=1)), 4_755),
        (Bounds(2, 3, 1, 1, NONE, bare_plans=1), 38_158),
    ],
    ids=[
        "3 plans",
        "a lost reply",
        "a crash",
        "a stale list",
        "one of each",
        "2 endpoints",
        "2 endpoints and a crash",
        "an empty plan",
    ],
)
def test_it_keeps_everything(bounds: Bounds, states: int) -> None:
    """RollbackNamesATree too, which no fence and no age keeps."""
    checked = check(SAFE, bounds)
    assert checked.found.exhaustive
    assert checked.broken == frozenset()
    assert checked.stuck == 0
    assert checked.found.states == states


def without(**guards: object) -> DnsGuards:
    return replace(SAFE, **guards)  # type: ignore[arg-type]


RACE = Bounds(2, 3, 1, 1, NONE)
EMPTY = Bounds(2, 2, 1, 1, NONE, bare_plans=1)
OFF = Switch.DISABLED


@pytest.mark.parametrize(
    ("guards", "bounds", "broken"),
    [
        (without(fence=Fence.CHECK_ONCE), RACE, set()),
        (without(fence=Fence.CHECK_ONCE, admission=OFF), RACE, {"Monotone"}),
        (without(fence=Fence.NONE, admission=OFF), RACE, {"Monotone"}),
        (without(cleanup=Cleanup.BY_AGE), RACE, set()),
        (without(cleanup=Cleanup.BY_AGE, admission=OFF), RACE, {"RollbackNamesATree"}),
        (without(rollback=Rollback.COUPLED), RACE, set()),
        (without(last_known_good=OFF), EMPTY, {"NonEmpty", "RollbackNamesATree"}),
        (without(admission=OFF), RACE, set()),
        (without(self_repair=OFF), RACE, set()),
    ],
    ids=[
        "AWS's fence",
        "AWS's fence, no policies",
        "no fence, no policies",
        "AWS's cleaner",
        "AWS's cleaner, no policies",
        "AWS's rollback",
        "no last known good",
        "no policies",
        "no repair",
    ],
)
def test_which_guards_of_it_stand_in_for_each_other(
    guards: DnsGuards, bounds: Bounds, broken: set[str]
) -> None:
    """Taken away one by one: what breaks without it."""
    assert check(guards, bounds).broken == broken


@pytest.mark.parametrize("cleanup", Cleanup)
@pytest.mark.parametrize("fence", [Fence.NONE, Fence.RESOURCE_VERSION, Fence.GENERATION])
def test_policies_keep_answer_and_order_behind_every_fence(fence: Fence, cleanup: Cleanup) -> None:
    """And the rollback record only where pins are taken off with a look at it."""
    guards = DnsGuards(fence, cleanup, Rollback.COUPLED, Switch.ENABLED)
    checked = check(guards, RACE)
    looks = cleanup is not Cleanup.SKIP_LIVE_WHEN_LISTING
    reads_late = fence is not Fence.NONE or cleanup is Cleanup.PIN_LIVE
    kept = looks and reads_late
    assert checked.broken == (frozenset() if kept else {Invariant.ROLLBACK_NAMES_A_TREE})


@pytest.mark.parametrize("fence", [Fence.NONE, Fence.CHECK_ONCE, Fence.RESOURCE_VERSION])
def test_a_repair_ends_an_outage_and_prevents_none(fence: Fence) -> None:
    """No state is stuck, Coupled or not; the name is lost all the same, in as many calls."""
    plain = DnsGuards(fence, Cleanup.BY_AGE, Rollback.COUPLED)
    mended = replace(plain, self_repair=Switch.ENABLED)
    one, two = check(plain, RACE), check(mended, RACE)
    assert (one.stuck > 0, two.stuck) == (True, 0)
    assert two.broken == one.broken - {Invariant.CONVERGES}
    assert len(two.traces["NonEmpty"]) == len(one.traces["NonEmpty"])


def test_the_best_of_fences_lets_an_empty_plan_through() -> None:
    fenced = replace(AWS_2025, fence=Fence.GENERATION)
    assert OUTAGE & check(fenced, EMPTY).broken
    assert not OUTAGE & check(replace(fenced, last_known_good=Switch.ENABLED), EMPTY).broken


def test_an_unspoilt_policy_is_what_keeps_it() -> None:
    """The same model, with the policies not in force: enactors pin as before, and it loses."""
    guards = replace(AWS_2025, admission=Switch.ENABLED)
    model = dns_model(guards, RACE)
    assert model.admission
    spoilt = Explorer(replace(model, admission=False)).explore()
    assert {"NonEmpty", "Monotone"} <= set(spoilt.broken)
    assert not Explorer(model).explore().broken
