"""What an enactor sees of the Region's answers from its own watches: for `dns.selfRepair` alone.

Services and slices come by two watches, in no order with each other, so for some milliseconds a
healthy name may look broken. It counts as broken once it has looked so for a while.

A Region has up to a thousand endpoints, each with some trees, and every change of one wakes the
enactor. So what a change may have broken or healed is noted, and that alone is looked at.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import TypeVar

from holdfast.core.names import KIND_LABEL, MANAGED_LABEL
from holdfast.core.objects import Alias, EndpointPlan, Plan, Slice, Stored, Tree
from holdfast.core.repair import broken_endpoints, only
from holdfast.live.api import Api, Json
from holdfast.live.watch import Change, follow, slim
from holdfast.live.wire import parse, path_of

T = TypeVar("T")
PAGE = 500
"""Objects of a listing that are held at once as they came."""
REPAIR_AFTER_SECONDS = 0.5
"""How long a name looks broken before it is repaired, and between two attempts."""


class Outlook:
    """`changed` is set whenever something has."""

    def __init__(self, api: Api, namespace: str, changed: asyncio.Event) -> None:
        self._api, self._namespace, self._changed = api, namespace, changed
        self._seen = Seen()
        self._synced: set[type[Stored]] = set()
        self._wanted: dict[str, EndpointPlan] = {}
        self._of = 0
        self._broken: dict[str, float] = {}

    async def watch(self) -> None:
        """Both watches, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(Tree))
            group.create_task(self._follow(Slice))

    def broken(self, plan: Plan) -> Plan | None:
        """As much of the plan as is to be repaired now; None while there is nothing."""
        if self._synced != {Tree, Slice}:
            return None
        now = time.monotonic()
        self._look(plan, now)
        due = [e for e, since in self._broken.items() if now - since >= REPAIR_AFTER_SECONDS]
        return only(plan, due) if due else None

    def _look(self, plan: Plan, now: float) -> None:
        """Bring what is broken, and since when it is, up to date."""
        doubtful: Iterable[str] = self._seen.doubtful
        if self._of != plan.generation:
            self._of, self._wanted = plan.generation, {e.endpoint: e for e in plan.endpoints}
            self._broken, doubtful = {}, self._wanted
        for endpoint in doubtful:
            wanted = self._wanted.get(endpoint)
            if wanted is None:
                continue
            alone = Plan(plan.generation, (wanted,))
            if broken_endpoints(alone, self._seen.about(endpoint)):
                self._broken.setdefault(endpoint, now)
            else:
                self._broken.pop(endpoint, None)
        self._seen.doubtful.clear()

    def tried(self) -> None:
        """A repair has been tried: the next one waits its time."""
        self._broken = dict.fromkeys(self._broken, time.monotonic())

    @property
    def is_waiting(self) -> bool:
        """Whether there is something broken that is not due yet."""
        return bool(self._broken)

    async def _follow(self, kind: type[Stored]) -> None:
        path = path_of(kind, self._namespace)
        digest = partial(read, kind)
        async for change in follow(self._api, path, f"{MANAGED_LABEL}=true", digest, PAGE):
            if change.event == "SYNCED":
                self._synced.add(kind)
            else:
                self._note(change)
            self._changed.set()

    def _note(self, change: Change) -> None:
        self._seen.forget(change.obj["metadata"]["uid"])
        found = change.obj["value"]
        if found is not None and change.event != "DELETED":
            self._seen.note(found)


class Seen:
    """The Region's objects as seen so far, and the endpoints to which something has happened. An
    object may be seen before another of its name is seen to go, so all is kept by uid."""

    def __init__(self) -> None:
        self.doubtful: set[str] = set()
        self._objects: dict[str, Alias | Tree | Slice] = {}
        self._aliases: dict[str, Alias] = {}
        self._trees: dict[str, Tree] = {}
        self._naming: dict[str, dict[str, Alias]] = {}
        self._pieces: dict[str, dict[str, Slice]] = {}

    def note(self, found: Alias | Tree | Slice) -> None:
        self._objects[found.uid] = found
        match found:
            case Alias(endpoint, target):
                self._aliases[endpoint] = found
                self._naming.setdefault(target, {})[found.uid] = found
            case Tree(name):
                self._trees[name] = found
            case Slice(tree_uid=owner):
                self._pieces.setdefault(owner, {})[found.uid] = found
        self._doubt(found)

    def forget(self, uid: str) -> None:
        """What was seen of this object, if anything was."""
        found = self._objects.get(uid)
        if found is None:
            return
        self._doubt(found)
        del self._objects[uid]
        match found:
            case Alias(endpoint, target):
                if self._aliases.get(endpoint) is found:
                    del self._aliases[endpoint]
                _take_out(self._naming, target, uid)
            case Tree(name):
                if self._trees.get(name) is found:
                    del self._trees[name]
            case Slice(tree_uid=owner):
                _take_out(self._pieces, owner, uid)

    def about(self, endpoint: str) -> tuple[Stored, ...]:
        """All that an endpoint's answer is made of: its alias, the tree that it names, and that
        tree's slices."""
        alias = self._aliases.get(endpoint)
        tree = self._trees.get(alias.target) if alias else None
        pieces = self._pieces.get(tree.uid, {}).values() if tree else ()
        return tuple(o for o in (alias, tree, *pieces) if o is not None)

    def _doubt(self, about: Alias | Tree | Slice) -> None:
        if isinstance(about, Alias):
            self.doubtful.add(about.endpoint)
            return
        tree = about if isinstance(about, Tree) else self._objects.get(about.tree_uid)
        if isinstance(tree, Tree):
            self.doubtful.update(a.endpoint for a in self._naming.get(tree.name, {}).values())


def _take_out(groups: dict[str, dict[str, T]], group: str, uid: str) -> None:
    del groups[group][uid]
    if not groups[group]:
        del groups[group]


def read(kind: type[Stored], raw: Json) -> Json:
    """The digest of an object, of value None if it is nobody's: aliases and trees are both
    Services."""
    told = (raw["metadata"].get("labels") or {}).get(KIND_LABEL, "")
    of = Slice if kind is Slice else {"alias": Alias, "tree": Tree}.get(told)
    return slim(raw, None if of is None else parse(of, raw))
