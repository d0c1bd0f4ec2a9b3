"""A wall clock that jumps when its enactor reaches a step."""

import time
from collections.abc import Callable, Mapping

from holdfast.core.actor import Actor
from holdfast.core.intents import Reach
from holdfast.core.objects import Plan
from holdfast.core.region import Region
from holdfast.live.api import Api, Json
from holdfast.live.enactor_role import Enactor


class Clock:
    """`jumps` says by how many seconds on reaching a step."""

    def __init__(self, jumps: Callable[[str], float]) -> None:
        self._jumps = jumps
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def reach(self, step: str) -> None:
        self._ahead += self._jumps(step)


class ClockedEnactor(Enactor):
    """The operator's own, that tells its clock where it stands."""

    def __init__(
        self,
        api: Api,
        me: Actor,
        region: Region,
        raw: Json,
        plans: Mapping[int, Plan],
        clock: Clock,
    ) -> None:
        self._tells = clock
        super().__init__(api, me, region, raw.get("status") or {}, plans, clock)

    async def _reach(self, at: Reach) -> None:
        self._tells.reach(at.step)
        await super()._reach(at)
