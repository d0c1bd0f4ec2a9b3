"""A lease, as it is stored: of one droplet, or of a rack of them, packed.

The uid and resourceVersion of the object are the fence: a write is of the very lease that was read.
Times in seconds of the epoch, of the holder's wall clock. `renewed` is when the state check behind
it was *queued*: a write that arrives late gives no more than a timely one would have.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

PACKED_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
NEVER = "__"
AGE_MAX = 64 * 64 - 2
"""Seconds: what two digits hold, but for the one that says never."""


@dataclass(frozen=True, slots=True)
class _Term:
    """What both say. `holder` is `<zone>/<pod uid>`, "" for nobody. `agent`: the incarnation of the
    rack's agent that has last answered; what another answers establishes anew. `heartbeat` and
    `timeout` are told for people and checked by the API server. `why`: for people, of one that ran
    out."""

    name: str
    zone: str
    rack: int
    seconds: float
    holder: str = ""
    agent: str = ""
    acquired: float = 0.0
    renewed: float = 0.0
    transitions: int = 0
    uid: str = ""
    resource_version: str = ""
    heartbeat: float = 0.0
    timeout: float = 0.0
    phase: str = "Pending"
    why: str = ""


@dataclass(frozen=True, slots=True)
class DropletLease(_Term):
    """The lease of one droplet."""

    @property
    def expires(self) -> float:
        return self.renewed + self.seconds if self.holder else 0.0

    def live(self, now: float) -> int:
        """How many leases it stands for that are held at `now`."""
        return int(self.expires > now)

    @property
    def leases(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class RackLease(_Term):
    """The leases of a rack's droplets. `packed`: two digits for each, its age in seconds at
    `renewed`; `__` for one that was never held. A packed string costs the API server a twentieth of
    a list of objects."""

    packed: str = ""

    @property
    def expires(self) -> float:
        """Of the one that runs out last."""
        ages = _ages(self.packed)
        return self.renewed - ages[0] + self.seconds if self.holder and ages else 0.0

    def live(self, now: float) -> int:
        """How many of its leases are held at `now`."""
        if not self.holder:
            return 0
        return bisect_left(_ages(self.packed), self.renewed + self.seconds - now)

    @property
    def leases(self) -> int:
        return len(self.packed) // 2


Lease: TypeAlias = DropletLease | RackLease


def pack(ages: list[int | None]) -> str:
    """The string of so many droplets' ages; None: never. What is older than can be said is never:
    it has run out long since."""
    return "".join(
        NEVER if a is None or a > AGE_MAX else PACKED_DIGITS[a // 64] + PACKED_DIGITS[a % 64]
        for a in ages
    )


def unpack(packed: str) -> list[int | None]:
    """The ages in a string. ValueError for a digit that is none."""
    pairs = (packed[i : i + 2] for i in range(0, len(packed) - 1, 2))
    return [
        None if p == NEVER else PACKED_DIGITS.index(p[0]) * 64 + PACKED_DIGITS.index(p[1])
        for p in pairs
    ]


@lru_cache(maxsize=4096)
def _ages(packed: str) -> tuple[int, ...]:
    """The ages in a string of those that were ever held, youngest first. Ten thousand racks are
    looked at many times a second, and most of their strings are the same: all is well."""
    return tuple(sorted(age for age in unpack(packed) if age is not None))


def supersedes(new: Lease, known: Lease | None) -> bool:
    """Whether what a watch brings is news. A watch is behind the replies to one's own writes; where
    versions are numbers they grow, of others nothing is said."""
    if known is None or new.uid != known.uid:
        return True
    versions = str(new.resource_version), str(known.resource_version)
    return not all(v.isdecimal() for v in versions) or int(versions[0]) > int(versions[1])


def may_take(lease: Lease, me: str, now: float) -> bool:
    """Whether a lease may be written: it is mine, nobody's, or has run out."""
    return lease.holder in ("", me) or lease.expires <= now


def renewed(lease: Lease, me: str, agent: str, at: float, answered: frozenset[int]) -> Lease:
    """The lease after a state check that was queued `at`; `answered`: the droplets of the rack that
    did, by their place from 0. A lease that changes hands, ran out, or whose agent is another is
    acquired anew. What this manager has promised before, it never takes back: the reply to this
    write may be lost, and then it goes on believing the old promise."""
    goes_on = lease.holder == me and lease.agent == agent and lease.expires > at
    after = replace(
        lease,
        holder=me,
        agent=agent,
        acquired=lease.acquired if goes_on else at,
        renewed=max(at, lease.renewed) if lease.holder == me else at,
        transitions=lease.transitions + (lease.holder != me),
        phase="Held",
        why="",
    )
    if isinstance(after, RackLease) and isinstance(lease, RackLease):
        before = unpack(lease.packed)
        gone = math.ceil(after.renewed - lease.renewed)  # rather older than they are than younger
        fresh = math.ceil(after.renewed - at)  # queued before the last write: as old as that
        ages: list[int | None] = []
        for i, age in enumerate(before):
            kept = age + gone if age is not None and goes_on else None
            won = fresh if i in answered else None
            ages.append(min((a for a in (kept, won) if a is not None), default=None))
        return replace(after, packed=pack(ages))
    return after
