"""The enactor's role over the fake: when a round begins, what it waits for, and what it reports."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from drive import A, B, deletes, flips, plan

from holdfast.core.holds import ActorView, actor_of
from holdfast.core.intents import Create, Intent, Overwrite, PatchAlias, Pick, Reach
from holdfast.core.lock import Lock
from holdfast.core.objects import Alias, Plan
from holdfast.core.region import Region, region_of
from holdfast.core.replies import Passed, Picked, Reply
from holdfast.fake import FakeApi
from holdfast.live.api import Answer
from holdfast.live.enactor_role import Enactor

HOLD = {"name": "hold-1", "zone": A.zone, "at": "turn", "until": {"afterSeconds": 1}}
SOON = {"enactor": {"backoffMilliseconds": 1, "backoffMaxMilliseconds": 5}}


class Stub:
    """What a role asks of its client besides intents: to tell its report."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.failures = 0

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        assert path.endswith("/namespaces/ns/regions/us-east-1/status")
        if self.failures:
            self.failures -= 1
            return Answer(0, {})
        self.told.append(body["status"]["actors"][A.zone])
        return Answer(200, {})


def region(**spec: Any) -> Region:
    return region_of("ns", "us-east-1", {**SOON, **spec})


class Stage:
    """One enactor whose intents the fake performs, and whose watches the test feeds."""

    def __init__(self, start: Region, status: dict[str, Any] | None = None) -> None:
        self.api, self.stub = FakeApi(), Stub()
        self.plans: dict[int, Plan] = {}
        self.role = Enactor(self.stub, A, start, status or {}, self.plans)  # type: ignore[arg-type]
        self.role._performer = self.perform  # type: ignore[assignment]

    async def perform(self, intent: Intent) -> Reply:
        await asyncio.sleep(0)
        if isinstance(intent, Pick):
            return Picked(await self.role._pick(intent), 0.0)
        if isinstance(intent, Reach):
            await self.role._reach(intent)
            return Passed(0.0)
        return self.api.perform(intent)

    def publish(self, generation: int) -> None:
        self.api.perform(Create(plan(generation)))
        self.plans[generation] = plan(generation)
        self.role.news()

    def change(self, to: Region, actors: dict[str, Any] | None = None) -> None:
        self.role.update(to, {"status": {"actors": actors or {}}})

    def live(self) -> int:
        alias = self.api.alias("dynamodb")
        return alias.generation if alias else 0


def on(stage: Stage, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def play() -> None:
        tasks = [asyncio.create_task(work()) for work in (stage.role._rounds, stage.role._tell)]
        try:
            async with asyncio.timeout(5):
                await story(stage)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.001)


async def a_while() -> None:
    await asyncio.sleep(0.1)


def test_each_plan_is_enacted_once_and_then_the_next_is_waited_for() -> None:
    async def story(stage: Stage) -> None:
        await a_while()
        assert stage.api.writes == []
        for generation in (1, 2, 5):
            stage.publish(generation)
            await until(lambda: stage.live() == generation)  # noqa: B023
        await a_while()
        assert flips(stage.api.writes) == [("dynamodb", g) for g in (1, 2, 5)]
        assert deletes(stage.api.writes) == ["dynamodb-p1", "dynamodb-p2"]
        assert stage.stub.told == [], "no holds: nobody listens"

    on(Stage(region()), story)


def test_a_paused_region_is_left_alone_until_it_goes_on() -> None:
    async def story(stage: Stage) -> None:
        stage.publish(1)
        await a_while()
        assert flips(stage.api.writes) == []
        stage.change(region())
        await until(lambda: stage.live() == 1)

    on(Stage(region(paused=True)), story)


def test_a_plan_that_is_carried_waits_while_paused_too() -> None:
    async def story(stage: Stage) -> None:
        stage.publish(1)
        await until(lambda: stage.live() == 1)
        foreign = Lock(B.identity, 99.0).text()
        stage.api.perform(PatchAlias("dynamodb", "", foreign))
        stage.publish(2)
        await until(lambda: "dynamodb-p2" in stage.api.trees())
        await a_while()  # it is deferred, again and again
        stage.change(region(paused=True))
        await a_while()
        stage.api.perform(PatchAlias("dynamodb", foreign, ""))
        await a_while()
        assert stage.live() == 1
        stage.change(region())
        await until(lambda: stage.live() == 2)

    on(Stage(region()), story)


