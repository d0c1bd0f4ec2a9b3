"""The DNS loops as a model: enactors and planner by their own flows, and locks that expire."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from holdfast.check import renaming
from holdfast.check.model import Actor, Budgets, Model, Objects
from holdfast.core import actor as core
from holdfast.core.acts import Order
from holdfast.core.bounds import Bounds
from holdfast.core.enactor import START, enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import LOCKS, Cleanup, DnsGuards, Fence, Switch
from holdfast.core.intents import Intent
from holdfast.core.invariants import (
    Invariant,
    World,
    dangling_rollbacks,
    empty_aliases,
    goes_back,
    live_delete,
    mixed_answers,
    overrides_a_freeze,
)
from holdfast.core.lock import parse_lock
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.override import BEGIN, Override, freeze, override, thaw
from holdfast.core.planner import append, newest_generation
from holdfast.core.replies import Reply
from holdfast.core.rounds import Flow
from holdfast.core.scenario import Arm
from holdfast.core.starts import Start, alias_of, kinds_of, slice_of, tree_of

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e")
ENDPOINTS = ("dynamodb", "kinesis", "sqs")
LOCK_SECONDS = 10.0
EPOCH_SECONDS = 11.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What an arm has besides its loops: how its namespace looks at first, and what a human enters:
    `orders` at any moment."""

    start: Start | None = None
    orders: tuple[Order, ...] = ()
    on_empty: tuple[Order, ...] = ()
    """Entered at any moment at which some name is empty."""


NOTHING_SPECIAL = Setting()


def setting_of(arm: Arm, endpoints: Sequence[str], bounds: Bounds) -> Setting:
    """An arm's, its Region's endpoints under the model's names for them. ValueError for an order
    that is beyond the bounds."""
    said = [
        (a.does, bool(a.when.empty))
        for a in arm.acts
        if isinstance(a.does, Order) and a.does.group == "dns"
    ]
    orders = [(_in_model(order, endpoints, bounds), on_empty) for order, on_empty in said]
    return Setting(
        arm.start,
        tuple(order for order, on_empty in orders if not on_empty),
        tuple(order for order, on_empty in orders if on_empty),
    )


def _in_model(order: Order, endpoints: Sequence[str], bounds: Bounds) -> Order:
    if not order.endpoint:
        return order
    place = endpoints.index(order.endpoint)
    if place >= bounds.endpoints:
        raise ValueError(
            f"{' '.join(order.words())}: that is endpoint {place + 1} of the Region, and "
            f"{bounds.endpoints} are explored: --endpoints {place + 1}, or spec.check.endpoints"
        )
    return replace(order, endpoint=ENDPOINTS[place])


def dns_model(guards: DnsGuards, bounds: Bounds, setting: Setting = NOTHING_SPECIAL) -> Model:
    """The system of a Scenario's arm within bounds. Without a start of its own it begins with
    nothing: no plan, no alias."""
    rules = core.Rules(guards, bounds.retention, LOCK_SECONDS)
    by_hand = bool(setting.orders or setting.on_empty)

    def flow_of(zone: str) -> Callable[[str, Any], Flow]:
        return lambda identity, here: enact(core.Actor(zone, identity), rules, here)

    return Model(
        actors=tuple(
            Actor(zone, flow_of(zone), START, lambda outcome: outcome.then)
            for zone in ZONES[: bounds.enactors]
        )
        + tuple(_human(f"operator-{n}", order) for n, order in enumerate(setting.orders))
        + tuple(
            replace(_human(f"oncall-{n}", order), waits_for=_is_empty)
            for n, order in enumerate(setting.on_empty)
        ),
        objects=_objects(setting.start),
        environment=lambda objects: _planner(objects, bounds),
        broken=broken,
        broken_step=broken_step,
        goal=lambda objects: is_converged(objects, guards.keeps_last_good),
        budgets=Budgets(
            bounds.budgets.crashes,
            bounds.budgets.lost_replies,
            bounds.budgets.stale_reads,
            bounds.budgets.lock_expiries if _has_lock(guards) or setting.start else 0,
        ),
        versioned=_versioned(guards, by_hand),
        symmetric=not (_has_lock(guards) or guards.pins or by_hand or setting.start),
        admission=guards.admission is Switch.ENABLED,
        holders=_holders,
        restarts=True,
        leases=guards.fence is Fence.LEADER_ONLY,
        epoch_seconds=EPOCH_SECONDS,
        project=_without_writer,
    )


def _is_empty(objects: Objects) -> bool:
    return bool(empty_aliases(world_of(objects)))


