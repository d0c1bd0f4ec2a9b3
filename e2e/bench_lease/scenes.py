"""A Scenario of a benchmark's own: leases under the installed operator, in an arm as any other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from e2e.bench_lease.access import access, client, may_use_leases
from holdfast.core.leases.fleet import Mode
from holdfast.live.api import Api, Json, connect
from holdfast.live.lease_wire import digest, path_of_leases
from holdfast.live.result import load
from holdfast.live.watch import listing
from holdfast.live.wire import GROUP_PATH

SCENARIOS = f"{GROUP_PATH}/scenarios"
LABELS = {"holdfast.dev/test": "bench-leases"}
REGION = "us-east-1"
PAGE = 500
TAKEN_UP_SECONDS = 60.0
GONE_SECONDS = 900.0
"""Ten thousand leases are collected one by one."""
POLL_SECONDS = 1.0


class NoScene(SystemExit):
    """The Scenario could not be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """All leases at one time: those that were held, of how many, in how many objects."""

    at: float
    held: int
    leases: int
    objects: int

    @property
    def share(self) -> float:
        return self.held / self.leases if self.leases else 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """`space`: the namespace of its first arm."""

    name: str
    space: str
    zones: tuple[str, ...]
    admin: Api

    async def status(self) -> Json:
        found: Json = (await self.admin.need("GET", f"{SCENARIOS}/{self.name}")).get("status") or {}
        return found

    async def managers(self) -> dict[str, Json]:
        """What each zone's lease manager says of itself."""
        path = f"{GROUP_PATH}/namespaces/{self.space}/regions/{REGION}"
        region = await self.admin.get(path)
        told: Json = (region.body.get("status") or {}) if region.ok else {}
        return told.get("leases") or {}

    async def until_held(self, patience_seconds: float) -> float:
        """Until every manager holds all of its leases; the seconds that it took."""
        began = time.monotonic()
        with Console().status(f"{self.name}: leases are made and won") as status:
            while True:
                told = await self.managers()
                held = {zone: f"{raw['held']} of {raw['units']}" for zone, raw in told.items()}
                took = time.monotonic() - began
                status.update(f"{self.name}: {took:.0f} s, held by zone: {held or 'not begun'}")
                is_held = all(raw["held"] == raw["units"] for raw in told.values())
                if len(told) == len(self.zones) and is_held:
                    return took
                await self._go_on(took, patience_seconds)
                await asyncio.sleep(POLL_SECONDS)

    async def _go_on(self, took: float, patience_seconds: float) -> None:
        """NoScene if there is nothing to be waited for."""
        state = await self.status()
        if state.get("phase") == "Complete" or took > patience_seconds:
            raise NoScene(
                f"{self.name}: not all leases were held after {took:.0f} s; "
                f"{state.get('phase')}: {state.get('message')}"
            )
        if took > TAKEN_UP_SECONDS and not state:
            raise NoScene(f"{self.name}: nothing takes it up: does the scenario role run?")

    async def result(self, patience_seconds: float) -> Json:
        """The whole result document, once all arms have run."""
        began = time.monotonic()
        with Console().status(f"{self.name}: runs") as status:
            while (state := await self.status()).get("phase") != "Complete":
                took = time.monotonic() - began
                said = f"{state.get('progress', '')} {state.get('message', '')}"
                status.update(f"{self.name}: {took:.0f} s, {said}")
                if took > patience_seconds:
                    raise NoScene(f"{self.name} is not complete after {took:.0f} s: {said}")
                await asyncio.sleep(POLL_SECONDS)
        return await load(self.admin, self.name)


@asynccontextmanager
async def looker(scene: Scene, mode: Mode) -> AsyncIterator[Callable[[], Any]]:
    """Counts the leases that are held, as an ordinary account; the listing comes in pages."""
    await may_use_leases(scene.admin, scene.space)
    with access(scene.space) as way:
        async with client(way) as api:

            async def look() -> Look:
                path = path_of_leases(mode, scene.space)
                found, _ = await listing(api, path, {}, digest, PAGE)
                now, leases = time.time(), [raw["value"] for raw in found]
                held = sum(lease.live(now) for lease in leases)
                return Look(now, held, sum(lease.leases for lease in leases), len(leases))

            yield look


@asynccontextmanager
async def scene(document: Mapping[str, Any]) -> AsyncIterator[Scene]:
    """A Scenario while it runs. At the end it goes, and its namespaces with it. NoScene if another
    runs: its figures would be spoilt, and ours."""
    name = document["metadata"]["name"]
    body = {**document, "metadata": {**document["metadata"], "labels": LABELS}}
    async with connect("bench-setup") as admin:
        for other in (await admin.need("GET", SCENARIOS))["items"]:
            if (other.get("status") or {}).get("phase") != "Complete":
                raise NoScene(f"Scenario {other['metadata']['name']} is there and not complete")
        made = await admin.need("POST", SCENARIOS, body, fieldValidation="Strict")
        spec = made["spec"]
        space = f"{name}-{spec['arms'][0]['name']}"
        try:
            yield Scene(name, space, tuple(spec["region"]["zones"]), admin)
        finally:
            await _remove(admin, name)


async def clear() -> None:
    """Take away Scenarios that runs which did not get to their end have left."""
    async with connect("bench-setup") as admin:
        query = {"labelSelector": "holdfast.dev/test=bench-leases"}
        for found in (await admin.need("GET", SCENARIOS, **query))["items"]:
            await _remove(admin, found["metadata"]["name"])


async def _remove(admin: Api, name: str) -> None:
    """The Scenario, and wait for its namespaces. The scenario role pauses the Region of an arm that
    it has to leave, so nobody makes leases anew while they go."""
    await admin.delete(f"{SCENARIOS}/{name}")
    query = {"labelSelector": f"holdfast.dev/scenario={name}"}
    began = time.monotonic()
    with Console().status(f"{name}: goes away"):
        while (await admin.need("GET", "/api/v1/namespaces", **query))["items"]:
            if time.monotonic() - began > GONE_SECONDS:
                raise NoScene(f"namespaces of {name} are still there after {GONE_SECONDS:.0f} s")
            await asyncio.sleep(POLL_SECONDS)


def document(
    name: str,
    fleet: Mapping[str, Any],
    zones: tuple[str, ...],
    seconds: int,
    capacity: int,
) -> Json:
    """A Scenario of one arm with every guard, in which nothing happens, for so many seconds and at
    least as long as an arm is watched for at most: its one act leaves the stores as they are."""
    after = max(1, seconds - SETTLE_SECONDS)
    stays = {"scale": {"role": "store", "replicas": 1}, "when": {"afterSeconds": after}}
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": name},
        "spec": {
            "deadlineSeconds": seconds + 300,
            "settleSeconds": SETTLE_SECONDS,
            "region": {
                "zones": list(zones),
                "store": {"capacity": capacity},
                "fleet": dict(fleet),
            },
            "arms": [{"name": "safe", "guards": {"profile": "safe"}, "expect": "Either"}],
            "timeline": [stays],
        },
    }


SETTLE_SECONDS = 600
"""The most that the CRD lets an arm be watched for after its last act."""
