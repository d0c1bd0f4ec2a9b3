"""The DNS loops as a model: enactors and planner by their own flows, and locks that expire."""

from collections.abc import Callable, Iterable
from typing import Any

from holdfast.check.model import Actor, Budgets, Model, Objects
from holdfast.core import actor as core
from holdfast.core.bounds import Bounds
from holdfast.core.enactor import START, enact
from holdfast.core.guards import LOCKS, Cleanup, DnsGuards, Fence
from holdfast.core.intents import Intent
from holdfast.core.invariants import (
    Invariant,
    World,
    dangling_rollbacks,
    empty_aliases,
    goes_back,
    live_delete,
    mixed_answers,
)
from holdfast.core.lock import parse_lock
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.planner import append, newest_generation
from holdfast.core.rounds import Flow

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e")
ENDPOINTS = ("dynamodb", "kinesis", "sqs")
LOCK_SECONDS = 10.0
EPOCH_SECONDS = 11.0


def dns_model(guards: DnsGuards, bounds: Bounds) -> Model:
    """The system of a Scenario's arm within bounds. Starts with nothing: no plan, no alias."""
    rules = core.Rules(guards, bounds.retention, LOCK_SECONDS)

    def flow_of(zone: str) -> Callable[[str, Any], Flow]:
        return lambda identity, here: enact(core.Actor(zone, identity), rules, here)

    return Model(
        actors=tuple(
            Actor(zone, flow_of(zone), START, lambda outcome: outcome.then)
            for zone in ZONES[: bounds.enactors]
        ),
        environment=lambda objects: _planner(objects, bounds),
        broken=broken,
        broken_step=broken_step,
        goal=is_converged,
        budgets=Budgets(
            bounds.budgets.crashes,
            bounds.budgets.lost_replies,
            bounds.budgets.stale_reads,
            bounds.budgets.lock_expiries if _has_lock(guards) else 0,
        ),
        versioned=_versioned(guards),
        symmetric=not _has_lock(guards) and guards.cleanup is not Cleanup.PIN_LIVE,
        holders=_holders,
        restarts=True,
        leases=guards.fence is Fence.LEADER_ONLY,
        epoch_seconds=EPOCH_SECONDS,
        project=_without_writer,
    )


def content(generation: int, endpoints: int) -> tuple[EndpointPlan, ...]:
    """What plan `generation` says: addresses of its own, so that a mixed answer shows."""
    fleet = (FrontEnd(f"10.0.0.{generation}", 100),)
    return tuple(EndpointPlan(e, fleet) for e in ENDPOINTS[:endpoints])


def _planner(objects: Objects, bounds: Bounds) -> Iterable[tuple[str, Intent]]:
    newest = newest_generation(
        (o for o in objects.values() if isinstance(o, Plan)),
        (o for o in objects.values() if isinstance(o, Alias)),
    )
    if newest < bounds.plans:
        yield "planner", next(append(content(newest + 1, bounds.endpoints), newest))


def _has_lock(guards: DnsGuards) -> bool:
    return guards.fence in LOCKS or guards.fence is Fence.LEADER_ONLY


def _versioned(guards: DnsGuards) -> frozenset[type]:
    """The kinds whose versions these rungs send as a precondition."""
    kinds: set[type] = {Lease}
    if guards.fence in (Fence.RESOURCE_VERSION, Fence.GENERATION):
        kinds.add(Alias)
    if guards.cleanup in (Cleanup.REREAD_BEFORE_DELETE, Cleanup.PIN_LIVE):
        kinds.add(Tree)
    return frozenset(kinds)


def _without_writer(obj: Stored) -> Stored:
    """`writer` is a note for people; no flow reads it."""
    if isinstance(obj, Alias) and obj.writer:
        return Alias(
            obj.endpoint,
            obj.target,
            obj.generation,
            obj.rollback,
            obj.lock,
            "",
            obj.uid,
            obj.resource_version,
        )
    return obj


def _holders(objects: Objects, now: float) -> Iterable[str]:
    for obj in objects.values():
        if isinstance(obj, Alias):
            lock = parse_lock(obj.lock)
            if lock is not None and lock.expires > now:
                yield lock.holder
        elif isinstance(obj, Lease) and obj.expires > now:
            yield obj.holder


def world_of(objects: Objects) -> World:
    """The world as the invariants see it. A tree without addresses does not answer."""
    owners = {o.tree_uid for o in objects.values() if isinstance(o, Slice) and o.addresses}
    return World(
        {o.endpoint: o for o in objects.values() if isinstance(o, Alias)},
        frozenset(o.name for o in objects.values() if isinstance(o, Tree) and o.uid in owners),
    )


def broken(objects: Objects) -> Iterable[str]:
    world = world_of(objects)
    if empty_aliases(world):
        yield Invariant.NON_EMPTY
    if dangling_rollbacks(world):
        yield Invariant.ROLLBACK_NAMES_A_TREE
    if mixed_answers(objects.values()):
        yield Invariant.WHOLE_PLAN


def broken_step(before: Objects, after: Objects) -> Iterable[str]:
    for (kind, name), obj in before.items():
        then = after.get((kind, name))
        if isinstance(obj, Alias) and isinstance(then, Alias) and goes_back(obj, then):
            yield Invariant.MONOTONE
        if kind is Tree and then is None and live_delete(world_of(before), name):
            yield Invariant.NO_LIVE_DELETE


def is_converged(objects: Objects) -> bool:
    """Every endpoint of the newest plan is live, with an answer."""
    plans = [o for o in objects.values() if isinstance(o, Plan)]
    if not plans:
        return True
    newest = max(plans, key=lambda p: p.generation)
    world = world_of(objects)
    return all(
        (alias := world.aliases.get(e.endpoint)) is not None
        and alias.generation == newest.generation
        and alias.target in world.trees
        for e in newest.endpoints
    )
