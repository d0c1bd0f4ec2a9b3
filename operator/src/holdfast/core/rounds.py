"""What can come of a round of the enactor, and how a step ends one from inside."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.core.intents import Intent, Step
from holdfast.core.objects import Plan
from holdfast.core.replies import Overloaded, Rejected, Reply, TimedOut


@dataclass(frozen=True, slots=True)
class Carried:
    """A plan kept across rounds, with the place at which the next round goes on."""

    plan: Plan
    endpoint: str
    step: Literal["tree", "turn"]
    attempt: int = 1


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


@dataclass(frozen=True, slots=True)
class Deferred:
    """Try again later, with the same plan at the same step; from `pick` if nothing is carried."""

    carried: Carried | None
    reason: str


Round: TypeAlias = Idle | Applied | Stale | Refused | Deferred
Flow: TypeAlias = Generator[Intent, Reply, Round]


class Stop(Exception):
    """Ends the round from inside a step."""

    def __init__(self, outcome: Round) -> None:
        self.outcome = outcome


def unexpected(here: Carried, reply: Reply) -> Stop:
    return Stop(refusal(here.plan.generation, here.endpoint, here, reply))


def refusal(generation: int, endpoint: str, carried: Carried | None, reply: Reply) -> Round:
    """What comes of a reply that no step expects in particular. A lost reply is not repeated here:
    the next round reads first, and finds either our own write or none."""
    match reply:
        case Rejected(reason, message):
            return Refused(generation, endpoint, f"{reason}: {message}")
        case TimedOut():
            return Deferred(carried, "no answer from the API server")
        case Overloaded():
            return Deferred(carried, "the API server is overloaded")
        case _:
            raise AssertionError(f"unexpected reply {reply!r}")
