"""An API server for a lease manager's calls beside its attempts: leases in memory, each write under
its resourceVersion, and who has written what as `managedFields` tell it."""

import asyncio
import copy
import time
from datetime import UTC, datetime
from typing import Any

from holdfast.live.api import Answer
from holdfast.live.lease_wire import MANAGER

Json = dict[str, Any]
ZONE = "us-east-1a"


class Shelf:
    """`fails`: so many calls get this answer first. `lost`: their answers never come, though they
    have their effect. `sent` are the calls, `told` the entries of the Region's status."""

    def __init__(self) -> None:
        self.leases: dict[str, Json] = {}
        self.sent: list[tuple[str, str]] = []
        self.told: list[Json] = []
        self.fails: list[Answer] = []
        self.lost = 0
        self._version = 100

    # --- what a client does

    async def get(self, _path: str, **query: str) -> Answer:
        name = query["fieldSelector"].removeprefix("metadata.name=")
        self.sent.append(("GET", name))
        found = [copy.deepcopy(self.leases[name])] if name in self.leases else []
        return await self._answer(Answer(200, {"items": found}))

    async def create(self, _path: str, body: Json) -> Answer:
        name = body["metadata"]["name"]
        self.sent.append(("POST", name))
        if self.fails:
            return self.fails.pop(0)
        if name in self.leases:
            return Answer(409, {"reason": "AlreadyExists"})
        body = copy.deepcopy(body)
        body["metadata"] |= {"namespace": "ns", "uid": f"uid-{self._version}"}
        return await self._stored(name, body, f"{MANAGER}{ZONE}")

    async def replace(self, _path: str, body: Json) -> Answer:
        name, meta = body["metadata"]["name"], body["metadata"]
        self.sent.append(("PUT", name))
        if self.fails:
            return self.fails.pop(0)
        if name not in self.leases:
            return Answer(404, {"reason": "NotFound"})
        there = self.leases[name]["metadata"]
        if (meta["uid"], meta["resourceVersion"]) != (there["uid"], there["resourceVersion"]):
            return Answer(409, {"reason": "Conflict"})
        body = copy.deepcopy(body)
        body["metadata"]["namespace"] = "ns"
        return await self._stored(name, body, f"{MANAGER}{ZONE}")

    async def merge_patch(self, _path: str, body: Json) -> Answer:
        self.told.append(body["status"]["leases"][ZONE])
        return Answer(200, {})

    # --- what a hand does

    def edit(self, name: str, at: float | None = None, **spec: Any) -> Json:
        """The lease after it."""
        raw = copy.deepcopy(self.leases[name])
        raw["spec"] |= spec
        self._store(name, raw, "kubectl-edit", at)
        return copy.deepcopy(self.leases[name])

    def take_labels_off(self, name: str) -> None:
        raw = copy.deepcopy(self.leases[name])
        raw["metadata"]["labels"] = {}
        self._store(name, raw, "")

    def delete(self, name: str) -> Json:
        return self.leases.pop(name)

    # --- inside

    async def _stored(self, name: str, body: Json, who: str) -> Answer:
        self._store(name, body, who)
        return await self._answer(Answer(200, copy.deepcopy(self.leases[name])))

    def _store(self, name: str, body: Json, who: str, at: float | None = None) -> None:
        """An entry for who has written last, beside that of our managers."""
        self._version += 1
        meta = body["metadata"]
        meta["resourceVersion"] = str(self._version)
        stamp = datetime.fromtimestamp(time.time() if at is None else at, UTC)
        before = self.leases.get(name, {}).get("metadata", {}).get("managedFields") or []
        kept = [e for e in before if e["manager"].startswith(MANAGER) and e["manager"] != who]
        entry = {"manager": who, "time": stamp.strftime("%Y-%m-%dT%H:%M:%SZ")}
        meta["managedFields"] = [*kept, entry] if who else kept
        self.leases[name] = body

    async def _answer(self, answer: Answer) -> Answer:
        if self.lost:
            self.lost -= 1
            await asyncio.Event().wait()
        return answer
