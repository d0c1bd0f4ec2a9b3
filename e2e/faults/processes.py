"""The system under test: the operator's own roles, each in a process that can be killed. Kopf is
not in the loop: a list-and-watch through the proxy feeds the roles, so that faults of watches hit
them here too."""

import asyncio
import copy
import uuid
from collections.abc import Callable
from typing import Any

from kubernetes.aio.client.configuration import Configuration

from e2e.faults.proxy import Line, Proxy
from e2e.faults.traffic import Traffic
from holdfast.live.api import Api, Json
from holdfast.live.operator import Regions
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH

RESTART_SECONDS = 0.5
"""From a crash until the Pod has been replaced."""

Role = Callable[[Api, str], Regions]
"""What a process of this role runs, given its client and its Pod's uid."""


class Process:
    """One role's process, and its successors after crashes: each with a Pod uid of its own."""

    def __init__(
        self, name: str, role: Role, namespace: str, proxy: Proxy, traffic: Traffic, plans: bool
    ) -> None:
        self.name = name
        self.pods: list[str] = []
        self._role, self._namespace, self._plans = role, namespace, plans
        self._proxy, self._traffic = proxy, traffic
        self._life: _Life | None = None
        self._revival: asyncio.TimerHandle | None = None
        self._ended: list[_Life] = []

    def start(self) -> None:
        self.pods.append(str(uuid.uuid4()))
        line = self._proxy.line(self._traffic, self.name, self.crash)
        api = Api(_configuration(line.url, self._proxy.authority), f"holdfast-{self.name}")
        regions = self._role(api, self.pods[-1])
        self._life = _Life(api, line, regions, self._namespace, self._plans)

    def crash(self) -> None:
        """All its tasks end at once, and what it has asked for is answered to nobody."""
        self._end()
        self._revival = asyncio.get_running_loop().call_later(RESTART_SECONDS, self.start)

    async def stop(self) -> None:
        if self._revival is not None:
            self._revival.cancel()
        self._end()
        for life in self._ended:
            await life.closed()

    def _end(self) -> None:
        if self._life is not None:
            self._life.end()
            self._ended.append(self._life)
            self._life = None


class _Life:
    """One incarnation, from its start to its end."""

    def __init__(self, api: Api, line: Line, regions: Regions, namespace: str, plans: bool) -> None:
        self._api, self._line, self._regions = api, line, regions
        self._path = f"{GROUP_PATH}/namespaces/{namespace}"
        self._region: Json | None = None
        self._task = asyncio.create_task(self._watch(plans))

    def end(self) -> None:
        self._line.dead = True
        if self._region is not None:
            self._regions.on_region({"type": "DELETED", "object": self._region})
        self._task.cancel()

    async def closed(self) -> None:
        await asyncio.gather(self._task, return_exceptions=True)
        await self._api.close()

    async def _watch(self, plans: bool) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed("regions", self._on_region))
            if plans:
                group.create_task(self._feed("dnsplans", self._regions.on_plan))

    async def _feed(self, resource: str, deliver: Callable[[Json], None]) -> None:
        async for change in follow(self._api, f"{self._path}/{resource}"):
            if change.event != "SYNCED" and not self._line.dead:
                deliver({"type": change.event, "object": change.obj})

    def _on_region(self, event: Json) -> None:
        """Regions of the tests say that they are paused, so that an operator that is installed
        leaves them to us."""
        told = copy.deepcopy(event)
        told["object"]["spec"]["paused"] = False
        self._region = told["object"]
        self._regions.on_region(told)


def _configuration(url: str, authority: str) -> Any:
    """A client's, for the proxy. The certificate is for nothing but speed: without a file of its
    own each client would read all that this machine trusts."""
    found = Configuration()
    found.host = url
    found.ssl_ca_cert = authority
    found.client_session_kwargs = {"trust_env": False}
    found.connection_pool_maxsize = 256
    return found
