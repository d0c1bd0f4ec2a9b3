"""One worker a Region, whatever Kopf delivers: repeated, late, or not at all."""

import asyncio
from collections.abc import Mapping
from typing import Any

from holdfast.core.objects import Plan
from holdfast.core.region import Region
from holdfast.live.operator import Regions


class Recorder:
    """A worker that only notes what it is told."""

    def __init__(self, uid: str, plans: Mapping[int, Plan], told: list[str]) -> None:
        self.uid, self.plans, self.told = uid, plans, told

    def update(self, region: Region, raw: dict[str, Any]) -> None:
        self.told.append(f"{raw['metadata']['uid']}: retention {region.retention}")

    def news(self) -> None:
        self.told.append(f"{self.uid}: plans {sorted(self.plans)}")

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append(f"{self.uid}: ended")


def region(
    uid: str, event: str = "MODIFIED", retention: int = 2, version: str = ""
) -> dict[str, Any]:
    meta = {"name": "us-east-1", "namespace": "ns", "uid": uid, "resourceVersion": version}
    return {"type": event, "object": {"metadata": meta, "spec": {"retention": retention}}}


def plan(generation: int, event: str = "ADDED") -> dict[str, Any]:
    endpoints = [{"name": "dynamodb", "addresses": [{"address": "10.0.0.1", "weight": 1}]}]
    spec = {"planGeneration": generation, "endpoints": endpoints}
    return {"type": event, "object": {"metadata": {"namespace": "ns"}, "spec": spec}}


def told_by(*events: dict[str, Any]) -> list[str]:
    told: list[str] = []

    async def deliver() -> None:
        regions = Regions(lambda _, raw, plans: Recorder(raw["metadata"]["uid"], plans, told))
        for event in events:
            if "planGeneration" in event["object"]["spec"]:
                regions.on_plan(event)
            else:
                regions.on_region(event)
            await asyncio.sleep(0)

    asyncio.run(deliver())
    return [t for t in told if not t.endswith("ended")] + [t for t in told if t.endswith("ended")]


def test_plans_that_came_before_their_region_are_there_when_it_comes() -> None:
    told = told_by(plan(1), region("a"), plan(2), plan(1, "DELETED"))
    assert told[:3] == ["a: retention 2", "a: plans [1, 2]", "a: plans [2]"]


def test_a_new_uid_ends_the_former_worker_and_drops_its_plans() -> None:
    told = told_by(region("a"), plan(500), region("b"), plan(1))
    assert "b: plans [1]" in told
    assert "a: ended" in told
    assert "a: plans [1]" not in told


def test_a_late_deletion_of_the_former_region_leaves_the_new_one() -> None:
    told = told_by(region("a"), region("b"), region("a", "DELETED"), region("b", retention=3))
    assert "b: retention 3" in told


def test_a_region_with_a_guard_that_does_not_exist_keeps_the_last_good_one() -> None:
    bad = region("a")
    bad["object"]["spec"] = {"guards": {"dns": {"fence": "Nonsense"}}}
    assert told_by(region("a"), bad)[:1] == ["a: retention 2"]
    assert len([t for t in told_by(region("a"), bad) if "retention" in t]) == 1


def test_a_region_that_came_out_of_order_is_old_news() -> None:
    late = region("a", retention=1, version="9")
    told = told_by(region("a", retention=2, version="10"), late, region("b", version="3"))
    assert [t for t in told if "retention" in t] == ["a: retention 2", "b: retention 2"]
