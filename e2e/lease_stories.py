"""What is done to the writes and watches of lease managers, and what must come of it. Each story is
a zone's, and each of its cases a row of the book."""

import asyncio
import time

from e2e.lease_ground import Ground, Running, Site
from e2e.lease_history import DURATION, PERIOD, until
from e2e.lease_looks import Story, delete, keeps, lapses, phase, renewed_again
from e2e.lease_proxy import Harm, Rule, Watching

WRITES = ("create", "renewal", "expiry")
LISTINGS_A_SECOND = 1.0
STORM_SECONDS = 10.0


def _put(name: str, phase: str) -> Rule:
    return lambda call: (call.method, call.name, call.phase) == ("PUT", name, phase)


# --- writes that are struck


async def _every_write(ground: Ground, shared: Site, zone: str, harm: Harm) -> None:
    names, book, line = ground.names(zone), ground.book, ground.line()
    line.arm(harm, lambda call: (call.method, call.name) == ("POST", names[0]))
    one = ground.start(zone, shared.server, line)
    with book.row(f"create, {harm}"):
        await until(lambda: bool(line.struck), "a create to strike")
        await ground.until_all_held(one, zone)
    with book.row(f"renewal, {harm}"):
        began = time.time()
        line.arm(harm, _put(names[1], "Held"))
        await until(lambda: bool(line.struck), "a renewal to strike")
        await renewed_again(ground, names[1])
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"
    with book.row(f"expiry, {harm}"):
        line.arm(harm, _put(names[2], "Expired"))
        await ground.racks[zone].break_it("silent", names[2])
        await until(lambda: bool(line.struck), "a word of an expiry to strike")
        await until(lambda: phase(ground, names[2]) == "Expired", "the word of it is written", 8)
        await ground.racks[zone].break_it("none")
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began, names[2])), f"ran out: {lost}"


def struck(harm: Harm) -> Story:
    return lambda ground, shared, zone: _every_write(ground, shared, zone, harm)


# --- watches


async def stalled(ground: Ground, shared: Site, zone: str) -> None:
    one = ground.start(zone, shared.server)
    with ground.book.row("watch stalled"):
        await ground.until_all_held(one, zone)
        one.line.flows.clear()
        began = time.time()
        await delete(ground, zone, -1)
        await keeps(ground, one, zone, DURATION + PERIOD, ground.names(zone)[-1])
        one.line.flows.set()
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"


async def closed(ground: Ground, shared: Site, zone: str) -> None:
    """Torn down twice a second."""
    one = ground.start(zone, shared.server)
    with ground.book.row("watch closed"):
        await ground.until_all_held(one, zone)
        began = time.time()
        for _ in range(12):
            one.line.cut()
            await keeps(ground, one, zone, 0.5)
        await delete(ground, zone, -1)
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"


async def _stormy(ground: Ground, one: Running, zone: str, watching: Watching) -> None:
    """Every watch of the leases goes so; nothing is lost, and it is not asked for all the time."""
    await ground.until_all_held(one, zone)
    line, began = one.line, time.time()
    line.watching = watching
    line.cut()
    listed, watched = len(line.listings), len(line.watches)
    await keeps(ground, one, zone, STORM_SECONDS / 2)
    await delete(ground, zone, -1)
    await keeps(ground, one, zone, STORM_SECONDS / 2, ground.names(zone)[-1])
    line.watching = Watching.PLAIN
    assert len(line.watches) > watched, "no watch was struck"
    for what, asked in ("listings", line.listings[listed:]), ("watches", line.watches[watched:]):
        often = len(asked)
        assert often <= LISTINGS_A_SECOND * STORM_SECONDS, f"{often} {what} in {STORM_SECONDS} s"
    await ground.until_all_held(one, zone)
    assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"


def storm(watching: Watching) -> Story:
    async def story(ground: Ground, shared: Site, zone: str) -> None:
        one = ground.start(zone, shared.server)
        with ground.book.row(f"watch {watching}"):
            await _stormy(ground, one, zone, watching)

    return story


async def gone_once(ground: Ground, shared: Site, zone: str) -> None:
    one = ground.start(zone, shared.server)
    with ground.book.row("watch 410 once"):
        await ground.until_all_held(one, zone)
        began, listed = time.time(), len(one.line.listings)
        one.line.watching = Watching.GONE
        await until(lambda: len(one.line.listings) > listed, "it is listed anew")
        one.line.watching = Watching.PLAIN
        await delete(ground, zone, -1)
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"


def jumbled(watching: Watching) -> Story:
    async def story(ground: Ground, shared: Site, zone: str) -> None:
        one = ground.start(zone, shared.server)
        with ground.book.row(f"watch {watching}"):
            await ground.until_all_held(one, zone)
            began = time.time()
            one.line.watching = watching
            await keeps(ground, one, zone, 3 * PERIOD)
            await delete(ground, zone, -1)
            await delete(ground, zone, -2)
            await asyncio.sleep(2 * PERIOD)
            await ground.until_all_held(one, zone)
            one.line.watching = Watching.PLAIN
            await keeps(ground, one, zone, PERIOD)
            assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"

    return story


async def lagging(ground: Ground, shared: Site, zone: str) -> None:
    """Behind the replies to the manager's own writes by two heartbeats."""
    line = ground.line()
    line.lag = 3.0
    one = ground.start(zone, shared.server, line)
    with ground.book.row("watch 3 s late"):
        await ground.until_all_held(one, zone)
        began = time.time()
        await keeps(ground, one, zone, 2 * PERIOD)
        await delete(ground, zone, -1)
        await asyncio.sleep(PERIOD)
        await ground.until_all_held(one, zone)
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"
