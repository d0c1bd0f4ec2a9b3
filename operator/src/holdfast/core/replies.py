"""What the world answers. Every reply carries `now`, in seconds of the actor's own wall clock.

Conflict, absence, time-out and overload are four different things and never share a value.
"""

from dataclasses import dataclass
from typing import TypeAlias

from holdfast.core.objects import Plan, Stored


@dataclass(frozen=True, slots=True)
class Read:
    obj: Stored
    now: float


@dataclass(frozen=True, slots=True)
class Absent:
    now: float


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Stored, ...]
    now: float


@dataclass(frozen=True, slots=True)
class Written:
    """The object as stored, with its new uid and resourceVersion."""

    obj: Stored
    now: float


@dataclass(frozen=True, slots=True)
class Deleted:
    now: float


@dataclass(frozen=True, slots=True)
class Exists:
    now: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """The uid or resourceVersion sent is not the stored one. May hide our own earlier success."""

    now: float


@dataclass(frozen=True, slots=True)
class Missed:
    """A JSON patch did not apply. The API server does not say which operation failed, so a flow
    reads the object again before it concludes anything."""

    now: float


NAMESPACE_TERMINATING = "NamespaceTerminating"
ADMISSION_POLICY = "AdmissionPolicy"
"""The reason of a refusal by a ValidatingAdmissionPolicy."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for what it says or who says it: schema, policy, rights, a namespace on its way out.
    Repeating it unchanged is pointless."""

    reason: str
    message: str
    now: float


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer: the call may or may not have had its effect."""

    now: float


@dataclass(frozen=True, slots=True)
class Overloaded:
    """Refused for now (429, 5xx): it had no effect that we know of."""

    now: float


@dataclass(frozen=True, slots=True)
class Picked:
    plan: Plan
    now: float


@dataclass(frozen=True, slots=True)
class Proven:
    now: float


@dataclass(frozen=True, slots=True)
class Unproven:
    """What was seen instead when the deadline passed."""

    seen: str
    now: float


@dataclass(frozen=True, slots=True)
class Passed:
    now: float


Reply: TypeAlias = (
    Read
    | Absent
    | Listed
    | Written
    | Deleted
    | Exists
    | Conflict
    | Missed
    | Rejected
    | TimedOut
    | Overloaded
    | Picked
    | Proven
    | Unproven
    | Passed
)
