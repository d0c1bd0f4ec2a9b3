"""The state of all cases as the API server has it, watched by ourselves and past the proxy."""

import asyncio
from typing import Any

from holdfast.core.names import API_GROUP, API_VERSION, KIND_LABEL, MANAGED_LABEL
from holdfast.core.objects import Alias, Plan, Tree
from holdfast.live.api import Api
from holdfast.live.watch import follow
from holdfast.live.wire import parse, plan_of


class Ground:
    """`async with Ground(api, run)`: of every namespace whose name begins with `run`."""

    def __init__(self, api: Api, run: str) -> None:
        self._api, self._run = api, run
        self.aliases: dict[str, dict[str, Alias]] = {}
        self.trees: dict[str, dict[str, Tree]] = {}
        self.plans: dict[str, dict[int, Plan]] = {}
        self.reported: dict[str, int] = {}

    async def __aenter__(self) -> "Ground":
        ours = f"/apis/{API_GROUP}/{API_VERSION}"
        self._tasks = [
            asyncio.create_task(self._follow("/api/v1/services", f"{MANAGED_LABEL}=true")),
            asyncio.create_task(self._follow(f"{ours}/dnsplans", "")),
            asyncio.create_task(self._follow(f"{ours}/regions", "")),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, path: str, selector: str) -> None:
        async for change in follow(self._api, path, selector):
            if change.event == "SYNCED":
                continue
            space = change.obj["metadata"]["namespace"]
            if not space.startswith(self._run):
                continue
            if change.obj.get("kind") == "Region":
                self.reported[space] = (change.obj.get("status") or {}).get("newestPlan", 0)
                continue
            kept, key, value = self._place(space, change.obj)
            if change.event == "DELETED":
                kept.pop(key, None)
            else:
                kept[key] = value

    def _place(self, space: str, raw: Any) -> tuple[dict[Any, Any], Any, Any]:
        name = raw["metadata"]["name"]
        labels = raw["metadata"].get("labels") or {}
        if raw["spec"].get("planGeneration"):
            plan = plan_of(raw["spec"])
            return self.plans.setdefault(space, {}), plan.generation, plan
        if labels.get(KIND_LABEL) == "alias":
            return self.aliases.setdefault(space, {}), name, parse(Alias, raw)
        return self.trees.setdefault(space, {}), name, parse(Tree, raw)

    def newest(self, space: str) -> int:
        return max(self.plans.get(space, {}), default=0)

    def is_applied(self, space: str, generation: int, kept: int) -> bool:
        """Whether this plan is the newest and reported so, live at all its endpoints, and gone what
        is more than `kept` generations older."""
        plan = self.plans.get(space, {}).get(generation)
        if plan is None or not self.newest(space) == generation == self.reported.get(space):
            return False
        aliases, trees = self.aliases.get(space, {}), self.trees.get(space, {})
        live = all(
            (a := aliases.get(e.endpoint)) is not None
            and a.generation == generation
            and a.target in trees
            and not a.lock
            for e in plan.endpoints
        )
        return live and all(t.generation >= generation - kept for t in trees.values())

    def forget(self, space: str) -> None:
        for kept in (self.aliases, self.trees, self.plans, self.reported):
            kept.pop(space, None)
