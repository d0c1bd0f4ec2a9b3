"""A place is all that a flow knows: started again from `Reach.memory`, it does what it would have
done. The checker keeps places and forgets flows, so this is what its states rest on."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product

import pytest
from drive import plan

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import START, enact
from holdfast.core.guards import (
    AWS_2025,
    SAFE,
    Cleanup,
    DnsGuards,
    Fence,
    Rollback,
    Switch,
    effective,
)
from holdfast.core.intents import MUTATIONS, Create, Delete, Intent, Reach, Replace
from holdfast.core.objects import Plan, Tree
from holdfast.core.places import PLACES, Place
from holdfast.core.replies import Overloaded, Rejected, Reply
from holdfast.core.rounds import Flow, Round
from holdfast.fake import FakeApi, Lost

ACTORS = tuple(Actor(zone, f"{zone}/pod") for zone in ("a", "b", "c"))
GUARDS = [
    *(DnsGuards(*g) for g in product(Fence, Cleanup, Rollback)),
    SAFE,
    *(
        replace(AWS_2025, **{switch: Switch.ENABLED})
        for switch in ("admission", "self_repair", "last_known_good")
    ),
]
MOVES = 600
ENDPOINTS = ("dynamodb", "kinesis")


@dataclass
class Turn:
    """One actor's round so far: what it asked for, what it was told."""

    flow: Flow
    pending: Intent
    asked: list[Intent] = field(default_factory=list)
    told: list[Reply] = field(default_factory=list)


def begin(me: Actor, rules: Rules, here: Place = START) -> Turn:
    flow = enact(me, rules, here)
    return Turn(flow, next(flow))


def answer(api: FakeApi, intent: Intent, now: float, chance: random.Random) -> Reply:
    """Mostly what the server says; at times lost, with or without effect, or refused."""
    if isinstance(intent, MUTATIONS) and chance.random() < 0.05:
        return api.perform(intent, now, chance.choice(list(Lost)))
    if not isinstance(intent, Reach) and api.ready(intent) and chance.random() < 0.01:
        if type(intent).__name__ in ("Pick", "Prove"):
            return api.perform(intent, now)
        return chance.choice([Overloaded(now), Rejected("Forbidden", "no", now)])
    return api.perform(intent, now)


def rounds(rules: Rules, seed: int) -> list[tuple[Actor, Turn, Round]]:
    """The rounds that come of a random interleaving, with losses, refusals and time that passes."""
    chance, now, generation = random.Random(seed), 0.0, 0
    api = FakeApi(admission=rules.guards.admission is Switch.ENABLED)
    turns = {me: begin(me, rules) for me in ACTORS}
    ended: list[tuple[Actor, Turn, Round]] = []
    for _ in range(MOVES):
        now += chance.expovariate(2.0)
        if generation == 0 or chance.random() < 0.03:
            generation += 1
            api.perform(Create(published(generation, rules, chance)))
        if chance.random() < 0.02:
            strike(api, rules, chance)
        me = chance.choice([m for m, t in turns.items() if api.ready(t.pending)] or [ACTORS[0]])
        turn = turns[me]
        if not api.ready(turn.pending):
            continue
        reply = answer(api, turn.pending, now, chance)
        turn.asked.append(turn.pending)
        turn.told.append(reply)
        try:
            turn.pending = turn.flow.send(reply)
        except StopIteration as stop:
            outcome: Round = stop.value
            ended.append((me, turn, outcome))
            turns[me] = begin(me, rules, outcome.then)
    return ended


def published(generation: int, rules: Rules, chance: random.Random) -> Plan:
    """Where the last good answer is kept, some plans have none for an endpoint."""
    made = plan(generation, *ENDPOINTS)
    if not rules.guards.keeps_last_good or chance.random() < 0.5:
        return made
    first, second = made.endpoints
    return replace(made, endpoints=(first, replace(second, front_ends=())))


def strike(api: FakeApi, rules: Rules, chance: random.Random) -> None:
    """Where there are repairs, hands delete what they can; where there is any switch, they freeze
    and thaw."""
    if rules.guards.repairs and (trees := sorted(api.trees())):
        api.perform(Delete(Tree, chance.choice(trees)))
    if "Enabled" not in effective(rules.guards)["dns"].values():
        return
    found = api.alias(chance.choice(ENDPOINTS))
    if found is not None:
        api.perform(Replace(replace(found, frozen="" if found.frozen else "somebody")))


def replay(me: Actor, rules: Rules, here: Place, told: list[Reply]) -> tuple[list[Intent], object]:
    """What a flow begun at a place asks for when it is told this, and how it ends."""
    flow = enact(me, rules, here)
    asked: list[Intent] = [next(flow)]
    for number, reply in enumerate(told, start=1):
        try:
            asked.append(flow.send(reply))
        except StopIteration as stop:
            assert number == len(told), "it ended early"
            return asked, stop.value
    return asked, None


def memories(intents: list[Intent]) -> list[object]:
    """Reaches are equal whatever they remember."""
    return [i.memory for i in intents if isinstance(i, Reach)]


@pytest.mark.parametrize("guards", GUARDS, ids=lambda g: "-".join(effective(g)["dns"].values()))
def test_a_flow_started_again_from_its_memory_does_the_same(guards: DnsGuards) -> None:
    rules, kinds = Rules(guards, 1, 10.0), Counter[str]()
    for seed in range(6):
        for me, turn, outcome in rounds(rules, seed):
            for number, intent in enumerate(turn.asked):
                if not isinstance(intent, Reach):
                    continue
                here = intent.memory
                assert isinstance(here, PLACES)
                kinds[type(here).__name__] += 1
                asked, end = replay(me, rules, here, turn.told[number:])
                assert (asked, end) == (turn.asked[number:], outcome)
                assert memories(asked) == memories(turn.asked[number:])
    unused = set()
    if guards.fence is Fence.NONE:
        unused.add("AtCheck")
    if guards.cleanup is not Cleanup.REREAD_BEFORE_DELETE:
        unused.add("AtReread")
    if not guards.pins:
        unused.add("AtUnpin")
    assert set(kinds) == {p.__name__ for p in PLACES} - unused
    assert kinds.total() > 1000
