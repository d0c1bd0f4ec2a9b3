"""Names survive the round trip, fit a DNS label, and leave the standard library alone."""

import operator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core import names

endpoints = st.from_regex(r"\A[a-z]([-a-z0-9]{0,37}[a-z0-9])?\Z")
generations = st.integers(1, names.GENERATION_MAX)


@given(endpoints, generations)
def test_a_tree_name_gives_its_generation_back(endpoint: str, generation: int) -> None:
    assert names.tree_generation(names.tree_name(endpoint, generation)) == generation


@given(endpoints, generations)
def test_every_name_fits_a_dns_label(endpoint: str, generation: int) -> None:
    assert len(endpoint) <= names.ENDPOINT_NAME_MAX
    piece = names.slice_name(names.tree_name(endpoint, generation), "0" * 36, "IPv6")
    assert len(piece) <= 63


@given(generations, generations)
def test_plan_names_sort_as_generations_do(one: int, other: int) -> None:
    assert (names.plan_name(one) < names.plan_name(other)) == (one < other)


def test_names_that_are_no_trees() -> None:
    for name in ("dynamodb", "dynamodb-p", "dynamodb-p0", "dynamodb-p01", "-p1", "Dyn-p1", ""):
        assert names.tree_generation(name) is None


def test_import_operator_is_pythons() -> None:
    """The folder `operator/` must never stand in for the standard library's module."""
    assert operator.itemgetter(0)([7]) == 7
    assert operator.__spec__ is not None
    root = Path(__file__).resolve().parents[1]
    assert not list(root.glob("*.py"))
    assert str(root) not in str(getattr(operator, "__file__", ""))


def test_two_lives_of_one_tree_never_share_a_slice() -> None:
    one, other = (names.slice_name("dynamodb-p7", uid, "IPv4") for uid in ("a" * 36, "b" * 36))
    assert one != other
    assert names.slice_name("dynamodb-p7", "a" * 36, "IPv6") != one


def test_the_longest_zone_makes_the_longest_annotation_there_may_be() -> None:
    holder = "z" * names.ZONE_NAME_MAX + "/00000000-0000-0000-0000-000000000000"
    annotation = names.pin_annotation(holder)
    assert len(annotation.removeprefix(names.PIN_PREFIX)) == 63
    assert names.pin_holder(annotation) == holder
    for crd in ("regions", "scenarios"):
        text = (Path(__file__).parents[2] / f"crds/{crd}.yaml").read_text()
        assert f"maxLength: {names.ZONE_NAME_MAX}\n" in text
