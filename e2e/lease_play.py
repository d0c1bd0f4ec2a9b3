"""All stories of lease managers, and what holds after every one."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2e.lease_ground import Ground, Site, site
from e2e.lease_hands import hands, unattended
from e2e.lease_lives import agents, jumps, overloaded, pair, restarted, zombie
from e2e.lease_looks import Story
from e2e.lease_proxy import Harm, Watching
from e2e.lease_stories import closed, gone_once, jumbled, lagging, stalled, storm, struck


@dataclass(frozen=True, slots=True)
class Found:
    """`rows`: of each case what went wrong, "" for nothing. The rest are complaints of all zones
    together."""

    rows: Mapping[str, str]
    held_by_two: tuple[str, ...]
    objects: tuple[str, ...]
    counts: tuple[str, ...]
    crashed: tuple[str, ...]
    seconds: float


AT_ONCE = 12
"""Stories under way: with more of them a busy machine is late for its own leases."""
GROUPS: tuple[Mapping[str, Story], ...] = (
    {
        "hands": hands,
        "agents": agents,
        "pair": pair,
        "zombie": zombie,
        "unattended": unattended,
        "ahead": jumps(600.0),
        "back": jumps(-600.0),
        "restarted": restarted,
    },
    {f"struck-{number}": struck(harm) for number, harm in enumerate(Harm)},
    {
        "stalled": stalled,
        "closed": closed,
        "gone": storm(Watching.GONE),
        "refused": storm(Watching.REFUSED),
        "ended": storm(Watching.ENDED),
        "once": gone_once,
        "swapped": jumbled(Watching.SWAPPED),
        "repeated": jumbled(Watching.REPEATED),
        "lagging": lagging,
        "overloaded": overloaded,
    },
)
"""The longest first. A Region has ten zones at most."""


async def play() -> Found:
    """All stories, so many at once: a namespace for each group, a zone of it for each story."""
    began = time.monotonic()
    rows: dict[str, str] = {}
    complaints: dict[str, list[str]] = {"two": [], "objects": [], "counts": [], "crashed": []}
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints["crashed"].append(str(context))
    )
    async with site() as shared:
        gate = asyncio.Semaphore(AT_ONCE)

        async def play_one(ground: Ground, zone: str, story: Story) -> None:
            async with gate:
                await _played(ground, shared, zone, story, complaints)

        async def play_group(group: Mapping[str, Story]) -> None:
            async with shared.ground(*group) as ground:
                await asyncio.gather(*(play_one(ground, z, s) for z, s in group.items()))
                rows.update(ground.book.rows)

        await asyncio.gather(*map(play_group, GROUPS))
    two, objects, counts, crashed = (tuple(said) for said in complaints.values())
    return Found(rows, two, objects, counts, crashed, time.monotonic() - began)


async def _played(
    ground: Ground, shared: Site, zone: str, story: Story, complaints: dict[str, list[str]]
) -> None:
    """A story, and what holds after every one."""
    try:
        await story(ground, shared, zone)
    except Exception as error:  # noqa: BLE001  one story that breaks does not end the others
        complaints["crashed"].append(f"{zone}: {error!r}")
    complaints["two"] += ground.history.held_by_two(zone)
    if ground.history.was_lost:
        complaints["two"].append("the history has a gap: its watch was lost")
    there, names = await ground.objects(zone), sorted(ground.names(zone))
    if there != names:
        complaints["objects"].append(f"{zone}: {there}")
    end = time.monotonic() + 8  # counts are told now and then
    while not _adds_up(told := await ground.told(zone), len(names)):
        if time.monotonic() > end:
            complaints["counts"].append(f"{zone}: {told}")
            break
        await asyncio.sleep(0.5)
    ours = [one for one in ground.running if one.me.startswith(f"{zone}/")]
    complaints["crashed"] += [f"{zone}: {one.failure}" for one in ours if one.failure]


def _adds_up(told: Mapping[str, Any], units: int) -> bool:
    """Every state check that was begun has ended in one way, or is under way."""
    ended = sum(told.get(k, 0) for k in ("succeeded", "late", "failed", "conflicts", "theirs"))
    begun = told.get("started", -1)
    return bool(begun == ended + told.get("underWay", 0) and told.get("held") == units)
