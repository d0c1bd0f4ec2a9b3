"""What can come of a round of the enactor, and how a step ends one from inside.

Every outcome says at which place the next round starts (`then`).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.core.intents import Intent, Step
from holdfast.core.places import AtPick, Place
from holdfast.core.replies import NAMESPACE_TERMINATING, Overloaded, Rejected, Reply, TimedOut


@dataclass(frozen=True, slots=True)
class Applied:
    """The plan is live everywhere, by our hand or another's."""

    generation: int

    @property
    def then(self) -> Place:
        return AtPick(self.generation)


@dataclass(frozen=True, slots=True)
class Stale:
    """Dropped by our own check: something newer is live. `at` is the step that noticed;
    `conflicted` if a write of ours was first refused by its resourceVersion."""

    generation: int
    live: int
    at: Step
    endpoint: str = ""
    conflicted: bool = False

    @property
    def then(self) -> Place:
        return AtPick(self.generation)


@dataclass(frozen=True, slots=True)
class Refused:
    """The apply failed. It is not carried on where it stood: the next round starts at `pick`, with
    the newest plan, which is this one until there is a newer."""

    generation: int
    endpoint: str
    reason: str
    final: bool = False
    """The namespace is on its way out: nothing can be applied in it any more."""

    @property
    def then(self) -> Place:
        return AtPick(self.generation - 1)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A human has the alias frozen. The plan is not carried: what the thaw lets loose is the newest
    plan of that time, not one that has waited since."""

    generation: int
    endpoint: str
    by: str

    @property
    def then(self) -> Place:
        return AtPick(self.generation - 1)


@dataclass(frozen=True, slots=True)
class Withheld:
    """No endpoint of the plan has an address: it is not applied, the last good answers stay."""

    generation: int

    @property
    def then(self) -> Place:
        return AtPick(self.generation)


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again later, from `then`: with the same plan at `turn`, or from `pick`."""

    then: Place
    reason: str


Round: TypeAlias = Applied | Stale | Refused | Frozen | Withheld | Deferred
Flow: TypeAlias = Generator[Intent, Reply, Round]
Walk: TypeAlias = Generator[Intent, Reply, Place | Round]
"""A step: it leads to the next place, or ends the round."""


class Stop(Exception):
    """Ends the round from inside a step."""

    def __init__(self, outcome: Round) -> None:
        self.outcome = outcome


def refusal(generation: int, endpoint: str, then: Place | None, reply: Reply) -> Round:
    """What comes of a reply that no step expects in particular. A lost reply is not repeated here:
    the next round reads first, and finds our own write, somebody else's, or none. `then` is where
    a round that could not be finished goes on; None: at `pick`."""
    again = AtPick(generation - 1)
    match reply:
        case Rejected(reason, message):
            final = reason == NAMESPACE_TERMINATING
            return Refused(generation, endpoint, f"{reason}: {message}", final)
        case TimedOut():
            return Deferred(then or again, "no answer from the API server")
        case Overloaded():
            return Deferred(then or again, "the API server is overloaded")
        case _:
            return Deferred(again, f"unexpected: {type(reply).__name__}")