def test_a_plan_picked_before_a_freeze_is_not_carried_through_it() -> None:
    """As AWS ran it, too, where nothing else would refuse it: a human has overridden meanwhile."""

    async def story(stage: Stage) -> None:
        stage.publish(1)
        await until(lambda: stage.live() == 1)
        foreign = Lock(B.identity, 99.0).text()
        stage.api.perform(PatchAlias("dynamodb", "", foreign))
        stage.publish(2)
        await until(lambda: "dynamodb-p2" in stage.api.trees())
        await a_while()  # it is deferred, again and again
        stage.change(region(freeze={"who": "alice"}))
        stage.publish(3)
        await a_while()
        stage.api.perform(PatchAlias("dynamodb", foreign, ""))
        stage.change(region())
        await until(lambda: stage.live() == 3)
        await a_while()
        assert [g for _, g in flips(stage.api.writes)] == [1, 3]

    on(Stage(region()), story)


def test_a_round_obeys_the_guards_of_its_time() -> None:
    """Those that changed while it waited for a plan, too."""

    async def story(stage: Stage) -> None:
        stage.publish(1)
        await until(lambda: stage.live() == 1)
        stage.change(region(guards={"dns": {"fence": "None"}}))
        stage.publish(2)
        await until(lambda: stage.live() == 2)
        assert isinstance(next(w for w in reversed(stage.api.writes) if flips([w])), Overwrite)

    on(Stage(region()), story)


def test_a_hold_is_told_and_obeyed_and_what_comes_after_it_too() -> None:
    async def story(stage: Stage) -> None:
        stage.stub.failures = 1
        stage.publish(1)
        await until(lambda: bool(stage.stub.told))
        assert actor_of(A.zone, stage.stub.told[-1]) == ActorView(
            A.zone, "turn", 1, hold="hold-1", caught=("hold-1",), endpoint="dynamodb"
        )
        await a_while()
        assert stage.live() == 0
        stage.api.perform(Create(Alias("dynamodb", "dynamodb-p0", 0)))
        stage.change(region(holds=[HOLD | {"released": True}], **DECOUPLED))
        await until(lambda: actor_of(A.zone, stage.stub.told[-1]).cleaned)
        last = actor_of(A.zone, stage.stub.told[-1])
        assert (last.hold, last.let_go, last.tried, last.tried_generation) == (
            "",
            True,
            "flipped",
            1,
        )

    on(Stage(region(holds=[HOLD], **DECOUPLED)), story)


DECOUPLED = {"guards": {"dns": {"rollback": "Decoupled"}}}


REPORTED = {"hold": "", "caught": ["hold-1"], "letGo": True, "staleDropped": 3}


def test_a_process_that_comes_back_remembers_what_it_reported_and_stands_nowhere() -> None:
    async def story(stage: Stage) -> None:
        stage.publish(1)
        await until(lambda: stage.live() == 1)
        await until(lambda: bool(stage.stub.told))
        told = actor_of(A.zone, stage.stub.told[-1])
        assert (told.hold, told.stale_dropped, told.let_go) == ("", 3, True)

    on(Stage(region(holds=[HOLD]), {"actors": {A.zone: REPORTED}}), story)


def test_the_replacement_of_one_that_stands_at_a_hold_works_and_says_nothing() -> None:
    """The entry is the other's, until the hold lets go of it."""

    async def story(stage: Stage) -> None:
        for generation in (1, 2):
            stage.publish(generation)
            await until(lambda: stage.live() == generation)  # noqa: B023
        await a_while()
        assert stage.stub.told == []

    on(Stage(region(holds=[HOLD]), {"actors": {A.zone: REPORTED | {"hold": "hold-1"}}}), story)
