"""Random lives of one endpoint's objects under `dns.admission`, legal changes and forbidden ones.

A life plays the same in memory and on a cluster: what it chooses depends on its seed alone, and
identities (uid, version) are those that its own server gave it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pin,
    Replace,
    Unpin,
)
from holdfast.core.names import slice_name, tree_name
from holdfast.core.objects import Alias, Slice, Stored, Tree
from holdfast.core.policy import LEAP_MAX
from holdfast.core.replies import Deleted, Listed, Read, Rejected, Reply, Written

LENGTH = 24
PLACES = 2
"""Trees of a life."""
HOLDERS = ("us-east-1a/x", "us-east-1b/y")
NOBODY = "ffffffff-0000-0000-0000-000000000000"
FAR = LEAP_MAX + 2
COLLECTOR_SECONDS = 60.0

World = Callable[[Intent], Awaitable[Reply]]


@dataclass
class Life:
    """`told`: what came of each intent, in words that do not depend on which server it was.
    `refusals`: why, where a policy refused; "" where it did not."""

    seed: int
    number: int
    world: World
    told: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} {self.number}")
        self.word = f"r{self.number:04d}"
        self.known: dict[tuple[type[Any], str], Stored] = {}

    async def begin(self) -> None:
        """Before the guard is in force: every other life begins with what it would refuse."""
        await self._do(Create(Alias(self.word, tree_name(self.word, 1 + self.number % 2), 1)))
        for place in range(PLACES):
            await self._do(Create(self._tree(place)))
            await self._do(Create(self._slice(place)))

    async def live(self) -> None:
        for _ in range(LENGTH):
            await self._do(self._choose())

    async def _do(self, intent: Intent) -> None:
        reply = await self.world(intent)
        said = type(reply).__name__
        refused = ""
        match reply:
            case Written(obj) | Read(obj):
                self.known[type(obj), self._place(obj)] = obj
                said += f" {self._content(obj)}"
            case Rejected(reason, message):
                said += f" {reason}"
                refused = message
            case _:
                pass
        self.told.append(f"{self._content(intent)} -> {said}")
        self.refusals.append(refused)

    def _content(self, said: Any) -> str:
        """Without what a server gives: of a slice's name, only whether it is the right one."""
        if isinstance(said, Alias):
            return f"alias {said.target} {said.generation} {said.lock}"
        if isinstance(said, Tree):
            return f"tree {said.name} {said.pins}"
        if isinstance(said, Slice):
            right = said.name == slice_name(said.tree, said.tree_uid, said.family)
            return f"slice of {said.tree} {right} {said.addresses}"
        if obj := getattr(said, "obj", None):
            return f"{type(said).__name__} {self._content(obj)}"
        known = bool(getattr(said, "uid", "")), bool(getattr(said, "resource_version", ""))
        kind = getattr(said, "kind", None)
        return f"{type(said).__name__} {kind.__name__ if kind else ''} {known}"

    @staticmethod
    def _place(obj: Stored) -> str:
        return obj.tree if isinstance(obj, Slice) else obj.name

    # --- what is tried ----------------------------------------------------------------------------

    def _choose(self) -> Intent:
        place = self.random.randrange(PLACES)
        acts = (self._on_alias, self._on_alias, self._on_tree, self._on_slice)
        return self.random.choice(acts)(place)

    def _on_alias(self, _: int) -> Intent:
        pick = self.random.choice
        known = self.known.get((Alias, self.word))
        was = known.generation if isinstance(known, Alias) else 1
        to = max(0, was + pick((-2, -1, 0, 1, 1, 2, 2, LEAP_MAX, LEAP_MAX + 1, FAR)))
        target = tree_name(self.word, pick((to, to, to, to, was, to + 1)))
        wanted = Alias(self.word, target, to, lock=pick(("", "a 1.000")))
        match pick(("patch", "patch", "lock", "replace", "replace", "blind", "delete", "create")):
            case "patch":
                return PatchAlias(self.word, pick(("", "", "a 1.000")), wanted.lock, target, to)
            case "lock":
                return PatchAlias(self.word, pick(("", "a 1.000")), wanted.lock)
            case "replace":
                return self._fenced(wanted, known)
            case "delete":
                return self._delete(Alias, self.word, known)
            case "create":
                return Create(wanted)
            case _:
                return Overwrite(wanted)

    def _tree(self, place: int, pins: tuple[str, ...] = ()) -> Tree:
        return Tree(tree_name(self.word, place + 1), self.word, place + 1, pins)

    def _on_tree(self, place: int) -> Intent:
        pick = self.random.choice
        wanted = self._tree(place, pick(((), HOLDERS[:1], HOLDERS)))
        known = self.known.get((Tree, wanted.name))
        uid = known.uid if known else NOBODY
        match pick(("pin", "pin", "unpin", "replace", "blind", "delete", "delete", "create")):
            case "pin":
                return Pin(wanted.name, uid, pick(HOLDERS))
            case "unpin":
                return Unpin(wanted.name, uid, pick(HOLDERS))
            case "replace":
                return self._fenced(wanted, known)
            case "delete":
                return self._delete(Tree, wanted.name, known)
            case "create":
                return Create(wanted)
            case _:
                return Overwrite(wanted)

    def _slice(self, place: int) -> Slice:
        tree = tree_name(self.word, place + 1)
        owner = self.known.get((Tree, tree))
        uid = owner.uid if owner else NOBODY
        return Slice(slice_name(tree, uid, "IPv4"), tree, uid, "IPv4", ("10.0.0.1",))

    def _on_slice(self, place: int) -> Intent:
        pick = self.random.choice
        wanted = self._slice(place)
        known = self.known.get((Slice, wanted.tree))
        if pick((True, False, False, False)):
            wanted = replace(wanted, tree_uid=NOBODY)
        if pick((True, False, False)):
            wanted = replace(wanted, addresses=("10.0.0.1", "10.0.0.2"))
        if pick((True, False, False, False)):
            wanted = replace(wanted, name=f"{wanted.name}-2")
        elif isinstance(known, Slice) and pick((True, True, False)):
            wanted = replace(wanted, name=known.name)
        match pick(("create", "create", "replace", "replace", "blind", "delete")):
            case "replace":
                return self._fenced(wanted, known)
            case "delete":
                return self._delete(Slice, wanted.name, known)
            case "create":
                return Create(wanted)
            case _:
                return Overwrite(wanted)

    def _fenced(self, wanted: Any, known: Stored | None) -> Intent:
        """With what was known last, be it of a former object or another's name."""
        if known is None:
            return Get(type(wanted), wanted.name)
        fenced: Stored = replace(wanted, uid=known.uid, resource_version=known.resource_version)
        return Replace(fenced)

    def _delete(self, kind: type[Any], name: str, known: Stored | None) -> Intent:
        if known is None or self.random.random() < 0.5:
            return Delete(kind, name)
        return Delete(kind, name, known.uid, known.resource_version)


class Settled:
    """A cluster on which slices without a living owner are gone when it replies, as they are in
    memory."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, intent: Intent) -> Reply:
        reply = await self._world(intent)
        match intent, reply:
            case Delete(kind, name), Deleted() if kind is Tree:
                await self._collected(name)
            case Create(Slice(tree=tree)) | Replace(Slice(tree=tree)), Written():
                await self._collected(tree)
            case Overwrite(Slice(tree=tree)), Written():
                await self._collected(tree)
        return reply

    async def _collected(self, tree: str) -> None:
        end = asyncio.get_running_loop().time() + COLLECTOR_SECONDS
        while await self._orphans(tree):
            assert asyncio.get_running_loop().time() < end, f"slices of {tree} not collected"
            await asyncio.sleep(0.05)

    async def _orphans(self, tree: str) -> bool:
        owner = await self._world(Get(Tree, tree))
        alive = owner.obj.uid if isinstance(owner, Read) else ""
        listed = await self._world(List(Slice))
        assert isinstance(listed, Listed), listed
        pieces = [o for o in listed.items if isinstance(o, Slice) and o.tree == tree]
        return any(p.tree_uid != alive for p in pieces)
