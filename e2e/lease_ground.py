"""Regions with a fleet each, for lease managers that run in the test's own process.

The API server is the real one, and the managers come to it as a ServiceAccount with the chart's own
rights. Store and agents are the operator's own services, on loopback; the store's name is answered
by a DNS server of ours. The Region names zones that no node has, so no manager of the chart serves
it; and it says that it is paused, so that planner and enactors leave it alone. Ours are told that
it is not.
"""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import dns.exception
import dns.flags
import dns.message
import dns.rrset
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from e2e.install import NAMESPACE as SYSTEM
from e2e.install import RELEASE
from e2e.lease_history import DURATION, FLEET, PATIENCE_SECONDS, TIMEOUT, Book, History, until
from e2e.lease_proxy import Line, Proxy
from holdfast.core.leases.fleet import Mode, fleet_of
from holdfast.core.leases.lease import DropletLease
from holdfast.core.names import AGENT_LABEL, MANAGED_LABEL, ZONE_LABEL
from holdfast.core.region import region_of
from holdfast.live import rack, store
from holdfast.live.api import Api, Json, configuration, connect
from holdfast.live.arm_manifests import Installation, role_bindings
from holdfast.live.lease_calls import PORT
from holdfast.live.lease_role import LeaseManager
from holdfast.live.lease_wire import MANAGER, path_of_leases
from holdfast.live.resolver import Server
from holdfast.live.wire import GROUP_PATH

REGION, ACCOUNT, HAND = "us-east-1", "leases-under-test", "kubectl-edit"
SELECTOR = "holdfast.dev/test=lease-faults"
LABEL = {"holdfast.dev/test": "lease-faults"}


