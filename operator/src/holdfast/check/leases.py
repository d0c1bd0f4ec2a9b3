"""One lease between its managers: every interleaving of their state checks, as a model.

The lease is one droplet's, or that of a rack of them, packed.

The checks are `attempt`s, the very flows that managers run. What they lean on besides the lease is
one object, the clock: the time in ticks, and the agent's incarnation. A check reads it when it is
queued and when the agent answers; its other calls bear nothing on the lease, so they are answered
at once, and one that fails is a lost request. Time passes between any two calls: a manager that is
stopped between its decision and its write is one for which it does.

A manager goes on from the lease that it saw last, by its own write or a read, however long ago that
was; it reads anew when it starts, was refused, lost a reply, or saw that another holds.
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from holdfast.check.model import Actor, Budgets, Flow, Model, Objects
from holdfast.core.intents import Get, Intent, Replace
from holdfast.core.invariants import Invariant
from holdfast.core.leases.attempt import (
    Answered,
    AskAgent,
    Attempt,
    Failed,
    Outcome,
    StepReply,
    attempt,
)
from holdfast.core.leases.lease import NEVER, DropletLease, Lease, RackLease, unpack
from holdfast.core.objects import Stored
from holdfast.core.replies import Read, Reply, Written

LEASE_TICKS = 2.0
TIMEOUT_TICKS = 1.0
"""So that there is a time in which a check is too late and its lease still runs."""
NAME = "us-east-1a-r1"
CLOCK = "now"
MANAGERS = ("a", "b", "c")
TIMELESS = "-"
"""The version of the clock: it is nobody's to write but the world's."""
Check: TypeAlias = Callable[[str, Lease, float, float, float], Attempt]


@dataclass(frozen=True, slots=True)
class Clock:
    """`answering`: the droplets that are well; the agent answers for these."""

    name: str
    tick: int = 0
    agent: int = 1
    answering: int = 1
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """The lease as it is stored, with notes of the checker's own. `promised`: the latest until
    which its holder has ever been told that it holds. `late`: the write was decided upon after its
    deadline, or gives a droplet more than a timely one would have."""

    name: str
    lease: Lease
    promised: float = 0.0
    late: bool = False
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class HandOverBounds:
    """`droplets`: of the lease; more than one are a rack, and all but one of them may fall silent.
    `ticks`: how long time passes. `agents`: how often the agent starts anew. `ahead`: ticks that
    the clock of the last manager is ahead of the others'."""

    managers: int = 2
    droplets: int = 1
    ticks: int = 4
    crashes: int = 1
    lost_replies: int = 1
    agents: int = 0
    ahead: int = 0


DEFAULT = HandOverBounds()
RACK = HandOverBounds(droplets=2, lost_replies=0)
"""Of packed leases. With a lost reply besides it is 1.3 million states."""


def hand_over_model(bounds: HandOverBounds = DEFAULT, check: Check = attempt) -> Model:
    """The system: managers that check one lease for ever, and a time that ends."""
    names = MANAGERS[: bounds.managers]
    clock = Clock(CLOCK, answering=bounds.droplets)
    return Model(
        actors=tuple(_manager(n, bounds.ahead if n == names[-1] else 0, check) for n in names),
        objects={(Clock, CLOCK): clock, (Kept, NAME): Kept(NAME, _unheld(bounds.droplets))},
        environment=lambda objects: _world_goes_on(objects, bounds),
        broken_step=broken_step,
        goal=is_held,
        budgets=Budgets(crashes=bounds.crashes, lost_replies=bounds.lost_replies),
        versioned=frozenset({Kept}),
        restarts=True,
        project=_without_notes,
    )


def _unheld(droplets: int) -> Lease:
    if droplets == 1:
        return DropletLease(NAME, "us-east-1a", 1, LEASE_TICKS)
    return RackLease(NAME, "us-east-1a", 1, LEASE_TICKS, packed=NEVER * droplets)


def _manager(name: str, ahead: int, check: Check) -> Actor:
    def flow(identity: str, known: Kept | None) -> Flow:
        return _round(identity, known, ahead, check)

    return Actor(name, flow, None, lambda known: known)


def _round(
    me: str, known: Kept | None, ahead: int, check: Check
) -> Generator[Intent, Reply, Kept | None]:
    """One check, from its queueing to its end. Returns the lease as it is known now; None: not."""
    queued = yield from _time(ahead)
    if queued is None:
        return known
    if known is None:
        found = yield Get(Kept, NAME)
        if not isinstance(found, Read) or not isinstance(found.obj, Kept):
            return None
        known = found.obj
    at = queued.now
    flow = check(me, _lease(known), 0.0, at, at + TIMEOUT_TICKS)
    outcome, written = yield from _checked(flow, me, known, at, ahead)
    if outcome.why in ("Late", "AgentSilent"):
        return known
    return written if not outcome.why else None


