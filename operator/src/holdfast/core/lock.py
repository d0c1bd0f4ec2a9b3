"""The incident's lock: a text in the alias that names its holder and when it expires.

It protects who writes, not which plan is newer. `""` is a free lock. The expiry is read off the
holder's wall clock and compared with the reader's: clock skew may steal a lock, by design of the
original.
"""

import math
from dataclasses import dataclass

NO_RECORD = "(no record)"
"""Stands for a lock annotation that is not there at all: taken away by hand, for we never do. It
reads as a free lock, and a write that expects it tests for absence."""
NO_RECORDS = "(no records)"
"""The same where no annotation is left: the API server drops an empty map, and a JSON patch finds
no key in a map that is not there, not even an absent one."""


@dataclass(frozen=True, slots=True)
class Lock:
    holder: str
    expires: float

    def text(self) -> str:
        return f"{self.holder} {self.expires:.3f}"


def parse_lock(text: str) -> Lock | None:
    """The lock in an annotation; None when it is free. Unreadable text is an expired lock of
    nobody: it can be taken over, so a hand-edited annotation wedges nothing."""
    if text in ("", NO_RECORD, NO_RECORDS):
        return None
    holder, _, expires = text.rpartition(" ")
    try:
        at = float(expires)
    except ValueError:
        at = math.nan
    return Lock(holder or text, at if math.isfinite(at) else -math.inf)


def is_free(text: str, me: str, now: float) -> bool:
    """Free, expired, or my own (left behind by a former incarnation of this process)."""
    lock = parse_lock(text)
    return lock is None or lock.holder == me or not lock.expires > now
