"""Every version of every lease, as the API server has had it, and what came of the cases."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from holdfast.core.leases.fleet import Mode
from holdfast.core.leases.lease import Lease
from holdfast.live.api import Api, Json
from holdfast.live.lease_wire import by_a_hand, parse_lease, path_of_leases
from holdfast.live.watch import follow

FLEET: Json = {
    "droplets": 6,
    "durationSeconds": 9,
    "heartbeatMilliseconds": 3000,
    "timeoutMilliseconds": 2900,
    "workers": 4,
    "renewMilliseconds": 5,
    "establishMilliseconds": 20,
}
DURATION, PERIOD, TIMEOUT = 9.0, 3.0, 2.9
PATIENCE_SECONDS = 30.0
YEAR_9999 = 3600.0
"""Stamps that are further ahead than this are a hand's, whoever has written them on."""


async def until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> float:
    """Wait for a condition; returns for how long. AssertionError if it does not come."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Version:
    """A lease object as it was at one resourceVersion. `hand`: who wrote it, if no manager did."""

    at: float
    lease: Lease
    hand: str
    labels: Json
    gone: bool = False


@dataclass
class Book:
    """What came of each case: "" if it went as it should."""

    rows: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def row(self, key: str) -> Iterator[None]:
        """A case that goes wrong does not end the others."""
        assert key not in self.rows, key
        self.rows[key] = "it was not played to its end"
        try:
            yield
        except (AssertionError, TimeoutError) as error:
            self.rows[key] = str(error) or type(error).__name__
        else:
            self.rows[key] = ""


class History:
    """Every version of every lease of a namespace, as a watch of our own brings them."""

    def __init__(self, api: Api, space: str) -> None:
        self.versions: dict[str, list[Version]] = {}
        self.was_lost = False
        self._api, self._space = api, space

    async def follow(self) -> None:
        path = path_of_leases(Mode.DROPLET, self._space)
        async for change in follow(self._api, path):
            self.was_lost |= change.relisted
            if change.event != "SYNCED":
                raw = change.obj
                lease, labels = parse_lease(raw), raw["metadata"].get("labels") or {}
                hand = by_a_hand(raw)
                found = Version(time.time(), lease, hand, labels, change.event == "DELETED")
                self.versions.setdefault(lease.name, []).append(found)

    def now(self, name: str) -> Version | None:
        found = self.versions.get(name)
        return found[-1] if found and not found[-1].gone else None

    def since(self, name: str, at: float) -> list[Version]:
        return [v for v in self.versions.get(name, ()) if v.at >= at]

    def held_by_two(self, zone: str) -> list[str]:
        """Changes of hands before the former holder's lease had run out, by whichever manager.
        What a hand has written is no manager's doing."""
        found = []
        for name, versions in self.versions.items():
            if not name.startswith(f"{zone}-r"):
                continue
            former: Version | None = None
            for version in versions:
                lease = version.lease
                if former is not None and former.lease.uid == lease.uid and not version.hand:
                    was = former.lease
                    changed = lease.holder not in ("", was.holder)
                    if changed and lease.acquired < was.expires:
                        left = was.expires - lease.acquired
                        found.append(
                            f"{name}: {lease.holder} took it at {lease.resource_version}, "
                            f"{left:.2f} s before the end of {was.holder}'s"
                        )
                # A hand's word is nobody's lease, and no manager takes a holder out.
                by_a_manager = not version.hand and not version.gone and bool(lease.holder)
                by_a_manager &= lease.renewed < version.at + YEAR_9999
                former = version if by_a_manager else None
        return found
