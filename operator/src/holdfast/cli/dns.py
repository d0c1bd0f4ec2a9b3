"""`holdfast dns freeze|thaw|override`: what a person on call does by hand.

Nothing of ours has to run for it: the API server takes the writes, CoreDNS answers. The decisions
are the flows of `core.override`, the same that the checker has explored; here they are performed,
and told.
"""

from collections.abc import Awaitable, Callable, Mapping

import uvloop

from holdfast.cli import following, freezer, servers, word
from holdfast.cli.cluster import cluster, home_of
from holdfast.cli.desk import UNPROVED, Desk, Wish
from holdfast.cli.files import ForPeople
from holdfast.cli.servers import Servers
from holdfast.cli.teller import Teller
from holdfast.core import override as flows
from holdfast.core.freeze import Freeze
from holdfast.core.names import customer_name
from holdfast.core.objects import Alias, Tree, family_of
from holdfast.live.resolver import Server
from holdfast.live.wire import path_of

EXIT_NOT_SERVED = 1


async def freeze(desk: Desk) -> int:
    order = desk.word(desk.wish.why or "")
    await _freeze_region(desk, order)
    locks = await desk.drive(flows.freeze(order))
    await desk.leave("OperatorFroze", _told(order, locks))
    desk.teller.say(f"frozen by {order.who}, {word.said_until(order.until)}: {order.why}")
    return 0


async def _freeze_region(desk: Desk, order: Freeze) -> None:
    """The Region's record, first: no plan and no round begins from now on."""
    take_over = desk.wish.take_over
    if not take_over:
        aliases = await freezer.aliases_of(desk.api, desk.home)
        freezer.refuse_anothers(desk.home, aliases, desk.who)
    desk.home, changed = await freezer.write(
        desk.api, desk.home, order, desk.who, take_over=take_over
    )
    stands = "" if changed else ", and was before"
    desk.teller.say(f"Region {desk.home.region.name} frozen{stands}: nothing new is planned")


def _told(order: Freeze, locks: dict[str, str]) -> str:
    return f"{order.who}, {word.said_until(order.until)}: {order.why}{_taken(locks)}"


def _taken(locks: dict[str, str]) -> str:
    return "".join(f"; took over the lock of {who} at {e}" for e, who in sorted(locks.items()))


async def thaw(desk: Desk) -> int:
    before = await freezer.aliases_of(desk.api, desk.home)
    if not desk.wish.take_over:
        freezer.refuse_anothers(desk.home, before, desk.who)
    frozen = [a.endpoint for a in before if a.frozen]
    if desk.home.freeze is None and not frozen:
        desk.teller.say("nothing was frozen")
        return 0
    await desk.drive(flows.thaw())
    desk.home, _ = await freezer.write(
        desk.api, desk.home, None, desk.who, take_over=desk.wish.take_over
    )
    why = word.why(desk.wish.why) if desk.wish.why is not None else "no reason given"
    await desk.leave("OperatorThawed", f"{desk.who}: {why}")
    names = ", ".join(frozen) or "no alias was"
    desk.teller.say(f"Region {desk.home.region.name} thawed ({names}): automation goes on")
    return 0


async def override(desk: Desk) -> int:
    wish, region = desk.wish, desk.home.region
    if wish.endpoint not in region.endpoints:
        raise ForPeople(
            f"{wish.endpoint!r} is no endpoint of Region {region.name} in {desk.home.space}; "
            f"there are: {', '.join(region.endpoints)}"
        )
    order = flows.Override(
        desk.who,
        wish.endpoint,
        word.plan(wish.plan) if wish.plan is not None else 0,
        word.addresses(wish.addresses, region.families) if wish.addresses is not None else (),
        desk.word(wish.why or f"override of {wish.endpoint}", keeps=True) if wish.freezes else None,
        wish.proves,
    )
    given = word.server(wish.dns_server) if wish.dns_server else None
    asked = await servers.find(desk.api, desk.home.space, given)
    await _must_reach(desk, asked, given)
    await _say_what_is(desk)
    if order.freeze is not None:
        await _freeze_region(desk, order.freeze)
    elif not wish.take_over:
        aliases = await freezer.aliases_of(desk.api, desk.home)
        freezer.refuse_anothers(desk.home, aliases, desk.who)
    try:
        done = await desk.drive(flows.override(order), asked)
    except ForPeople as error:
        if order.freeze is None:
            raise
        raise ForPeople(
            f"{error}\nAutomation stays frozen, by {desk.who}: try again, or holdfast dns thaw"
        ) from error
    desk.teller.say(f"{wish.endpoint} names {done.tree}, after {desk.teller.elapsed:.2f} s")
    said = f"{desk.who}: {wish.endpoint} from {done.was or 'nothing'} to {done.tree}"
    said += f": {wish.why}" if wish.why else ""
    await desk.leave("OperatorOverrode", said + _taken(done.locks))
    served = True
    if wish.waits:
        name = customer_name(wish.endpoint, region.name)
        family = family_of(order.addresses[0]) if order.addresses else region.families[0]
        served = await following.until_served(desk.teller, asked, name, family, done.tree)
    if order.freeze is not None:
        desk.teller.say(
            f"automation stays frozen, {word.said_until(order.freeze.until)}: turn a guard on, "
            "then holdfast dns thaw"
        )
    return 0 if served else EXIT_NOT_SERVED


async def _must_reach(desk: Desk, asked: Servers, given: Server | None) -> None:
    """Before anything is written: a proof without a server would wait in vain."""
    if not desk.wish.proves:
        return
    name = customer_name(desk.wish.endpoint, desk.home.region.name)
    if await servers.reachable(asked, name):
        return
    what = "it" if given else "the authoritative server"
    raise ForPeople(
        f"nothing was changed: {what} does not answer, so a new tree could not be proved "
        f"({asked.how}). {UNPROVED}"
    )


async def _say_what_is(desk: Desk) -> None:
    """What the alias names now."""
    found = next(
        (
            a
            for a in await freezer.aliases_of(desk.api, desk.home)
            if a.endpoint == desk.wish.endpoint
        ),
        None,
    )
    if not isinstance(found, Alias):
        desk.teller.say(f"alias {desk.wish.endpoint} is not there")
        return
    tree = await desk.api.get(f"{path_of(Tree, desk.home.space)}/{found.target or '-'}")
    exists = "" if tree.status != 404 else ", which does not exist"
    lock = f", lock {found.lock}" if found.lock else ""
    desk.teller.say(f"alias {found.endpoint} names {found.target or 'nothing'}{exists}{lock}")


ACTS: Mapping[str, Callable[[Desk], Awaitable[int]]] = {
    "freeze": freeze,
    "thaw": thaw,
    "override": override,
}


def run(verb: str, wish: Wish) -> int:
    """One of the acts, from connection to exit code."""
    return uvloop.run(_at_desk(wish, ACTS[verb]))


async def _at_desk(wish: Wish, act: Callable[[Desk], Awaitable[int]]) -> int:
    who = word.who(wish.who, wish.kubeconfig)
    with Teller() as teller:
        async with cluster(wish.kubeconfig) as api:
            teller.doing("reading the Region")
            home = await home_of(api, wish.namespace)
            where = f"Region {home.region.name} in namespace {home.space}{home.also}"
            teller.say(f"{where}; you are {who}")
            return await act(Desk(api, home, who, wish, teller))