class Clock:
    """A manager's wall clock."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class _Manager(LeaseManager):
    """The operator's own. Slices refuse addresses of loopback, so its DNS server is told to it."""

    def __init__(self, server: Server, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._authority.servers = lambda: (server,)  # type: ignore[method-assign]


class Running:
    """A manager's process: its line, its client and its task."""

    def __init__(self, me: str, line: Line, api: Api, manager: LeaseManager, clock: Clock) -> None:
        self.me, self.line, self.clock = me, line, clock
        self.manager = manager
        self._api = api
        self.task = asyncio.create_task(manager.run())

    @property
    def failure(self) -> str:
        """Why it has ended by itself, "" if it has not."""
        if not self.task.done() or self.task.cancelled():
            return ""
        return repr(self.task.exception())

    def look_at_the_clock(self) -> None:
        """As it does by itself twice a minute."""
        self.manager._based_at = float("-inf")

    async def kill(self) -> None:
        """It ends at once, and gives nothing back."""
        if not self.task.done():
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self._api.close()


class Rack:
    """The agent of a zone, on an address of its own."""

    def __init__(self, zone: str, address: str, session: aiohttp.ClientSession) -> None:
        self.address, self.incarnation = address, ""
        self._session, self._lives = session, 0
        self._racks = rack.Racks(zone, racks=1, droplets=FLEET["droplets"])
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Anew, if it runs: another incarnation."""
        await self.stop()
        self._lives += 1
        self.incarnation = f"life-{self._lives}"
        self._runner = await _serve(rack.application(self._racks, self.incarnation), self.address)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def break_it(self, mode: str, *units: str, seconds: float = 0.0) -> None:
        wrong = {"mode": mode, "seconds": seconds, "units": list(units)}
        url = f"http://{self.address}:{PORT}/fault"
        async with self._session.put(url, json=wrong) as answer:
            assert answer.status == 204, await answer.text()


class Ground:
    """One namespace with a Region of these zones, up to ten."""

    def __init__(self, api: Api, hand: Api, proxy: Proxy, space: str, base: str) -> None:
        self.api, self.hand, self.space = api, hand, space
        self.history = History(api, space)
        self.book = Book()
        self.running: list[Running] = []
        self.racks: dict[str, Rack] = {}
        self._proxy, self._base = proxy, base
        self._raw: Json = {}
        self._token = ""

    # --- what is there before any manager

    async def lay(self, zones: tuple[str, ...], session: aiohttp.ClientSession) -> None:
        core = f"/api/v1/namespaces/{self.space}"
        await self.api.ensure(
            "/api/v1/namespaces", {"metadata": {"name": self.space, "labels": LABEL}}
        )
        for binding in _bindings(self.space):
            path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.space}/rolebindings"
            await self.api.ensure(path, binding)
        for account in (ACCOUNT, "default"):
            await self.api.ensure(f"{core}/serviceaccounts", {"metadata": {"name": account}})
        asked = {"spec": {"expirationSeconds": 3600}}
        path = f"{core}/serviceaccounts/{ACCOUNT}/token"
        self._token = (await self.api.need("POST", path, asked))["status"]["token"]
        for number, zone in enumerate(zones, start=10):
            self.racks[zone] = Rack(zone, f"{self._base}.{number}", session)
            await self.racks[zone].start()
            await self._pod(zone, self.racks[zone].address)
        path = f"{GROUP_PATH}/namespaces/{self.space}/regions"
        self._raw = await self.api.ensure(path, _region(zones))
        self._zones = zones

    async def _pod(self, zone: str, address: str) -> None:
        """An agent's Pod for managers to see; no kubelet ever runs it."""
        path, name = f"/api/v1/namespaces/{self.space}/pods", f"rack-{zone}"
        labels = {"app.kubernetes.io/name": "rack", ZONE_LABEL: zone, AGENT_LABEL: "1"}
        spec = {"schedulerName": "nobody", "containers": [{"name": "rack", "image": "none"}]}
        await self.api.ensure(path, {"metadata": {"name": name, "labels": labels}, "spec": spec})
        status = {
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        answer = await self.api.merge_patch(f"{path}/{name}/status", {"status": status})
        assert answer.ok, answer

    # --- managers

    def start(self, zone: str, server: Server, line: Line | None = None) -> Running:
        """A manager of a zone, as a Pod of its own would be."""
        line = line or self._proxy.line()
        clock = Clock()
        api = Api(_configuration(line.url, self._token), f"{MANAGER}{zone}")
        raw = self._raw | {"spec": self._raw["spec"] | {"paused": False}}
        region = region_of(self.space, REGION, raw["spec"])
        me = f"{zone}/{uuid.uuid4()}"
        manager = _Manager(server, api, zone, me, region, raw, wall=clock)
        manager.update(region, raw)
        self.running.append(Running(me, line, api, manager, clock))
        return self.running[-1]

    def line(self) -> Line:
        return self._proxy.line()

    # --- what is to be seen

    def names(self, zone: str) -> tuple[str, ...]:
        fleet = fleet_of(FLEET)
        assert fleet is not None
        return fleet.names(zone)

    def is_held(self, name: str, by: Running) -> bool:
        version = self.history.now(name)
        if version is None or not isinstance(version.lease, DropletLease):
            return False
        lease, now = version.lease, by.clock()
        is_fresh = now - DURATION < lease.renewed <= now + TIMEOUT
        own = version.labels.get(ZONE_LABEL) == lease.zone and MANAGED_LABEL in version.labels
        return lease.holder == by.me and lease.phase == "Held" and is_fresh and own

    def all_held(self, by: Running, zone: str) -> bool:
        return all(self.is_held(name, by) for name in self.names(zone))

    async def until_all_held(
        self, by: Running, zone: str, seconds: float = PATIENCE_SECONDS
    ) -> float:
        def missing() -> str:
            left = [n for n in self.names(zone) if not self.is_held(n, by)]
            return f"{len(left)} not held by {by.me}: {[self.history.now(n) for n in left[:2]]}"

        try:
            return await until(lambda: self.all_held(by, zone), zone, seconds)
        except AssertionError:
            raise AssertionError(f"{zone}, not within {seconds:g} s: {missing()}") from None

    async def told(self, zone: str) -> Json:
        """What the zone's manager has written of itself into the Region's status."""
        path = f"{GROUP_PATH}/namespaces/{self.space}/regions/{REGION}"
        status = (await self.api.need("GET", path)).get("status") or {}
        found: Json = (status.get("leases") or {}).get(zone) or {}
        return found

    async def events(self, reason: str) -> set[tuple[str, int]]:
        """The messages of the Events on the Region that give this reason, and how often."""
        path = f"/api/v1/namespaces/{self.space}/events"
        found = await self.api.need("GET", path, fieldSelector=f"reason={reason}")
        return {(str(e["message"]), int(e["count"])) for e in found["items"]}

    async def objects(self, zone: str) -> list[str]:
        """The lease objects of a zone, by their names, whatever labels they bear."""
        found = await self.api.need("GET", path_of_leases(Mode.DROPLET, self.space))
        return sorted(i["metadata"]["name"] for i in found["items"] if i["spec"]["zone"] == zone)

    # --- the end

    async def clear(self) -> None:
        for one in self.running:
            await one.kill()
        for agent in self.racks.values():
            await agent.stop()
        await self.api.delete(f"/api/v1/namespaces/{self.space}")


class Site:
    """What all grounds share: the API server, the store, and the server that answers its name."""

    def __init__(self, api: Api, hand: Api, proxy: Proxy, session: aiohttp.ClientSession) -> None:
        self._api, self._hand, self._proxy, self._session = api, hand, proxy, session
        self._run = uuid.uuid4().hex[:5]
        self._base = f"127.{random.randint(1, 250)}"
        self._grounds = 0
        self.server = Server("", 0)

    @asynccontextmanager
    async def ground(self, *zones: str) -> AsyncIterator[Ground]:
        self._grounds += 1
        space = f"lease-faults-{self._run}-{self._grounds}"
        base = f"{self._base}.{self._grounds}"
        ground = Ground(self._api, self._hand, self._proxy, space, base)
        watching = asyncio.create_task(ground.history.follow())
        try:
            await ground.lay(zones, self._session)
            yield ground
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await ground.clear()

    @asynccontextmanager
    async def services(self) -> AsyncIterator[None]:
        """Store and DNS server, on loopback. A port that every address has of its own: what is
        asked is always the one that the operator's services have."""
        address = f"{self._base}.0.1"
        shelf = await _serve(store.application(10_000), address)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Names(address), local_addr=("127.0.0.1", 0)
        )
        self.server = Server("127.0.0.1", transport.get_extra_info("sockname")[1])
        try:
            yield
        finally:
            transport.close()
            await shelf.cleanup()


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """What it has made is gone again at the end, and what a run left that did not get so far."""
    async with (
        connect("lease-faults") as api,
        connect(HAND) as hand,
        Proxy(await configuration()) as proxy,
        aiohttp.ClientSession(trust_env=False) as session,
    ):
        spaces = await api.need("GET", "/api/v1/namespaces", labelSelector=SELECTOR)
        for found in spaces["items"]:
            await api.delete(f"/api/v1/namespaces/{found['metadata']['name']}")
        shared = Site(api, hand, proxy, session)
        async with shared.services():
            yield shared


class _Names(asyncio.DatagramProtocol):
    """A DNS server that has one address for whatever name it is asked for."""

    def __init__(self, address: str) -> None:
        self._address = address

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with contextlib.suppress(dns.exception.DNSException):
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            name = query.question[0].name
            answer.answer.append(dns.rrset.from_text(name, 5, "IN", "A", self._address))
            self._transport.sendto(answer.to_wire(), addr)


async def _serve(app: web.Application, address: str) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address, PORT, reuse_address=True).start()
    return runner


def _configuration(url: str, token: str) -> Any:
    found: Any = Configuration()
    found.host = url
    found.api_key = {"BearerToken": token}
    found.api_key_prefix = {"BearerToken": "Bearer"}
    found.client_session_kwargs = {"trust_env": False}
    found.connection_pool_maxsize = 256
    return found


def _bindings(space: str) -> list[Json]:
    """The chart's roles may look at the Region, or they would ask for it again and again; and our
    account has what a lease manager has."""
    install = Installation(SYSTEM, RELEASE, "", "", "IfNotPresent", ())
    chart = [b for b in role_bindings(install) if not b["metadata"]["name"].endswith("-leases")]
    own = {
        "metadata": {"name": ACCOUNT},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"{RELEASE}-leases-arm",
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": space}],
    }
    return [*chart, own]


def _region(zones: tuple[str, ...]) -> Json:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": REGION},
        "spec": {
            "zones": list(zones),
            "fleet": FLEET,
            "guards": {"profile": "safe"},
            "paused": True,
        },
    }