def _checked(
    flow: Attempt, me: str, known: Kept, queued: float, ahead: int
) -> Generator[Intent, Reply, tuple[Outcome, Kept | None]]:
    """A check, its calls made in the model's world; and what it has written, by the reply."""
    said, written = Answered(queued), None
    reply: StepReply | None = None
    while True:
        try:
            asked = flow.send(reply)  # type: ignore[arg-type]  # None: it begins
        except StopIteration as stop:
            return stop.value, written
        match asked:
            case AskAgent():
                found = yield from _time(ahead)
                said = found or said
                reply = found or Failed(said.now, "silent")
            case Replace(wanted):
                assert isinstance(wanted, DropletLease | RackLease)
                reply = yield Replace(_kept(wanted, known, me, queued, said))
                if isinstance(reply, Written) and isinstance(reply.obj, Kept):
                    written = reply.obj
                    reply = Written(_lease(written), said.now)
            case _:
                reply = Answered(said.now, ("10.0.0.1",))


def _time(ahead: int) -> Generator[Intent, Reply, Answered | None]:
    """The time by the manager's own clock, and what the agent says at it; None: nobody did."""
    found = yield Get(Clock, CLOCK)
    if not isinstance(found, Read) or not isinstance(found.obj, Clock):
        return None
    clock = found.obj
    told = (NAME, f"agent-{clock.agent}")
    return Answered(float(clock.tick + ahead), told, frozenset(range(clock.answering)))


def _lease(kept: Kept) -> Lease:
    return replace(kept.lease, uid=kept.uid, resource_version=kept.resource_version)


def _kept(wanted: Lease, seen: Kept, me: str, queued: float, said: Answered) -> Kept:
    """What is written, under the uid and version that the check has in mind."""
    before = seen.promised if seen.lease.holder == me else 0.0
    had = _ends(seen.lease) if seen.lease.holder == me else [0.0] * len(_ends(wanted))
    timely = [queued + LEASE_TICKS if i in said.droplets else 0.0 for i in range(len(had))]
    beyond = any(e > max(t, h) for e, t, h in zip(_ends(wanted), timely, had, strict=True))
    late = said.now > queued + TIMEOUT_TICKS or beyond
    bare = replace(wanted, uid="", resource_version="", acquired=0.0, transitions=0)
    promised = max(before, wanted.expires)
    return Kept(NAME, bare, promised, late, wanted.uid, wanted.resource_version)


def _ends(lease: Lease) -> list[float]:
    """Of each of its droplets, until when it is held; 0 for never."""
    if isinstance(lease, DropletLease):
        return [lease.expires]
    began = lease.renewed + lease.seconds
    return [0.0 if age is None else began - age for age in unpack(lease.packed)]


def _world_goes_on(objects: Objects, bounds: HandOverBounds) -> Iterable[tuple[str, Intent]]:
    clock = _clock(objects)
    if clock.tick < bounds.ticks:
        yield "time passes", Replace(replace(clock, tick=clock.tick + 1))
    if clock.agent <= bounds.agents:
        yield "the agent starts anew", Replace(replace(clock, agent=clock.agent + 1))
    if clock.answering > 1:
        yield "a droplet falls silent", Replace(replace(clock, answering=clock.answering - 1))


def _clock(objects: Objects) -> Clock:
    found = objects[Clock, CLOCK]
    assert isinstance(found, Clock)
    return found


def _kept_in(objects: Objects) -> Kept:
    found = objects[Kept, NAME]
    assert isinstance(found, Kept)
    return found


def _without_notes(obj: Stored) -> Stored:
    """The clock's version says nothing."""
    return replace(obj, resource_version=TIMELESS) if isinstance(obj, Clock) else obj


def broken_step(before: Objects, after: Objects) -> Iterable[str]:
    """A lease is not another's before it has run out for whoever was last told to hold it; and what
    was decided upon too late has no effect."""
    one, two = _kept_in(before), _kept_in(after)
    if one == two:
        return
    if one.lease.holder not in ("", two.lease.holder) and one.promised > _clock(before).tick:
        yield Invariant.SINGLE_HOLDER
    if two.late:
        yield Invariant.NO_EXPIRED_WORK_DONE


def is_held(objects: Objects) -> bool:
    kept = _kept_in(objects)
    return kept.lease.live(_clock(objects).tick) > 0


def describe(objects: Objects) -> tuple[str, ...]:
    """The time, and who holds until when."""
    lease, clock = _kept_in(objects).lease, _clock(objects)
    holder = f"{lease.holder} until {lease.expires:.0f}" if lease.holder else "nobody"
    return f"{clock.tick}", holder
