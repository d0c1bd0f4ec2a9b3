"""What can happen to a write, or to an event of a watch, between a process and the API server."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

DELAY_SECONDS = 60.0


class Harm(StrEnum):
    """To a write. Only the first three and the last leave open whether it had its effect."""

    CRASH_AFTER = "crash after"
    """It has its effect; the process that sent it is dead before it hears so."""
    LOST_REPLY = "lost reply"
    """It has its effect; no answer comes, until the client gives up."""
    RESET_AFTER = "reset after"
    """It has its effect; the connection is torn down in place of an answer."""
    CRASH_BEFORE = "crash before"
    """The process that sent it is dead before it has left the machine."""
    OVERLOADED = "429"
    ERROR = "500"
    RESET = "reset"
    """The connection is torn down, and it has no effect."""
    DELAY = "60 s delay"
    """It reaches the API server when its sender has long given up on it."""


class WatchHarm(StrEnum):
    """To an event of a watch."""

    DROP = "event dropped"
    """Swallowed, on a stream that goes on as if nothing were missing."""
    REPEAT = "event repeated"
    REORDER = "events swapped"
    """Kept back until the next one has gone by."""
    GONE = "410 Gone"
    """The stream ends with an error in its place: it must be listed anew."""
    CUT = "stream cut"
    """The connection is torn down in the middle of its line."""


class Jump(StrEnum):
    """Of one enactor's wall clock."""

    AHEAD = "+10 min"
    BACK = "-10 min"

    @property
    def seconds(self) -> float:
        return 600.0 if self is Jump.AHEAD else -600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the `nth` write of this name, counted from when the fault is armed. `process`: only
    what that one sends. `alone`: until it has struck, what other enactors send waits, so that the
    write is this one's to make."""

    write: str
    harm: Harm
    nth: int = 1
    process: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True)
class WatchFault:
    """Strikes the `nth` event of a watch, counted from when the fault is armed."""

    resource: str
    process: str
    harm: WatchHarm
    nth: int = 1


@dataclass(frozen=True, slots=True)
class ClockFault:
    """The wall clock of `process` jumps when it reaches this step. Other enactors wait so long."""

    step: str
    jump: Jump
    process: str


AnyFault: TypeAlias = Fault | WatchFault | ClockFault
