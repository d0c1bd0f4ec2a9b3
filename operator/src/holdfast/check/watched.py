"""A flow watched as it runs: mistakes become errors that name the actor and the flow's past.

The explorer runs a flow again and again from what it remembered and was told. Here every run is
compared with the first that had the same past.
"""

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from holdfast.check.explorer import TooLarge
from holdfast.check.mistakes import ModelError, refuse_intent, refuse_value
from holdfast.check.model import DONE, Actor, Flow
from holdfast.check.telling import answer
from holdfast.core.intents import Intent
from holdfast.core.replies import Reply

CALLS_MAX = 200
"""In one round. The explorer remembers a round by the replies to all of its calls."""
MEMORY_MAX = 10_000
"""Characters of what an actor remembers, written out."""
LAWS = (
    "A flow may know only its identity, its memory and the replies: no clock, no chance, and no "
    "variable that outlives a round."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a flow says last: what is remembered."""

    memory: Any


class Watched:
    """`flow` and `then` are those of the actor, watched."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._pasts: dict[tuple[int, Hashable], int] = {}
        self._said: dict[int, Intent | Ended] = {}

    def flow(self, identity: str, memory: Any) -> Flow:
        past, told = self._past(0, (identity, memory)), list[Reply]()
        flow = self._begin(identity, memory)
        reply: Reply | None = None
        while True:
            try:
                said = flow.send(reply)  # type: ignore[arg-type]
            except StopIteration as stop:
                outcome = stop.value
                break
            except Exception as error:
                error.add_note(self._story(memory, told))
                raise
            self._compare(past, said, memory, told)
            if len(told) > CALLS_MAX:
                raise TooLarge(
                    f"{self._actor.name} asks more than {CALLS_MAX} times in one round: a flow is "
                    "one round and returns; what it returns goes through `then` into the next"
                )
            reply = yield said
            told.append(reply)
            past = self._past(past, reply)
        self._compare(past, Ended(self.then(outcome)), memory, told)
        if told:
            self._compare(past, Ended(self.then(self._again(identity, memory, told))), memory, told)
        return outcome

    def then(self, outcome: Any) -> Any:
        memory = self._actor.then(outcome)
        if memory is not DONE:
            refuse_value(memory, f"what {self._actor.name} remembers")
            if len(repr(memory)) > MEMORY_MAX:
                raise TooLarge(f"what {self._actor.name} remembers grows: {repr(memory)[:60]}...")
        return memory

    def _begin(self, identity: str, memory: Any) -> Flow:
        try:
            flow = self._actor.flow(identity, memory)
        except Exception as error:
            error.add_note(
                f"the flow of {self._actor.name} is called with an identity and a memory"
            )
            raise
        if not isinstance(flow, Generator):
            raise ModelError(
                f"the flow of {self._actor.name} gave {flow!r}: a flow is a function with `yield` "
                "in it, called with an identity and a memory"
            )
        return flow

    def _again(self, identity: str, memory: Any, told: list[Reply]) -> Any:
        """The outcome of another run: ends are met but once, so they are tried twice."""
        flow = self._begin(identity, memory)
        try:
            next(flow)
            for reply in told:
                flow.send(reply)
        except StopIteration as stop:
            return stop.value
        raise ModelError(f"{self._actor.name} is not deterministic: it ended, then it did not")

    def _past(self, before: int, what: Hashable) -> int:
        return self._pasts.setdefault((before, what), len(self._pasts) + 1)

    def _compare(self, past: int, said: Any, memory: Any, told: list[Reply]) -> None:
        if past not in self._said:
            if not isinstance(said, Ended):
                refuse_intent(said, f"{self._actor.name} yields")
            self._said[past] = said
        elif self._said[past] != said:
            first = self._said[past]
            raise ModelError(
                f"{self._actor.name} is not deterministic: with the same past it said\n"
                f"  {first}\nand then\n  {said}\n"
                f"{_difference(first, said, type(said).__name__)}\n"
                f"{self._story(memory, told)}\n{LAWS}"
            )

    def _story(self, memory: Any, told: list[Reply]) -> str:
        replies = ", ".join(f"{type(r).__name__} ({answer(r)})" for r in told) or "none"
        return (
            f"in the flow of {self._actor.name}, with the memory {memory!r}, after the replies: "
            f"{replies}"
        )


def watched(actor: Actor) -> Actor:
    if actor.start is not DONE:
        refuse_value(actor.start, f"what {actor.name} remembers at the start")
    watch = Watched(actor)
    flow: Callable[[str, Any], Flow] = watch.flow
    return replace(actor, flow=flow, then=watch.then)


def _difference(a: Any, b: Any, where: str) -> str:
    """The innermost field in which two values differ."""
    if type(a) is type(b) and is_dataclass(a):
        for f in fields(a):
            one, other = getattr(a, f.name), getattr(b, f.name)
            if f.compare and one != other:
                return _difference(one, other, f"{where}.{f.name}")
    return f"which differ in {where}: {a!r} and {b!r}"
