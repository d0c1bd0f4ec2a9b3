"""Does what a timeline has people and processes do: orders in a Pod, and Deployments scaled.

An order is the very command that a person would enter, in a Pod of the arm's namespace under a
ServiceAccount that has an operator's rights and no more. Roles of the operator run once for all
Regions: only those that an arm's timeline names are scaled, and every arm begins and ends with one
process of each.
"""

import asyncio
from collections.abc import Iterable, Mapping

from holdfast.core.acts import Act, Order, Scale
from holdfast.live.api import Api, ApiError, Json
from holdfast.live.arm_manifests import Installation, order_pod

POLL_SECONDS = 0.2
ORDER_SECONDS = 120.0
SCALE_SECONDS = 60.0
OF_THE_ARM: Mapping[str, str] = {"store": "store-{}", "rack": "rack-{}-1"}
"""Roles that run in the arm's namespace, and what their Deployments are called in a zone. Of racks
it is the first agent: what the others host is not touched."""
ZONAL = ("enactor", "leases")
"""Roles of the operator that run in each zone."""


class ActFailed(Exception):
    """The act could not be done; the message says what to look at."""


class Acting:
    """`zones` are those of the Region: of its stores and racks, and of whichever enactors and lease
    managers the chart has."""

    def __init__(
        self, api: Api, namespace: str, install: Installation, zones: tuple[str, ...] = ()
    ) -> None:
        self._api, self._namespace = api, namespace
        self._install, self._zones = install, zones

    async def do(self, act: Act) -> str:
        """A sentence about what was done. Raises ActFailed or ApiError."""
        match act.does:
            case Order() as order:
                return await self._order(act.name, order)
            case Scale("planner", replicas):
                await self._scale([self._path("planner", "")], replicas)
                return f"planner: {replicas}"
            case Scale(role, replicas, zone):
                there = self._zones if role in OF_THE_ARM else self._install.zones
                zones = [z for z in ((zone,) if zone else self._zones) if z in there]
                if not zones:
                    raise ActFailed(f"{role} of {zone}: there is one in {', '.join(there)} only")
                await self._scale([self._path(role, z) for z in zones], replicas)
                return f"{role} of {', '.join(zones)}: {replicas}"

    async def restore(self) -> None:
        """One process of each role of the operator, as the chart has them. What has one already is
        left alone."""
        zonal = [self._path(role, z) for role in ZONAL for z in self._install.zones]
        await self._scale([self._path("planner", ""), *zonal], 1)

    def _path(self, role: str, zone: str) -> str:
        if role in OF_THE_ARM:
            return _deployment(self._namespace, OF_THE_ARM[role].format(zone))
        name = f"{self._install.release}-{role}" + (f"-{zone}" if zone else "")
        return _deployment(self._install.namespace, name)

    async def _scale(self, paths: Iterable[str], replicas: int) -> None:
        """Scale Deployments, and wait until there are so many Pods of each."""
        waiting = []
        for path in paths:
            found = await self._api.get(f"{path}/scale")
            if not found.ok:
                raise ApiError("GET", f"{path}/scale", found.status, found.body)
            if found.body["spec"].get("replicas", 0) == replicas:
                continue
            body = {"spec": {"replicas": replicas}}
            answer = await self._api.merge_patch(f"{path}/scale", body)
            if not answer.ok:
                raise ApiError("PATCH", f"{path}/scale", answer.status, answer.body)
            waiting.append(path)
        for path in waiting:
            await self._until_scaled(path, replicas)

    async def _until_scaled(self, path: str, replicas: int) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + SCALE_SECONDS
        while loop.time() < until:
            found = await self._api.get(f"{path}/scale")
            if (found.body.get("status") or {}).get("replicas", 0) == replicas:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise ActFailed(f"{path}: not {replicas} Pods after {SCALE_SECONDS:.0f} s")

    async def _order(self, name: str, order: Order) -> str:
        words = [order.group, *order.words()]
        body = order_pod(name, [*words, "-n", self._namespace], self._install)
        pods = f"/api/v1/namespaces/{self._namespace}/pods"
        await self._api.need("POST", pods, body)
        pod = f"{pods}/{body['metadata']['name']}"
        loop = asyncio.get_running_loop()
        until = loop.time() + ORDER_SECONDS
        while loop.time() < until:
            status = (await self._api.get(pod)).body.get("status") or {}
            match status.get("phase"):
                case "Succeeded":
                    return f"holdfast {' '.join(words)}"
                case "Failed":
                    raise ActFailed(f"{body['metadata']['name']}: {_last_words(status)}")
            await asyncio.sleep(POLL_SECONDS)
        raise ActFailed(f"{body['metadata']['name']} has not ended after {ORDER_SECONDS:.0f} s")


def _deployment(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def _last_words(status: Json) -> str:
    for container in status.get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        return str(ended.get("message") or ended.get("reason") or "").strip()[-500:]
    return "no container ran"
