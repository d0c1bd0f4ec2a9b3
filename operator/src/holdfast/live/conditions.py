"""Conditions on a Region, of several writers: each applies its own types and leaves the others'.

A condition is written when its status or reason has changed, not when its message has: an ordinary
flip costs no call. A message whose numbers have moved follows later.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace

from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.reasons import Reason
from holdfast.live.api import Api, Json
from holdfast.live.stamp import rfc3339
from holdfast.live.watch import is_older
from holdfast.live.wire import GROUP_PATH

CHANGE_SECONDS = 5.0
"""Between a write and the next that changes a status or a reason."""
COUNT_SECONDS = 10.0
"""Between a write and the next that changes a message."""
RETRY_SECONDS = 1.0
MESSAGE_MAX = 1000


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    is_true: bool
    reason: Reason
    message: str

    @property
    def gist(self) -> tuple[bool, Reason]:
        return self.is_true, self.reason


def applied_type(zone: str) -> str:
    """The type of an enactor's condition."""
    return f"{zone}.{API_GROUP}/Applied"


def held_type(zone: str) -> str:
    """The type of a lease manager's condition."""
    return f"{zone}.{API_GROUP}/LeasesHeld"


class Conditions:
    """One writer's, under its client's field manager."""

    def __init__(self, api: Api, namespace: str, region: str) -> None:
        self._api, self._region = api, region
        self._path = f"{GROUP_PATH}/namespaces/{namespace}/regions/{region}/status"
        self._uid = self._version = ""
        self._wanted: dict[str, Condition] = {}
        self._written: dict[str, Condition] = {}
        self._since: dict[str, str] = {}
        self._at = float("-inf")
        self._changed = asyncio.Event()

    def about(self, uid: str, status: Json, *types: str, version: str = "") -> None:
        """The Region, and what its status says under our types now. What a former incarnation has
        written is not written again; what a hand has changed is. `version`: of the Region as it was
        seen; a watch is behind our own writes, and what is older than the last of them says nothing
        of it."""
        if uid == self._uid and is_older(version, self._version):
            return
        there = {raw["type"]: raw for raw in status.get("conditions") or ()}
        for kind in types:
            found = _read(there[kind]) if kind in there else None
            if not self._uid and found is not None:
                self._written[kind] = self._wanted[kind] = found
                self._since[kind] = there[kind]["lastTransitionTime"]
            elif kind in self._written and (
                found is None or found.gist != self._written[kind].gist
            ):
                del self._written[kind]
        self._uid = uid
        self._changed.set()

    def of(self, kind: str) -> Condition | None:
        """What was set last."""
        return self._wanted.get(kind)

    def set(self, condition: Condition) -> None:
        """Have it written. Returns at once."""
        condition = replace(condition, message=condition.message[:MESSAGE_MAX])
        before = self._wanted.get(condition.type)
        if before is None or before.is_true != condition.is_true:
            self._since[condition.type] = rfc3339()
        self._wanted[condition.type] = condition
        if before != condition:
            self._changed.set()

    async def run(self) -> None:
        """Write what is set, until cancelled."""
        while True:
            wait = self._wait()
            if wait is not None and wait <= 0:
                await self._write()
                continue
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    def _wait(self) -> float | None:
        """Seconds until a write is due; None while there is none."""
        if not self._uid or self._wanted == self._written:
            return None
        gists, told = _gists(self._wanted), _gists(self._written)
        pace = CHANGE_SECONDS if gists != told else COUNT_SECONDS
        return self._at + pace - time.monotonic()

    async def _write(self) -> None:
        saying = dict(self._wanted)
        body = {
            "apiVersion": f"{API_GROUP}/{API_VERSION}",
            "kind": "Region",
            "metadata": {"name": self._region, "uid": self._uid},
            "status": {
                "conditions": [
                    {
                        "type": c.type,
                        "status": str(c.is_true),
                        "reason": str(c.reason),
                        "message": c.message,
                        "lastTransitionTime": self._since[c.type],
                    }
                    for c in saying.values()
                ]
            },
        }
        answer = await self._api.apply(self._path, body)
        if answer.ok:
            self._written, self._at = saying, time.monotonic()
            meta = answer.body.get("metadata") or {}
            self._version = str(meta.get("resourceVersion", ""))
        else:
            await asyncio.sleep(RETRY_SECONDS)


def _gists(conditions: dict[str, Condition]) -> dict[str, tuple[bool, Reason]]:
    return {kind: c.gist for kind, c in conditions.items()}


def _read(raw: Json) -> Condition | None:
    try:
        reason = Reason(raw["reason"])
    except ValueError:
        return None
    return Condition(raw["type"], raw["status"] == "True", reason, str(raw["message"]))
