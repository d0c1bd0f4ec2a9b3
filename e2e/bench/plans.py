"""Plans appended from outside, as the planner would: content that does not change, the next
generation."""

import asyncio

from e2e.bench.ground import REGION, Ground
from holdfast.core.intents import Create
from holdfast.core.objects import Plan
from holdfast.core.replies import Written
from holdfast.live.perform import Performer
from holdfast.live.wire import GROUP_PATH, plan_of


class Plans:
    def __init__(self, there: Ground, newest: Plan) -> None:
        self._perform = Performer(there.api, there.space, REGION)
        self.newest = newest

    @classmethod
    async def after_the_first(cls, there: Ground) -> "Plans":
        """Once the planner has appended its first plan: its content is what all have."""
        path = f"{GROUP_PATH}/namespaces/{there.space}/dnsplans"
        async with asyncio.timeout(60):
            while not (items := (await there.admin.need("GET", path))["items"]):
                await asyncio.sleep(0.1)
        return cls(there, max((plan_of(i["spec"]) for i in items), key=lambda p: p.generation))

    async def append(self) -> bytes:
        """The label of the first endpoint's new tree."""
        self.newest = Plan(self.newest.generation + 1, self.newest.endpoints)
        reply = await self._perform(Create(self.newest))
        assert isinstance(reply, Written), reply
        return f"{self.newest.endpoints[0].endpoint}-p{self.newest.generation}".encode()
