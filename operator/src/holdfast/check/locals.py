"""The local states met so far, each with a small number; and what a reply leads to, done once.

A deterministic flow *is* what it remembered when it started and its replies since: so an actor's
local state is exactly that, and its next intent is found by running the flow once. At a `Reach`
that bears a memory the replies are forgotten, for the flow says that it knows nothing else.
"""

from dataclasses import dataclass, replace
from typing import Any

from holdfast.check.model import DONE, Actor
from holdfast.check.renaming import rename
from holdfast.core.intents import Intent, Reach
from holdfast.core.objects import Stored
from holdfast.core.replies import Passed, Reply

IDLE_LIMIT = 100
"""Rounds in a row that ask for nothing: a flow that never asks would never end."""


@dataclass(frozen=True, slots=True)
class Local:
    """`cache`: what the actor's lagging cache holds, if it lags."""

    memory: Any
    replies: tuple[Reply, ...] = ()
    incarnation: int = 0
    cache: tuple[Stored, ...] | None = None


class Locals:
    """Of one actor, or of several that are alike."""

    def __init__(self, actor: Actor, forget: bool = True, nameless: bool = False) -> None:
        """`nameless`: no name reaches the world, so that incarnations are alike too."""
        self.actor, self._forget, self._nameless = actor, forget, nameless
        self._numbers: dict[Local, int] = {}
        self._next: dict[tuple[int, Reply], int] = {}
        self._stale: dict[tuple[int, int], int] = {}
        self.all: list[Local] = []
        self.intents: list[Intent | None] = []
        self.reached: list[Reach | None] = []
        self.outcomes: dict[tuple[int, Reply], Any] = {}
        self.start = self.intern(self._settle(Local(actor.start), None)[0])

    def identity(self, number: int) -> str:
        return f"{self.actor.name}/{self.all[number].incarnation}"

    def intern(self, local: Local) -> int:
        number = self._numbers.get(local)
        if number is None:
            number = len(self.all)
            self._numbers[local] = number
            self.all.append(local)
            intent, reached = self._ahead(local)
            self.intents.append(intent)
            self.reached.append(reached)
        return number

    def after(self, number: int, reply: Reply) -> int:
        key = (number, reply)
        found = self._next.get(key)
        if found is None:
            local, outcome = self._settle(self.all[number], reply)
            found = self._next[key] = self.intern(local)
            if outcome is not None:
                self.outcomes[key] = outcome
        return found

    def crashed(self, number: int, same_identity: bool) -> int:
        """The actor as it starts again, as another incarnation or under the identity it had."""
        before = self.all[number].incarnation
        again = before if same_identity else 0 if self._nameless else before + 1
        local = Local(self.actor.start, incarnation=again)
        return self.intern(self._settle(local, None)[0])

    def lagging(self, number: int, seen: tuple[Stored, ...] | None) -> int:
        return self.intern(replace(self.all[number], cache=seen))

    def renamed(self, number: int, change: int, names: dict[str, str]) -> int:
        """The same local state after what it holds has become stale."""
        key = (number, change)
        found = self._stale.get(key)
        if found is None:
            local = self.all[number]
            changed = replace(
                local,
                memory=rename(local.memory, names),
                replies=rename(local.replies, names),
                cache=rename(local.cache, names),
            )
            found = self._stale[key] = self.intern(changed)
        return found

    def _settle(self, local: Local, reply: Reply | None) -> tuple[Local, Any]:
        """The local state after a reply (None: as it starts), at its next intent; and what came of
        the round, if that ended it. Memories reached on the way replace what was known before."""
        memory, replies = local.memory, list(local.replies)
        if reply is not None:
            replies.append(reply)
        ended: Any = None
        for _ in range(IDLE_LIMIT):
            if memory is DONE:
                return Local(DONE, (), local.incarnation, local.cache), ended
            flow = self.actor.flow(self._identity(local), memory)
            fed = 0
            try:
                intent = next(flow)
                while True:
                    if isinstance(intent, Reach):
                        if self._forget and intent.memory is not None and fed == len(replies):
                            memory, replies, fed = intent.memory, [], 0
                        intent = flow.send(Passed(0.0))
                    elif fed < len(replies):
                        fed += 1
                        intent = flow.send(replies[fed - 1])
                    else:
                        settled = Local(memory, tuple(replies), local.incarnation, local.cache)
                        return settled, ended
            except StopIteration as stop:
                ended = stop.value
                memory, replies = self.actor.then(ended), []
        raise RuntimeError(
            f"{self.actor.name} ends {IDLE_LIMIT} rounds without asking for anything"
        )

    def _ahead(self, local: Local) -> tuple[Intent | None, Reach | None]:
        """The intent that this local state waits for, and the step at which it stands."""
        if local.memory is DONE:
            return None, None
        flow = self.actor.flow(self._identity(local), local.memory)
        intent, reached, fed = next(flow), None, 0
        while True:
            if isinstance(intent, Reach):
                reached = intent
                intent = flow.send(Passed(0.0))
            elif fed < len(local.replies):
                fed += 1
                intent = flow.send(local.replies[fed - 1])
            else:
                return intent, reached

    def _identity(self, local: Local) -> str:
        return f"{self.actor.name}/{local.incarnation}"
