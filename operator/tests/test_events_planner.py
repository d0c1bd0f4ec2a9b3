"""What a planner does when there is no front end, when a human has it rest, and when an alias is
above it; and what people hear of that."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.core import planner_notices
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.intents import Create, Intent
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan
from holdfast.core.planner_notices import freeze_words
from holdfast.core.reasons import MEANINGS, Notice, Reason
from holdfast.core.region import Region, region_of
from holdfast.core.replies import NAMESPACE_TERMINATING, Overloaded, Rejected, Reply
from holdfast.fake import FakeApi
from holdfast.live import planner_role
from holdfast.live.api import Answer
from holdfast.live.metrics import GENERATION, PLANS, PREVENTED, REFUSALS
from holdfast.live.notices import PlannerNotices
from holdfast.live.planner_role import Planner

KEEPS = {"guards": {"dns": {"lastKnownGood": "Enabled"}}}
REPAIRS = {"guards": {"dns": {"selfRepair": "Enabled"}}}
GOOD = EndpointPlan("dynamodb", (FrontEnd("10.0.0.1", 100),))


class Stub:
    """Takes reports."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        assert path.endswith("/regions/us-east-1/status")
        self.told.append(body["status"])
        return Answer(200, {})


class Said(PlannerNotices):
    """Keeps what it would post."""

    def __init__(self, region: Region) -> None:
        super().__init__(None, region, "pod")  # type: ignore[arg-type]
        self.said: list[Notice] = []
        self._events.say = self.said.append  # type: ignore[method-assign]

    def state(self, kind: str) -> tuple[bool, Reason, str] | None:
        condition = self.conditions.of(kind)
        return condition and (condition.is_true, condition.reason, condition.message)


class Stage:
    """One planner whose intents the fake performs, and whose watches the test feeds."""

    def __init__(self, space: str, **spec: Any) -> None:
        self.space, self.api, self.stub = space, FakeApi(), Stub()
        self.harm: Callable[[Intent], Reply | None] = lambda _: None
        region = region_of(space, "us-east-1", spec)
        self.role = Planner(self.stub, region)  # type: ignore[arg-type]
        self.said = self.role._notices = Said(region)
        self.role._perform = self.perform  # type: ignore[assignment]
        self.role._synced = True
        self.change(**spec)

    async def perform(self, intent: Intent) -> Reply:
        await asyncio.sleep(0)
        return self.harm(intent) or self.api.perform(intent)

    def change(self, **spec: Any) -> None:
        region = region_of(self.space, "us-east-1", spec)
        self.role.update(region, {"metadata": {"generation": 1}, "status": {}})

    def fleet(self, *addresses: str) -> None:
        ready = [{"type": "Ready", "status": "True"}]
        self.role._pods = {
            a: {"metadata": {"uid": a}, "status": {"podIP": a, "conditions": ready}}
            for a in addresses
        }
        self.role._changed.set()

    def alias(self, generation: int) -> None:
        """What the planner's own watch shows."""
        there = Alias("dynamodb", f"dynamodb-p{generation}", generation)
        self.api.perform(Create(there))
        self.role._aliases["dynamodb"] = there
        self.role._changed.set()

    def plans(self) -> list[tuple[int, tuple[str, ...]]]:
        found = [p for p in self.api.objects.values() if isinstance(p, Plan)]
        return sorted((p.generation, p.endpoints[0].addresses()) for p in found)

    def reasons(self) -> list[Reason]:
        return [n.reason for n in self.said.said]


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


async def a_while() -> None:
    await asyncio.sleep(0.05)


def count(counter: Any, *labels: str) -> float:
    return float(counter.labels(*labels)._value.get())


ENDS = 1_760_950_000.0
ONE = (1, ("10.0.0.1",))


def test_with_the_guard_an_empty_plan_is_withheld_and_the_last_good_one_stays() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        assert stage.said.state("Ready") == (True, Reason.PLANNED, "1 endpoint(s), 1 front end(s)")
        stage.fleet()
        await until(lambda: bool(stage.said.said))
        await a_while()
        assert stage.plans() == [ONE]
        (notice,) = stage.said.said
        assert notice.reason is Reason.EMPTY_PLAN_WITHHELD
        assert notice.message == (
            "no ready front end for 1 endpoint(s): plan 2 is withheld, plan 1 stays"
        )
        is_ready, reason, message = stage.said.state("Ready") or (True, "", "")
        assert (is_ready, reason) == (False, Reason.EMPTY_PLAN_WITHHELD)
        assert message == "no ready front end: plan 1 stays for 1 endpoint(s)"
        assert count(REFUSALS, "withheld", "EmptyPlanWithheld") == 1
        assert count(PREVENTED, "withheld", "dns.lastKnownGood=Enabled") == 1
        stage.fleet("10.0.0.1")
        await until(lambda: (stage.said.state("Ready") or (False,))[0])
        assert stage.plans() == [ONE], "what stayed is what is wanted: nothing to say"

    on(Stage("withheld", **KEEPS), story)


