"""`holdfast dns status`: plan → enactor → alias → tree → answers, of one Region's namespace."""

import time

import uvloop
from rich.console import Console

from holdfast.cli import servers, word
from holdfast.cli.cluster import Home, cluster, home_of, need
from holdfast.cli.following import spoken
from holdfast.cli.servers import Servers
from holdfast.core.freeze import Freeze, parse_freeze
from holdfast.core.guards import effective
from holdfast.core.lock import parse_lock
from holdfast.core.names import customer_name, tree_generation
from holdfast.core.objects import Alias, Object, Plan, Tree
from holdfast.live.api import Api
from holdfast.live.resolver import Response, Server, ask
from holdfast.live.wire import parse, path_of, selector_of

PLANS_SHOWN = 3
TREES_SHOWN = 6


def dns_status(namespace: str | None, kubeconfig: str | None, dns_server: str | None = None) -> int:
    given = word.server(dns_server) if dns_server else None
    uvloop.run(_status(namespace, kubeconfig, given))
    return 0


async def _status(namespace: str | None, kubeconfig: str | None, given: Server | None) -> None:
    async with cluster(kubeconfig) as api:
        home = await home_of(api, namespace)
        await _print(api, home, await servers.find(api, home.space, given))


async def _all(api: Api, kind: type[Object], space: str) -> list[Object]:
    selector = selector_of(kind)
    query = {"labelSelector": selector} if selector else {}
    listing = await need(api, path_of(kind, space), space, **query)
    return [parse(kind, raw) for raw in listing["items"]]


async def _print(api: Api, home: Home, asked: Servers) -> None:
    console = Console(highlight=False, soft_wrap=True)
    space, region = home.space, home.region
    plans = [p for p in await _all(api, Plan, space) if isinstance(p, Plan)]
    trees = {t.name for t in await _all(api, Tree, space) if isinstance(t, Tree)}
    aliases = [a for a in await _all(api, Alias, space) if isinstance(a, Alias)]
    paused = " (paused: its arm is over)" if region.paused else ""
    console.print(f"[bold]{space}[/]  Region {region.name}{paused}{home.also}")
    if region.freeze is not None:
        console.print(f"frozen    {_frozen(region.freeze)}", markup=False)
    rungs = effective(region.guards)["dns"].items()
    on = ", ".join(f"{name} {rung}" for name, rung in rungs if rung != "Disabled")
    console.print(f"guards    {on}")
    newest = sorted((p.generation for p in plans), reverse=True)
    shown = ", ".join(map(str, newest[:PLANS_SHOWN]))
    console.print(f"plans     {len(plans)}; newest {shown or 'none'}")
    for zone, actor in sorted((home.status.get("actors") or {}).items()):
        held = f", held by {actor['hold']}" if actor.get("hold") else ""
        role, _, of_zone = zone.rpartition("/")
        if role:
            console.print(f"{role:<9} {of_zone}: {actor.get('endpoint') or 'nothing'} last{held}")
            continue
        console.print(
            f"enactor   {zone}: last reported {actor.get('step') or 'nothing'}, plan "
            f"{actor.get('generation', 0)}{held}; dropped {actor.get('staleDropped', 0)}, "
            f"refused {actor.get('staleRefused', 0)}, stuck {actor.get('rollbackMissing', 0)}"
        )
    for alias in sorted(aliases, key=lambda a: a.endpoint):
        _print_alias(console, alias, trees, max(newest, default=0))
        await _print_answers(console, home, alias, asked)


def _frozen(freeze: Freeze) -> str:
    over = "" if freeze.until > time.time() else " (which has passed)"
    why = freeze.why or "no reason given"
    return f"by {freeze.who}, {word.said_until(freeze.until)}{over}: {why}"


def _print_alias(console: Console, alias: Alias, trees: set[str], newest: int) -> None:
    lock = parse_lock(alias.lock)
    names = "" if alias.target in trees else "  [red]WHICH DOES NOT EXIST[/]"
    behind = newest - alias.generation
    lag = f", {behind} behind the newest plan" if behind > 0 else ", the newest plan"
    console.print(f"alias     {alias.endpoint} → {alias.target}{names}")
    console.print(
        f"          generation {alias.generation}{lag}; resourceVersion {alias.resource_version}"
    )
    console.print(
        f"          rollback {alias.rollback or 'none'}, lock {lock.holder if lock else 'free'}, "
        f"written by {alias.writer or 'nobody'}",
        markup=False,
    )
    frozen = parse_freeze(alias.frozen)
    if frozen is not None:
        console.print(f"          frozen {_frozen(frozen)}", markup=False)
    own = sorted(
        (t for t in trees if t.rpartition("-p")[0] == alias.endpoint),
        key=lambda t: tree_generation(t) or 0,
    )
    more = "..., " if len(own) > TREES_SHOWN else ""
    console.print(f"trees     {len(own)}: {more}{', '.join(own[-TREES_SHOWN:]) or 'none'}")


async def _print_answers(console: Console, home: Home, alias: Alias, asked: Servers) -> None:
    name = customer_name(alias.endpoint, home.region.name)
    ways = [("authoritative", s) for s in dict.fromkeys(asked.authoritative)]
    if not ways:
        console.print(f"answers   authoritative: not asked: {asked.how}", markup=False)
    if asked.resolver is not None:
        ways.append(("resolver", asked.resolver))
    for label, server in ways:
        for family in home.region.families:
            said = await ask(server, name, family)
            console.print(f"answers   {label}: {_said(said, server)}")
    if asked.resolver is None:
        console.print("answers   resolver: not published (the arm that runs is)")


def _said(said: Response, server: Server) -> str:
    if not said.rcode:
        return f"no answer on {server.address}:{server.port}"
    if said.rcode == "NOERROR" and not said.addresses:
        return f"[red]{spoken(said)}[/] (CNAME {said.tree or 'none'})"
    return f"{said.rcode} {', '.join(said.addresses)} (from {said.tree or 'no tree'})"
