"""A freeze: a human's word that automation keeps its hands off an alias, with who, until when, why.

It stands in the alias itself, beside a lock that lasts as long, so it makes a flip that is in
flight miss: the lock is no longer the flip's, and the version has moved. Only a blind write does
not notice; the next read does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

FOREVER = 253402300799.0
"""Seconds of the epoch, the last of year 9999: a time that can be written, read and compared."""
_HOLDER = "freeze/"


@dataclass(frozen=True, slots=True)
class Freeze:
    """`until` in seconds of the epoch, `who` without white space."""

    who: str
    until: float
    why: str

    def text(self) -> str:
        """The annotation: `alice 2025-10-20T09:25:00Z the name is empty`."""
        return f"{self.who} {_stamp(self.until)} {self.why}".rstrip()

    def holder(self) -> str:
        """Who holds the alias's lock meanwhile."""
        return _HOLDER + self.who


def parse_freeze(text: str) -> Freeze | None:
    """The freeze in an annotation; None when there is none. What cannot be read was put there by
    somebody all the same: it holds until it is taken away."""
    if not text:
        return None
    who, _, rest = text.partition(" ")
    stamp, _, why = rest.partition(" ")
    until = seconds_of(stamp)
    return Freeze(who, FOREVER, rest) if until is None else Freeze(who, until, why)


def seconds_of(stamp: str) -> float | None:
    """A stamp in seconds of the epoch; in UTC where it names no zone, for those who read it may be
    in several. None if it cannot be read."""
    try:
        found = datetime.fromisoformat(stamp)
        known = found if found.tzinfo else found.replace(tzinfo=UTC)
        return min(known.timestamp(), FOREVER)
    except (ValueError, OverflowError):
        return None


def is_frozen(text: str, now: float) -> bool:
    found = parse_freeze(text)
    return found is not None and found.until > now


def is_freeze_lock(holder: str) -> bool:
    return holder.startswith(_HOLDER)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, FOREVER), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