def _human(name: str, order: Order) -> Actor:
    """An operator on call: one command, once."""
    word = Freeze("oncall", FOREVER, "")

    def flow(_: str, here: Any) -> Generator[Intent, Reply, Any]:
        match order.command:
            case "override":
                chosen = word if order.freeze else None
                wanted = Override("oncall", order.endpoint, order.plan, order.addresses, chosen)
                return override(wanted, here)
            case "freeze":
                return freeze(word, here)
            case "thaw":
                return thaw()
            case _:
                raise ValueError(f"{order.command} is no command of the DNS loops")

    return Actor(name, flow, BEGIN)


def _objects(start: Start | None) -> Objects:
    """A bad start, in the explorer's own uids: they count the objects from 0."""
    if start is None:
        return {}
    endpoint = ENDPOINTS[0]
    objects: list[Stored] = []
    if Tree in kinds_of(start):
        objects.append(tree_of(endpoint))
    if Slice in kinds_of(start):
        objects.append(slice_of(endpoint, renaming.uid(0)))
    objects.append(alias_of(start, endpoint, 0.0))
    return {(type(o), o.name): o for o in objects}


def content(generation: int, endpoints: int) -> tuple[EndpointPlan, ...]:
    """What plan `generation` says: addresses of its own, so that a mixed answer shows."""
    fleet = (FrontEnd(f"10.0.0.{generation}", 100),)
    return tuple(EndpointPlan(e, fleet) for e in ENDPOINTS[:endpoints])


def _planner(objects: Objects, bounds: Bounds) -> Iterable[tuple[str, Intent]]:
    newest = newest_generation(
        (o for o in objects.values() if isinstance(o, Plan)),
        (o for o in objects.values() if isinstance(o, Alias)),
    )
    if newest >= bounds.plans:
        return
    wanted = content(newest + 1, bounds.endpoints)
    yield "planner", next(append(wanted, newest))
    plans = [o for o in objects.values() if isinstance(o, Plan)]
    if sum(not any(e.front_ends for e in p.endpoints) for p in plans) < bounds.bare_plans:
        bare = tuple(replace(e, front_ends=()) for e in wanted)
        yield "planner", next(append(bare, newest))


def _has_lock(guards: DnsGuards) -> bool:
    return guards.fence in LOCKS or guards.fence is Fence.LEADER_ONLY


def _versioned(guards: DnsGuards, by_hand: bool) -> frozenset[type]:
    """The kinds whose versions these rungs, or a human, send as a precondition."""
    kinds: set[type] = {Lease}
    if guards.repairs:
        kinds.add(Slice)
    if by_hand:
        kinds |= {Alias, Slice}
    if guards.fence in (Fence.RESOURCE_VERSION, Fence.GENERATION):
        kinds.add(Alias)
    if guards.cleanup in (Cleanup.REREAD_BEFORE_DELETE, Cleanup.PIN_LIVE):
        kinds.add(Tree)
    return frozenset(kinds)


def _without_writer(obj: Stored) -> Stored:
    """`writer` is a note for people; no flow reads it."""
    return replace(obj, writer="") if isinstance(obj, Alias) and obj.writer else obj


def _holders(objects: Objects, now: float) -> Iterable[str]:
    """Whose lock time may pass: not a freeze's, nor any other that outlasts an epoch."""
    for obj in objects.values():
        if isinstance(obj, Alias):
            lock = parse_lock(obj.lock)
            if lock is not None and now < lock.expires <= now + EPOCH_SECONDS:
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
        if isinstance(obj, Alias) and isinstance(then, Alias) and overrides_a_freeze(obj, then):
            yield Invariant.FROZEN_STAYS
        if kind is Tree and then is None and live_delete(world_of(before), name):
            yield Invariant.NO_LIVE_DELETE


def is_converged(objects: Objects, keeps_last_good: bool = False) -> bool:
    """Every endpoint of the newest plan is live, with an answer; frozen ones need no more than an
    answer, nor do those whose last good answer is kept."""
    plans = [o for o in objects.values() if isinstance(o, Plan)]
    if not plans:
        return True
    newest = max(plans, key=lambda p: p.generation)
    world = world_of(objects)
    return all(_is_as_planned(world, newest, e, keeps_last_good) for e in newest.endpoints)


def _is_as_planned(world: World, newest: Plan, wanted: EndpointPlan, keeps_last_good: bool) -> bool:
    alias = world.aliases.get(wanted.endpoint)
    if not wanted.front_ends and not keeps_last_good:
        return alias is not None and alias.generation == newest.generation
    is_kept = not wanted.front_ends
    if alias is None or alias.target not in world.trees:
        return is_kept and alias is None
    return alias.generation == newest.generation or bool(alias.frozen) or is_kept
