"""The worlds met so far, each with a small number; and what an intent does in one, done once.

A world is what the API server holds, plus the clock's epoch. The fake API server performs every
(world, intent) pair a single time, however many interleavings pass through it.
"""

from dataclasses import dataclass, replace
from typing import Any

from holdfast.check import renaming
from holdfast.check.model import Model, Objects
from holdfast.core.intents import Delete, Intent, Replace
from holdfast.core.objects import Plan, Stored
from holdfast.core.replies import Read, Reply, Written
from holdfast.fake import FakeApi, Key, Lost


@dataclass(slots=True)
class World:
    number: int
    objects: Objects
    parts: frozenset[int]
    epoch: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What an intent does: the world after, the reply, which versions it made stale (0: none), and
    the invariants that this step or the world after breaks, if it was never seen before."""

    world: int
    reply: Reply
    change: int
    broken: tuple[str, ...] = ()


class Worlds:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._numbers: dict[tuple[frozenset[int], int], int] = {}
        self._objects: dict[Stored, int] = {}
        self._bearers: dict[str, set[int]] = {}
        self._keys: dict[Key, int] = {}
        self._effects: dict[tuple[int, Intent, Lost | None], Effect | None] = {}
        self.all: list[World] = []
        self.broken: list[tuple[str, ...]] = []
        self.renamings: list[dict[str, str]] = [{}]
        self._changes: dict[tuple[tuple[str, str], ...], int] = {(): 0}
        start = [self._canonical(obj) for obj in model.objects.values()]
        objects = {(type(obj), obj.name): obj for obj in start}
        self.start = self.intern(objects, frozenset(map(self._part, start)), 0)

    @property
    def keys(self) -> dict[int, Key]:
        """Which object each symbol's number stands for."""
        return {number: key for key, number in self._keys.items()}

    @property
    def distinct(self) -> int:
        """Worlds that differ in what the API server holds, whatever the time."""
        return len({w.parts for w in self.all})

    def now(self, world: int) -> float:
        return self.all[world].epoch * self._model.epoch_seconds

    def intern(self, objects: Objects, parts: frozenset[int], epoch: int) -> int:
        number = self._numbers.get((parts, epoch))
        if number is None:
            number = len(self.all)
            self._numbers[parts, epoch] = number
            self.all.append(World(number, objects, parts, epoch))
            self.broken.append(tuple(self._model.broken(objects)))
        return number

    def later(self, world: int) -> int:
        """The same world when every lock of now has expired."""
        here = self.all[world]
        return self.intern(here.objects, here.parts, here.epoch + 1)

    def perform(self, world: int, intent: Intent, lost: Lost | None = None) -> Effect | None:
        """None while the intent has to wait."""
        key = (world, intent, lost)
        try:
            return self._effects[key]
        except KeyError:
            effect = self._effects[key] = self._perform(world, intent, lost)
            return effect

    def _perform(self, world: int, intent: Intent, lost: Lost | None) -> Effect | None:
        here = self.all[world]
        api = FakeApi(here.objects, version=1, admission=self._model.admission)
        if not api.ready(intent):
            return None
        self._refuse_unversioned(intent)
        reply = api.perform(intent, self.now(world), lost)
        if not api.changes:
            return Effect(world, self._canonical_reply(reply), 0)
        objects, parts = dict(here.objects), set(here.parts)
        stale: list[tuple[str, str]] = []
        for change in api.changes:
            former = objects.pop(change.key, None)
            if former is not None:
                parts.discard(self._objects[former])
                stale.extend(self._stale(former, gone=change.obj is None))
            if change.obj is not None:
                canonical = self._canonical(change.obj)
                objects[change.key] = canonical
                parts.add(self._part(canonical))
        objects = {(k, o.name): o for (k, _), o in objects.items()}
        reply = self._canonical_reply(reply)
        if any(not parts.isdisjoint(self._bearers.get(old, ())) for old, _ in stale):
            reply = self._rename_bearers(objects, parts, dict(stale), reply)
        met = len(self.all)
        after = self.intern(objects, frozenset(parts), here.epoch)
        broken = tuple(self._model.broken_step(here.objects, objects))
        if after == met:
            broken += self.broken[after]
        return Effect(after, reply, self._change(tuple(stale)), broken)

    def _rename_bearers(
        self, objects: dict[Key, Stored], parts: set[int], names: dict[str, str], reply: Reply
    ) -> Reply:
        """What other objects say of a uid or version, as owners' do, becomes stale with it. Renames
        in place; returns the reply renamed. ValueError if the name of an object would change."""
        for key, obj in objects.items():
            renamed = renaming.rename_within(obj, names)
            if renamed.name != obj.name:
                raise ValueError(
                    f"{type(obj).__name__} {obj.name} bears in its name the uid or version of an "
                    "object that has changed or is gone, which the explorer cannot follow: put a "
                    "number of the model's own into the name"
                )
            if renamed != obj:
                parts.discard(self._objects[obj])
                objects[key] = renamed
                parts.add(self._part(renamed))
        if isinstance(reply, Written):
            return replace(reply, obj=renaming.rename_within(reply.obj, names))
        return reply

    def _change(self, stale: tuple[tuple[str, str], ...]) -> int:
        number = self._changes.get(stale)
        if number is None:
            number = self._changes[stale] = len(self.renamings)
            self.renamings.append(dict(stale))
        return number

    def _stale(self, former: Stored, gone: bool) -> list[tuple[str, str]]:
        if isinstance(former, Plan):
            return []
        number = self._keys[type(former), former.name]
        names = []
        if self._versioned(type(former)):
            names.append((renaming.version(number), renaming.stale(number)))
        if gone:
            names.append((renaming.uid(number), renaming.stale(number)))
        return names

    def _part(self, obj: Stored) -> int:
        number = self._objects.get(obj)
        if number is None:
            number = self._objects[obj] = len(self._objects)
            for symbol in renaming.borne(obj):
                self._bearers.setdefault(symbol, set()).add(number)
        return number

    def _versioned(self, kind: type[Any]) -> bool:
        return self._model.versioned is None or kind in self._model.versioned

    def _canonical(self, obj: Stored) -> Stored:
        """The object with the symbols of the current uid and version, and without notes."""
        if isinstance(obj, Plan):
            return obj
        name = obj.name
        number = self._keys.setdefault((type(obj), name), len(self._keys))
        version = renaming.version(number) if self._versioned(type(obj)) else renaming.UNVERSIONED
        named: Stored = replace(  # type: ignore[type-var]
            obj, uid=renaming.uid(number), resource_version=version
        )
        kept = self._model.project(named)
        if kept not in self._objects:
            self._refuse_names(kept)
        return kept

    def _refuse_names(self, obj: Stored) -> None:
        """Symmetry is sound only while no actor's name reaches the world."""
        if self._model.symmetric and self._model.actors[0].name in repr(obj):
            raise ValueError(f"the model says symmetric, but a name has reached the world: {obj}")

    def _canonical_reply(self, reply: Reply) -> Reply:
        if isinstance(reply, Read | Written):
            return replace(reply, obj=self._canonical(reply.obj))
        return reply

    def _refuse_unversioned(self, intent: Intent) -> None:
        match intent:
            case Replace(obj):
                kind, sent = type(obj), obj.resource_version
            case Delete(kind=kind, resource_version=sent):
                pass
            case _:
                return
        if sent == renaming.UNVERSIONED:
            raise ValueError(
                f"{type(intent).__name__} of a {kind.__name__} sends a resourceVersion, but the "
                f"model does not name {kind.__name__} among `versioned`"
            )
