"""What the three versions of the controller get wrong, and within which bounds they do not."""

from expectations import Memory, expecting
from numbered import numbered
from replicas import model, naive

from holdfast.check import Budgets
from holdfast.pytest_plugin import Explore


def test_a_list_that_lags_makes_the_naive_one_create_too_many(explore: Explore) -> None:
    explore(model(naive, 0, Budgets()))
    explore(model(naive, 0, Budgets(stale_reads=1)), breaks="NeverTooMany")


def test_expectations_hold_until_a_reply_is_lost(explore: Explore) -> None:
    explore(model(expecting, Memory(), Budgets(stale_reads=2)))
    lost = Budgets(stale_reads=1, lost_replies=1)
    explore(model(expecting, Memory(), lost), breaks="NeverTooMany")


def test_numbered_pods_hold_whatever_fails(explore: Explore) -> None:
    faults = Budgets(crashes=2, lost_replies=2, stale_reads=2)
    explore(model(numbered, None, faults, "controller", "another"))
