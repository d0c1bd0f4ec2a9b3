"""What a renewal costs if it goes by Kopf, and what ours costs: CPU of a process that does nothing
else, over a few hundred renewals of the same leases at the same pace.

By Kopf: a timer renews by `patch`, and an `on.event` handler hears of it, the least that an
operator of Kopf's needs. A timer has a finalizer set on each lease: taken off at the end, or the
namespace would never go.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kopf
import uvloop
from rich.console import Console

from e2e.bench.figures import Goal
from e2e.bench.ground import REGION
from e2e.bench_lease.access import Access, client
from e2e.bench_lease.writers import AGENT, ME, Field, field_of_leases, leases_of
from holdfast.core.leases.fleet import Mode
from holdfast.core.leases.lease import Lease, renewed, supersedes
from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.live.api import Api, connect
from holdfast.live.lease_wire import digest, parse_lease, path_of_leases, render_lease, stamp
from holdfast.live.operator import settings
from holdfast.live.watch import follow

PERIOD_SECONDS = 1.0
WARM_UP_SECONDS = 4.0
WAYS = ("kopf", "ours")
_LEASES = "dropletleases"


async def kopf_cost(rounds: int, seconds: int) -> dict[str, Any]:
    """`seconds` of each, in turns."""
    async with field_of_leases() as on:
        for lease in leases_of(Mode.DROPLET):
            await on.make(lease)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for number in range(rounds):
            for way in WAYS:
                with Console().status(f"renewals by {way}, round {number + 1} of {rounds}"):
                    try:
                        measured = await asyncio.to_thread(_in_a_child, way, on, seconds)
                    finally:
                        await unhook()
                    found[way].append(measured)
        return {
            "secondsEach": seconds,
            "rounds": found,
            "cpuMsPerRenewal": {way: median_ms(found[way]) for way in WAYS},
            "ratio": round(median_ms(found["kopf"]) / median_ms(found["ours"]), 2),
        }


def goals(found: Mapping[str, Any]) -> list[Goal]:
    cost = found["cpuMsPerRenewal"]
    return [
        Goal("CPU a renewal by Kopf's timer and patch", cost["kopf"], unit="ms"),
        Goal("CPU a renewal by our watch and PUT", cost["ours"], unit="ms"),
        Goal("the former / the latter", found["ratio"], unit="×"),
    ]


def median_ms(rounds: list[dict[str, float]]) -> float:
    """CPU of one renewal: the median of the rounds."""
    each = sorted(1000 * r["cpuSeconds"] / r["renewals"] for r in rounds)
    return round(each[len(each) // 2], 2)


def _in_a_child(way: str, on: Field, seconds: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    arguments = (way, on.access, on.there.space, on.region_uid, seconds, queue)
    process = context.Process(target=_renew, args=arguments, daemon=True)
    process.start()
    try:
        found: dict[str, float] = queue.get(timeout=seconds + 60)
        return found
    finally:
        process.terminate()
        process.join()


async def unhook() -> None:
    """Take Kopf's finalizers off the leases of every benchmark's namespace, also of runs that did
    not get to their end."""
    async with connect("bench-setup") as admin:
        query = {"labelSelector": "holdfast.dev/test=bench"}
        for space in (await admin.need("GET", "/api/v1/namespaces", **query))["items"]:
            path = path_of_leases(Mode.DROPLET, space["metadata"]["name"])
            for raw in (await admin.need("GET", path))["items"]:
                if raw["metadata"].get("finalizers"):
                    body = {"metadata": {"finalizers": None}}
                    await admin.merge_patch(f"{path}/{raw['metadata']['name']}", body)


# --- in the child


class Count:
    def __init__(self) -> None:
        self.renewals = self.events = 0


def _renew(way: str, by: Access, space: str, region_uid: str, seconds: int, told: Any) -> None:
    count = Count()
    if way == "kopf":
        uvloop.run(_measured(lambda: _by_kopf(by, space, count), count, seconds, told))
    else:
        uvloop.run(_measured(lambda: _by_us(by, space, region_uid, count), count, seconds, told))


async def _measured(
    run: Callable[[], Awaitable[None]], count: Count, seconds: int, told: Any
) -> None:
    """CPU of this process while it renews, from when it has begun to."""
    task = asyncio.ensure_future(run())
    await asyncio.sleep(WARM_UP_SECONDS)
    cpu, renewals, events = time.process_time(), count.renewals, count.events
    await asyncio.sleep(seconds)
    told.put(
        {
            "cpuSeconds": round(time.process_time() - cpu, 4),
            "renewals": count.renewals - renewals,
            "events": count.events - events,
        }
    )
    await task


async def _by_kopf(by: Access, space: str, count: Count) -> None:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=by.host, ca_path=str(by.authority), token=by.token)

    @kopf.on.event(API_GROUP, API_VERSION, _LEASES, registry=registry)
    async def on_lease(**_: Any) -> None:
        count.events += 1

    @kopf.timer(API_GROUP, API_VERSION, _LEASES, interval=PERIOD_SECONDS, registry=registry)
    async def renew(patch: kopf.Patch, **_: Any) -> None:
        patch.spec["renewed"] = stamp(time.time())
        count.renewals += 1

    await kopf.operator(registry=registry, settings=settings(), namespaces=[space], standalone=True)


async def _by_us(by: Access, space: str, region_uid: str, count: Count) -> None:
    leases: dict[str, Lease] = {}
    path = path_of_leases(Mode.DROPLET, space)
    async with client(by) as api, asyncio.TaskGroup() as group:
        group.create_task(_follow(api, path, leases, count))
        while not leases:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        for place, name in enumerate(leases):
            share = PERIOD_SECONDS * place / len(leases)
            renewals = _renew_for_ever(api, f"{path}/{name}", leases, name, region_uid, count)
            group.create_task(_later(share, renewals))


async def _later(seconds: float, work: Awaitable[None]) -> None:
    await asyncio.sleep(seconds)
    await work


async def _follow(api: Api, path: str, leases: dict[str, Lease], count: Count) -> None:
    async for change in follow(api, path, digest=digest):
        if change.event != "SYNCED":
            count.events += 1
            lease: Lease = change.obj["value"]
            if supersedes(lease, leases.get(lease.name)):
                leases[lease.name] = lease


async def _renew_for_ever(
    api: Api, path: str, leases: dict[str, Lease], name: str, region_uid: str, count: Count
) -> None:
    while True:
        wanted = renewed(leases[name], ME, AGENT, time.time(), frozenset({0}))
        answer = await api.replace(path, render_lease(wanted, REGION, region_uid))
        if answer.ok:
            leases[name] = parse_lease(answer.body)
            count.renewals += 1
        await asyncio.sleep(PERIOD_SECONDS)
