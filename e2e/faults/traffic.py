"""What passes between the processes of one case and the API server, and the faults that wait for
it. The proxy asks; nothing here touches a socket."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import orjson

from e2e.faults.harm import AnyFault, ClockFault, Fault, WatchFault, WatchHarm
from e2e.faults.write import Write

_GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    },
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A write that reached the API server, and what it answered. `late`: long after its sender had
    given up on it."""

    at: float
    process: str
    write: Write
    status: int
    late: bool = False

    @property
    def had_effect(self) -> bool:
        return 200 <= self.status < 300


class Traffic:
    """One case's. `plan` is the generation from which writes get their names; `under_way` counts
    the calls that have no answer yet, `late` the writes that are still to arrive, which they do
    when their time has come and they `may_arrive`."""

    def __init__(self) -> None:
        self.plan = 0
        self.sent: list[Sent] = []
        self.under_way = 0
        self.late = 0
        self.may_arrive = asyncio.Event()
        self.struck_at: float | None = None
        self._fault: AnyFault | None = None
        self._seen = 0
        self._last = time.monotonic()
        self._goes_first = ""
        self._struck = asyncio.Event()

    def arm(self, fault: AnyFault) -> None:
        self._fault, self._seen = fault, 0
        if isinstance(fault, ClockFault) or (isinstance(fault, Fault) and fault.alone):
            self._goes_first = fault.process

    async def may_pass(self, process: str) -> None:
        """Wait while another enactor goes first."""
        if self._goes_first and process not in (self._goes_first, "planner"):
            await self._struck.wait()

    def strikes(self, process: str, write: Write | None) -> Fault | None:
        """The fault that hits this write now, if it is the one that is waited for."""
        fault = self._fault
        if not isinstance(fault, Fault) or write is None:
            return None
        if write.seen_from(self.plan) != fault.write or fault.process not in ("", process):
            return None
        return fault if self._strikes_now(fault.nth) else None

    def strikes_event(self, process: str, resource: str, line: bytes) -> WatchHarm | None:
        """The harm that this event comes to, if it is the one that is waited for."""
        fault = self._fault
        if not isinstance(fault, WatchFault):
            return None
        if (fault.process, fault.resource) != (process, resource) or is_bookmark(line):
            return None
        return fault.harm if self._strikes_now(fault.nth) else None

    def strikes_clock(self, process: str, step: str) -> float:
        """How many seconds a process's clock jumps on reaching this step."""
        fault = self._fault
        if not isinstance(fault, ClockFault) or (fault.process, fault.step) != (process, step):
            return 0.0
        return fault.jump.seconds if self._strikes_now(1) else 0.0

    def _strikes_now(self, nth: int) -> bool:
        self._seen += 1
        if self._seen < nth:
            return False
        self._fault = None
        self.struck_at = time.monotonic()
        self._struck.set()
        return True

    def arrived(self, process: str, write: Write, status: int, late: bool = False) -> None:
        if late:
            self._last = time.monotonic()
        self.sent.append(Sent(time.monotonic(), process, write, status, late))

    def begins(self) -> None:
        self.under_way += 1

    def ends(self, write: Write | None) -> None:
        """A call has its answer, or nobody waits for it any more."""
        self.under_way -= 1
        if write is not None and not write.is_told:
            self._last = time.monotonic()

    def quiet_for(self) -> float:
        """Seconds since anybody last wrote, or tried to; 0 while calls are under way."""
        return 0.0 if self.under_way else time.monotonic() - self._last

    def effects(self) -> Counter[str]:
        """Creates and deletes that had an effect."""
        return Counter(
            s.write.seen_from(self.plan)
            for s in self.sent
            if s.had_effect and s.write.what.startswith(("create", "delete"))
        )


def is_bookmark(line: bytes) -> bool:
    return bool(orjson.loads(line)["type"] == "BOOKMARK")


def gone() -> bytes:
    return orjson.dumps(_GONE) + b"\n"
