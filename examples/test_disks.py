"""A disk that nobody knows of, and the name that prevents it."""

from disks import forgetful, model, repeatable

from holdfast.check import Budgets
from holdfast.pytest_plugin import Explore


def test_a_disk_is_forgotten(explore: Explore) -> None:
    explore(model(forgetful, 1, Budgets()))
    explore(model(forgetful, 1, Budgets(crashes=1)), breaks="goal")
    explore(model(forgetful, 1, Budgets(lost_replies=1)), breaks="goal")


def test_a_disk_that_bears_the_uid_is_found_again(explore: Explore) -> None:
    explore(model(repeatable, None, Budgets(crashes=2, lost_replies=2)))
