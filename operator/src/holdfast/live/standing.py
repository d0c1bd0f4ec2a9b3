"""Has one lease manager stand still where a hold of its Region says so (`core.leases.stand`)."""

import asyncio
import logging

from holdfast.core.holds import HOLD_GRACE_SECONDS, actor_of, actor_status
from holdfast.core.leases.report import names_of
from holdfast.core.leases.stand import Stand
from holdfast.core.region import Region
from holdfast.live.api import Api, Json
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.leases")

TELL_AGAIN_SECONDS = 0.2


class Standing:
    """Of one Region's manager in this zone."""

    def __init__(self, api: Api, zone: str, region: Region, raw: Json) -> None:
        self._api, self._stand = api, Stand(zone)
        self._free, self._changed, self._unsaid = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._free.set()
        self.update(region, raw)

    def update(self, region: Region, raw: Json) -> None:
        """The Region as its watch shows it now."""
        self._region, self._status = region, raw.get("status") or {}
        self._changed.set()

    async def until_free(self) -> None:
        """Stand as long as the manager does."""
        while not self._free.is_set():
            await self._free.wait()

    async def reach(self, lease: str) -> None:
        """Come to the write of a state check, and stay while a hold says so."""
        await self.until_free()
        fleet, status = self._region.fleet, self._status
        if not self._region.holds or fleet is None:
            return
        actors = {z: actor_of(z, raw) for z, raw in (status.get("actors") or {}).items()}
        names = names_of(status.get("leases") or {}, fleet.units * len(self._region.zones))
        hold = self._stand.arrive(lease, self._region.holds, actors, names)
        if hold is None:
            return
        where = (self._region.namespace, hold.name)
        log.info("%s: held by %s before the write of %s", *where, lease)
        self._free.clear()
        self._unsaid.set()
        await self._until_released(hold.name, hold.deadline_seconds + HOLD_GRACE_SECONDS)
        self._stand.let_go()
        self._free.set()
        self._unsaid.set()
        log.info("%s: released from %s", *where)

    async def _until_released(self, name: str, patience_seconds: float) -> None:
        try:
            async with asyncio.timeout(patience_seconds):
                while any(h.name == name and not h.released for h in self._region.holds):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("%s: %s was never released", self._region.namespace, name)

    async def run(self) -> None:
        """Tell where it stands, the latest only, until it is told. Nobody waits for that."""
        space, name = self._region.namespace, self._region.name
        path = f"{GROUP_PATH}/namespaces/{space}/regions/{name}/status"
        while True:
            await self._unsaid.wait()
            self._unsaid.clear()
            view = self._stand.view
            entry = {view.zone: actor_status(view)}
            answer = await self._api.merge_patch(path, {"status": {"actors": entry}})
            if not answer.ok and answer.status != 404:
                await asyncio.sleep(TELL_AGAIN_SECONDS)
                self._unsaid.set()