def test_without_the_guard_an_empty_plan_is_published_as_a_naive_planner_would() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        stage.fleet()
        await until(lambda: stage.plans() == [ONE, (2, ())])
        await a_while()
        assert stage.plans() == [ONE, (2, ())]
        assert stage.reasons() == [Reason.EMPTY_PLAN_PUBLISHED]
        assert stage.said.state("Ready") == (
            False,
            Reason.EMPTY_PLAN_PUBLISHED,
            "no ready front end: plan 2 leaves 1 endpoint(s) without an address",
        )

    on(Stage("naive"), story)


def test_withholding_is_said_again_whenever_a_plan_was_due_and_burns_no_processor() -> None:
    """A planner with churn and no front end once asked itself for ever, with no wait between."""

    async def story(stage: Stage) -> None:
        steps = 0
        real = stage.role._step

        async def counted() -> bool:
            nonlocal steps
            steps += 1
            return await real()

        stage.role._step = counted  # type: ignore[method-assign]
        stage.fleet()
        began = time.monotonic()
        await until(lambda: len(stage.said.said) >= 4)
        assert time.monotonic() - began > 0.25
        assert steps < 20
        assert set(stage.reasons()) == {Reason.EMPTY_PLAN_WITHHELD}

    on(Stage("churn", **KEEPS, planner={"churnPerMinute": 600}), story)


def frozen(until: str | None = None) -> dict[str, Any]:
    freeze = {"who": "alice", "why": "looking"} | ({"until": until} if until else {})
    return {"freeze": freeze}


def test_a_frozen_region_gets_no_plan_until_it_is_thawed() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        stage.change(**frozen())
        await a_while()
        stage.fleet("10.0.0.2")
        await a_while()
        assert stage.plans() == [ONE]
        assert stage.said.state("Frozen") == (
            True,
            Reason.FROZEN,
            "by alice until it is thawed: looking",
        )
        stage.change()
        await until(lambda: stage.plans() == [ONE, (2, ("10.0.0.2",))])
        assert stage.reasons() == [Reason.FROZEN, Reason.THAWED]
        assert (stage.said.state("Frozen") or (True,))[0] is False

    on(Stage("frozen"), story)


def test_a_freeze_ends_by_itself_when_its_time_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner_role, "FROZEN_LOOK_SECONDS", 0.01)
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1.5))

    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: bool(stage.said.said))
        assert stage.plans() == []
        assert stage.said.state("Ready") == (False, Reason.FROZEN, "no plan yet for 1 endpoint(s)")
        await until(lambda: stage.plans() == [ONE])
        assert stage.reasons() == [Reason.FROZEN, Reason.THAWED]

    on(Stage("passing", **frozen(ends)), story)


def test_a_freeze_that_ends_while_it_is_obeyed_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends after the planner has rested for it and before it decides how long to wait."""
    monkeypatch.setattr(planner_role, "FROZEN_LOOK_SECONDS", 0.01)
    now = [ENDS - 1]
    monkeypatch.setattr(planner_role.time, "time", lambda: now[0])

    async def story(stage: Stage) -> None:
        report = stage.role._report

        async def reported() -> bool:
            now[0] = ENDS + 1
            return await report()

        stage.role._report = reported  # type: ignore[method-assign]
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])

    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ENDS))
    on(Stage("ending", **frozen(ends)), story)


def test_churn_rests_while_frozen() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await asyncio.sleep(0.3)
        assert stage.plans() == []

    on(Stage("rest", **frozen(), planner={"churnPerMinute": 600}), story)


def test_a_planner_that_comes_back_to_a_frozen_region_does_not_say_so_twice() -> None:
    region = region_of("ns", "us-east-1", {})
    said = Said(region)
    there = {
        "type": "Frozen",
        "status": "True",
        "reason": "Frozen",
        "message": "by alice",
        "lastTransitionTime": "2025-10-20T06:48:00Z",
    }
    said.update({"metadata": {"uid": "u"}, "status": {"conditions": [there]}})
    said.freeze(Freeze("alice", FOREVER, ""), 3)
    assert said.said == []
    said.freeze(None, 3)
    assert [n.reason for n in said.said] == [Reason.THAWED]


def test_who_froze_it_until_when_and_why() -> None:
    assert freeze_words(Freeze("alice", FOREVER, "")) == "alice until it is thawed"
    ends = Freeze("bob", 1760952300.0, "the name is empty")
    assert freeze_words(ends) == "bob until 2025-10-20T09:25:00Z: the name is empty"


def test_with_self_repair_a_plan_is_made_above_an_alias_that_is_above_all_plans() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        stage.alias(40)
        await until(lambda: stage.plans() == [ONE, (41, ("10.0.0.1",))])
        stage.role._changed.set()
        await a_while()
        assert len(stage.plans()) == 2
        (notice,) = stage.said.said
        assert notice.reason is Reason.OVERTAKEN
        assert notice.message == (
            "dynamodb: its alias is at generation 40, above the newest plan 1: "
            "plan 41 was made above it"
        )
        assert count(PLANS, "above", "overtaken") == 1

    on(Stage("above", **REPAIRS), story)


def test_an_override_is_gone_above_once_it_is_thawed_and_not_before() -> None:
    """The override's own plan is the newest then, with other content."""

    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        stage.change(**REPAIRS, **frozen())
        by_hand = EndpointPlan("dynamodb", (FrontEnd("10.9.9.9", 100),))
        stage.api.perform(Create(Plan(2, (by_hand,))))
        stage.alias(2)
        await a_while()
        assert stage.plans() == [ONE, (2, ("10.9.9.9",))]
        stage.change(**REPAIRS)
        await until(lambda: len(stage.plans()) == 3)
        assert stage.plans()[-1] == (3, ("10.0.0.1",))
        assert stage.reasons() == [Reason.FROZEN, Reason.THAWED, Reason.OVERTAKEN]

    on(Stage("override", **REPAIRS), story)


