"""The planner's role over the fake: which plans it makes, and what it reports."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from holdfast.core.guards import effective
from holdfast.core.intents import Create, Intent
from holdfast.core.objects import Plan
from holdfast.core.region import region_of
from holdfast.core.replies import Overloaded, Reply, TimedOut
from holdfast.fake import FakeApi
from holdfast.live import planner_role
from holdfast.live.api import Answer
from holdfast.live.planner_role import Planner

REGION = region_of("ns", "us-east-1", {})


class Stub:
    """What a role asks of its client besides intents: to report."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.version = ""

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        assert path.endswith("/namespaces/ns/regions/us-east-1/status")
        self.told.append(body["status"]["newestPlan"])
        return Answer(200, {"metadata": {"resourceVersion": self.version}})


class Stage:
    """One planner whose intents the fake performs, and whose watches the test feeds."""

    def __init__(self, api: FakeApi | None = None) -> None:
        self.api, self.stub = api or FakeApi(), Stub()
        self.harm: Callable[[Intent], Reply | None] = lambda _: None
        self.role = Planner(self.stub, REGION)  # type: ignore[arg-type]
        self.role._perform = self.perform  # type: ignore[assignment]
        self.role.update(REGION, raw(0))
        self.role._synced = True

    async def perform(self, intent: Intent) -> Reply:
        await asyncio.sleep(0)
        return self.harm(intent) or self.api.perform(intent)

    def see(self, address: str) -> None:
        """One ready front end, and no other."""
        status = {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]}
        self.role._pods = {"pod": {"metadata": {"uid": "pod"}, "status": status}}
        self.role._changed.set()

    def plans(self) -> list[tuple[int, tuple[str, ...]]]:
        found = [p for p in self.api.objects.values() if isinstance(p, Plan)]
        return sorted((p.generation, p.endpoints[0].addresses()) for p in found)


def raw(newest: int, version: str = "", **status: Any) -> dict[str, Any]:
    said = {"newestPlan": newest, "observedGeneration": 1, "guards": effective(REGION.guards)}
    meta = {"generation": 1, "resourceVersion": version}
    return {"metadata": meta, "status": said | status}


def on(stage: Stage, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def play() -> None:
        task = asyncio.create_task(stage.role._append_for_ever())
        try:
            async with asyncio.timeout(5):
                await story(stage)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.001)


FIRST = (1, ("10.0.0.1",))


def test_a_planner_that_comes_back_does_not_make_the_same_plan_again() -> None:
    async def story(stage: Stage) -> None:
        stage.see("10.0.0.1")
        await until(lambda: stage.stub.told == [1])
        assert stage.plans() == [FIRST]

    first = Stage()
    on(first, story)
    on(Stage(first.api), story)


def test_a_planner_that_comes_back_to_another_fleet_makes_the_next_plan() -> None:
    async def earlier(stage: Stage) -> None:
        stage.see("10.0.0.1")
        await until(lambda: stage.stub.told == [1])

    async def later(stage: Stage) -> None:
        stage.see("10.0.0.2")
        await until(lambda: stage.stub.told == [2])
        assert stage.plans() == [FIRST, (2, ("10.0.0.2",))]

    first = Stage()
    on(first, earlier)
    on(Stage(first.api), later)


def test_a_plan_whose_reply_was_lost_is_found_and_not_made_twice(monkeypatch: Any) -> None:
    monkeypatch.setattr(planner_role, "RETRY_SECONDS", 0.001)

    async def story(stage: Stage) -> None:
        lost: list[Intent] = []

        def lose(intent: Intent) -> Reply | None:
            if not isinstance(intent, Create) or lost:
                return None
            lost.append(intent)
            stage.api.perform(intent)
            return TimedOut(0.0)

        stage.harm = lose
        stage.see("10.0.0.1")
        await until(lambda: stage.stub.told == [1])
        assert lost
        assert stage.plans() == [FIRST]

    on(Stage(), story)


def test_a_planner_that_is_not_told_what_there_is_appends_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr(planner_role, "RETRY_SECONDS", 0.001)

    async def story(stage: Stage) -> None:
        stage.harm = lambda _: Overloaded(0.0)
        stage.see("10.0.0.1")
        await asyncio.sleep(0.05)
        assert stage.plans() == []
        stage.harm = lambda _: None
        await until(lambda: stage.plans() == [FIRST])

    on(Stage(), story)


def test_what_is_older_than_a_report_does_not_have_it_said_anew() -> None:
    """A planner's own watch is behind its writes."""

    async def story(stage: Stage) -> None:
        stage.stub.version = "12"
        stage.see("10.0.0.1")
        await until(lambda: stage.stub.told == [1])
        stage.role.update(REGION, raw(0, "11"))
        assert stage.role._said, "it is as it was"
        stage.role.update(REGION, raw(0, "12"))
        await until(lambda: stage.stub.told == [1, 1])

    on(Stage(), story)


def test_a_report_that_somebody_has_overwritten_is_said_anew() -> None:
    async def story(stage: Stage) -> None:
        stage.see("10.0.0.1")
        await until(lambda: stage.stub.told == [1])
        stage.role.update(REGION, raw(1))
        await asyncio.sleep(0.05)
        assert stage.stub.told == [1], "it says what we said: nothing to write"
        stage.role.update(REGION, raw(0))
        await until(lambda: stage.stub.told == [1, 1])
        stage.role.update(REGION, raw(1, guards={"dns": {"fence": "None"}}))
        await until(lambda: stage.stub.told == [1, 1, 1])

    on(Stage(), story)
