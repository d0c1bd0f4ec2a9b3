"""A wall clock that jumps when its enactor reaches a step, and knows where its enactor stands."""

import time
from collections.abc import Callable, Mapping

from holdfast.core.actor import Actor
from holdfast.core.intents import Reach
from holdfast.core.objects import Plan
from holdfast.core.places import AtPick, Place
from holdfast.core.region import Region
from holdfast.live.api import Api, Json
from holdfast.live.enactor_role import Enactor


class Clock:
    """`jumps` says by how many seconds on reaching a step. `done` is the generation of the plan
    whose round ended last, for as long as the enactor waits for another."""

    def __init__(self, jumps: Callable[[str], float]) -> None:
        self.done = 0
        self._jumps = jumps
        self._ahead = 0.0
        self._generation = 0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def reach(self, step: str, generation: int) -> None:
        self._ahead += self._jumps(step)
        self._generation = generation or self._generation

    def rest(self, waits: bool) -> None:
        self.done = self._generation if waits else 0


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

    async def _until_due(self, here: Place) -> Place:
        self._tells.rest(isinstance(here, AtPick))
        start = await super()._until_due(here)
        self._tells.rest(False)
        return start

    async def _reach(self, at: Reach) -> None:
        self._tells.reach(at.step, at.generation)
        await super()._reach(at)
