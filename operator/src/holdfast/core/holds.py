"""Holds: where a Scenario stops an actor, and the conditions that let it go.

A hold catches once: the first arrival at its step for which its `when` is true. `tried` and
`cleaned` count only what an actor does after one of its holds has let it go, for everything before
belongs to ordinary work. The actor itself decides whether it is caught, from its own watch of its
Region; the scenario role decides when it is released, from what the actors report.

An enactor is held at a step of its plan, and reports under its zone. A lease manager is held at
`write`, between what a state check has decided and the write of it, and reports under `leases/` and
its zone, which is the name of no zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holdfast.core.intents import Step

HOLD_GRACE_SECONDS = 10.0
"""Past a hold's deadline an actor lets itself go: the scenario role may be dead."""
Held: TypeAlias = Literal["enactor", "leases"]
"""The roles that a hold may stop."""
HELD: tuple[Held, ...] = ("enactor", "leases")
At: TypeAlias = Step | Literal["write"]
Tried: TypeAlias = Literal["", "flipped", "refused", "dropped", "failed"]
"""`refused`: by a precondition. `dropped`: by its own check. `failed`: its apply
was refused before the write, as by the rollback coupling."""


@dataclass(frozen=True, slots=True)
class Condition:
    """All fields that are set must be true. Zones are named in full; seconds since the catch, or
    since the arm's first plan for what no hold waits for. `empty` and `recovered` name an endpoint:
    its alias names nothing, or did and does again. Of leases: percent of all, at least."""

    condemned: str = ""
    tried: str = ""
    cleaned: str = ""
    held: str = ""
    plans_behind: int = 0
    after_seconds: float = 0.0
    empty: str = ""
    recovered: str = ""
    leases_held: int = 0
    leases_lost: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """`endpoint`: only where the actor is at this one, so that it can be stopped between two of
    them; "" for any, and `droplet` of a lease manager so. `loses`: the actor is not stopped; the
    reply to its next write is lost instead."""

    name: str
    zone: str
    at: At
    when: Condition
    until: Condition
    deadline_seconds: float
    released: bool = False
    loses: bool = False
    endpoint: str = ""
    role: Held = "enactor"
    droplet: str = ""

    @property
    def actor(self) -> str:
        """Under what whom it holds reports of itself."""
        return reporter(self.role, self.zone)


def reporter(role: Held, zone: str) -> str:
    """The key in `Region.status.actors`."""
    return zone if role == "enactor" else f"{role}/{zone}"


