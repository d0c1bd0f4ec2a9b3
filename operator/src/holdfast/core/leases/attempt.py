"""One state check, from the name to the write: a flow.

Resolve the store's name, write the check there, ask the droplet, and renew the lease under the
resourceVersion that was read. It counts only if all four end within the deadline. Between any two
the world may change, so the last is a compare-and-swap; and what is past its deadline writes
nothing at all: no expired attempt has an effect.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.core.intents import Replace
from holdfast.core.leases.lease import Lease, may_take, renewed
from holdfast.core.replies import (
    Absent,
    Conflict,
    Missed,
    Overloaded,
    Rejected,
    Reply,
    TimedOut,
    Written,
)


@dataclass(frozen=True, slots=True)
class Spend:
    """The worker's own time. Reply: Answered."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Resolve:
    """Ask the authoritative servers for the store's name. Replies: Answered (addresses), None."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """Write the check into the store, at one of these addresses. Replies: Answered, Failed."""

    addresses: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class AskAgent:
    """Ask the rack's agent for the state of a droplet, or of all its droplets. Replies: Answered
    (agent, droplets), Failed."""

    unit: str


@dataclass(frozen=True, slots=True)
class Answered:
    """`told`: what it was answered with: addresses; of an agent the unit that it speaks for, its
    own incarnation, and the droplets that are well, by their places."""

    now: float
    told: tuple[str, ...] = ()
    droplets: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not done, and why."""

    now: float
    why: str


Step: TypeAlias = Spend | Resolve | StoreCheck | AskAgent | Replace
StepReply: TypeAlias = Answered | Failed | Reply
Why: TypeAlias = Literal[
    "",
    "NameEmpty",
    "StoreUnreachable",
    "StoreOverloaded",
    "AgentSilent",
    "AgentOfAnother",
    "LeaseOfAnother",
    "WriteConflict",
    "WriteFailed",
    "Late",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: "" and the lease as it is stored now, or why not."""

    why: Why
    lease: Lease | None = None
    told: str = ""


Attempt: TypeAlias = Generator[Step, StepReply, Outcome]


def attempt(me: str, lease: Lease, cost: float, queued: float, deadline: float) -> Attempt:
    """A state check of `lease`, as it was last seen. `queued` and `deadline` in seconds of the
    epoch; `cost`: what it takes of a worker besides."""
    if not may_take(lease, me, queued):
        # It would be held as of when this was queued, and another held it then.
        return Outcome("LeaseOfAnother", told=f"held by {lease.holder}")
    found = yield Spend(cost)
    found = yield Resolve()
    if isinstance(found, Failed) or not isinstance(found, Answered):
        return Outcome("NameEmpty", told=_told(found))
    kept = yield StoreCheck(found.told, lease.name)
    if not isinstance(kept, Answered):
        told = _told(kept)
        return Outcome("StoreOverloaded" if "503" in told else "StoreUnreachable", told=told)
    said = yield AskAgent(lease.name)
    if not isinstance(said, Answered):
        return Outcome("AgentSilent", told=_told(said))
    speaks_for, agent = said.told
    if speaks_for != lease.name:
        return Outcome("AgentOfAnother", told=f"asked for {lease.name}, told of {speaks_for}")
    if said.now > deadline:
        return Outcome("Late", told=f"{said.now - deadline:.2f} s past its deadline")
    wanted = renewed(lease, me, agent, queued, said.droplets)
    return _written(wanted, deadline, (yield Replace(wanted)))


def _written(wanted: Lease, deadline: float, reply: StepReply) -> Outcome:
    match reply:
        case Written(obj, now) if now > deadline:
            # It stands, for what it says was true when it was queued; and it does not count.
            return Outcome("Late", told=f"written {now - deadline:.2f} s past its deadline")
        case Written(obj):
            assert isinstance(obj, type(wanted))
            return Outcome("", obj)
        case Conflict() | Missed() | Absent():
            return Outcome("WriteConflict", told=type(reply).__name__)
        case TimedOut() | Overloaded():
            return Outcome("WriteFailed", told=type(reply).__name__)
        case Rejected(reason, message):
            return Outcome("WriteFailed", told=f"{reason}: {message}")
        case _:
            return Outcome("WriteFailed", told=f"unexpected: {type(reply).__name__}")


def _told(reply: StepReply) -> str:
    return reply.why if isinstance(reply, Failed) else type(reply).__name__
