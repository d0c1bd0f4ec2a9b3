"""What can come of a round of the enactor, and how a step ends one from inside."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from holdfast.core.intents import Intent, Step
from holdfast.core.objects import Plan
from holdfast.core.replies import NAMESPACE_TERMINATING, Overloaded, Rejected, Reply, TimedOut


@dataclass(frozen=True, slots=True)
class Carried:
    """A plan kept across rounds: the next round goes on at step `turn` of this endpoint.

    Always `turn`, never `tree`: a plan that has waited is not given its deleted tree back.
    """

    plan: Plan
    endpoint: str


@dataclass(frozen=True, slots=True)
class Idle:
    """No plan yet, or nothing newer than what is applied."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The plan is live everywhere. `flipped` by us, `already` by another hand."""

    generation: int
    flipped: tuple[str, ...]
    already: tuple[str, ...]
    deleted: tuple[int, ...]
    undeleted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """Dropped by our own check: something newer is live. `at` is the step that noticed;
    `conflicted` if a write of ours was first refused by its resourceVersion."""

    generation: int
    live: int
    at: Step
    endpoint: str = ""
    conflicted: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The apply failed and is not retried: the next round starts over at `pick`."""

    generation: int
    endpoint: str
    reason: str
    final: bool = False
    """The namespace is on its way out: nothing can be applied in it any more."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again later, with the same plan at `turn`; from `pick` if nothing is carried."""

    carried: Carried | None
    reason: str


Round: TypeAlias = Idle | Applied | Stale | Refused | Deferred
Flow: TypeAlias = Generator[Intent, Reply, Round]


class Stop(Exception):
    """Ends the round from inside a step."""

    def __init__(self, outcome: Round) -> None:
        self.outcome = outcome


def unexpected(here: Carried, reply: Reply) -> Stop:
    """Ends the round over a reply that the step at `turn` or later has no use for."""
    return Stop(refusal(here.plan.generation, here.endpoint, here, reply))


def refusal(generation: int, endpoint: str, carried: Carried | None, reply: Reply) -> Round:
    """What comes of a reply that no step expects in particular. A lost reply is not repeated here:
    the next round reads first, and finds our own write, somebody else's, or none."""
    match reply:
        case Rejected(reason, message):
            final = reason == NAMESPACE_TERMINATING
            return Refused(generation, endpoint, f"{reason}: {message}", final)
        case TimedOut():
            return Deferred(carried, "no answer from the API server")
        case Overloaded():
            return Deferred(carried, "the API server is overloaded")
        case _:
            return Deferred(None, f"unexpected: {type(reply).__name__}")
