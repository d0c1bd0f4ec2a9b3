"""What an enactor sees of the Region's answers from its own watches: for `dns.selfRepair` alone.

Services and slices come by two watches, in no order with each other, so for some milliseconds a
healthy name may look broken. It counts as broken once it has looked so for a while.
"""

import asyncio
import time

from holdfast.core.names import KIND_LABEL, MANAGED_LABEL
from holdfast.core.objects import Alias, Object, Plan, Slice, Tree
from holdfast.core.repair import broken_endpoints, only
from holdfast.live.api import Api, Json
from holdfast.live.watch import Change, follow
from holdfast.live.wire import parse, path_of

REPAIR_AFTER_SECONDS = 0.5
"""How long a name looks broken before it is repaired, and between two attempts."""


class Outlook:
    """`changed` is set whenever something has."""

    def __init__(self, api: Api, namespace: str, changed: asyncio.Event) -> None:
        self._api, self._namespace, self._changed = api, namespace, changed
        self._objects: dict[str, Object] = {}
        self._synced: set[type[Object]] = set()
        self._stale = True
        self._broken: tuple[str, ...] = ()
        self._of = 0
        self._since = 0.0

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
        if self._stale or self._of != plan.generation:
            found = broken_endpoints(plan, self._objects.values())
            if found != self._broken or self._of != plan.generation:
                self._since = now
            self._broken, self._of, self._stale = found, plan.generation, False
        if not self._broken or now - self._since < REPAIR_AFTER_SECONDS:
            return None
        return only(plan, self._broken)

    def tried(self) -> None:
        """A repair has been tried: the next one waits its time."""
        self._since = time.monotonic()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something broken that is not due yet."""
        return bool(self._broken)

    async def _follow(self, kind: type[Object]) -> None:
        path = path_of(kind, self._namespace)
        async for change in follow(self._api, path, f"{MANAGED_LABEL}=true"):
            if change.event == "SYNCED":
                self._synced.add(kind)
            else:
                self._note(kind, change)
            self._stale = True
            self._changed.set()

    def _note(self, kind: type[Object], change: Change) -> None:
        uid = change.obj["metadata"]["uid"]
        found = _read(kind, change.obj)
        if change.event == "DELETED" or found is None:
            self._objects.pop(uid, None)
        else:
            self._objects[uid] = found


def _read(kind: type[Object], raw: Json) -> Object | None:
    """Aliases and trees are both Services."""
    if kind is Slice:
        return parse(Slice, raw)
    told = (raw["metadata"].get("labels") or {}).get(KIND_LABEL)
    return parse({"alias": Alias, "tree": Tree}[told], raw) if told in ("alias", "tree") else None
