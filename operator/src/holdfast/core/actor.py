"""Who enacts, and the knobs that it obeys."""

from dataclasses import dataclass

from holdfast.core.guards import DnsGuards


@dataclass(frozen=True, slots=True)
class Actor:
    """`identity` is `<zone>/<pod uid>`: two Pods are never confused. A container that starts again
    in its Pod is the same to itself: its former lock and pins are its own."""

    zone: str
    identity: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The knobs of a Region that an enactor obeys. `lock_seconds`: of a lock, and of the leader's
    Lease."""

    guards: DnsGuards
    retention: int
    lock_seconds: float
