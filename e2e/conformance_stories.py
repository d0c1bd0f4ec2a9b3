"""Lives that are worth telling one by one: orphans, the order of listings, and rivals at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

from e2e.conformance_told import Teller
from e2e.conformance_worlds import Ticket, World
from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pin,
    Replace,
)
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Tree
from holdfast.core.replies import Written

RIVALS = 32

Story: TypeAlias = Callable[[Teller], Awaitable[None]]
Rivals: TypeAlias = Callable[[World], Awaitable[list[Intent]]]


def _piece(tree: str, uid: str, which: str = "x", address: str = "10.0.0.1") -> Slice:
    family = "IPv6" if ":" in address else "IPv4"
    return Slice(f"{tree}-{which}", tree, uid, family, (address,))  # type: ignore[arg-type]


async def _made(teller: Teller, obj: Any) -> Any:
    reply = await teller.do(Create(obj))
    assert isinstance(reply, Written), reply
    return reply.obj


async def both_families_go_with_their_tree(teller: Teller) -> None:
    tree = await _made(teller, Tree("fam-p1", "fam", 1))
    other = await _made(teller, Tree("fam-p2", "fam", 2))
    await _made(teller, _piece("fam-p1", tree.uid))
    await _made(teller, _piece("fam-p1", tree.uid, "y", "fd00::1"))
    await _made(teller, _piece("fam-p2", other.uid))
    await teller.do(List(Slice))
    await teller.do(Delete(Tree, "fam-p1", tree.uid, tree.resource_version))
    await teller.do(List(Slice))


async def a_slice_of_a_tree_that_never_was(teller: Teller) -> None:
    stranger = await _made(teller, Alias("never", "never-p1", 1))
    await _made(teller, _piece("never-p1", stranger.uid))
    await teller.do(Get(Slice, "never-p1-x"))


async def a_slice_of_the_former_tree(teller: Teller) -> None:
    former = await _made(teller, Tree("old-p1", "old", 1))
    await teller.do(Delete(Tree, "old-p1"))
    tree = await _made(teller, Tree("old-p1", "old", 1))
    await _made(teller, _piece("old-p1", former.uid))
    await teller.do(Get(Slice, "old-p1-x"))
    await _made(teller, _piece("old-p1", tree.uid))
    await teller.do(Get(Slice, "old-p1-x"))


async def a_slice_given_to_a_former_tree(teller: Teller) -> None:
    former = await _made(teller, Tree("gift-p1", "gift", 1))
    await teller.do(Delete(Tree, "gift-p1"))
    tree = await _made(teller, Tree("gift-p1", "gift", 1))
    for blind in (False, True):
        mine: Any = await _made(teller, _piece("gift-p1", tree.uid))
        lost = replace(mine, tree_uid=former.uid)
        blank = replace(lost, uid="", resource_version="")
        await teller.do(Overwrite(blank) if blind else Replace(lost))
        await teller.do(Get(Slice, "gift-p1-x"))


async def a_pin_survives_what_others_write(teller: Teller) -> None:
    tree: Any = await _made(teller, Tree("pins-p1", "pins", 1))
    await teller.do(Pin("pins-p1", tree.uid, "us-east-1b/y"))
    await teller.do(Delete(Tree, "pins-p1", tree.uid, tree.resource_version))
    await teller.do(Replace(replace(tree, endpoint="other")))
    await teller.do(Pin("pins-p1", tree.uid, "us-east-1a/x"))
    await teller.do(List(Tree))
    await teller.do(Overwrite(replace(tree, uid="", resource_version="")))
    await teller.do(Delete(Tree, "pins-p1", tree.uid))


async def listings_are_in_the_order_of_names(teller: Teller) -> None:
    names = ("ord-b", "ord-a-b", "ord-a", "ord-a2", "ord-a10", "ord-a1")
    for name in names:
        await _made(teller, Alias(name, f"{name}-p1", 1))
        await _made(teller, Lease(name, "a", 1000.0, 15.0))
        await _made(teller, Ticket(name, "1"))
    for generation in (10, 9, 2, 100, 1):
        tree = await _made(teller, Tree(f"ord-p{generation}", "ord", generation))
        await _made(teller, _piece(f"ord-p{generation}", tree.uid))
        fleet = (EndpointPlan("a", (FrontEnd("10.0.0.1", 100),)),)
        await _made(teller, Plan(3_000_000 + generation, fleet))
    for kind in (Alias, Tree, Slice, Lease, Plan, Ticket):
        await teller.do(List(kind))


STORIES: dict[Story, tuple[str, ...]] = {
    both_families_go_with_their_tree: ("fam",),
    a_slice_of_a_tree_that_never_was: ("never",),
    a_slice_of_the_former_tree: ("old",),
    a_slice_given_to_a_former_tree: ("gift",),
    a_pin_survives_what_others_write: ("pins",),
    listings_are_in_the_order_of_names: ("ord", "plan-00030"),
}
"""And how the names of their objects begin."""


async def race(world: World, rivals: Rivals) -> dict[str, int]:
    """How many rivals, all of them sent at once, were told what."""
    intents = await rivals(world)
    replies = await asyncio.gather(*(world(intent) for intent in intents))
    names = [type(reply).__name__ for reply in replies]
    return {name: names.count(name) for name in sorted({*names})}


async def _there(world: World, obj: Any) -> Any:
    reply = await world(Create(obj))
    assert isinstance(reply, Written), reply
    return reply.obj


async def creators(_: World) -> list[Intent]:
    return [Create(Alias("new", f"new-p{n}", n)) for n in range(1, RIVALS + 1)]


async def appenders(_: World) -> list[Intent]:
    plans = (EndpointPlan("a", (FrontEnd(f"10.0.0.{n + 1}", 100),)) for n in range(RIVALS))
    return [Create(Plan(4_000_000, (plan,))) for plan in plans]


async def replacers(world: World) -> list[Intent]:
    alias = await _there(world, Alias("fenced", "fenced-p1", 1))
    return [Replace(replace(alias, target=f"fenced-p{n + 2}")) for n in range(RIVALS)]


async def electors(world: World) -> list[Intent]:
    lease = await _there(world, Lease("led", "a", 1000.0, 15.0))
    return [Replace(replace(lease, holder=f"{n}")) for n in range(RIVALS)]


async def lockers(world: World) -> list[Intent]:
    await _there(world, Alias("locked", "locked-p1", 1))
    return [PatchAlias("locked", "", f"{n} 1.000") for n in range(RIVALS)]


async def deleters(world: World) -> list[Intent]:
    tree = await _there(world, Tree("gone-p1", "gone", 1))
    return [Delete(Tree, "gone-p1", tree.uid, tree.resource_version)] * RIVALS


async def pinners(world: World) -> list[Intent]:
    tree = await _there(world, Tree("kept-p1", "kept", 1))
    return [Pin("kept-p1", tree.uid, f"us-east-1a/{n}") for n in range(RIVALS)]


async def overwriters(world: World) -> list[Intent]:
    await _there(world, Alias("blind", "blind-p1", 1))
    return [Overwrite(Alias("blind", f"blind-p{n}", n)) for n in range(2, RIVALS + 2)]


ONE_WINS: tuple[Rivals, ...] = (creators, appenders, replacers, electors, lockers, deleters)
ALL_WIN: tuple[Rivals, ...] = (pinners, overwriters)
