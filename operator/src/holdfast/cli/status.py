"""`holdfast dns status`: plan → enactor → alias → tree → answers, of one arm's namespace."""

import uvloop
from kubernetes.aio.config.config_exception import ConfigException
from rich.console import Console

from holdfast.cli.files import ForPeople
from holdfast.core.lock import parse_lock
from holdfast.core.names import customer_name, tree_generation
from holdfast.core.objects import Alias, Object, Plan, Tree
from holdfast.live.api import Api, ApiError, Json, connect
from holdfast.live.resolver import Response, Server, ask
from holdfast.live.wire import GROUP_PATH, parse, path_of, selector_of

PLANS_SHOWN = 3


def dns_status(namespace: str | None, kubeconfig: str | None) -> int:
    uvloop.run(_status(namespace, kubeconfig))
    return 0


async def _status(namespace: str | None, kubeconfig: str | None) -> None:
    try:
        async with connect("holdfast-cli", kubeconfig) as api:
            space = namespace or await _latest_arm(api)
            await _print(api, space)
    except ConfigException as error:
        raise ForPeople(f"no cluster: {error}. `make cluster` creates one") from error
    except ApiError as error:
        raise ForPeople(str(error)) from error


async def _latest_arm(api: Api) -> str:
    """The namespace of the arm that was created last."""
    listing = await api.need("GET", "/api/v1/namespaces", labelSelector="holdfast.dev/arm")
    alive = [n["metadata"] for n in listing["items"] if "deletionTimestamp" not in n["metadata"]]
    if not alive:
        raise ForPeople("no arm is there: holdfast run dns-race makes three")
    latest: Json = max(alive, key=lambda m: m["creationTimestamp"])
    return str(latest["name"])


async def _all(api: Api, kind: type[Object], space: str) -> list[Object]:
    selector = selector_of(kind)
    query = {"labelSelector": selector} if selector else {}
    listing = await api.need("GET", path_of(kind, space), **query)
    return [parse(kind, raw) for raw in listing["items"]]


async def _print(api: Api, space: str) -> None:
    console = Console(width=110, highlight=False)
    regions = (await api.need("GET", f"{GROUP_PATH}/namespaces/{space}/regions"))["items"]
    if not regions:
        raise ForPeople(f"namespace {space} holds no Region")
    region = regions[0]
    plans = [p for p in await _all(api, Plan, space) if isinstance(p, Plan)]
    trees = {t.name for t in await _all(api, Tree, space) if isinstance(t, Tree)}
    aliases = [a for a in await _all(api, Alias, space) if isinstance(a, Alias)]
    paused = " (paused: its arm is over)" if region["spec"].get("paused") else ""
    console.print(f"[bold]{space}[/]  Region {region['metadata']['name']}{paused}")
    newest = sorted(plans, key=lambda p: -p.generation)[:PLANS_SHOWN]
    console.print(f"plans     {len(plans)}; newest " + ", ".join(str(p.generation) for p in newest))
    for zone, actor in sorted(((region.get("status") or {}).get("actors") or {}).items()):
        held = f", held by {actor['hold']}" if actor.get("hold") else ""
        console.print(
            f"enactor   {zone}: last reported {actor.get('step') or 'nothing'}, plan "
            f"{actor.get('generation', 0)}{held}; dropped {actor.get('staleDropped', 0)}, "
            f"refused {actor.get('staleRefused', 0)}, stuck {actor.get('rollbackMissing', 0)}"
        )
    for alias in sorted(aliases, key=lambda a: a.endpoint):
        await _print_alias(console, api, space, region, alias, trees)


async def _print_alias(
    console: Console, api: Api, space: str, region: Json, alias: Alias, trees: set[str]
) -> None:
    lock = parse_lock(alias.lock)
    names = "" if alias.target in trees else "  [red]WHICH DOES NOT EXIST[/]"
    console.print(f"alias     {alias.endpoint} → {alias.target}{names}")
    console.print(
        f"          generation {alias.generation}, resourceVersion {alias.resource_version}, "
        f"rollback {alias.rollback or 'none'}, lock {lock.holder if lock else 'free'}"
    )
    own = sorted(
        (t for t in trees if t.rpartition("-p")[0] == alias.endpoint),
        key=lambda t: tree_generation(t) or 0,
    )
    console.print(f"trees     {', '.join(own) or 'none'}")
    name = customer_name(alias.endpoint, region["metadata"]["name"])
    for label in ("authoritative", "resolver"):
        service = await api.get(f"/api/v1/namespaces/{space}/services/{label}-nodeport")
        if not service.ok:
            console.print(f"answers   {label}: not published (the arm that runs is)")
            continue
        port = service.body["spec"]["ports"][0]["nodePort"]
        said = await ask(Server("127.0.0.1", port), name, "IPv4")
        console.print(f"answers   {label}: {_said(said)}")


def _said(said: Response) -> str:
    if not said.rcode:
        return "no answer on 127.0.0.1"
    if said.rcode == "NOERROR" and not said.addresses:
        return f"[red]NOERROR, 0 addresses[/] (CNAME {said.tree or 'none'})"
    return f"{said.rcode} {', '.join(said.addresses)} (from {said.tree or 'no tree'})"