@dataclass(frozen=True, slots=True)
class ActorView:
    """What one enactor reports of itself: `Region.status.actors[zone]`; and a lease manager that a
    hold has caught, whose `zone` is its `reporter` and whose `endpoint` is the lease.

    `generation` is the plan it holds, `endpoint` that of its step where the step is one endpoint's,
    `victims` what it is about to delete (at `delete` only),
    `hold` the hold it stands at now, `caught` every hold that ever caught it. The counts are of
    plans dropped on its own re-read, of writes that a newer one made conflict, of writes that a
    policy refused, and of applies that failed because the live tree was gone.
    """

    zone: str
    step: At | Literal[""] = ""
    generation: int = 0
    victims: tuple[int, ...] = ()
    hold: str = ""
    caught: tuple[str, ...] = ()
    let_go: bool = False
    tried: Tried = ""
    tried_generation: int = 0
    cleaned: bool = False
    stale_dropped: int = 0
    stale_refused: int = 0
    policy_refused: int = 0
    rollback_missing: int = 0
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What an outsider has seen of the aliases: those that name nothing now, and those that did and
    do again. An enactor knows nothing of it."""

    empty: frozenset[str] = frozenset()
    recovered: frozenset[str] = frozenset()
    held_percent: float = 0.0
    """Of all leases; 100 less this are lost."""
    has_leases: bool = False


NOTHING_SEEN = Names()


def condemned(zone: str, actors: Mapping[str, ActorView]) -> bool:
    """Another enactor stands at `delete` with the tree of the plan that `zone` holds among its
    victims."""
    held = actors.get(zone)
    if held is None or not held.generation:
        return False
    return any(
        other.step == "delete" and held.generation in other.victims
        for other in actors.values()
        if other.zone != zone
    )


def is_met(
    condition: Condition,
    of: ActorView,
    actors: Mapping[str, ActorView],
    newest_plan: int,
    held_seconds: float,
    names: Names = NOTHING_SEEN,
) -> bool:
    """Whether everything that `condition` asks for is true. `of` is the actor that is (or would
    be) held."""
    tried, cleaned = actors.get(condition.tried), actors.get(condition.cleaned)
    stands = {a.zone for a in actors.values() if a.hold}
    return (
        (not condition.condemned or condemned(condition.condemned, actors))
        and (not condition.tried or (tried is not None and tried.tried != ""))
        and (not condition.cleaned or (cleaned is not None and cleaned.cleaned))
        and (not condition.held or any(reporter(r, condition.held) in stands for r in HELD))
        and (not condition.empty or condition.empty in names.empty)
        and (not condition.recovered or condition.recovered in names.recovered)
        and (not condition.leases_held or names.held_percent >= condition.leases_held)
        and (
            not condition.leases_lost
            or (names.has_leases and 100 - names.held_percent >= condition.leases_lost)
        )
        and (not condition.plans_behind or newest_plan - of.generation >= condition.plans_behind)
        and held_seconds >= condition.after_seconds
    )


def catcher(
    holds: tuple[Hold, ...],
    arrival: ActorView,
    actors: Mapping[str, ActorView],
    newest_plan: int,
    names: Names = NOTHING_SEEN,
) -> Hold | None:
    """The first hold that catches this arrival, if any. `actors` is what the others report; the
    arrival itself replaces its own, possibly older, entry. `names`: of leases what a manager
    knows."""
    seen = {**actors, arrival.zone: arrival}
    for hold in holds:
        if (hold.actor, hold.at) != (arrival.zone, arrival.step):
            continue
        if (hold.endpoint or hold.droplet) not in ("", arrival.endpoint):
            continue
        if hold.released or hold.name in arrival.caught:
            continue
        if is_met(hold.when, arrival, seen, newest_plan, held_seconds=0.0, names=names):
            return hold
    return None


def condition_of(raw: Mapping[str, Any] | None) -> Condition:
    raw = raw or {}
    return Condition(
        condemned=str(raw.get("condemned", "")),
        tried=str(raw.get("tried", "")),
        cleaned=str(raw.get("cleaned", "")),
        held=str(raw.get("held", "")),
        plans_behind=int(raw.get("plansBehind", 0)),
        after_seconds=float(raw.get("afterSeconds", 0.0)),
        empty=str(raw.get("empty", "")),
        recovered=str(raw.get("recovered", "")),
        leases_held=int(raw.get("leasesHeld", 0)),
        leases_lost=int(raw.get("leasesLost", 0)),
    )


def hold_of(raw: Mapping[str, Any]) -> Hold:
    return Hold(
        name=str(raw["name"]),
        zone=str(raw["zone"]),
        at=raw["at"],
        when=condition_of(raw.get("when")),
        until=condition_of(raw.get("until")),
        deadline_seconds=float(raw.get("deadlineSeconds", 60)),
        released=bool(raw.get("released", False)),
        loses=bool(raw.get("losesReply", False)),
        endpoint=str(raw.get("endpoint", "")),
        role=raw.get("role", "enactor"),
        droplet=str(raw.get("droplet", "")),
    )


def actor_of(zone: str, raw: Mapping[str, Any]) -> ActorView:
    return ActorView(
        zone=zone,
        step=raw.get("step", ""),
        generation=int(raw.get("generation", 0)),
        victims=tuple(raw.get("victims", ())),
        hold=str(raw.get("hold", "")),
        caught=tuple(raw.get("caught", ())),
        let_go=bool(raw.get("letGo", False)),
        tried=raw.get("tried", ""),
        tried_generation=int(raw.get("triedGeneration", 0)),
        cleaned=bool(raw.get("cleaned", False)),
        stale_dropped=int(raw.get("staleDropped", 0)),
        stale_refused=int(raw.get("staleRefused", 0)),
        policy_refused=int(raw.get("policyRefused", 0)),
        rollback_missing=int(raw.get("rollbackMissing", 0)),
        endpoint=str(raw.get("endpoint", "")),
    )


def actor_status(view: ActorView) -> dict[str, Any]:
    """The status entry of an actor, every field present: a merge patch then replaces it whole."""
    return {
        "step": view.step,
        "generation": view.generation,
        "victims": list(view.victims),
        "hold": view.hold,
        "caught": list(view.caught),
        "letGo": view.let_go,
        "tried": view.tried,
        "triedGeneration": view.tried_generation,
        "cleaned": view.cleaned,
        "staleDropped": view.stale_dropped,
        "staleRefused": view.stale_refused,
        "policyRefused": view.policy_refused,
        "rollbackMissing": view.rollback_missing,
        "endpoint": view.endpoint,
    }
