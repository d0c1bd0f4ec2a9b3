"""Several endpoints at once: whatever the order in which lanes and enactors come to act, each
endpoint sees an ordinary round, and the end is the one that a single lane comes to."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from drive import A, B, Driven, deletes, flips, plan, rules
from test_enactor_role import Stage, a_while, region, until

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import START, enact
from holdfast.core.guards import Cleanup, Fence, Rollback
from holdfast.core.intents import Create, Delete, Get, Intent, List, PatchAlias, Pick, Reach
from holdfast.core.invariants import World, empty_aliases, goes_back, live_delete, mixed_answers
from holdfast.core.lock import Lock
from holdfast.core.names import slice_name
from holdfast.core.objects import Alias, Lease, Plan, Slice, Tree
from holdfast.core.places import AtList, AtPick, AtTree, Place
from holdfast.core.replies import Reply
from holdfast.core.rounds import Applied, Deferred, Flow, Refused, Round, Stale
from holdfast.fake import FakeApi
from holdfast.live import lanes

C = Actor("us-east-1c", "us-east-1c/c")
NAMES = ("dynamodb", "iam", "kms", "s3", "sts")
SAFE = (Fence.GENERATION, Fence.CHECK_IN_LOCK)
SEEDS = range(8)


class Turns:
    """All that is asked for is done one by one, in an order that a seed draws; after each, what is
    always true is looked at."""

    def __init__(self, api: FakeApi, seed: int) -> None:
        self.api = api
        self.intents: list[tuple[str, Intent]] = []
        self.at_once = 0
        self._chance = random.Random(seed)
        self._waiting: list[tuple[str, Intent, asyncio.Future[None]]] = []

    async def perform(self, who: str, intent: Intent) -> Reply:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((who, intent, turn))
        self.at_once = max(self.at_once, sum(w == who for w, _, _ in self._waiting))
        await turn
        return self._do(who, intent)

    def _do(self, who: str, intent: Intent) -> Reply:
        before, trees = self._aliases(), self.api.trees()
        reply = self.api.perform(intent)
        self.intents.append((who, intent))
        after = self._aliases()
        for tree in trees - self.api.trees():
            assert live_delete(World(before, trees), tree) == (), (who, intent)
        for endpoint, alias in after.items():
            assert not goes_back(before.get(endpoint), alias), (who, intent)
        assert empty_aliases(World(after, self.api.trees())) == (), (who, intent)
        assert mixed_answers(self.api.objects.values()) == (), (who, intent)
        return reply

    def _aliases(self) -> dict[str, Alias]:
        return {o.endpoint: o for o in self.api.objects.values() if isinstance(o, Alias)}

    async def until_done(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        tasks = [asyncio.create_task(w) for w in work]
        while not all(t.done() for t in tasks):
            await self.one()
        return [t.result() for t in tasks]

    async def one(self) -> None:
        """Let everybody come to a stand, then do one thing of those that can be done."""
        for _ in range(8):
            await asyncio.sleep(0)
        can = [w for w in self._waiting if not w[2].cancelled() and self.api.ready(w[1])]
        if can:
            chosen = self._chance.choice(can)
            self._waiting.remove(chosen)
            chosen[2].set_result(None)


def host(turns: Turns, who: Actor, how: Rules, width: int) -> lanes.Host:
    async def until_due(here: Place) -> Place:
        return here

    def begin(here: Place) -> Flow:
        return enact(who, how, here)

    async def perform(intent: Intent) -> Reply:
        return await turns.perform(who.zone, intent)

    return lanes.Host(lambda: width, begin, perform, until_due, lambda *_: 0.0)


async def enactor(turns: Turns, who: Actor, how: Rules, width: int, last: int) -> Round:
    """Round after round, until plan `last` is done with."""
    here: Place = START
    while True:
        outcome = await lanes.apply(host(turns, who, how, width), here)
        here = outcome.then
        if isinstance(here, AtPick) and here.above >= last:
            return outcome


async def publish(turns: Turns, *generations: int) -> None:
    for generation in generations:
        await turns.perform("planner", Create(plan(generation, *NAMES)))


def story(of: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(20):
            await of()

    asyncio.run(in_time())


def state(api: FakeApi) -> frozenset[object]:
    """What is stored, without what no two runs share: uids and versions."""

    def bare(obj: object) -> object:
        match obj:
            case Alias():
                return replace(obj, uid="", resource_version="", writer="")
            case Tree():
                return replace(obj, uid="", resource_version="", pins=())
            case Slice():
                return ("slice", obj.tree, obj.addresses)
            case _:
                return obj

    return frozenset(bare(o) for o in api.objects.values() if not isinstance(o, Lease))


def made_and_deleted(api: FakeApi) -> Counter[tuple[str, str]]:
    """Every create and delete that had an effect, by name: a slice's is its tree's."""
    found: list[tuple[str, str]] = []
    for write in api.writes:
        match write:
            case Create(Slice(tree=tree)):
                found.append(("create slice of", tree))
            case Create(Tree() | Alias() as obj):
                found.append(("create", obj.name))
            case Delete(kind, name) if kind is Tree:
                found.append(("delete", name))
    return Counter(found)


@pytest.mark.parametrize("cleanup", list(Cleanup))
@pytest.mark.parametrize("fence", SAFE)
def test_lanes_of_rival_enactors_keep_every_rule_of_safety_in_any_order(
    fence: Fence, cleanup: Cleanup
) -> None:
    how = rules(fence, Rollback.DECOUPLED, retention=1, cleanup=cleanup)

    async def rivals(seed: int) -> None:
        turns = Turns(FakeApi(), seed)
        await turns.until_done(
            publish(turns, 1, 2, 4, 7),
            *(enactor(turns, who, how, width, 7) for who, width in ((A, 4), (B, 3), (C, 1))),
        )
        for name in NAMES:
            alias = turns.api.alias(name)
            assert alias is not None
            assert (alias.generation, alias.target, alias.lock) == (7, f"{name}-p7", "")

    for seed in SEEDS:
        story(lambda seed=seed: rivals(seed))  # type: ignore[misc]


@pytest.mark.parametrize("cleanup", list(Cleanup))
@pytest.mark.parametrize("fence", list(Fence))
def test_lanes_come_to_the_same_end_by_the_same_creates_and_deletes(
    fence: Fence, cleanup: Cleanup
) -> None:
    how = rules(fence, Rollback.COUPLED, retention=1, cleanup=cleanup)

    async def run(seed: int, width: int) -> FakeApi:
        turns = Turns(FakeApi(), seed)
        for generation in (1, 2, 5):  # each is applied by both before the next one comes
            await turns.until_done(publish(turns, generation))
            rivals = [A] if fence is Fence.LEADER_ONLY else [A, B]  # the leader never rests here
            await turns.until_done(*(enactor(turns, who, how, width, generation) for who in rivals))
        return turns.api

    async def compare() -> None:
        alone = await run(0, 1)
        for seed in range(3):
            parted = await run(seed, 3)
            assert state(parted) == state(alone)
            assert made_and_deleted(parted) == made_and_deleted(alone)

    story(compare)


@pytest.mark.parametrize("fence", SAFE)
def test_cut_anywhere_lanes_leave_what_another_finishes_with_the_same_effects(fence: Fence) -> None:
    """A dies after each of its calls in turn, with all that its lanes have in flight."""
    how = rules(fence, Rollback.DECOUPLED, retention=1)

    async def begun(seed: int) -> Turns:
        turns = Turns(FakeApi(), seed)
        for generation in (1, 2):
            await turns.until_done(publish(turns, generation))
            await turns.until_done(enactor(turns, A, how, 4, generation))
        await turns.until_done(publish(turns, 5))
        return turns

    async def compare() -> None:
        whole = await begun(0)
        before = len(whole.intents)
        await whole.until_done(enactor(whole, A, how, 4, 5))
        for cut in range(len(whole.intents) - before):
            turns = await begun(cut)
            doomed = asyncio.create_task(enactor(turns, A, how, 4, 5))
            while len(turns.intents) < before + cut:
                await turns.one()
            doomed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await doomed
            for name in NAMES:  # time passes, and with it the locks of the dead
                alias = turns.api.alias(name)
                if alias is not None and alias.lock:
                    turns.api.perform(PatchAlias(name, alias.lock, ""))
            await turns.until_done(enactor(turns, B, how, 4, 5))
            assert state(turns.api) == state(whole.api), cut
            assert made_and_deleted(turns.api) == made_and_deleted(whole.api), cut

    story(compare)


@pytest.mark.parametrize("fence", list(Fence))
@pytest.mark.parametrize(("names", "width"), [(NAMES, 1), (NAMES[:1], 32)])
def test_one_lane_or_one_endpoint_asks_for_exactly_what_the_flow_asks_for(
    fence: Fence, names: tuple[str, ...], width: int
) -> None:
    async def compare() -> None:
        turns, alone = Turns(FakeApi(), 0), FakeApi()
        for api in (turns.api, alone):
            api.perform(Create(plan(1, *names)))
        (outcome,) = await turns.until_done(enactor(turns, A, rules(fence), width, 1))
        driven = Driven(enact(A, rules(fence)), alone)
        assert outcome == driven.finish() == Applied(1)
        asked = [intent for _, intent in turns.intents]
        assert [_nameless(i) for i in asked] == [_nameless(i) for i in driven.intents]
        assert [_memory(i) for i in asked] == [_memory(i) for i in driven.intents]

    story(compare)


def _nameless(intent: Intent) -> Intent:
    return replace(intent, memory=None) if isinstance(intent, Reach) else intent


def _memory(intent: Intent) -> object:
    return intent.memory if isinstance(intent, Reach) else None


def test_no_more_endpoints_at_once_than_there_are_lanes_and_not_fewer() -> None:
    async def count() -> None:
        for width in (2, 3, 32):
            turns = Turns(FakeApi(), 0)
            turns.api.perform(Create(plan(1, *NAMES)))
            await turns.until_done(enactor(turns, A, rules(), width, 1))
            assert turns.at_once == min(width, len(NAMES))

    story(count)


def test_the_whole_region_is_asked_about_once_before_all_lanes_and_once_after() -> None:
    async def look() -> None:
        turns = Turns(FakeApi(), 3)
        turns.api.perform(Create(plan(1, *NAMES)))
        await turns.until_done(enactor(turns, A, rules(Fence.GENERATION), 4, 1))
        asked = [i for _, i in turns.intents if not isinstance(i, Reach)]
        assert asked[:2] == [Pick(0), List(Alias)]
        assert asked[-1] == List(Tree)
        assert sum(isinstance(i, List) for i in asked) == 2

    story(look)


async def waiting(turns: Turns, how: Rules, generation: int = 1) -> Round:
    """One round of A, from its pick on."""
    return await lanes.apply(host(turns, A, how, 4), AtPick(generation - 1))


def test_a_lane_that_is_deferred_goes_on_by_itself_while_the_others_go_on() -> None:
    async def held_up() -> None:
        turns = Turns(FakeApi(), 1)
        await turns.until_done(publish(turns, 1), enactor(turns, A, rules(), 4, 1))
        foreign = Lock(B.identity, 99.0).text()
        turns.api.perform(PatchAlias("iam", "", foreign))
        turns.api.perform(Create(plan(2, *NAMES)))
        round_ = asyncio.create_task(waiting(turns, rules(), 2))

        def live() -> set[str]:
            return {n for n, g in flips(turns.api.writes) if g == 2}

        while live() != set(NAMES) - {"iam"}:
            await turns.one()
        asked = len(turns.intents)
        while len(turns.intents) < asked + 20:  # it asks for its turn again and again
            await turns.one()
        assert all(i == Get(Alias, "iam") for _, i in turns.intents[asked:])
        assert not round_.done()
        turns.api.perform(PatchAlias("iam", foreign, ""))
        assert await turns.until_done(waits(round_)) == [Applied(2)]
        assert live() == set(NAMES)

    story(held_up)


async def waits(task: "asyncio.Task[Round]") -> Round:
    return await task


def test_one_lane_that_is_stale_ends_the_round_when_the_others_have_finished_their_endpoint() -> (
    None
):
    async def overtaken() -> None:
        how = rules(Fence.GENERATION)
        for seed in SEEDS:
            turns = Turns(FakeApi(), seed)
            await turns.until_done(publish(turns, 1), enactor(turns, A, how, 4, 1))
            turns.api.perform(Create(plan(2, *NAMES)))
            round_ = asyncio.create_task(waiting(turns, how, 2))
            while not any(isinstance(i, Create) for _, i in turns.intents[-1:]):
                await turns.one()
            newer = turns.api.alias("dynamodb")
            assert newer is not None
            for obj in (Tree("dynamodb-p3", "dynamodb", 3), plan(3, *NAMES)):
                turns.api.perform(Create(obj))
            served(turns.api, "dynamodb-p3")
            moved = replace(newer, target="dynamodb-p3", generation=3)
            turns.api.objects[Alias, "dynamodb"] = replace(moved, resource_version="9999")
            (outcome,) = await turns.until_done(waits(round_))
            assert outcome == Stale(2, 3, "read", "dynamodb", outcome.conflicted)
            assert List(Tree) not in [i for _, i in turns.intents[-3:]], "nothing is cleaned"
            for name in {n for n, g in flips(turns.api.writes) if g == 2}:
                assert turns.api.answer(name) == ("10.0.0.1",)

    story(overtaken)


def served(api: FakeApi, tree: str) -> None:
    uid = api.objects[Tree, tree].uid
    api.perform(Create(Slice(slice_name(tree, uid, "IPv4"), tree, uid, "IPv4", ("10.0.0.1",))))


def test_what_is_refused_at_one_endpoint_begins_no_other_and_is_told() -> None:
    async def refused() -> None:
        turns = Turns(FakeApi(), 0)
        api = turns.api
        api.perform(Create(Tree("dynamodb-p1", "dynamodb", 1)))
        uid = api.objects[Tree, "dynamodb-p1"].uid
        name = slice_name("dynamodb-p1", uid, "IPv4")
        api.perform(Create(Slice(name, "dynamodb-p1", uid, "IPv4", ("192.0.2.9",))))
        api.perform(Create(plan(1, *NAMES)))
        (outcome,) = await turns.until_done(
            lanes.apply(host(turns, A, rules(), 2), START),
        )
        assert outcome == Refused(1, "dynamodb", f"foreign slice {name}")
        asked = [i for _, i in turns.intents]
        after = asked[asked.index(Get(Slice, name)) :]
        begun = [i for i in after if isinstance(i, Create) and isinstance(i.obj, Tree)]
        assert len(begun) <= 1, "of the other lane, which stood before it"

    story(refused)


def test_a_tree_that_fails_its_proof_starts_the_plan_over_and_leaves_no_lock_behind() -> None:
    async def unproven() -> None:
        for seed in SEEDS:
            turns = Turns(FakeApi(), seed)
            turns.api.perform(Create(plan(1, *NAMES)))
            round_ = asyncio.create_task(waiting(turns, rules()))
            while "kms-p1" not in turns.api.trees():
                await turns.one()
            turns.api.perform(Delete(Tree, "kms-p1"))
            (outcome,) = await turns.until_done(waits(round_))
            assert isinstance(outcome, Deferred)
            assert outcome.then == AtPick(0)
            assert sum(isinstance(i, Pick) for _, i in turns.intents) == 1
            aliases = [turns.api.alias(n) for n in NAMES]
            assert all(a is None or a.lock == "" for a in aliases)
            await turns.until_done(enactor(turns, A, rules(), 4, 1))
            assert all(turns.api.answer(n) == ("10.0.0.1",) for n in NAMES)

    story(unproven)


def test_a_round_that_is_left_at_its_list_goes_on_there() -> None:
    async def list_last() -> None:
        turns = Turns(FakeApi(), 0)
        turns.api.perform(Create(plan(1, *NAMES)))
        ended = asyncio.create_task(
            lanes.Lanes(host(turns, A, rules(), 4), AtTree(plan(1, *NAMES), "kms")).run()
        )
        while not ended.done():
            await turns.one()
        assert ended.result() == AtList(1)
        assert {n for n, _ in flips(turns.api.writes)} == {"kms", "s3", "sts"}, "from kms on"

    story(list_last)


class Wide(Stage):
    """The role, with plans of several endpoints, and calls that take a moment."""

    async def perform(self, intent: Intent) -> Reply:
        await asyncio.sleep(0.002)
        return await super().perform(intent)

    def publish(self, generation: int) -> None:
        self.api.perform(Create(plan(generation, *NAMES)))
        self.plans[generation] = plan(generation, *NAMES)
        self.role.news()

    def all_live(self, generation: int) -> bool:
        aliases = [self.api.alias(n) for n in NAMES]
        return all(a is not None and a.generation == generation for a in aliases)


def on(stage: Wide, tale: Callable[[Wide], Coroutine[Any, Any, None]]) -> None:
    async def play() -> None:
        rounds = asyncio.create_task(stage.role._rounds())
        try:
            async with asyncio.timeout(5):
                await tale(stage)
        finally:
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)

    asyncio.run(play())


def test_the_role_walks_as_many_endpoints_at_once_as_its_region_says() -> None:
    async def tale(stage: Wide) -> None:
        for generation in (1, 2, 4):
            stage.publish(generation)
            await until(lambda: stage.all_live(generation))  # noqa: B023
        await until(lambda: len(deletes(stage.api.writes)) == len(NAMES))
        assert sorted(flips(stage.api.writes)) == [(n, g) for n in NAMES for g in (1, 2, 4)]

    on(Wide(region(endpoints=list(NAMES), enactor={"parallel": 3})), tale)


def test_in_a_region_with_holds_there_is_one_lane() -> None:
    async def tale(stage: Wide) -> None:
        stage.publish(1)
        await until(lambda: stage.all_live(1))
        assert flips(stage.api.writes) == [(n, 1) for n in NAMES], "in the plan's order"
        made = [w.obj.name for w in stage.api.writes if isinstance(w, Create)]
        assert [made[n] for n in (1, 3, 4, 6)] == ["dynamodb-p1", "dynamodb", "iam-p1", "iam"]

    hold = {"name": "h", "zone": B.zone, "at": "turn", "until": {"afterSeconds": 1}}
    on(Wide(region(endpoints=list(NAMES), holds=[hold])), tale)


def test_a_hold_that_comes_during_lanes_finds_one_lane_at_the_next_endpoint() -> None:
    hold = {"name": "h", "zone": A.zone, "at": "turn", "until": {"afterSeconds": 1}}

    async def tale(stage: Wide) -> None:
        stage.publish(1)
        await until(lambda: bool(stage.api.trees()))
        stage.change(region(endpoints=list(NAMES), holds=[hold]))
        await until(lambda: stage.role._book.view.hold == "h")
        assert not stage.all_live(1)
        stage.change(region(endpoints=list(NAMES), holds=[hold | {"released": True}]))
        await until(lambda: stage.all_live(1))

    on(Wide(region(endpoints=list(NAMES), enactor={"parallel": 2})), tale)


def test_a_pause_is_obeyed_between_two_endpoints() -> None:
    async def tale(stage: Wide) -> None:
        stage.publish(1)
        await until(lambda: bool(stage.api.trees()))
        stage.change(region(endpoints=list(NAMES), paused=True))
        await a_while()
        assert len(stage.api.trees()) == 2, "what was begun is finished, nothing else is begun"
        stage.change(region(endpoints=list(NAMES)))
        await until(lambda: stage.all_live(1))

    on(Wide(region(endpoints=list(NAMES), enactor={"parallel": 2})), tale)


def test_a_plan_in_lanes_is_not_carried_through_a_freeze() -> None:
    async def tale(stage: Wide) -> None:
        stage.publish(1)
        await until(lambda: bool(stage.api.trees()))
        stage.change(region(endpoints=list(NAMES), freeze={"who": "alice"}))
        await a_while()
        assert len(stage.api.trees()) == 2
        stage.publish(2)
        stage.change(region(endpoints=list(NAMES)))
        await until(lambda: stage.all_live(2))
        assert sum(tree.endswith("-p1") for tree in stage.api.trees()) == 2

    on(Wide(region(endpoints=list(NAMES), enactor={"parallel": 2})), tale)


def test_what_came_of_a_round_in_lanes_is_booked_whole() -> None:
    async def tale(stage: Wide) -> None:
        told: list[Any] = []
        ended = stage.role._book.ended
        stage.role._book.ended = lambda o: told.append(ended(o)) or told[-1]  # type: ignore[method-assign,func-returns-value]
        stage.publish(1)
        await until(lambda: bool(told))
        assert sorted(told[0].flips) == list(NAMES)
        stage.publish(2)
        await until(lambda: len(told) == 2)
        assert sorted(told[1].flips) == list(NAMES)

    on(Wide(region(endpoints=list(NAMES))), tale)


def test_the_plan_of_a_lane_is_its_endpoints_alone_and_still_that_plan() -> None:
    async def look() -> None:
        turns = Turns(FakeApi(), 0)
        seen: list[Plan] = []

        def begin(here: Place) -> Flow:
            if isinstance(here, AtTree):
                seen.append(here.plan)
            return enact(A, rules(), here)

        turns.api.perform(Create(plan(1, *NAMES)))
        mine = replace(host(turns, A, rules(), 4), begin=begin)
        await turns.until_done(lanes.apply(mine, START))
        assert {p.endpoints[0].endpoint for p in seen} == set(NAMES)
        assert all(p.generation == 1 and len(p.endpoints) == 1 for p in seen)

    story(look)
