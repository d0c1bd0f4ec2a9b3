"""What the policies of `dns.admission` refuse, and that they refuse nothing of ours."""

from dataclasses import replace

import pytest
from drive import A, B, Driven, plan, rules, run, safe

from holdfast.check.dns import Setting, dns_model
from holdfast.check.explorer import Explorer
from holdfast.core.acts import Order
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.enactor import enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import SAFE, Cleanup, DnsGuards, Fence, Rollback, Switch
from holdfast.core.intents import (
    Create,
    Delete,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pin,
    Replace,
    Unpin,
)
from holdfast.core.objects import Alias, Lease, Plan, Slice, Stored, Tree
from holdfast.core.override import Overridden, Override, override, thaw
from holdfast.core.policy import LEAP_MAX, denied
from holdfast.core.replies import ADMISSION_POLICY, Conflict, Rejected, Reply, Written
from holdfast.core.rounds import Applied, Deferred, Refused
from holdfast.fake import FakeApi

ALIAS = Alias("dynamodb", "dynamodb-p5", 5, "dynamodb-p4", uid="u", resource_version="7")
TREE = Tree("dynamodb-p5", "dynamodb", 5, uid="u-5", resource_version="8")
PINNED = replace(TREE, pins=("us-east-1a/x",))
PIECE = Slice("dynamodb-p5-u-5-v4", "dynamodb-p5", "u-5", "IPv4", ("10.0.0.1",))
WRONG = replace(ALIAS, target="dynamodb-p4")
LATER = replace(ALIAS, target="dynamodb-p6", generation=6)
BACK, DOWN = "goes down", "names the tree of its own generation"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (None, ALIAS, ""),
        (ALIAS, LATER, ""),
        (ALIAS, ALIAS, ""),
        (ALIAS, replace(ALIAS, lock="us-east-1a/x 9.000", writer="me", frozen="alice"), ""),
        (ALIAS, replace(ALIAS, rollback=""), ""),
        (ALIAS, replace(ALIAS, target="dynamodb-p4", generation=4), BACK),
        (ALIAS, replace(ALIAS, generation=4), BACK),
        (ALIAS, replace(ALIAS, target="", generation=0), BACK),
        (ALIAS, replace(ALIAS, target="dynamodb-p6"), DOWN),
        (ALIAS, replace(ALIAS, generation=6), DOWN),
        (ALIAS, replace(ALIAS, target="kinesis-p5"), DOWN),
        (ALIAS, replace(ALIAS, target=""), DOWN),
        (None, replace(ALIAS, target="dynamodb-p4"), DOWN),
        (None, replace(ALIAS, target="dynamodb-p9999999", generation=9_999_999), ""),
        (
            ALIAS,
            replace(ALIAS, target=f"dynamodb-p{5 + LEAP_MAX}", generation=5 + LEAP_MAX),
            "",
        ),
        (
            ALIAS,
            replace(ALIAS, target=f"dynamodb-p{6 + LEAP_MAX}", generation=6 + LEAP_MAX),
            "goes up by 100000 at most",
        ),
        (WRONG, replace(WRONG, lock="x 9.000", frozen="alice"), ""),
        (WRONG, ALIAS, ""),
        (WRONG, replace(WRONG, target="dynamodb-p3"), DOWN),
        (WRONG, replace(WRONG, generation=6), DOWN),
        (WRONG, replace(WRONG, target="dynamodb-p4", generation=4), BACK),
        (ALIAS, None, "an alias is never deleted"),
        (None, TREE, ""),
        (TREE, PINNED, ""),
        (PINNED, TREE, ""),
        (TREE, None, ""),
        (PINNED, None, "a pinned tree is never deleted"),
        (None, PIECE, ""),
        (PIECE, PIECE, ""),
        (PIECE, None, "go with their tree"),
        (PIECE, replace(PIECE, addresses=()), "never change"),
        (PIECE, replace(PIECE, addresses=("10.0.0.2",)), "never change"),
        (PIECE, replace(PIECE, addresses=("10.0.0.1", "10.0.0.2")), "never change"),
        (PIECE, replace(PIECE, family="IPv6"), "named and owned by its tree"),
        (PIECE, replace(PIECE, tree_uid="u-6"), "named and owned by its tree"),
        (None, replace(PIECE, name="dynamodb-p5-more"), "named and owned by its tree"),
        (None, replace(PIECE, tree="dynamodb-p6"), "named and owned by its tree"),
        (None, plan(5), ""),
        (plan(5), None, ""),
        (None, Lease("l", "me", 0.0, 10.0), ""),
        (Lease("l", "me", 0.0, 10.0), None, ""),
    ],
)
def test_what_is_refused(before: Stored | None, after: Stored | None, why: str) -> None:
    found = denied(before, after)
    assert (found == "") == (why == "")
    assert why in found


WRITES: list[tuple[Intent, bool]] = [
    (
        Overwrite(replace(ALIAS, target="dynamodb-p4", generation=4, uid="", resource_version="")),
        True,
    ),
    (Overwrite(replace(LATER, uid="", resource_version="")), False),
    (PatchAlias("dynamodb", "", "", target="dynamodb-p4", generation=4), True),
    (PatchAlias("dynamodb", "", "", target="dynamodb-p6", generation=6), False),
    (PatchAlias("dynamodb", "", "me 9.000"), False),
    (Delete(Alias, "dynamodb"), True),
    (Delete(Tree, "dynamodb-p5"), True),
    (Delete(Tree, "dynamodb-p4"), False),
    (Create(Alias("kinesis", "kinesis-p1", 2)), True),
    (Create(Alias("kinesis", "kinesis-p2", 2)), False),
    (Unpin("dynamodb-p5", "", ""), False),
]


