"""A human among enactors and a planner: random interleavings, lost replies, time that passes.

What is promised: when `override` says that it is done, the name is the human's, and is served. With
its freeze no fenced rung moves it until the thaw; and after the thaw all goes on as before.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import product

import pytest
from drive import Driven, plan

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import SAFE, Cleanup, DnsGuards, Fence, Rollback, Switch
from holdfast.core.intents import MUTATIONS, Create, Intent, Reach
from holdfast.core.invariants import overrides_a_freeze
from holdfast.core.objects import Alias
from holdfast.core.override import Overridden, Override, override, thaw
from holdfast.core.replies import Reply, TimedOut
from holdfast.core.rounds import Round
from holdfast.fake import FakeApi, Lost

ACTORS = tuple(Actor(zone, f"{zone}/pod") for zone in ("a", "b", "c"))
BLIND = frozenset({Fence.NONE, Fence.LEADER_ONLY})
DECIDES_ON_WHAT_IT_GUARDS = frozenset({Fence.CHECK_IN_LOCK, Fence.GENERATION})
GIVEN = ("192.0.2.7",)
MOVES = 500


@dataclass
class Scene:
    """One namespace, three enactors, a planner; a human who enters one command at some time."""

    rules: Rules
    seed: int
    met: Counter[str]
    api: FakeApi = field(init=False)
    now: float = 0.0
    newest: int = 0

    def __post_init__(self) -> None:
        self.api = FakeApi(admission=self.rules.guards.admission is Switch.ENABLED)
        self.chance = random.Random(self.seed)
        self.enactors = {me: Driven(enact(me, self.rules), self.api) for me in ACTORS}
        self.plans()

    def plans(self) -> None:
        """The planner is no part of a freeze here: on a cluster it rests, too."""
        newest = self.api.newest_plan()
        self.newest = (newest.generation if newest else 0) + 1
        self.api.perform(Create(plan(self.newest)))

    def move(self) -> None:
        """Time passes, perhaps a plan comes, and one enactor does one thing."""
        self.now += self.chance.expovariate(2.0)
        if self.chance.random() < 0.04:
            self.plans()
        free = [m for m in ACTORS if not self.enactors[m].waits]
        if not free:
            return
        me, before = self.chance.choice(free), self.alias()
        self.step(self.enactors[me])
        after = self.alias()
        if after is not None and overrides_a_freeze(before, after):
            assert self.rules.guards.fence in BLIND
            self.met["moved while frozen"] += 1
        outcome: Round | None = self.enactors[me].outcome
        if outcome is not None:
            self.met[type(outcome).__name__] += 1
            self.enactors[me] = Driven(enact(me, self.rules, outcome.then), self.api)

    def step(self, who: Driven[Round]) -> None:
        """At times the call is lost, or its reply."""
        intent = who.pending
        assert intent is not None
        reply: Reply | None = None
        if isinstance(intent, MUTATIONS) and self.chance.random() < 0.05:
            reply = self.api.perform(intent, self.now, self.chance.choice(list(Lost)))
            assert isinstance(reply, TimedOut)
            self.met["lost"] += 1
        who.advance(self.now, reply)

    def alias(self) -> Alias | None:
        return self.api.alias("dynamodb")

    def answer(self) -> tuple[str, ...]:
        return self.api.answer("dynamodb")


def overridden(scene: Scene, order: Override) -> Overridden:
    """The human's command, call by call, between everybody else's."""
    human = Driven(override(order), scene.api)
    told: list[Intent] = []
    while human.pending is not None:
        for _ in range(scene.chance.choice((0, 0, 1, 3, 20))):
            scene.move()
        told.append(human.pending)
        human.advance(scene.now)
    assert isinstance(human.outcome, Overridden), human.outcome
    steps = Counter(i.step for i in told if isinstance(i, Reach))
    scene.met["plan made anew"] += steps["tree"] > 1
    scene.met["written again"] += steps["turn"] > 1
    scene.met["frozen again"] += order.freeze is not None and steps["pick"] > 2
    scene.met["took a lock"] += bool(human.outcome.locks)
    return human.outcome


def is_ours(scene: Scene, found: Overridden) -> bool:
    alias = scene.alias()
    return alias is not None and (alias.target, alias.generation, scene.answer()) == (
        found.tree,
        found.generation,
        GIVEN,
    )


GUARDS = [
    *(DnsGuards(f, c, Rollback.COUPLED) for f, c in product(Fence, Cleanup)),
    DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.DECOUPLED),
    SAFE,
    DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED, Switch.ENABLED),
    DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED, self_repair=Switch.ENABLED),
]


def name(guards: DnsGuards) -> str:
    extra = "+" if Switch.ENABLED in (guards.admission, guards.self_repair) else ""
    return f"{guards.fence}-{guards.cleanup}-{guards.rollback}{extra}"


@pytest.mark.parametrize("guards", GUARDS, ids=name)
def test_done_is_done_and_stays_so_until_the_thaw(guards: DnsGuards) -> None:
    """Whatever the race had made of the name before."""
    met: Counter[str] = Counter()
    order = Override("alice", "dynamodb", 0, GIVEN, Freeze("alice", FOREVER, "why"))
    for seed in range(8):
        scene = Scene(Rules(guards, 1, 10.0), seed, met)
        for _ in range(scene.chance.randrange(MOVES)):
            scene.move()
        met["was empty"] += not scene.answer()
        found = overridden(scene, order)
        if guards.fence in BLIND:
            continue
        assert is_ours(scene, found), "when it says so"
        for _ in range(MOVES):
            scene.move()
            assert is_ours(scene, found), "and as long as it is frozen"
        Driven(thaw(), scene.api).finish(scene.now)
        scene.plans()
        newest, live = scene.newest, set[int]()
        for _ in range(MOVES):
            scene.move()
            alias = scene.alias()
            assert alias is not None
            assert not alias.frozen
            live.add(alias.generation)
        assert max(live) >= newest, "it goes on with plans of that time"
    assert met["Frozen"] or guards.fence in BLIND
    assert met["lost"]


@pytest.mark.parametrize("fence", DECIDES_ON_WHAT_IT_GUARDS)
def test_without_a_freeze_it_is_overtaken_by_newer_plans_only(fence: Fence) -> None:
    met: Counter[str] = Counter()
    order = Override("alice", "dynamodb", 0, GIVEN)
    for seed, cleanup in product(range(10), Cleanup):
        rules = Rules(DnsGuards(fence, cleanup, Rollback.DECOUPLED), 1, 10.0)
        scene = Scene(rules, seed, met)
        for _ in range(scene.chance.randrange(MOVES)):
            scene.move()
        found = overridden(scene, order)
        assert is_ours(scene, found)
        for _ in range(MOVES):
            scene.move()
            alias = scene.alias()
            assert alias is not None
            assert alias.generation > found.generation or is_ours(scene, found)
            assert scene.answer()
    assert met["plan made anew"], "others were quicker at times"
    assert met["written again"]


def test_two_humans_at_once_and_the_last_word_is_the_alias() -> None:
    """Each is told that it is done when it was; the name is one's or the other's, and served."""
    met: Counter[str] = Counter()
    answers = {"alice": ("192.0.2.7",), "bob": ("192.0.2.8",)}
    for seed in range(40):
        scene = Scene(Rules(SAFE, 1, 10.0), seed, met)
        for _ in range(scene.chance.randrange(200)):
            scene.move()
        humans = {
            who: Driven(
                override(Override(who, "dynamodb", 0, given, Freeze(who, FOREVER, ""))), scene.api
            )
            for who, given in answers.items()
        }
        while any(h.pending is not None for h in humans.values()):
            who = scene.chance.choice([w for w, h in humans.items() if h.pending is not None])
            humans[who].advance(scene.now)
            scene.move()
            if isinstance(humans[who].outcome, Overridden) and humans[who].pending is None:
                met[f"done: {who}"] += 1
        outcomes = [h.outcome for h in humans.values()]
        last = max((o for o in outcomes if isinstance(o, Overridden)), key=lambda o: o.generation)
        assert all(isinstance(o, Overridden) for o in outcomes)
        alias = scene.alias()
        assert alias is not None
        assert (alias.target, alias.generation) == (last.tree, last.generation)
        assert scene.answer() in answers.values()
        for _ in range(200):
            scene.move()
        assert scene.alias() == alias


def test_the_cases_that_matter_are_met() -> None:
    """Under the guards of aws-2025: the name was empty, a lock was taken, and writes were lost.
    Without any fence: an enactor has moved what was frozen."""
    met: Counter[str] = Counter()
    order = Override("alice", "dynamodb", 0, GIVEN, Freeze("alice", FOREVER, "why"))
    for seed, fence in product(range(60), (Fence.CHECK_ONCE, Fence.NONE)):
        scene = Scene(Rules(DnsGuards(fence, Cleanup.BY_AGE, Rollback.COUPLED), 1, 10.0), seed, met)
        for _ in range(MOVES):
            scene.move()
        met["was empty"] += not scene.answer()
        overridden(scene, order)
    assert met["moved while frozen"]
    for what in ("was empty", "took a lock", "frozen again", "lost", "Frozen", "Deferred"):
        assert met[what], (what, met)
