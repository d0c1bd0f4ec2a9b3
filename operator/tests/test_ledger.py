"""The ledger of a run by values: what is empty, since when, and by whose hand no longer."""

import pytest

from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import (
    BARE_AFTER_SECONDS,
    AliasSeen,
    Ledger,
    RecoveredBy,
    Seen,
    SliceSeen,
    TreeSeen,
)
from holdfast.core.objects import Alias, Slice, Tree


def alias(generation: int, **given: object) -> AliasSeen:
    named = Alias("dynamodb", f"dynamodb-p{generation}", generation, writer="us-east-1a/pod")
    every = {name: getattr(named, name) for name in Alias.__dataclass_fields__}
    return AliasSeen(Alias(**every | given))


def gone(seen: AliasSeen) -> AliasSeen:
    return AliasSeen(seen.alias, gone=True)


def tree(generation: int, gone: bool = False, uid: str = "") -> TreeSeen:
    name = f"dynamodb-p{generation}"
    return TreeSeen(Tree(name, "dynamodb", generation, (), uid or f"u-{generation}", "1"), gone)


def piece(
    generation: int, gone: bool = False, uid: str = "", addresses: tuple[str, ...] = ("10.0.0.1",)
) -> SliceSeen:
    owner = uid or f"u-{generation}"
    name = f"dynamodb-p{generation}"
    return SliceSeen(Slice(f"{name}-{owner}-v4", name, owner, "IPv4", addresses), gone)


def live(*generations: int) -> Ledger:
    """Trees with addresses, and an alias that names the last."""
    ledger = Ledger()
    for g in generations:
        ledger.see(0.0, tree(g))
        ledger.see(0.0, piece(g))
    ledger.see(0.0, alias(generations[-1]))
    return ledger


def see(ledger: Ledger, t: float, *every: Seen) -> None:
    for seen in every:
        ledger.see(t, seen)


def events(ledger: Ledger) -> list[str]:
    return [str(line["event"]) for line in ledger.timeline]


def test_a_healthy_name_is_neither_emptied_nor_recovered() -> None:
    ledger = live(1)
    see(ledger, 1.0, tree(2), piece(2), alias(2), piece(1, gone=True), tree(1, gone=True))
    ledger.judge(9.0)
    assert (ledger.emptied, ledger.recovered, ledger.broken) == ([], [], {})
    assert ledger.recovered_by == "nobody"


def test_a_tree_is_bare_when_it_has_been_so_for_a_second() -> None:
    """Slices come by another watch: for some milliseconds every tree looks bare."""
    ledger = Ledger()
    see(ledger, 0.0, tree(1), alias(1))
    ledger.judge(BARE_AFTER_SECONDS - 0.01)
    assert not ledger.broken
    see(ledger, 0.99, piece(1))
    ledger.judge(9.0)
    assert not ledger.broken
    see(ledger, 10.0, piece(1, gone=True))
    ledger.judge(10.99)
    assert not ledger.broken
    ledger.judge(11.0)
    assert ledger.emptied == [(11.0, "dynamodb")]
    assert ledger.broken == {Invariant.NON_EMPTY: 11.0}


def test_other_news_make_a_bare_tree_no_younger() -> None:
    ledger = Ledger()
    see(ledger, 0.0, tree(1), alias(1))
    see(ledger, 0.6, tree(2), piece(2))
    see(ledger, 1.0, tree(3))
    assert ledger.emptied == [(1.0, "dynamodb")]


def test_a_slice_without_addresses_serves_nothing() -> None:
    ledger = live(1)
    see(ledger, 5.0, piece(1, addresses=()))
    ledger.judge(6.0)
    assert ledger.empty_now == {"dynamodb"}


def test_a_slice_of_a_former_tree_serves_nothing() -> None:
    ledger = live(1)
    see(ledger, 1.0, tree(1, gone=True), tree(1, uid="another"))
    ledger.judge(3.0)
    assert ledger.empty_now == {"dynamodb"}
    see(ledger, 4.0, piece(1, uid="another"))
    assert not ledger.empty_now


def test_a_tree_that_is_bare_by_its_plan_needs_no_time() -> None:
    ledger = live(1)
    ledger.bare.add("dynamodb-p2")
    see(ledger, 1.0, tree(2), alias(2))
    assert ledger.emptied == [(1.0, "dynamodb")]


def test_a_bare_tree_is_no_tree_to_roll_back_to() -> None:
    ledger = live(1, 2)
    see(ledger, 1.0, piece(1, gone=True), alias(2, rollback="dynamodb-p1", lock="x"))
    ledger.judge(1.5)
    assert not ledger.broken
    ledger.judge(2.0)
    assert set(ledger.broken) == {Invariant.ROLLBACK_NAMES_A_TREE}


def emptied() -> Ledger:
    """Plan 2 is live, and its tree is deleted at 5."""
    ledger = live(1, 2)
    see(ledger, 5.0, piece(2, gone=True), tree(2, gone=True))
    assert ledger.emptied == [(5.0, "dynamodb")]
    assert ledger.recovered_by == "nobody"
    return ledger