@pytest.mark.parametrize("by_policy", [True, False])
@pytest.mark.parametrize(("write", "is_refused"), WRITES)
def test_whichever_way_it_is_written(write: Intent, is_refused: bool, by_policy: bool) -> None:
    api = FakeApi(admission=by_policy)
    for tree in (Tree("dynamodb-p4", "dynamodb", 4), Tree("dynamodb-p5", "dynamodb", 5)):
        api.perform(Create(tree))
    uid = api.objects[Tree, "dynamodb-p5"].uid
    api.perform(Pin("dynamodb-p5", uid, "us-east-1a/x"))
    api.perform(Create(replace(ALIAS, uid="", resource_version="")))
    if isinstance(write, Unpin):
        write = Unpin("dynamodb-p5", uid, "us-east-1a/x")
    before = (dict(api.objects), api.version, len(api.writes))
    reply = api.perform(write)
    assert isinstance(reply, Rejected) == (is_refused and by_policy)
    if isinstance(reply, Rejected):
        assert reply.reason == ADMISSION_POLICY
        assert before == (api.objects, api.version, len(api.writes)), "it had no effect"


def test_a_stale_precondition_is_told_first_and_what_is_not_there_is_not_refused() -> None:
    api = FakeApi(admission=True)
    api.perform(Create(replace(ALIAS, uid="", resource_version="")))
    stale = replace(ALIAS, target="dynamodb-p1", generation=1, uid="u", resource_version="1")
    assert isinstance(api.perform(Replace(stale)), Conflict)
    assert not isinstance(api.perform(Delete(Tree, "dynamodb-p9")), Rejected)


def test_a_tree_takes_its_slices_along_all_the_same() -> None:
    """That is the garbage collector's work, not a client's."""
    api = FakeApi(admission=True)
    run(api, A, rules(Fence.GENERATION), 1)
    api.perform(Delete(Tree, "dynamodb-p1"))
    assert not [o for o in api.objects.values() if isinstance(o, Slice)]


BLIND = DnsGuards(Fence.NONE, Cleanup.BY_AGE, Rollback.COUPLED, Switch.ENABLED)


def test_a_stale_blind_write_is_refused_and_dropped() -> None:
    api, how = FakeApi(admission=True), replace(rules(), guards=BLIND)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, how), api).to("flip")
    run(api, B, how, 3)
    outcome = a.finish()
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith(ADMISSION_POLICY)
    assert api.objects[Alias, "dynamodb"].target == "dynamodb-p3"
    assert Driven(enact(A, how, outcome.then), api).finish() == Applied(3), "the newest, not this"


def test_a_refused_flip_gives_its_lock_back() -> None:
    guards = replace(BLIND, fence=Fence.CHECK_ONCE)
    api, how = FakeApi(admission=True), replace(rules(), guards=guards)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    a = Driven(enact(A, how), api).to("turn")
    run(api, B, how, 3)
    assert isinstance(a.finish(), Refused)
    assert api.objects[Alias, "dynamodb"].lock == ""


def test_a_pinned_tree_outlives_a_cleaner_that_asks_nobody() -> None:
    """By age, and the tree is live: the policy is what refuses, for enactors pin under it."""
    guards = replace(BLIND, fence=Fence.CHECK_ONCE)
    api, how = FakeApi(admission=True), replace(rules(retention=1), guards=guards)
    for generation in (1, 2):
        run(api, A, how, generation)
    cleaner = Driven(enact(B, how), api)
    cleaner.finish()
    tree = api.objects[Tree, "dynamodb-p2"]
    assert isinstance(
        api.perform(Delete(Tree, tree.name, tree.uid, tree.resource_version)), Rejected
    )
    for generation in (3, 4, 5, 6):
        run(api, A, how, generation)
    assert {"dynamodb-p5", "dynamodb-p6"} <= api.trees()
    assert "dynamodb-p1" not in api.trees(), "what nobody pins any more goes"


@pytest.mark.parametrize(
    ("bounds", "setting"),
    [
        (Bounds(2, 3, 1, 1, Budgets(lost_replies=1)), Setting()),
        (Bounds(1, 3, 1, 1, Budgets()), Setting(orders=(Order("override", "dynamodb"),))),
        (Bounds(2, 2, 1, 1, Budgets()), Setting(orders=(Order("freeze"), Order("thaw")))),
        (Bounds(2, 2, 1, 2, Budgets()), Setting()),
    ],
    ids=["enactors", "override", "freeze and thaw", "two endpoints"],
)
def test_under_the_safe_profile_nothing_of_ours_is_ever_refused(
    bounds: Bounds, setting: Setting
) -> None:
    """In every interleaving within the bounds: policies are for others, and for mistakes."""
    explorer = Explorer(dns_model(SAFE, bounds, setting))
    found = explorer.explore()
    replies = {type(e.reply) for e in explorer.worlds._effects.values() if e is not None}
    assert found.exhaustive
    assert Written in replies
    assert Rejected not in replies


def test_every_command_of_a_human_passes() -> None:
    api, how = FakeApi(admission=True), safe()
    run(api, A, how, 1)
    order = Override("alice", "dynamodb", 1, (), Freeze("alice", FOREVER, "why"))
    assert isinstance(Driven(override(order), api).finish(), Overridden)
    assert Driven(thaw(), api).finish() == ("dynamodb",)
    assert not isinstance(run(api, A, how, 3), Refused | Deferred)


def test_listing_and_reading_are_nobodys_business() -> None:
    api = FakeApi(admission=True)
    reply: Reply = api.perform(List(Plan))
    assert not isinstance(reply, Rejected)
