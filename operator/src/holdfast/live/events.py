"""Events on a Region, with numbers in their messages.

What is said waits in a bounded queue, one entry for each reason and endpoint, and one task posts
it: nobody waits for an event, and none is worth a failure. What repeats is counted into the Event
that is there.
"""

import asyncio
import itertools
import time
from dataclasses import dataclass

from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.reasons import MEANINGS, Notice
from holdfast.live import metrics
from holdfast.live.api import Api, Json
from holdfast.live.stamp import rfc3339

REPEAT_SECONDS = 5.0
"""Between two writes of one Event."""
PACE_SECONDS = 0.2
"""Between any two writes."""
RETRY_SECONDS = 2.0
TRIES = 30
"""How often one Event is tried: through a minute without an API server."""
FORGET_SECONDS = 1800.0
"""An Event that has not been said again for so long is over; the API server forgets it after an
hour."""
WAITING_MAX = 64
MESSAGE_MAX = 1000

_SERIAL = itertools.count()


@dataclass(slots=True)
class _Entry:
    """`waiting`: how many times it was said since it was last written."""

    notice: Notice
    began: str
    last: str
    waiting: int = 1
    written: int = 0
    name: str = ""
    due: float = 0.0
    tries: int = 0

    def is_over(self, now: float) -> bool:
        return not self.waiting and now - self.due > FORGET_SECONDS


class Events:
    """`namespace` and `region` name the Region, `component` and `instance` who speaks."""

    def __init__(
        self, api: Api, namespace: str, region: str, component: str, instance: str
    ) -> None:
        self._api, self._namespace, self._region = api, namespace, region
        self._component, self._instance = component, instance
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._uid = ""
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._said = asyncio.Event()

    def about(self, uid: str) -> None:
        """The Region's uid: without it `kubectl describe` would not find an Event."""
        self._uid = uid
        self._said.set()

    def say(self, notice: Notice) -> None:
        """Have it posted. Returns at once; drops it if too much waits already."""
        now = time.monotonic()
        self._entries = {k: e for k, e in self._entries.items() if not e.is_over(now)}
        entry = self._entries.get((notice.reason, notice.endpoint))
        if entry is not None:
            entry.notice, entry.last, entry.waiting = notice, rfc3339(), entry.waiting + 1
        elif sum(bool(e.waiting) for e in self._entries.values()) >= WAITING_MAX:
            self._count("dropped")
        else:
            entry = _Entry(notice, rfc3339(), rfc3339(), due=now)
            self._entries[notice.reason, notice.endpoint] = entry
        self._said.set()

    async def run(self) -> None:
        """Post what is said, until cancelled."""
        while True:
            entry = self._next()
            wait = entry.due - time.monotonic() if entry is not None else None
            if entry is not None and wait is not None and wait <= 0:
                await self._write(entry)
                await asyncio.sleep(PACE_SECONDS)
                continue
            self._said.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._said.wait()
            except TimeoutError:
                pass

    def _next(self) -> _Entry | None:
        """What is due first."""
        if not self._uid:
            return None
        waiting = (e for e in self._entries.values() if e.waiting)
        return min(waiting, key=lambda e: e.due, default=None)

    async def _write(self, entry: _Entry) -> None:
        times, count = entry.waiting, entry.written + entry.waiting
        message = entry.notice.message[:MESSAGE_MAX]
        if entry.name:
            change = {"message": message, "count": count, "lastTimestamp": entry.last}
            answer = await self._api.merge_patch(f"{self._path}/{entry.name}", change)
        else:
            body = self._body(entry, message, count)
            answer = await self._api.create(self._path, body)
        if answer.ok:
            self._count("counted" if entry.name else "posted")
            entry.name = answer.body["metadata"]["name"]
            entry.written, entry.waiting = count, entry.waiting - times
            entry.tries, entry.due = 0, time.monotonic() + REPEAT_SECONDS
            return
        entry.tries += 1
        entry.due = time.monotonic() + RETRY_SECONDS
        if answer.status == 404 and entry.name:
            # Forgotten by the API server, or deleted by hand: it begins anew.
            entry.name, entry.began, entry.written = "", entry.last, 0
        elif entry.tries >= TRIES:
            self._count("dropped")
            entry.tries = entry.waiting = 0

    def _body(self, entry: _Entry, message: str, count: int) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{self._region}.{time.time_ns():x}{next(_SERIAL) % 256:02x}",
                "namespace": self._namespace,
            },
            "involvedObject": {
                "apiVersion": f"{API_GROUP}/{API_VERSION}",
                "kind": "Region",
                "namespace": self._namespace,
                "name": self._region,
                "uid": self._uid,
            },
            "type": MEANINGS[entry.notice.reason].kind,
            "reason": str(entry.notice.reason),
            "message": message,
            "count": count,
            "firstTimestamp": entry.began,
            "lastTimestamp": entry.last,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }

    def _count(self, result: str) -> None:
        metrics.EVENTS.labels(self._namespace, result).inc()
