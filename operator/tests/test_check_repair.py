"""SelfRepairs under the checker: from every corrupted state the goal stays within reach. What
corrupts is a start, or a hand that strikes once, at any moment of any interleaving."""

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cache
from typing import Any, TypeAlias

import pytest

from holdfast.check.dns import Setting, dns_model, is_converged
from holdfast.check.explorer import Explorer
from holdfast.check.liveness import stuck
from holdfast.check.model import Actor, Objects
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import (
    AWS_2025,
    LOCKS,
    SAFE,
    Cleanup,
    DnsGuards,
    Fence,
    Rollback,
    Switch,
)
from holdfast.core.intents import Delete, Get, Intent, List, Overwrite, PatchAlias
from holdfast.core.invariants import mixed_answers
from holdfast.core.lock import Lock
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.replies import Listed, Read, Reply
from holdfast.core.starts import LONG_SECONDS, THE_DEAD, Start

NONE = Budgets(lock_expiries=0)
Strikes: TypeAlias = Generator[Intent, Reply, None]


def _edits(**given: Any) -> Callable[[], Strikes]:
    """The alias as a hand leaves it, whatever it was."""

    def strikes() -> Strikes:
        reply = yield Get(Alias, "dynamodb")
        if isinstance(reply, Read):
            plain = replace(reply.obj, uid="", resource_version="")  # type: ignore[type-var]
            yield Overwrite(replace(plain, **given))

    return strikes


def _deletes(kind: type[Any]) -> Callable[[], Strikes]:
    """The first of a kind that there is."""

    def strikes() -> Strikes:
        reply = yield List(kind)
        if isinstance(reply, Listed) and reply.items:
            yield Delete(kind, reply.items[-1].name)

    return strikes


def _readdresses(*addresses: str) -> Callable[[], Strikes]:
    def strikes() -> Strikes:
        reply = yield List(Slice)
        if isinstance(reply, Listed) and reply.items:
            plain = replace(reply.items[-1], uid="", resource_version="")  # type: ignore[type-var]
            yield Overwrite(replace(plain, addresses=addresses))

    return strikes


def _locks() -> Strikes:
    """By a patch, which leaves all else as it is."""
    reply = yield Get(Alias, "dynamodb")
    if isinstance(reply, Read) and isinstance(reply.obj, Alias):
        dead = Lock(THE_DEAD, LONG_SECONDS).text()
        yield PatchAlias("dynamodb", reply.obj.lock, dead)


HANDS: dict[str, Callable[[], Strikes]] = {
    "alias deleted": _deletes(Alias),
    "alias names nothing": _edits(target="dynamodb-p9"),
    "alias emptied": _edits(target="", generation=0),
    "tree deleted": _deletes(Tree),
    "slice deleted": _deletes(Slice),
    "other addresses": _readdresses("192.0.2.99"),
    "no addresses": _readdresses(),
    "a lock of the dead": _locks,
}
SETS_BACK = _edits(target="dynamodb-p1", generation=1)


def is_whole(objects: Objects) -> bool:
    """Converged, and the answer is the plan's."""
    return is_converged(objects) and not mixed_answers(objects.values())


@cache
def stuck_states(guards: DnsGuards, start: Start | None, hand: str, enactors: int = 2) -> int:
    """From how many states nothing that can happen leads to the goal any more."""
    model = dns_model(guards, Bounds(enactors, plans=2, budgets=NONE), Setting(start))
    actors = model.actors
    if hand:
        strikes = HANDS.get(hand, SETS_BACK)
        actors = (*actors, Actor("hand", lambda _, __: strikes()))
    model = replace(model, actors=actors, symmetric=False, goal=is_whole)
    explorer = Explorer(model)
    return len(stuck(explorer, explorer.explore()))


def repairs(fence: Fence) -> DnsGuards:
    return DnsGuards(fence, Cleanup.BY_AGE, Rollback.COUPLED, self_repair=Switch.ENABLED)


LOCK_FREE = [f for f in Fence if f not in LOCKS and f is not Fence.LEADER_ONLY]


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("fence", [*LOCK_FREE, Fence.CHECK_ONCE], ids=str)
def test_whatever_a_hand_does_once_every_state_can_recover(fence: Fence, hand: str) -> None:
    """But where everybody waits for a lock of the dead, for as long as that holds."""
    found = stuck_states(repairs(fence), None, hand)
    waits = fence in LOCKS and hand == "a lock of the dead"
    assert (found > 0) is waits


@pytest.mark.parametrize("hand", HANDS)
def test_as_aws_ran_it_some_cannot(hand: str) -> None:
    """Nobody looks, nobody heals: without a newer plan, and with Coupled not even with one."""
    assert stuck_states(AWS_2025, None, hand) > 0


@pytest.mark.parametrize("hand", HANDS)
def test_the_best_of_fences_does_not_replace_it(hand: str) -> None:
    fenced = replace(AWS_2025, fence=Fence.GENERATION)
    assert (stuck_states(fenced, None, hand) > 0) is (hand != "a lock of the dead")


@pytest.mark.parametrize("hand", HANDS)
def test_behind_the_safe_guards_every_state_can_recover(hand: str) -> None:
    """Policies refuse most of it; what was done before them is mended."""
    assert stuck_states(SAFE, None, hand) == 0
    assert stuck_states(replace(SAFE, admission=Switch.DISABLED), None, hand, enactors=1) == 0


def test_a_name_set_back_to_an_older_tree_is_late_and_not_broken() -> None:
    """It answers, and may be a human's: the next plan moves it. A policy refuses it at once."""
    assert stuck_states(repairs(Fence.GENERATION), None, "set back") > 0
    assert stuck_states(SAFE, None, "set back") == 0


@pytest.mark.parametrize("start", Start)
@pytest.mark.parametrize("fence", Fence)
def test_from_every_bad_start(fence: Fence, start: Start) -> None:
    waits = fence in LOCKS and start is Start.DEAD_LOCK
    assert (stuck_states(repairs(fence), start, "") > 0) is waits


@pytest.mark.parametrize("start", Start)
def test_from_every_bad_start_behind_the_safe_guards(start: Start) -> None:
    assert stuck_states(SAFE, start, "") == 0


@pytest.mark.parametrize(
    ("start", "recovers"),
    [(Start.NAMES_NOTHING, False), (Start.NO_ADDRESSES, True), (Start.DEAD_LOCK, False)],
)
def test_which_bad_starts_aws_got_out_of(start: Start, recovers: bool) -> None:
    """A tree without addresses is a tree to roll back to: the next plan heals the name."""
    assert (stuck_states(AWS_2025, start, "") == 0) is recovers
