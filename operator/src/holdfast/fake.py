"""The API server in memory: the one fake, under tests, checker and simulator alike.

It keeps what decisions rely on: uid, a resourceVersion that moves with every real change, 404, 409
for a taken name and for a stale precondition, the empty 422 of a JSON patch whose test fails,
delete preconditions, PUT without precondition where Kubernetes has it and its refusal where not,
and ownership (slices go with the uid of their tree). A `Cache` lags; a `Lost` call has its effect
and no answer, or neither. The conformance suite asks the same of a real API server.

Any frozen dataclass of the shape `Stored` can be kept: kinds that are not ours behave as custom
resources do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias, assert_never

from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Reach,
    Replace,
    Unpin,
)
from holdfast.core.objects import Alias, Lease, Plan, Slice, Stored, Tree
from holdfast.core.policy import denied
from holdfast.core.repair import broken_endpoints, only
from holdfast.core.replies import (
    ADMISSION_POLICY,
    Absent,
    Conflict,
    Deleted,
    Exists,
    Listed,
    Missed,
    Overloaded,
    Passed,
    Picked,
    Proven,
    Read,
    Rejected,
    Reply,
    TimedOut,
    Unproven,
    Written,
)

Key: TypeAlias = tuple[type[Any], str]


@dataclass(frozen=True, slots=True)
class Manners:
    """How a kind takes a PUT: without resourceVersion, and of an object that is not there."""

    unconditional: bool
    creates: bool


_CUSTOM_RESOURCE = Manners(unconditional=False, creates=False)
_MANNERS: Mapping[type[Any], Manners] = {
    Alias: Manners(unconditional=True, creates=True),  # Services
    Tree: Manners(unconditional=True, creates=True),
    Slice: Manners(unconditional=True, creates=False),
    Lease: Manners(unconditional=False, creates=True),
}


class Lost(StrEnum):
    """What is lost of a call that times out."""

    REQUEST = "request"
    REPLY = "reply"


def key_of(obj: Stored) -> Key:
    return type(obj), obj.name


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object; `obj` is None when it was deleted."""

    version: int
    key: Key
    obj: Stored | None


