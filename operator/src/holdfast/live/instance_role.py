"""The instances of one zone: a part of its lease manager, beside the leases and behind them.

Nothing here is hot: an instance is written when it is launched, and when its customer asks for
something. What is decided holds for a moment: a write that would come later is decided again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from holdfast.core.leases.instances import Home, Instance, InstanceStatus, settle
from holdfast.core.region import Region
from holdfast.live.api import Api
from holdfast.live.instance_wire import digest, parse_instance, path_of_instances, render_status
from holdfast.live.watch import follow, is_older

log = logging.getLogger("holdfast.leases")

SETTLE_SECONDS = 1.0
FRESH_SECONDS = 0.5
"""How long after it was decided a write may begin: a lease may have run out since."""


class Instances:
    """Of one Region, in one zone. `held`: the droplets of the zone whose lease is held now;
    `clock`: seconds of the epoch."""

    def __init__(
        self,
        api: Api,
        region: Callable[[], Region],
        zone: str,
        held: Callable[[], frozenset[str]],
        clock: Callable[[], float],
    ) -> None:
        self._api, self._region, self._zone = api, region, zone
        self._held, self._clock = held, clock
        self._instances: dict[str, Instance] = {}
        self._changed = asyncio.Event()
        self._synced = False

    async def run(self) -> None:
        """For ever, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._settle_for_ever())

    async def _watch(self) -> None:
        path = path_of_instances(self._region().namespace)
        async for change in follow(self._api, path, digest=digest):
            if change.event == "SYNCED":
                self._synced = True
            elif change.event == "DELETED":
                self._instances.pop(change.obj["metadata"]["uid"], None)
            else:
                self._seen(change.obj["value"], change.obj["hand"])
            self._changed.set()

    def _seen(self, found: Instance, hand: str) -> None:
        """`hand`: who has written its status last, if it was no manager."""
        before = self._instances.get(found.uid)
        if before and is_older(found.resource_version, before.resource_version):
            return  # the watch is behind the reply to a write of ours
        known = before.known if before and hand else None if hand else found.status
        if known is not None and known != found.status:
            log.warning(
                "%s: the status of %s was edited by %s: it is put back",
                self._region().namespace,
                found.name,
                hand,
            )
        self._instances[found.uid] = replace(found, known=known)

    async def _settle_for_ever(self) -> None:
        while True:
            self._changed.clear()
            if self._synced and not self._region().paused:
                await self._settle()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._changed.wait()

    async def _settle(self) -> None:
        region, decided = self._region(), self._clock()
        if region.fleet is None:
            return
        home = Home(self._zone, region.zones, region.fleet.leases)
        instances = tuple(self._instances.values())
        for instance, status in settle(instances, self._held(), decided, home):
            if self._clock() - decided > FRESH_SECONDS:
                return
            await self._write(instance, status)

    async def _write(self, instance: Instance, status: InstanceStatus) -> None:
        """Under the uid and version that were read. After a conflict the watch brings what is there
        now, and it is decided anew."""
        path = f"{path_of_instances(self._region().namespace)}/{instance.name}/status"
        answer = await self._api.replace(path, render_status(instance, status))
        if not answer.ok:
            log.debug("%s of %s not written: %s", path, instance.uid, answer.body)
            return
        written = parse_instance(answer.body)
        there = self._instances.get(written.uid)
        if there and is_older(there.resource_version, written.resource_version):
            self._instances[written.uid] = replace(written, known=written.status)
