"""The explorer's findings, in the notation of `Observed.tla`."""

import json
from typing import Any

from holdfast.check.dns import dns_model
from holdfast.check.explorer import Exploration, Explorer
from holdfast.check.model import Objects
from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import Cleanup, DnsGuards
from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    PatchAlias,
    Pick,
    Prove,
    Reach,
    Replace,
)
from holdfast.core.lock import parse_lock
from holdfast.core.names import slice_name, tree_generation, tree_name
from holdfast.core.objects import Alias, Plan, Slice, Tree
from oracle.cases import INVARIANTS, Case, Found, view


def ours(case: Case) -> Found:
    """Explores a case with the enactors' own code."""
    guards = DnsGuards(case.fence, Cleanup.BY_AGE, case.rollback)
    budgets = Budgets(crashes=case.crashes, lock_expiries=case.expiries)
    bounds = Bounds(case.enactors, case.plans, case.retention, endpoints=1, budgets=budgets)
    model = dns_model(guards, bounds)
    explorer = Explorer(model)
    explored = explorer.explore()
    assert explored.exhaustive
    onlooker = _Onlooker(case, explorer, [a.name for a in model.actors], model.epoch_seconds)
    moves = {
        (onlooker.view(state), onlooker.view(then))
        for state in explored.parents
        for then in explorer.successors(state)
    }
    broken = {
        str(name): _steps(explored, before) + 1
        for name, (before, _) in explored.broken.items()
        if name in INVARIANTS
    }
    found = Found(frozenset(moves), broken, explored.states, explored.seconds)
    # Were they not as many, the notation would hide a difference.
    assert len(found.worlds) == explored.worlds, (len(found.worlds), explored.worlds)
    return found


def _steps(explored: Exploration, state: int) -> int:
    """The length of the shortest way to a state."""
    steps = 0
    while explored.parents[state] != state:
        state = explored.parents[state]
        steps += 1
    return steps


class _Onlooker:
    """Tells what can be seen of a state."""

    def __init__(
        self, case: Case, explorer: Explorer, zones: list[str], epoch_seconds: float
    ) -> None:
        self._case, self._explorer = case, explorer
        self._zones, self._epoch_seconds = zones, epoch_seconds
        self._worlds: dict[int, str] = {}
        self._calls: dict[tuple[int, int, int], str] = {}
        self._views: dict[tuple[int, ...], str] = {}

    def view(self, state: int) -> str:
        number = self._explorer.world_of(state)
        locals_ = [self._explorer.local_of(state, i) for i in range(self._case.enactors)]
        key = (number, *locals_)
        if key not in self._views:
            calls = [self._call_text(number, i, local) for i, local in enumerate(locals_)]
            self._views[key] = view(self._case, self._world_text(number), calls)
        return self._views[key]

    def _world_text(self, number: int) -> str:
        if number not in self._worlds:
            self._worlds[number] = json.dumps(
                self._world(self._explorer.worlds.all[number].objects)
            )
        return self._worlds[number]

    def _world(self, objects: Objects) -> list[Any]:
        stored = objects.values()
        slices = {o.tree_uid for o in stored if isinstance(o, Slice)}
        trees = {o.generation: 2 if o.uid in slices else 1 for o in stored if isinstance(o, Tree)}
        alias = next((o for o in stored if isinstance(o, Alias)), None)
        return [
            sum(isinstance(o, Plan) for o in stored),
            [] if alias is None else self._records(alias),
            [trees.get(g, 0) for g in range(1, self._case.plans + 1)],
        ]

    def _records(self, alias: Alias) -> list[Any]:
        target, rollback = _generation(alias.target), _generation(alias.rollback)
        return [target, alias.generation, rollback, self._lock(alias.lock)]

    def _lock(self, text: str) -> list[int]:
        """The enactor, its incarnation, and the epoch; a lock expires before the next begins."""
        lock = parse_lock(text)
        if lock is None:
            return []
        zone, _, incarnation = lock.holder.partition("/")
        epoch = int(lock.expires // self._epoch_seconds)
        return [self._zones.index(zone) + 1, int(incarnation), epoch]

    def _call_text(self, number: int, actor: int, local: int) -> str:
        key = (number, actor, local)
        if key not in self._calls:
            table = self._explorer.locals[actor]
            intent, reach = table.intents[local], table.reached[local]
            assert intent is not None
            assert reach is not None
            objects = self._explorer.worlds.all[number].objects
            call = [reach.step, reach.generation, *self._call(objects, reach, intent)]
            self._calls[key] = json.dumps(call)
        return self._calls[key]

    def _call(self, objects: Objects, reach: Reach, intent: Intent) -> list[Any]:  # noqa: C901
        match intent:
            case Pick(above):
                return ["Pick", above]
            case List(kind):
                return ["List aliases" if kind is Alias else "List trees"]
            case Get(kind, name) if kind is Tree:
                return ["Get tree", _generation(name)]
            case Get(kind, name) if kind is Slice:
                return ["Get slice", int(name == _slice_name(objects, reach))]
            case Get(kind) if kind is Alias:
                return ["Get alias"]
            case Create(Tree(generation=generation)):
                return ["Create tree", generation]
            case Create(Slice(name=name)):
                return ["Create slice", int(name == _slice_name(objects, reach))]
            case Create(Alias() as alias):
                return ["Create alias", *self._records(alias)]
            case Prove(tree):
                return ["Prove", _generation(tree)]
            case PatchAlias(_, expect, lock, target, generation, rollback):
                call = ["Patch alias", self._lock(expect), self._lock(lock)]
                if target is not None:
                    assert rollback is not None
                    return [*call, _generation(target), generation, _generation(rollback)]
                return call
            case Replace(Alias() as alias):
                stored = objects[Alias, alias.name]
                held = (alias.uid, alias.resource_version)
                fresh = held == (stored.uid, stored.resource_version)
                return ["Replace alias", int(fresh), *self._records(alias)]
            case Delete(kind, name, "", "") if kind is Tree:
                assert _generation(name) == min(reach.victims)
                plans = range(1, self._case.plans + 1)
                return ["Delete tree", [int(g in reach.victims) for g in plans]]
            case _:
                raise AssertionError(f"the specification knows no {intent}")


def _generation(tree: str) -> int:
    """0 for none."""
    return tree_generation(tree) or 0


def _slice_name(objects: Objects, reach: Reach) -> str:
    """How the slice of the tree that stands now is named, or would be; "" if none stands."""
    tree = objects.get((Tree, tree_name(reach.endpoint, reach.generation)))
    return slice_name(tree.name, tree.uid, "IPv4") if tree else ""
