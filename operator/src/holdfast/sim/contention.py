"""Real contention, without holds: how often does the race strike by itself?

The model, which every engine here runs alike: enactors drive core's flows over the fake API server,
a planner appends plans at a steady rate, everything takes time, and actors stall now and then.
Nobody asks for the name: the state says when it is empty. Every call is one event, at which it has
its effect and its reply; then the actor may stall, pause, and asks for the next thing one latency
later. A proof takes the time that a tree needs to be served. Plans older than the newest are
forgotten, for nobody reads them, and none is trimmed.

This is the plain engine: slow, and the measure of the others.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from holdfast.core.actor import Actor
from holdfast.core.enactor import START, enact
from holdfast.core.guards import Switch
from holdfast.core.intents import Intent, Pick, Prove, Reach
from holdfast.core.invariants import World, empty_aliases, goes_back, live_delete
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Tree
from holdfast.core.planner import Planned, append, wanted
from holdfast.core.region import Region
from holdfast.core.replies import Passed, Reply, Unproven
from holdfast.core.rounds import Deferred, Flow, Refused, Round
from holdfast.fake import FakeApi
from holdfast.sim.enactor import pause_seconds
from holdfast.sim.faults import Stalling, Stalls
from holdfast.sim.latency import MEASURED, Latencies
from holdfast.sim.quantiles import look

NEVER = math.inf
Trace: TypeAlias = list[tuple[float, int, str, str]]
"""(t, actor, intent, reply), by the names of their types; the planner is the last actor."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is raced under. `region.churn_per_minute` is the rate of plans."""

    region: Region
    latencies: Latencies = MEASURED
    stalls: Stalls | None = None

    @property
    def period_seconds(self) -> float:
        return 60 / self.region.churn_per_minute

    def rivals(self) -> tuple[Actor, ...]:
        return tuple(Actor(z, f"{z}/pod-0") for z in self.region.zones)


@dataclass(slots=True)
class Exposure:
    """One seed's run: until the name is empty (`struck`), or the time is up."""

    seconds: float = 0.0
    struck: bool = False
    stale_writes: int = 0
    live_deletes: int = 0
    events: int = 0


def content(region: Region) -> tuple[EndpointPlan, ...]:
    """What every plan says: one front end a zone."""
    fleet = (FrontEnd(f"10.0.{n}.1", 100) for n, _ in enumerate(region.zones, start=1))
    return wanted(region.endpoints, fleet)


def source(seed: int) -> Random:
    """The one source of chance of a seed's run."""
    return Random(f"sweep/{seed}")


class Rival:
    """An enactor between two calls: `intent` is what it asks for."""

    def __init__(self, me: Actor, region: Region) -> None:
        self._me, self._region = me, region
        self.deferrals = 0
        self._flow: Flow = enact(me, region.rules(), START)
        self.intent = self._next(None)

    def answered(self, reply: Reply) -> Round | None:
        """Take a reply; the outcome of the round, if it ended one. The next has begun then."""
        try:
            self.intent = self._next(reply)
        except StopIteration as stop:
            outcome: Round = stop.value
            self.deferrals = self.deferrals + 1 if isinstance(outcome, Deferred) else 0
            self._flow = enact(self._me, self._region.rules(), outcome.then)
            self.intent = self._next(None)
            return outcome
        return None

    def _next(self, reply: Reply | None) -> Intent:
        intent = next(self._flow) if reply is None else self._flow.send(reply)
        while isinstance(intent, Reach):
            intent = self._flow.send(Passed(0.0))
        return intent


class Arena:
    """The world that they race in, and what an outsider counts in it."""

    def __init__(self, region: Region) -> None:
        self.api = FakeApi(admission=region.guards.admission is Switch.ENABLED)
        self.seen = Exposure()
        self._content = content(region)
        self._newest = 0
        self._before: dict[str, Alias] = {}

    def append(self, now: float) -> None:
        """The planner's call."""
        flow = append(self._content, self._newest)
        reply = self.api.perform(next(flow), now)
        try:
            flow.send(reply)
        except StopIteration as stop:
            assert isinstance(stop.value, Planned), stop.value
            former = Plan(self._newest, ())
            self.api.objects.pop((Plan, former.name), None)
            self._newest = stop.value.plan.generation
        self.api.changes.clear()
        self.api.writes.clear()

    def perform(self, intent: Intent, now: float) -> Reply:
        """An enactor's call, and what its effect breaks."""
        reply = self.api.perform(intent, now)
        if self.api.changes:
            self._judge()
            self.api.changes.clear()
            self.api.writes.clear()
        return reply

    def _judge(self) -> None:
        world = self._world()
        for change in self.api.changes:
            kind, name = change.key
            if isinstance(change.obj, Alias):
                self.seen.stale_writes += goes_back(self._before.get(name), change.obj)
            elif kind is Tree and change.obj is None:
                self.seen.live_deletes += bool(live_delete(world, name))
        self._before = dict(world.aliases)
        self.seen.struck = bool(empty_aliases(world))

    def _world(self) -> World:
        aliases = {o.endpoint: o for o in self.api.objects.values() if isinstance(o, Alias)}
        return World(aliases, self.api.trees())


def race(setting: Setting, seed: int, seconds: float, trace: Trace | None = None) -> Exposure:
    """One seed's run, of at most `seconds` of virtual time."""
    region, latencies = setting.region, setting.latencies
    draw = source(seed).random
    arena = Arena(region)
    rivals = [Rival(me, region) for me in setting.rivals()]
    stalling = [Stalling(setting.stalls, draw) for _ in rivals]
    planner = len(rivals)
    due = [NEVER] * planner + [0.0]
    waits_since = [0.0] * planner
    seen = arena.seen
    while True:
        t = min(due)
        if t > seconds:
            seen.seconds = seconds
            return seen
        actor = due.index(t)
        seen.events += 1
        if actor == planner:
            arena.append(t)
            for i, since in enumerate(waits_since):
                if due[i] == NEVER:
                    due[i] = max(t + look(latencies.watch.table, draw()), since)
            due[planner] = t + setting.period_seconds + look(latencies.write.table, draw())
            if trace is not None:
                trace.append((t, actor, "Create", "Written"))
            continue
        rival = rivals[actor]
        intent = rival.intent
        reply = arena.perform(intent, t)
        if trace is not None:
            trace.append((t, actor, type(intent).__name__, type(reply).__name__))
        if seen.struck:
            seen.seconds = t
            return seen
        patience = intent.deadline_seconds if isinstance(intent, Prove) else 0.0
        on = stalling[actor].awake(t + patience if isinstance(reply, Unproven) else t)
        outcome = rival.answered(reply)
        if isinstance(outcome, Deferred | Refused):
            on += pause_seconds(region, outcome, rival.deferrals, draw())
        if not isinstance(rival.intent, Pick):
            due[actor] = on + look(latencies.of(rival.intent).table, draw())
        elif arena.api.ready(rival.intent):
            due[actor] = on
        else:
            due[actor], waits_since[actor] = NEVER, on
