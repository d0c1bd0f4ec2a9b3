"""What a hand did to Regions and plans: what the processes make of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from drive import A, plan

from holdfast.core.guards import effective
from holdfast.core.holds import actor_of
from holdfast.core.intents import Create, Intent, Pick, Reach
from holdfast.core.names import GENERATION_MAX
from holdfast.core.objects import Plan
from holdfast.core.reasons import Reason
from holdfast.core.region import Region, region_of
from holdfast.core.replies import Passed, Picked, Reply
from holdfast.fake import FakeApi
from holdfast.live import conditions, planner_role
from holdfast.live import operator as processes
from holdfast.live.api import Answer, ApiError
from holdfast.live.enactor_role import Enactor
from holdfast.live.operator import Regions
from holdfast.live.planner_role import Beside, Planner
from holdfast.live.wire import plan_of

SOON = {"enactor": {"backoffMilliseconds": 1, "backoffMaxMilliseconds": 5}}


class Recorder:
    """A worker that only notes what it is told."""

    def __init__(self, name: str, plans: Mapping[int, Plan], told: list[str]) -> None:
        self.name, self.plans, self.told = name, plans, told

    def update(self, region: Region, raw: dict[str, Any]) -> None:
        del raw
        self.told.append(f"{self.name}: serves {region.name}")

    def news(self) -> None:
        self.told.append(f"{self.name}: plans {sorted(self.plans)}")

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append(f"{self.name}: ended")


def region(name: str, uid: str, made: str, event: str = "MODIFIED") -> dict[str, Any]:
    meta = {"name": name, "namespace": "ns", "uid": uid, "creationTimestamp": made}
    return {"type": event, "object": {"metadata": meta, "spec": {}}}


def planned(generation: int, event: str = "ADDED") -> dict[str, Any]:
    endpoints = [{"name": "dynamodb", "addresses": [{"address": "10.0.0.1", "weight": 1}]}]
    spec = {"planGeneration": generation, "endpoints": endpoints}
    return {"type": event, "object": {"metadata": {"namespace": "ns"}, "spec": spec}}


def told_by(
    *events: dict[str, Any], there: tuple[int, ...] = (), failures: int = 0, mute: bool = False
) -> list[str]:
    """`there`: the plans that the API server lists, once it has failed so often."""
    told: list[str] = []
    left = [failures]

    async def plans_of(space: str) -> list[Plan]:
        assert space == "ns"
        if left[0]:
            left[0] -= 1
            raise ApiError("GET", "plans", 500, {})
        return [plan_of(planned(g)["object"]["spec"]) for g in there]

    def beside(_: Region, first: str) -> Recorder:
        return Recorder(f"beside {first}", {}, told)

    async def deliver() -> None:
        regions = Regions(
            lambda _, raw, plans: Recorder(raw["metadata"]["uid"], plans, told),
            None if mute else beside,
            plans_of,
        )
        for event in events:
            if "planGeneration" in event["object"]["spec"]:
                regions.on_plan(event)
            else:
                regions.on_region(event)
            await asyncio.sleep(0.01)

    asyncio.run(deliver())
    return told


FIRST = region("us-east-1", "a", "2025-10-20T08:00:00Z")
SECOND = region("us-east-2", "b", "2025-10-20T09:00:00Z")


def test_a_second_region_of_a_namespace_is_not_served_and_does_not_disturb_the_first() -> None:
    told = told_by(FIRST, SECOND, planned(1), SECOND)
    assert "b: serves us-east-2" not in told
    assert "beside us-east-1: serves us-east-2" in told
    assert "a: plans [1]" in told
    assert not [t for t in told[:-2] if t.endswith("ended")]


def test_the_older_is_served_in_whatever_order_they_come() -> None:
    told = told_by(SECOND, FIRST)
    served = [t for t in told if not t.endswith("ended")]
    assert served[0] == "b: serves us-east-2", "it was alone"
    assert {"a: serves us-east-1", "beside us-east-1: serves us-east-2"} <= set(served[1:])
    assert "b: serves us-east-2" not in served[1:]


def test_it_is_age_that_counts_and_not_the_name() -> None:
    older = region("us-east-2", "b", "2025-10-20T07:00:00Z")
    for order in ((FIRST, older), (older, FIRST)):
        told = told_by(*order, FIRST, older)
        assert [t for t in told if "serves us-east-2" in t][-1] == "b: serves us-east-2"
        assert [t for t in told if "serves us-east-1" in t][-1] == (
            "beside us-east-2: serves us-east-1"
        )


def test_two_of_one_second_are_told_apart_by_their_names() -> None:
    same = region("us-east-2", "b", "2025-10-20T08:00:00Z")
    for order in ((FIRST, same), (same, FIRST)):
        last = [t for t in told_by(*order, FIRST, same) if "serves us-east-2" in t][-1]
        assert last == "beside us-east-1: serves us-east-2"


def test_the_second_is_served_when_the_first_goes_and_knows_the_plans_that_there_are() -> None:
    gone = region("us-east-1", "a", "2025-10-20T08:00:00Z", "DELETED")
    told = told_by(FIRST, SECOND, planned(1), gone, there=(1, 2))
    assert "b: serves us-east-2" in told
    assert "b: plans [1, 2]" in told


def test_a_role_that_has_nothing_to_say_of_a_second_region_runs_nothing_for_it() -> None:
    told = told_by(FIRST, SECOND, SECOND, mute=True)
    assert not [t for t in told if "us-east-2" in t]


@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("seen", [True, False], ids=["deletion seen", "deletion missed"])
def test_a_region_made_anew_begins_with_the_plans_that_there_are(
    monkeypatch: pytest.MonkeyPatch, seen: bool, failures: int
) -> None:
    """They are told of once, to the former one; and of some the deletion may have been missed."""
    monkeypatch.setattr(processes, "ASK_AGAIN_SECONDS", 0.001)
    gone = region("us-east-1", "a", "2025-10-20T08:00:00Z", "DELETED")
    anew = region("us-east-1", "c", "2025-10-20T10:00:00Z")
    events = [FIRST, planned(3), planned(4), planned(500), *([gone] if seen else []), anew]
    told = told_by(*events, FIRST, there=(3, 4), failures=failures)
    assert "c: plans [3, 4]" in told
    assert not [t for t in told if t.startswith("c:") and "500" in t]


# --- an enactor


class Stub:
    """What a role asks of its client besides intents."""

    async def merge_patch(self, *_: Any) -> Answer:
        return Answer(200, {})


class Stage:
    """One enactor whose intents the fake performs, and whose watch the test feeds."""

    def __init__(self, **spec: Any) -> None:
        self.api = FakeApi()
        self.plans: dict[int, Plan] = {}
        found = region_of("ns", "us-east-1", {**SOON, **spec})
        self.role = Enactor(Stub(), A, found, {}, self.plans)  # type: ignore[arg-type]
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
        self.plans[generation] = plan(generation)
        self.role.news()

    def take_away(self, generation: int) -> None:
        del self.plans[generation]
        self.role.news()

    def live(self) -> int:
        alias = self.api.alias("dynamodb")
        return alias.generation if alias else 0


def on(stage: Stage, story: Callable[[Stage], Awaitable[None]]) -> None:
    async def play() -> None:
        task = asyncio.create_task(stage.role._rounds())
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


GUARDS = [{"profile": "aws-2025"}, {"dns": {"fence": "Generation", "selfRepair": "Enabled"}}]


@pytest.mark.parametrize("guards", GUARDS)
def test_an_enactor_goes_on_below_a_plan_that_was_taken_away_again(guards: dict[str, Any]) -> None:
    """A hand makes a plan of a number far too high, and takes back plan and number."""

    async def story(stage: Stage) -> None:
        stage.publish(1)
        await until(lambda: stage.live() == 1)
        stage.publish(GENERATION_MAX - 1)
        await until(lambda: stage.live() == GENERATION_MAX - 1)
        stage.take_away(GENERATION_MAX - 1)
        await asyncio.sleep(0.05)
        assert stage.live() == GENERATION_MAX - 1, "nobody but a hand takes it back"
        stage.api.objects.clear()
        stage.publish(2)
        await until(lambda: stage.live() == 2)

    on(Stage(guards=guards), story)


def test_the_newest_plan_taken_away_costs_one_look_and_no_answer() -> None:
    async def story(stage: Stage) -> None:
        for generation in (1, 2):
            stage.publish(generation)
            await until(lambda: stage.live() == generation)  # noqa: B023
        stage.take_away(2)
        await asyncio.sleep(0.1)
        assert stage.live() == 2
        writes = len(stage.api.writes)
        await asyncio.sleep(0.1)
        assert len(stage.api.writes) == writes, "and then it is quiet"
        stage.publish(3)
        await until(lambda: stage.live() == 3)

    on(Stage(), story)


@pytest.mark.parametrize(
    "garbage", [{}, {"step": "nonsense", "tried": "x", "victims": [-1], "generation": -5}]
)
def test_what_a_hand_wrote_into_an_actors_status_is_read_as_it_is(garbage: dict[str, Any]) -> None:
    assert actor_of("mars", garbage).zone == "mars"


# --- a planner


class Told:
    """A client that takes every write of a status, and keeps conditions."""

    def __init__(self) -> None:
        self.status: list[dict[str, Any]] = []
        self.conditions: list[tuple[str, str, str, str]] = []
        self.events: list[tuple[str, str]] = []

    async def merge_patch(self, _: str, body: dict[str, Any]) -> Answer:
        self.status.append(body["status"])
        return Answer(200, {})

    async def apply(self, _: str, body: dict[str, Any]) -> Answer:
        found = body["status"]["conditions"]
        self.conditions += [(c["type"], c["status"], c["reason"], c["message"]) for c in found]
        return Answer(200, {})

    async def create(self, _: str, body: dict[str, Any]) -> Answer:
        self.events.append((body["reason"], body["message"]))
        return Answer(201, {"metadata": {"name": "e"}})


def raw(**status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "u", "generation": 1}, "status": status}


def test_a_planner_that_has_no_number_left_says_so_and_goes_on_when_one_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner_role, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(conditions, "CHANGE_SECONDS", 0.01)
    found = region_of("ns", "us-east-1", {"planner": {"churnPerMinute": 6000}})
    api, client = FakeApi(), Told()
    api.perform(Create(plan(GENERATION_MAX)))
    role = Planner(client, found)  # type: ignore[arg-type]

    async def perform(intent: Intent) -> Reply:
        await asyncio.sleep(0)
        return api.perform(intent)

    async def play() -> None:
        role._perform = perform  # type: ignore[assignment]
        role._synced = True
        ready = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        role._pods = {"pod": {"metadata": {"uid": "pod"}, "status": ready}}
        role.update(found, raw())
        tasks = [asyncio.create_task(t) for t in (role._append_for_ever(), role._notices.run())]
        async with asyncio.timeout(8):
            await until(lambda: any(r == "OutOfGenerations" for r, _ in client.events))
            said = ("Ready", "False", "OutOfGenerations")
            await until(lambda: any(c[:3] == said for c in client.conditions))
            assert "delete the plans of too high a number" in client.conditions[-1][3]
            api.objects.clear()
            await until(lambda: any(s["newestPlan"] == 1 for s in client.status))
            await until(lambda: client.conditions[-1][:2] == ("Ready", "True"))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


def test_a_second_region_says_that_it_is_one_and_which_is_the_first() -> None:
    client = Told()

    async def play() -> None:
        found = region_of("ns", "us-east-2", {})
        worker = Beside(client, found, "us-east-1")  # type: ignore[arg-type]
        worker.update(found, raw())
        worker.news()
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(5):
            await until(lambda: bool(client.conditions and client.events))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    assert client.conditions[0][:3] == ("Ready", "False", str(Reason.SECOND_REGION))
    assert client.events[0][0] == "SecondRegion"
    for text in (client.conditions[0][3], client.events[0][1]):
        assert "Region us-east-2 is not served" in text
        assert "us-east-1, which is older" in text


def test_guards_that_a_hand_has_put_into_the_status_do_not_stay() -> None:
    found = region_of("ns", "us-east-1", {})
    role = Planner(Told(), found)  # type: ignore[arg-type]
    role._told = {"newestPlan": 3, "observedGeneration": 1, "guards": effective(found.guards)}
    role._said = (1,)
    role.update(found, raw(**role._told))
    assert role._said == (1,), "it says what we said"
    for lie in ({"guards": {"dns": {"fence": "None"}}}, {"newestPlan": 9}):
        role._said = (1,)
        role.update(found, raw(**{**role._told, **lie}))
        assert role._said == (), "it is said anew"