class FakeApi:
    """One namespace of an API server, and the DNS server that watches it without lag."""

    def __init__(
        self,
        objects: Mapping[Key, Stored] | None = None,
        version: int = 0,
        admission: bool = False,
    ) -> None:
        self.objects: dict[Key, Stored] = dict(objects or {})
        self.version = version
        self.admission = admission
        self.changes: list[Change] = []
        """Every change since this server began, in order: what a watch delivers."""
        self.writes: list[Intent] = []
        """Every mutation that had an effect, in order."""

    def ready(self, intent: Intent) -> bool:
        """Whether an intent can be performed now: a Pick waits for a plan."""
        return not isinstance(intent, Pick) or self.picked(intent) is not None

    def picked(self, intent: Pick) -> Plan | None:
        """What a Pick takes; None while it has to wait."""
        newest = self.newest_plan()
        if newest is None or newest.generation > intent.above:
            return newest
        if not intent.repairs:
            return None
        broken = broken_endpoints(newest, self.objects.values())
        return only(newest, broken) if broken else None

    def perform(self, intent: Intent, now: float = 0.0, lost: Lost | None = None) -> Reply:
        """Do what an intent asks. A lost call times out: a lost reply after its effect."""
        if lost is Lost.REQUEST:
            return TimedOut(now)
        reply = self._perform(intent, now)
        return TimedOut(now) if lost is Lost.REPLY else reply

    def _perform(self, intent: Intent, now: float) -> Reply:
        match intent:
            case Get(kind, name):
                found = self.objects.get((kind, name))
                return Absent(now) if found is None else Read(found, now)
            case List(kind):
                return Listed(_listed(self.objects, kind), now)
            case Create(obj):
                return self._create(intent, obj, now)
            case Replace(obj):
                return self._replace(intent, obj, now)
            case Overwrite(obj):
                return self._overwrite(intent, obj, now)
            case PatchAlias():
                return self._patch(intent, now)
            case Pin(tree, uid, holder) | Unpin(tree, uid, holder):
                return self._pin(intent, tree, uid, holder, now)
            case Delete():
                return self._delete(intent, now)
            case Pick():
                plan = self.picked(intent)
                assert plan is not None, "ask `ready` first"
                return Picked(plan, now)
            case Prove(tree, addresses):
                served = self.served(tree)
                return Proven(now) if served == addresses else Unproven(f"{served}", now)
            case Reach():
                return Passed(now)
            case _:
                assert_never(intent)

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
        if not (isinstance(root, Tree) and root.intact):
            return ()
        pieces = [o for o in self.objects.values() if isinstance(o, Slice)]
        return tuple(sorted(a for p in pieces if p.tree_uid == root.uid for a in p.addresses))

    def answer(self, endpoint: str) -> tuple[str, ...]:
        """The addresses that customers get: () is the incident's empty answer."""
        alias = self.alias(endpoint)
        return self.served(alias.target) if alias and alias.intact else ()

    def _put(self, intent: Intent, obj: Stored, uid: str, now: float) -> Reply:
        """Store an object under its next version. A slice that names no living owner is collected
        at once; a real collector takes some tens of milliseconds."""
        self.version += 1
        made, key = _versioned(obj, uid, self.version), key_of(obj)
        self.objects[key] = made
        self.changes.append(Change(self.version, key, made))
        self.writes.append(intent)
        if isinstance(obj, Slice):
            owner = self.objects.get((Tree, obj.tree))
            if owner is None or owner.uid != obj.tree_uid:
                self._drop(key)
        return Written(made, now)

    def _new(self, intent: Intent, obj: Stored, now: float) -> Reply:
        # A slice's name bears the first eight characters of its tree's uid.
        return self._put(intent, obj, f"u{self.version + 1:07d}", now)

    def _change(self, intent: Intent, stored: Stored, wanted: Stored, now: float) -> Reply:
        """Store another content of an object; the same content moves no version."""
        if refused := self._refused(stored, wanted, now):
            return refused
        if _versioned(wanted, stored.uid, stored.resource_version) == stored:
            return Written(stored, now)
        return self._put(intent, wanted, stored.uid, now)

    def _refused(self, before: Stored | None, after: Stored | None, now: float) -> Reply | None:
        """A policy's word, where they are in force."""
        why = denied(before, after) if self.admission else ""
        return Rejected(ADMISSION_POLICY, why, now) if why else None

    def _create(self, intent: Intent, obj: Stored, now: float) -> Reply:
        obj = _whole(obj)
        if obj.resource_version:
            return Overloaded(now)  # a real server says 500 to what claims to exist already
        if refused := self._refused(None, obj, now):  # a creation, whether the name is taken or not
            return refused
        return Exists(now) if key_of(obj) in self.objects else self._new(intent, obj, now)

    def _replace(self, intent: Intent, obj: Stored, now: float) -> Reply:
        obj = _whole(obj)
        stored = self.objects.get(key_of(obj))
        if stored is None:
            return Conflict(now) if _manners(obj).creates else Absent(now)
        if (stored.uid, stored.resource_version) != (obj.uid, obj.resource_version):
            return Conflict(now)
        return self._change(intent, stored, obj, now)

    def _overwrite(self, intent: Intent, obj: Stored, now: float) -> Reply:
        obj = _whole(obj)
        stored, manners = self.objects.get(key_of(obj)), _manners(obj)
        if stored is None and not manners.creates:
            return Absent(now)
        if stored is None:
            return self._refused(None, obj, now) or self._new(intent, obj, now)
        if not manners.unconditional:
            return Rejected(
                "FieldValueInvalid", "resourceVersion must be specified for an update", now
            )
        return self._change(intent, stored, obj, now)

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
        if intent.target is not None:
            given["intact"] = True  # a flip bears the labels, and the type
        return self._change(intent, stored, replace(stored, lock=intent.lock, **given), now)

    def _pin(self, intent: Pin | Unpin, name: str, uid: str, holder: str, now: float) -> Reply:
        stored = self.objects.get((Tree, name))
        if not isinstance(stored, Tree):
            return Absent(now)
        if stored.uid != uid:
            return Missed(now)
        others = {*stored.pins} - {holder}
        pins = others | {holder} if isinstance(intent, Pin) else others
        return self._change(intent, stored, replace(stored, pins=tuple(sorted(pins))), now)

    def _delete(self, intent: Delete, now: float) -> Reply:
        key = (intent.kind, intent.name)
        found = self.objects.get(key)
        if found is None:
            return Absent(now)
        if intent.uid and intent.uid != found.uid:
            return Conflict(now)
        if intent.resource_version and intent.resource_version != found.resource_version:
            return Conflict(now)
        if refused := self._refused(found, None, now):
            return refused
        self._drop(key)
        self.writes.append(intent)
        if isinstance(found, Tree):
            for owned, obj in list(self.objects.items()):
                if isinstance(obj, Slice) and obj.tree_uid == found.uid:
                    self._drop(owned)
        return Deleted(now)

    def _drop(self, key: Key) -> None:
        self.version += 1
        del self.objects[key]
        self.changes.append(Change(self.version, key, None))


class Cache:
    """A watch that lags: what one client has seen so far, any version from there to now."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api
        self._objects: dict[Key, Stored] = dict(api.objects)
        self._seen = len(api.changes)

    @property
    def behind(self) -> int:
        """How many changes have not been seen."""
        return len(self._api.changes) - self._seen

    def see(self, changes: int | None = None) -> None:
        """See the next changes, all of them if no number is given. Never goes back."""
        assert changes is None or changes >= 0, "a watch never goes back"
        end = len(self._api.changes) if changes is None else self._seen + changes
        for change in self._api.changes[self._seen : end]:
            if change.obj is None:
                self._objects.pop(change.key, None)
            else:
                self._objects[change.key] = change.obj
        self._seen = min(end, len(self._api.changes))

    def snapshot(self) -> FakeApi:
        """The server as this client believes it to be: for reading only."""
        return FakeApi(self._objects)


def _listed(objects: Mapping[Key, Stored], kind: type[Any]) -> tuple[Stored, ...]:
    return tuple(sorted((o for (k, _), o in objects.items() if k is kind), key=lambda o: o.name))


def _manners(obj: Stored) -> Manners:
    return _MANNERS.get(type(obj), _CUSTOM_RESOURCE)


def _whole(obj: Stored) -> Stored:
    """What a body of ours says: it bears every label."""
    if isinstance(obj, Alias | Tree) and not obj.intact:
        return replace(obj, intact=True)
    return obj


def _versioned(obj: Stored, uid: str, version: int | str) -> Stored:
    """The object as stored under a uid and version. Plans are immutable and bear neither."""
    if isinstance(obj, Plan):
        return obj
    changed: Stored = replace(obj, uid=uid, resource_version=str(version))  # type: ignore[type-var]
    return changed
