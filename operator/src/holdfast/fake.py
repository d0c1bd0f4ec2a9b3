"""The API server in memory: the one fake, for tests now, for checker and simulator next.

It keeps what the decisions rely on: uid, a resourceVersion that moves with every real change, 409
for a taken name and for a stale precondition, the empty 422 of a missed JSON patch test, and
ownership (slices go with the uid of their tree). What it does not keep yet: watches that lag.
"""

from dataclasses import replace
from typing import Any

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
from holdfast.core.names import plan_name
from holdfast.core.objects import Alias, Object, Plan, Slice, Tree
from holdfast.core.replies import (
    Absent,
    Conflict,
    Deleted,
    Exists,
    Listed,
    Missed,
    Passed,
    Picked,
    Proven,
    Read,
    Reply,
    Unproven,
    Written,
)


def key_of(obj: Object) -> tuple[type[Object], str]:
    return type(obj), plan_name(obj.generation) if isinstance(obj, Plan) else obj.name


class FakeApi:
    """One namespace of an API server and the DNS server that watches it without lag."""

    def __init__(self) -> None:
        self.objects: dict[tuple[type[Object], str], Object] = {}
        self.version = 0
        self.writes: list[Intent] = []
        """Every mutation that had an effect, in order."""

    def perform(self, intent: Intent, now: float = 0.0) -> Reply:
        match intent:
            case Get(kind, name):
                found = self.objects.get((kind, name))
                return Absent(now) if found is None else Read(found, now)
            case List(kind):
                items = [o for (k, _), o in sorted(self.objects.items(), key=_order) if k is kind]
                return Listed(tuple(items), now)
            case Create(obj):
                return self._create(intent, obj, now)
            case Replace(alias):
                return self._replace(intent, alias, now)
            case PatchAlias():
                return self._patch(intent, now)
            case Delete(kind, name):
                return self._delete(intent, kind, name, now)
            case Pick():
                return Picked(self.newest_plan(), now)
            case Prove(tree, addresses):
                served = self.served(tree)
                return Proven(now) if served == addresses else Unproven(f"{served}", now)
            case Reach():
                return Passed(now)

    def newest_plan(self) -> Plan | None:
        plans = [o for o in self.objects.values() if isinstance(o, Plan)]
        return max(plans, key=lambda p: p.generation, default=None)

    def alias(self, endpoint: str) -> Alias | None:
        found = self.objects.get((Alias, endpoint))
        return found if isinstance(found, Alias) else None

    def trees(self) -> frozenset[str]:
        return frozenset(name for kind, name in self.objects if kind is Tree)

    def served(self, tree: str) -> tuple[str, ...]:
        """The addresses that the tree's own name answers with."""
        root = self.objects.get((Tree, tree))
        if not isinstance(root, Tree):
            return ()
        pieces = [o for o in self.objects.values() if isinstance(o, Slice)]
        return tuple(sorted(a for p in pieces if p.tree_uid == root.uid for a in p.addresses))

    def answer(self, endpoint: str) -> tuple[str, ...]:
        """The addresses that customers get: () is the incident's empty answer."""
        alias = self.alias(endpoint)
        return self.served(alias.target) if alias else ()

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def _store(self, intent: Intent, obj: Object, now: float) -> Written:
        self.objects[key_of(obj)] = obj
        self.writes.append(intent)
        return Written(obj, now)

    def _create(self, intent: Intent, obj: Object, now: float) -> Reply:
        if key_of(obj) in self.objects:
            return Exists(now)
        if isinstance(obj, Plan):
            return self._store(intent, obj, now)
        version = self._next()
        stored = replace(obj, uid=f"uid-{int(version):04d}", resource_version=version)
        return self._store(intent, stored, now)

    def _replace(self, intent: Intent, alias: Alias, now: float) -> Reply:
        stored = self.alias(alias.endpoint)
        if stored is None or stored.uid != alias.uid:
            return Conflict(now)
        if stored.resource_version != alias.resource_version:
            return Conflict(now)
        if stored == alias:
            return Written(stored, now)
        return self._store(intent, replace(alias, resource_version=self._next()), now)

    def _patch(self, intent: PatchAlias, now: float) -> Reply:
        stored = self.alias(intent.endpoint)
        if stored is None:
            return Absent(now)
        if stored.lock != intent.expect_lock:
            return Missed(now)
        given: dict[str, Any] = {
            name: value
            for name in ("target", "generation", "rollback", "writer")
            if (value := getattr(intent, name)) is not None
        }
        changed = replace(stored, lock=intent.lock, **given)
        if changed == stored:
            return Written(stored, now)
        return self._store(intent, replace(changed, resource_version=self._next()), now)

    def _delete(self, intent: Intent, kind: type[Object], name: str, now: float) -> Reply:
        found = self.objects.pop((kind, name), None)
        if found is None:
            return Absent(now)
        self.writes.append(intent)
        if isinstance(found, Tree):
            for key, obj in list(self.objects.items()):
                if isinstance(obj, Slice) and obj.tree_uid == found.uid:
                    del self.objects[key]
        return Deleted(now)


def _order(item: tuple[tuple[type[Object], str], Object]) -> str:
    return item[0][1]
