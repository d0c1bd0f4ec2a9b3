"""What an actor does next, and what a call does to the world: worked out once, then looked up.

A deterministic flow is where it stood and the replies since, so an actor's memory is exactly that;
the world is what the API server holds. Both are kept relative to the newest plan (see `relative`),
so there are few of each, and a run of any length is a walk over them. The flows are core's, the
calls are the fake's; a row that is missing is made by running them.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import enact
from holdfast.core.guards import Cleanup, DnsGuards, Fence
from holdfast.core.intents import Get, Intent, List, Pick, Prove, Reach
from holdfast.core.invariants import World, empty_aliases, goes_back, live_delete
from holdfast.core.objects import Alias, Plan, Stored, Tree
from holdfast.core.places import AtPick, Place
from holdfast.core.region import Region
from holdfast.core.replies import Passed, Reply, Unproven
from holdfast.core.rounds import Deferred, Refused, Round
from holdfast.fake import FakeApi, Key, key_of
from holdfast.sim import relative
from holdfast.sim.contention import content
from holdfast.sim.relative import NEWEST

Ask: TypeAlias = Literal["get", "list", "write", "proof", "pick", "wait"]
"""What is asked for next: a call of a kind, a plan that is there, or one that is not."""
ASKS: tuple[Ask, ...] = ("get", "list", "write", "proof", "pick", "wait")
Ended: TypeAlias = Literal["", "done", "deferred", "refused"]
_KNOWN_CLEANUPS = frozenset({Cleanup.BY_AGE, Cleanup.SKIP_LIVE_WHEN_LISTING})
_FENCED = frozenset({Fence.GENERATION, Fence.RESOURCE_VERSION})


def can_tabulate(guards: DnsGuards, endpoints: int) -> bool:
    """Whether tables can do it: one endpoint, and no rung that sends a tree's version, asks for a
    Lease, pins a tree, or looks for what is broken. The plain engine does the others."""
    known = guards.fence is not Fence.LEADER_ONLY and guards.cleanup in _KNOWN_CLEANUPS
    return known and endpoints == 1 and not (guards.pins or guards.repairs)


@dataclass(frozen=True, slots=True)
class Memory:
    actor: int
    place: Place
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """What one call does. `patience`: whether it took a whole proof's time in vain. `ended`: how a
    round ended by it. `changed`: the alias has another version. `lock_lost`: the lock that is no
    more. `deleted`: the generation of a tree that is no more."""

    world: int
    memory: int
    ask: Ask
    intent: str
    reply: str
    patience: float = 0.0
    ended: Ended = ""
    changed: bool = False
    lock_taken: bool = False
    lock_lost: str = ""
    deleted: int = 0
    empty: bool = False
    stale: bool = False
    live_delete: bool = False


class Tables:
    """Of one set of guards, one retention and one number of rivals; times and rates do not matter
    to them."""

    def __init__(self, region: Region, rivals: tuple[Actor, ...]) -> None:
        guards = region.guards
        assert can_tabulate(guards, len(region.endpoints)), guards
        self.rivals = rivals
        self._rules = Rules(guards, region.retention, relative.LOCK_SECONDS)
        self.fenced = guards.fence in _FENCED
        self._plan = Plan(NEWEST, content(region))
        self._worlds: dict[frozenset[Stored], int] = {}
        self._memories: dict[Memory, int] = {}
        self._names: dict[tuple[int, str, str], int] = {}
        self._appended: dict[int, int] = {}
        self._older: dict[int, int] = {}
        self.worlds: list[dict[Key, Stored]] = []
        self.memories: list[Memory] = []
        self.intents: list[Intent] = []
        self.nothing = self._world({})
        self.start = [
            self._memory(self._settle(Memory(i, AtPick(NEWEST - 1)), None)[0])
            for i in range(len(rivals))
        ]

    def appended(self, world: int) -> int:
        """The world after another plan: all else is one older."""
        found = self._appended.get(world)
        if found is None:
            kept = (o for k, o in self.worlds[world].items() if k[0] is not Plan)
            objects = {key_of(o): o for o in (relative.shifted(o, -1) for o in kept)}
            found = self._world({**objects, key_of(self._plan): self._plan})
            self._appended[world] = found
        return found

    def older(self, memory: int) -> int:
        """The memory after another plan."""
        found = self._older.get(memory)
        if found is None:
            found = self._memory(relative.shifted(self.memories[memory], -1))
            self._older[memory] = found
        return found

    def told(self, memory: int, row: Row) -> int:
        """Another's memory after a row: what it mentions may have become a former one."""
        if row.changed and self.fenced:
            memory = self._renamed(memory, relative.VERSION, relative.FORMER_VERSION)
        if row.lock_lost:
            memory = self._renamed(memory, row.lock_lost, relative.former_lock(row.lock_lost))
        if row.deleted:
            uid, former = relative.uid_of(row.deleted), relative.former_uid(row.deleted)
            memory = self._renamed(memory, uid, former)
        return memory

    def _renamed(self, memory: int, former: str, now: str) -> int:
        key = (memory, former, now)
        found = self._names.get(key)
        if found is None:
            changed = relative.replaced(self.memories[memory], former, now)
            found = self._names[key] = self._memory(changed)
        return found

    def row(self, world: int, memory: int, late: bool) -> Row:
        """`late`: the lock in this world has expired."""
        before, intent = self.worlds[world], self.intents[memory]
        api = FakeApi(before, version=1)
        reply = api.perform(intent, relative.TAKEN_LATE if late else 0.0)
        after = {key_of(o): o for o in map(relative.canonical, api.objects.values())}
        moved, outcome = self._settle(self.memories[memory], relative.heard(reply, self.fenced))
        number = self._memory(moved)
        effects: dict[str, Any] = {}
        if api.changes:
            effects = self._effects(api, before, after)
        return Row(
            world=self._world(after) if api.changes else world,
            memory=number,
            ask=self.ask(number),
            intent=type(intent).__name__,
            reply=type(reply).__name__,
            patience=intent.deadline_seconds
            if isinstance(intent, Prove) and isinstance(reply, Unproven)
            else 0.0,
            ended=_ended(outcome),
            **effects,
        )

    def ask(self, memory: int) -> Ask:
        match self.intents[memory]:
            case Pick(above):
                return "pick" if above < NEWEST else "wait"
            case Get():
                return "get"
            case List():
                return "list"
            case Prove():
                return "proof"
            case _:
                return "write"

    def _effects(
        self, api: FakeApi, before: dict[Key, Stored], after: dict[Key, Stored]
    ) -> dict[str, Any]:
        old, new = _alias(before), _alias(after)
        gone = [k[1] for k in before if k[0] is Tree and k not in after]
        world = World(
            {new.endpoint: new} if new else {}, frozenset(k[1] for k in after if k[0] is Tree)
        )
        changed = any(c.key[0] is Alias for c in api.changes)
        lock, taken = (old.lock if old else ""), (new.lock if new else "")
        assert not (changed and lock and lock == taken), "nobody takes his own lock anew"
        return {
            "changed": changed,
            "lock_taken": bool(taken) and taken != lock,
            "lock_lost": lock if lock != taken else "",
            "deleted": int(gone[0].rpartition("-p")[2]) if gone else 0,
            "empty": bool(empty_aliases(world)),
            "stale": bool(new and goes_back(old, new)),
            "live_delete": any(live_delete(world, tree) for tree in gone),
        }

    def _world(self, objects: dict[Key, Stored]) -> int:
        content = frozenset(objects.values())
        number = self._worlds.get(content)
        if number is None:
            number = self._worlds[content] = len(self.worlds)
            self.worlds.append(objects)
        return number

    def _memory(self, memory: Memory) -> int:
        number = self._memories.get(memory)
        if number is None:
            number = self._memories[memory] = len(self.memories)
            self.memories.append(memory)
            self.intents.append(self._ahead(memory))
        return number

    def _settle(self, memory: Memory, reply: Reply | None) -> tuple[Memory, Round | None]:
        """The memory after a reply, at the next call; and the outcome of the round, if that ended
        it. At a step all that went before is forgotten."""
        place, replies = memory.place, list(memory.replies)
        if reply is not None:
            replies.append(reply)
        outcome: Round | None = None
        while True:
            flow = enact(self.rivals[memory.actor], self._rules, place)
            fed = 0
            try:
                intent = next(flow)
                while True:
                    if isinstance(intent, Reach):
                        if fed == len(replies):
                            assert intent.memory is not None
                            place, replies, fed = relative.remembered(intent.memory), [], 0
                        intent = flow.send(Passed(0.0))
                    elif fed < len(replies):
                        fed += 1
                        intent = flow.send(replies[fed - 1])
                    else:
                        return Memory(memory.actor, place, tuple(replies)), outcome
            except StopIteration as stop:
                assert outcome is None, "a round asks for something"
                outcome = stop.value
                place, replies = outcome.then, []

    def _ahead(self, memory: Memory) -> Intent:
        """What a memory asks for next."""
        flow = enact(self.rivals[memory.actor], self._rules, memory.place)
        intent, fed = next(flow), 0
        while True:
            if isinstance(intent, Reach):
                intent = flow.send(Passed(0.0))
            elif fed < len(memory.replies):
                fed += 1
                intent = flow.send(memory.replies[fed - 1])
            else:
                return intent


def _alias(objects: dict[Key, Stored]) -> Alias | None:
    return next((o for o in objects.values() if isinstance(o, Alias)), None)


def _ended(outcome: Round | None) -> Ended:
    match outcome:
        case None:
            return ""
        case Deferred():
            return "deferred"
        case Refused():
            return "refused"
        case _:
            return "done"
