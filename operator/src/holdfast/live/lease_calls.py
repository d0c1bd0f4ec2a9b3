"""Performs the steps of a state check on a cluster: a DNS query, two HTTP calls, one fenced PUT."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from holdfast.core.intents import Replace
from holdfast.core.leases.attempt import (
    Answered,
    AskAgent,
    Attempt,
    Failed,
    Outcome,
    Resolve,
    Spend,
    Step,
    StepReply,
    StoreCheck,
)
from holdfast.core.leases.fleet import Mode, rack_of
from holdfast.core.leases.lease import DropletLease, RackLease
from holdfast.core.names import AGENT_LABEL, customer_name
from holdfast.core.region import Region
from holdfast.core.replies import Written
from holdfast.live.api import Answer, Api, Json
from holdfast.live.lease_wire import parse_lease, path_of_leases, render_lease
from holdfast.live.perform import refusal
from holdfast.live.resolver import Server, ask

PORT = 8080
PATIENCE_SECONDS_MIN = 0.05


class LeaseCalls:
    """Of one Region. `servers` are the authoritative ones now, `agents` the addresses of the zone's
    agents by their numbers; `clock` is the wall clock. `reach` is waited for before the write of a
    lease, by its name: a hold may stand there."""

    def __init__(
        self,
        api: Api,
        region: Region,
        uid: str,
        servers: Callable[[], tuple[Server, ...]],
        agents: Callable[[], Mapping[int, str]],
        clock: Callable[[], float],
        reach: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self.region, self._uid = region, uid
        self._api, self._servers, self._agents, self._clock = api, servers, agents, clock
        self._reach = reach
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        self._http = aiohttp.ClientSession(connector=connector)

    async def close(self) -> None:
        await self._http.close()

    async def drive(self, flow: Attempt) -> Outcome:
        """An attempt to its end."""
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._perform(step))
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome

    async def _perform(self, step: Step) -> StepReply:
        match step:
            case Spend(seconds):
                await asyncio.sleep(seconds)
                return Answered(self._clock())
            case Resolve():
                return await self._resolve()
            case StoreCheck(addresses, unit):
                return await self._check(addresses, unit)
            case AskAgent(unit):
                return await self._ask(unit)
            case Replace(obj):
                assert isinstance(obj, DropletLease | RackLease)
                mode = Mode.RACK if isinstance(obj, RackLease) else Mode.DROPLET
                path = f"{path_of_leases(mode, self.region.namespace)}/{obj.name}"
                body = render_lease(obj, self.region.name, self._uid)
                if self._reach is not None:
                    await self._reach(obj.name)
                answer = await self._put(path, body)
                now = self._clock()
                return Written(parse_lease(answer.body), now) if answer.ok else refusal(answer, now)

    async def _put(self, path: str, body: Json) -> Answer:
        """Its answer is waited for no longer than a period: who waits on holds a worker, and keeps
        the heartbeats of this lease out, so that one lost answer would cost the lease."""
        fleet = self.region.fleet
        try:
            async with asyncio.timeout(max(self._patience, fleet.period if fleet else 0.0)):
                return await self._api.replace(path, body)
        except TimeoutError:
            return Answer(0, {"message": "no answer within a period"})

    @property
    def _patience(self) -> float:
        """How long one call is waited for: no longer than a whole attempt may take."""
        fleet = self.region.fleet
        return max(PATIENCE_SECONDS_MIN, fleet.timeout if fleet else PATIENCE_SECONDS_MIN)

    async def _resolve(self) -> StepReply:
        servers = self._servers()
        if not servers:
            return Failed(self._clock(), "no authoritative server is ready")
        name = customer_name(self.region.endpoints[0], self.region.name)
        server = random.choice(servers)
        found = await ask(server, name, self.region.families[0], self._patience)
        if not found.addresses:
            said = f"{found.rcode}, 0 addresses" if found.rcode else "no answer"
            return Failed(self._clock(), f"{name}: {said}")
        return Answered(self._clock(), found.addresses)

    async def _check(self, addresses: tuple[str, ...], unit: str) -> StepReply:
        """Write the check into the store, as DWFM does into DynamoDB."""
        address = random.choice(addresses)
        url = f"http://{_host(address)}:{PORT}/items/{unit}"
        status, _ = await self._call("PUT", url, f"{self._clock():.3f}")
        if status != 204:
            return Failed(self._clock(), f"store {address}: {status or 'no answer'}")
        return Answered(self._clock())

    async def _ask(self, unit: str) -> StepReply:
        agents, fleet = self._agents(), self.region.fleet
        number = (rack_of(unit) - 1) % max(1, fleet.agents if fleet else 1) + 1
        if number not in agents:
            return Failed(self._clock(), f"agent {number} is not there")
        url = f"http://{_host(agents[number])}:{PORT}/units/{unit}"
        status, said = await self._call("GET", url)
        if status != 200:
            return Failed(self._clock(), f"agent {number}: {status or 'no answer'}")
        well = frozenset(i for i, digit in enumerate(str(said.get("droplets", ""))) if digit == "1")
        if not well:
            return Failed(self._clock(), f"agent {number}: no droplet of {unit} is well")
        told = (str(said.get("unit", "")), str(said.get("agent", "")))
        return Answered(self._clock(), told, well)

    async def _call(self, verb: str, url: str, body: str | None = None) -> tuple[int, Json]:
        """Status and answer, sent once; 0 for none."""
        try:
            async with asyncio.timeout(self._patience):
                async with self._http.request(verb, url, data=body) as response:
                    raw: Any = await response.json() if response.status == 200 else {}
                    return response.status, raw if isinstance(raw, dict) else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, {}


def agents_of(pods: Mapping[str, Json]) -> dict[int, str]:
    """The addresses of agents that are ready, by their numbers."""
    found: dict[int, str] = {}
    for pod in pods.values():
        labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
        number = labels.get(AGENT_LABEL, "")
        ready = any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
        )
        if number.isdecimal() and ready and "deletionTimestamp" not in pod["metadata"]:
            found[int(number)] = str(status.get("podIP", ""))
    return {number: address for number, address in found.items() if address}


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
