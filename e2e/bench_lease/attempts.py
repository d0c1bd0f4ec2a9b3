"""Whole state checks against bare PUTs: the name at CoreDNS, a PUT at the store, a GET at the agent
and the lease's fenced PUT, as a lease manager does them, without what a worker takes besides.

CoreDNS runs in the cluster. Store and agent are the operator's own services, in processes of their
own on this machine: Pods cannot be reached from outside the nodes.
"""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from e2e.bench.customer import Customer
from e2e.bench.figures import Goal
from e2e.bench.ground import REGION, Ground
from e2e.bench_lease.writers import (
    FLEET,
    ME,
    OBJECTS,
    ZONE,
    Bare,
    Fenced,
    Field,
    Work,
    bare_session,
    field_of_leases,
    in_turns,
    told,
)
from holdfast.core.leases.attempt import attempt
from holdfast.core.leases.fleet import Mode
from holdfast.core.names import customer_name, slice_name, tree_name
from holdfast.core.objects import Alias, Slice, Stored, Tree
from holdfast.core.region import region_of
from holdfast.live import rack, store
from holdfast.live.api import Json
from holdfast.live.lease_calls import PORT, LeaseCalls
from holdfast.live.wire import path_of, render

ENDPOINT = "dynamodb"
LOOPBACK = "127.0.0.1"
CAPACITY = 1_000_000.0
TIMEOUT_SECONDS = 10.0


class Checks:
    """State checks of leases that are ours, one call each."""

    def __init__(self, on: Field, leases: Fenced) -> None:
        region = region_of(on.there.space, REGION, {"zones": [ZONE], "fleet": FLEET})
        server = on.there.server
        self._calls = LeaseCalls(
            on.api, region, on.region_uid, lambda: (server,), lambda: {1: LOOPBACK}, time.time
        )
        self._leases = leases.leases

    async def __call__(self, number: int) -> None:
        now = time.time()
        flow = attempt(ME, self._leases[number], 0.0, now, now + TIMEOUT_SECONDS)
        outcome = await self._calls.drive(flow)
        assert outcome.lease is not None, outcome
        self._leases[number] = outcome.lease

    async def close(self) -> None:
        await self._calls.close()


async def attempts(rounds: int, calls: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(field_of_leases())
        session = await stack.enter_async_context(bare_session(on.access))
        ours = _address_before(on.there.server.address)
        await stack.enter_async_context(_served("store", ours))
        await stack.enter_async_context(_served("agent", LOOPBACK))
        await _name(on.there, ours)
        checks = Checks(on, await Fenced.create(on, Mode.DROPLET))
        stack.push_async_callback(checks.close)
        variants: dict[str, Work] = {"attempts": checks, "bare": await Bare.create(on, session)}
        rates = await in_turns(variants, rounds, calls, "whole state checks and bare PUTs")
        return told(rates, calls) | {"ratio": rates.ratios("attempts", "bare")}


def goals(found: Mapping[str, Any]) -> list[Goal]:
    rates = found["medianPerSecond"]
    return [
        Goal(
            "whole state checks a second / bare PUTs a second",
            found["ratio"]["median"],
            at_least=0.40,
        ),
        Goal("whole state checks", rates["attempts"], unit="/s"),
        Goal("bare PUTs beside them", rates["bare"], unit="/s"),
    ]


def _address_before(node: str) -> str:
    """Our own address as the nodes see it: a plan's addresses are never of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.connect((node, PORT))
        return str(there.getsockname()[0])


async def _name(there: Ground, address: str) -> None:
    """The store's name, as an enactor would have it: an alias, its tree, and that one's slice."""
    tree = Tree(tree_name(ENDPOINT, 1), ENDPOINT, 1)
    uid = (await _post(there, tree))["metadata"]["uid"]
    name = slice_name(tree.name, uid, "IPv4")
    await _post(there, Slice(name, tree.name, uid, "IPv4", (address,)))
    await _post(there, Alias(ENDPOINT, tree.name, 1))
    Customer(there.server, customer_name(ENDPOINT, REGION)).until(tree.name.encode())


async def _post(there: Ground, obj: Stored) -> Json:
    body = render(obj, there.space, REGION)
    return await there.api.need("POST", path_of(type(obj), there.space), body)


@asynccontextmanager
async def _served(which: str, address: str) -> AsyncIterator[None]:
    """One of the two services at an address of this machine."""
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_for_ever, args=(which, address), daemon=True
    )
    process.start()
    try:
        await _until_served(which, address, process.is_alive)
        yield
    finally:
        process.terminate()
        process.join()


async def _until_served(which: str, address: str, lives: Any) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"http://{address}:{PORT}/healthz") as response:
                    if response.status == 200 and lives():
                        return
            except aiohttp.ClientError:
                pass
            if not lives():
                raise SystemExit(
                    f"the {which} cannot be served at {address}:{PORT}: is something else there?"
                )
            await asyncio.sleep(0.1)


def _serve_for_ever(which: str, address: str) -> None:
    uvloop.run(_serve(which, address))


async def _serve(which: str, address: str) -> None:
    hosted = rack.Racks(ZONE, OBJECTS, int(str(FLEET["droplets"])))
    app = store.application(CAPACITY) if which == "store" else rack.application(hosted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, PORT).start()
    await asyncio.Event().wait()