@pytest.mark.parametrize(
    ("healing", "by"),
    [
        ([tree(3), piece(3), alias(3)], "nextPlan"),
        ([tree(3), piece(3), alias(3, writer="us-east-1a/pod repair")], "selfRepair"),
        ([tree(3), piece(3), alias(3, writer="operator/alice")], "operator"),
        ([tree(2, uid="new"), piece(2, uid="new")], "selfRepair"),
        ([alias(1)], "nextPlan"),
        ([alias(2, lock="x 9.000")], "nobody"),
        ([alias(3)], "nobody"),
        ([tree(3), piece(3)], "nobody"),
    ],
    ids=[
        "the next plan",
        "a repair by its writer",
        "a human",
        "its tree made anew",
        "a stale flip to what stands",
        "only the lock has changed",
        "to another that is not there",
        "another tree that it does not name",
    ],
)
def test_by_whose_hand_it_names_a_tree_again(healing: list[Seen], by: RecoveredBy) -> None:
    ledger = emptied()
    see(ledger, 7.0, *healing)
    assert ledger.recovered_by == by
    assert bool(ledger.empty_now) == (by == "nobody")
    assert ledger.recovered == ([(7.0, "dynamodb", by)] if by != "nobody" else [])
    told = [line for line in ledger.timeline if line["event"] == "aliasNamesATreeAgain"]
    assert [line["actor"] for line in told] == ([by] if by != "nobody" else [])


def test_the_last_emptiness_is_the_one_that_counts() -> None:
    ledger = emptied()
    see(ledger, 7.0, tree(3), piece(3), alias(3))
    see(ledger, 8.0, tree(3, gone=True))
    assert ledger.recovered_by == "nobody", "empty again"
    see(ledger, 9.0, tree(4), piece(4), alias(4, writer="operator/alice"))
    assert ledger.recovered_by == "operator"
    assert [e for _, e in ledger.emptied] == ["dynamodb", "dynamodb"]
    assert [by for _, _, by in ledger.recovered] == ["nextPlan", "operator"]


@pytest.mark.parametrize(
    ("born", "by"),
    [
        (alias(1), "selfRepair"),
        (alias(2), "nextPlan"),
        (alias(2, writer="operator/alice"), "operator"),
    ],
    ids=["as it was", "by the next plan", "by a human"],
)
def test_a_deleted_alias_is_an_outage_until_it_is_made_anew(
    born: AliasSeen, by: RecoveredBy
) -> None:
    ledger = live(1)
    see(ledger, 4.0, tree(2), piece(2), gone(alias(1)))
    assert ledger.emptied == [(4.0, "dynamodb")]
    assert ledger.broken == {Invariant.NON_EMPTY: 4.0}
    assert ledger.empty_now == {"dynamodb"}
    see(ledger, 6.0, born)
    assert (ledger.empty_now, ledger.recovered_by) == (frozenset(), by)
    assert "aliasDeleted" in events(ledger)


def test_an_alias_that_is_deleted_while_it_names_nothing_is_empty_once() -> None:
    ledger = emptied()
    see(ledger, 6.0, gone(alias(2)))
    assert ledger.emptied == [(5.0, "dynamodb")]
    see(ledger, 8.0, tree(2, uid="new"), piece(2, uid="new"), alias(2))
    assert ledger.recovered == [(8.0, "dynamodb", "selfRepair")]


WORD = Freeze("alice", FOREVER, "why").text()
UNTIL_100 = Freeze("alice", 1_000_100.0, "why").text()


@pytest.mark.parametrize(
    ("frozen", "t", "after", "stays"),
    [
        (WORD, 1.0, alias(2), False),
        (WORD, 1.0, alias(2, rollback="dynamodb-p2", writer="operator/bob"), True),
        (WORD, 1.0, alias(1, lock="x 9.000", frozen=""), True),
        ("", 1.0, alias(2), True),
        (UNTIL_100, 99.0, alias(2), False),
        (UNTIL_100, 100.0, alias(2), True),
        ("somebody wrote this", 1.0, alias(2), False),
    ],
    ids=[
        "automation moved it",
        "a human overrode it",
        "it did not move",
        "it is not frozen",
        "before its end",
        "after its end",
        "a word that nobody can read",
    ],
)
def test_automation_does_not_move_what_is_frozen(
    frozen: str, t: float, after: AliasSeen, stays: bool
) -> None:
    ledger = live(1)
    ledger.zero = 1_000_000.0
    see(ledger, 0.5, tree(2), piece(2), alias(1, frozen=frozen))
    see(ledger, t, after)
    assert (Invariant.FROZEN_STAYS in ledger.broken) != stays


def test_a_deleted_live_tree_is_told_apart_from_another() -> None:
    ledger = live(1, 2)
    see(ledger, 1.0, tree(1, gone=True))
    assert not ledger.broken
    see(ledger, 2.0, tree(2, gone=True))
    assert set(ledger.broken) == {Invariant.NO_LIVE_DELETE, Invariant.NON_EMPTY}
    assert events(ledger)[-3:] == ["treeDeleted", "liveTreeDeleted", "aliasNamesNothing"]