def test_without_self_repair_nobody_looks_at_aliases() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        stage.alias(40)
        await a_while()
        assert stage.plans() == [ONE]

    on(Stage("blind"), story)


def test_why_nothing_could_be_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_role, "RETRY_SECONDS", 0.001)

    async def story(stage: Stage) -> None:
        stage.harm = lambda i: (
            Rejected("FieldValueInvalid", "too many", 0.0) if (isinstance(i, Create)) else None
        )
        stage.fleet("10.0.0.1")
        await until(lambda: Reason.PLAN_REJECTED in stage.reasons())
        stage.harm = lambda _: Overloaded(0.0)
        before = count(REFUSALS, "why", "ApiOverloaded")
        await until(lambda: count(REFUSALS, "why", "ApiOverloaded") >= before + 60)
        loud = [n for n in stage.said.said if n.reason is Reason.API_OVERLOADED]
        assert 1 <= len(loud) <= 2, "not each of them"
        stage.harm = lambda _: None
        await until(lambda: stage.plans() == [ONE])

    on(Stage("why"), story)


def test_a_generation_that_somebody_else_took_is_told() -> None:
    async def story(stage: Stage) -> None:
        stage.fleet("10.0.0.1")
        await until(lambda: stage.plans() == [ONE])
        other = EndpointPlan("dynamodb", (FrontEnd("10.9.9.9", 1),))
        stage.api.perform(Create(Plan(2, (other,))))
        stage.fleet("10.0.0.2")
        await until(lambda: Reason.GENERATION_TAKEN in stage.reasons())
        assert "generation 2 is taken" in stage.said.said[0].message

    on(Stage("taken"), story)


def test_a_namespace_on_its_way_out_hears_nothing_more() -> None:
    async def story(stage: Stage) -> None:
        stage.harm = lambda i: (
            Rejected(NAMESPACE_TERMINATING, "", 0.0) if (isinstance(i, Create)) else None
        )
        stage.fleet("10.0.0.1")
        await until(lambda: stage.role._ended)
        assert stage.said.said == []

    on(Stage("ending"), story)


def test_the_newest_plan_is_a_metric_as_long_as_the_region_is_ours() -> None:
    def proposed() -> list[float]:
        return [
            s.value
            for family in GENERATION.collect()
            for s in family.samples
            if s.labels == {"region": "gauge", "endpoint": "dynamodb", "stage": "proposed"}
        ]

    async def story(stage: Stage) -> None:
        stage.api.perform(Create(Plan(7, (GOOD,))))
        stage.fleet("10.0.0.1")
        await until(lambda: proposed() == [7.0])
        assert stage.plans() == [(7, ("10.0.0.1",))], "found, and not made"
        stage.role._propose(None)
        assert proposed() == []
        stage.role._propose(None)

    on(Stage("gauge"), story)


def test_every_reason_of_a_planner_can_be_told() -> None:
    source = Path(planner_notices.__file__).read_text()
    for reason, meaning in MEANINGS.items():
        if "planner" in meaning.who and meaning.is_said:
            assert f"Reason.{reason.name}" in source, reason
