"""What the explorer is given: actors, the environment, what must hold, and how far to look."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from holdfast.core.intents import Intent
from holdfast.core.objects import Stored
from holdfast.core.replies import Reply
from holdfast.fake import Key

Objects: TypeAlias = Mapping[Key, Stored]
"""Everything that the API server holds, by kind and name."""

Flow: TypeAlias = Generator[Intent, Reply, Any]
"""A process: it asks for one thing after another, and is given each reply."""

DONE = object()
"""What an actor remembers when it has nothing more to do."""


def _finished(outcome: Any) -> Any:  # noqa: ARG001
    return DONE


def _nothing(*worlds: Any) -> Iterable[Any]:  # noqa: ARG001
    return ()


def _unchanged(obj: Stored) -> Stored:
    return obj


@dataclass(frozen=True, slots=True)
class Actor:
    """One process. `flow(identity, memory)` starts a round; when the round ends, `then(outcome)` is
    what the actor remembers into the next, or `DONE`. A crashed actor starts again from `start`,
    with another identity (`<name>/<incarnation>`).

    `waits_for(objects)`: what must be true for the actor to make its first move.

    What is remembered must be hashable, and hold objects (or their uids and versions) as they were
    read: the explorer renames those that have become stale.
    """

    name: str
    flow: Callable[[str, Any], Flow]
    start: Any = None
    then: Callable[[Any], Any] = _finished
    waits_for: Callable[[Objects], bool] | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """How often each fault may strike in one behaviour. `expiries`: how often time may pass a lock
    that is held; a lock of the dead may always expire."""

    crashes: int = 0
    lost_replies: int = 0
    stale_reads: int = 0
    expiries: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A closed system.

    `environment(objects)` gives moves of the world itself: a label, and the one intent that it
    performs. `broken(objects)` names the invariants that a world breaks, `broken_step(before,
    after)` those that a change breaks. `goal(objects)`: what must stay reachable from everywhere.
    `versioned`: the kinds whose resourceVersion some flow sends back; those of other kinds are all
    alike, which merges states. The explorer refuses an intent that sends one all the same.
    `symmetric`: the actors are alike and no name of theirs reaches the world: they share one flow,
    and states that differ only in who is who are one.
    `admission`: the API server has the policies of `dns.admission` in force.
    `holders(objects, now)`: the identities whose lock still holds; `epoch_seconds` is longer than
    any lock. `restarts`: a crash may also bring an actor back under its former identity, as a
    container that starts again in its Pod; what it held then counts as its own. `leases`: what is
    held must be renewed, so an idle holder's may expire at any time, as a dead one's may.
    `project` leaves out of an object what no decision reads, as who wrote it.
    """

    actors: tuple[Actor, ...]
    objects: Objects = field(default_factory=dict)
    environment: Callable[[Objects], Iterable[tuple[str, Intent]]] = _nothing
    broken: Callable[[Objects], Iterable[str]] = _nothing
    broken_step: Callable[[Objects, Objects], Iterable[str]] = _nothing
    goal: Callable[[Objects], bool] | None = None
    budgets: Budgets = field(default_factory=Budgets)
    versioned: frozenset[type[Any]] | None = None
    symmetric: bool = False
    admission: bool = False
    holders: Callable[[Objects, float], Iterable[str]] = _nothing
    leases: bool = False
    restarts: bool = False
    epoch_seconds: float = 11.0
    project: Callable[[Stored], Stored] = _unchanged
