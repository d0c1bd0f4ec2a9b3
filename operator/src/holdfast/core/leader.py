"""Asking for leadership, as `LeaderOnly` does before it writes.

The answer was true when it was given. client-go says of its own election that it is no fence: a
leader that stands still after asking writes as a leader although another has been elected since.
"""

from collections.abc import Generator
from dataclasses import replace

from holdfast.core.actor import Actor
from holdfast.core.intents import Create, Get, Intent, Replace
from holdfast.core.names import LEADER_LEASE
from holdfast.core.objects import Lease
from holdfast.core.replies import Absent, Conflict, Exists, Read, Reply, Written


def is_leader(me: Actor, seconds: float) -> Generator[Intent, Reply, Reply | str | None]:
    """None when we lead; a sentence when another does; the reply itself when there was no telling.

    A free or expired Lease is taken, one of our own is renewed in its second half.
    """
    reply = yield Get(Lease, LEADER_LEASE)
    match reply:
        case Absent(now):
            reply = yield Create(Lease(LEADER_LEASE, me.identity, now, seconds))
        case Read(Lease() as lease, now):
            if lease.holder != me.identity and lease.expires > now:
                return f"the leader is {lease.holder}"
            if lease.holder == me.identity and lease.expires - seconds / 2 > now:
                return None
            reply = yield Replace(replace(lease, holder=me.identity, renewed=now, seconds=seconds))
    match reply:
        case Written():
            return None
        case Exists() | Conflict():
            return "another enactor was elected"
        case _:
            return reply
