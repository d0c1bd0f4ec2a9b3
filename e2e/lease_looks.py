"""What stories of lease managers look at, and a hand that deletes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from e2e.lease_ground import Ground, Running, Site
from e2e.lease_history import PERIOD, until
from e2e.lease_proxy import Call
from holdfast.core.leases.fleet import Mode
from holdfast.live.lease_wire import path_of_leases

Story: TypeAlias = Callable[[Ground, Site, str], Awaitable[None]]
"""Of a zone."""


def lapses(ground: Ground, zone: str, since: float, *but: str) -> list[str]:
    """Leases of a zone that ran out since then, as their objects say."""
    return [
        name
        for name in ground.names(zone)
        if name not in but
        and any(v.lease.phase == "Expired" for v in ground.history.since(name, since))
    ]


async def keeps(ground: Ground, one: Running, zone: str, seconds: float, *but: str) -> None:
    """For so long every lease of the zone is held, but for these."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [n for n in ground.names(zone) if n not in but and not ground.is_held(n, one)]
        assert not left, f"no longer held: {left[0]}: {ground.history.now(left[0])}"
        await asyncio.sleep(0.1)


def phase(ground: Ground, name: str) -> str:
    version = ground.history.now(name)
    return version.lease.phase if version else ""


def lease(ground: Ground, name: str) -> Any:
    version = ground.history.now(name)
    assert version is not None, f"{name} is not there"
    return version.lease


def renewals(calls: list[Call]) -> list[Call]:
    return [c for c in calls if (c.method, c.phase) == ("PUT", "Held")]


async def renewed_again(ground: Ground, name: str) -> None:
    """By a state check that was queued from now on."""
    at = time.time()

    def is_newer() -> bool:
        return any(v.lease.renewed > at for v in ground.history.since(name, at))

    await until(is_newer, f"{name} is renewed again", 4 * PERIOD)


async def delete(ground: Ground, zone: str, place: int) -> None:
    """A lease, by a hand."""
    name = ground.names(zone)[place]
    before = ground.history.now(name)
    answer = await ground.hand.delete(f"{path_of_leases(Mode.DROPLET, ground.space)}/{name}")
    assert answer.ok, answer
    uid = before.lease.uid if before else ""

    def is_seen() -> bool:
        now = ground.history.now(name)
        return now is None or now.lease.uid != uid

    await until(is_seen, "its deletion is seen")


async def told_of(ground: Ground, zone: str, figure: str, least: int) -> dict[str, Any]:
    """The manager's own words, once a figure is told of."""
    end = time.monotonic() + 10
    while (told := await ground.told(zone)).get(figure, -1) < least:
        assert time.monotonic() < end, told
        await asyncio.sleep(0.3)
    return told
