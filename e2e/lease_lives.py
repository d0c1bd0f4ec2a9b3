"""What lease managers go through beside their own calls: an API server that refuses all, agents
that do not answer, clocks that jump, and another manager of their zone."""

import asyncio
import time

from e2e.lease_ground import Ground, Site
from e2e.lease_history import DURATION, PERIOD, until
from e2e.lease_looks import Story, keeps, lapses, lease, phase, renewals, renewed_again, told_of


async def overloaded(ground: Ground, shared: Site, zone: str) -> None:
    one = ground.start(zone, shared.server)
    with ground.book.row("429 on everything for 5 s"):
        await ground.until_all_held(one, zone)
        one.line.is_overloaded = True
        one.line.cut()
        await asyncio.sleep(5)
        one.line.is_overloaded = False
        await ground.until_all_held(one, zone, 2 * DURATION)
        told = await told_of(ground, zone, "failed", 1)
        assert "WriteFailed: Overloaded" in told["lastFailure"], told


async def agents(ground: Ground, shared: Site, zone: str) -> None:
    """One droplet after the other has an agent that does not answer for it; the rest is kept."""
    one, agent, names = ground.start(zone, shared.server), ground.racks[zone], ground.names(zone)
    wrongs = {
        "hang": ("AgentSilent", "no answer"),
        "late": ("AgentSilent", "no answer"),
        "another": ("AgentOfAnother", "told of"),
        "silent": ("AgentSilent", "503"),
    }
    for name, (mode, said) in zip(names, wrongs.items(), strict=False):
        await agent.break_it("none")
        with ground.book.row(f"agent: {mode}"):
            await ground.until_all_held(one, zone)
            began = time.time()
            await agent.break_it(mode, name, seconds=4.0)

            async def is_told(name: str = name, said: tuple[str, str] = said) -> bool:
                last = str((await ground.told(zone)).get("lastFailure", ""))
                return all(word in last for word in (name, *said))

            while not await is_told():
                assert time.time() < began + 15, await ground.told(zone)
                await keeps(ground, one, zone, 0.2, name)
            if mode == "silent":
                await until(lambda: phase(ground, name) == "Expired", "it runs out", 20)  # noqa: B023
            await agent.break_it("none")
            await renewed_again(ground, name)
            await ground.until_all_held(one, zone)
            assert not (lost := lapses(ground, zone, began, name)), f"ran out: {lost}"


async def restarted(ground: Ground, shared: Site, zone: str) -> None:
    """What another incarnation answers is acquired anew, and stays the manager's."""
    one, agent = ground.start(zone, shared.server), ground.racks[zone]
    with ground.book.row("agent: restarted"):
        await ground.until_all_held(one, zone)
        hands = {n: lease(ground, n).transitions for n in ground.names(zone)}
        began = time.time()
        await agent.start()

        def are_anew() -> bool:
            leases = [lease(ground, n) for n in ground.names(zone)]
            return all(ls.agent == agent.incarnation and ls.acquired > began - 1 for ls in leases)

        await until(are_anew, "all are acquired anew", DURATION)
        await ground.until_all_held(one, zone)
        assert {n: lease(ground, n).transitions for n in ground.names(zone)} == hands
        assert not (lost := lapses(ground, zone, began)), f"ran out: {lost}"


def jumps(seconds: float) -> Story:
    async def story(ground: Ground, shared: Site, zone: str) -> None:
        one = ground.start(zone, shared.server)
        with ground.book.row(f"clock {seconds:+g} s, and back"):
            await ground.until_all_held(one, zone)
            for ahead in (seconds, 0.0):
                began = time.time()
                one.clock.ahead = ahead
                one.look_at_the_clock()
                await ground.until_all_held(one, zone, 2 * DURATION)
                await keeps(ground, one, zone, 2 * PERIOD)
                for name in ground.names(zone):
                    seen = ground.history.since(name, began)
                    anew = sorted({v.lease.acquired for v in seen})
                    # As before; by an attempt that was under way at the jump; and for good.
                    assert len(anew) <= 3, f"{name} was acquired at {anew}"

    return story


# --- two managers


async def zombie(ground: Ground, shared: Site, zone: str) -> None:
    """One is stopped between decision and write, and goes on when another has taken over."""
    one = ground.start(zone, shared.server)
    with ground.book.row("zombie"):
        await ground.until_all_held(one, zone)
        line = one.line
        line.may_pass.clear()
        await until(lambda: len(renewals(line.kept_back)) >= 3, "renewals are kept back")
        other = ground.start(zone, shared.server)
        await ground.until_all_held(other, zone)
        late = len(line.sent)
        stale = len(renewals(line.kept_back))
        line.may_pass.set()
        await until(lambda: len(line.sent) >= late + stale, "what was kept back arrives")
        await keeps(ground, other, zone, 2 * PERIOD)
        statuses = {s.status for s in line.sent[late:]}
        assert statuses == {409}, f"late writes: {statuses}"
        await one.kill()  # or both tell what they hold, in turn


async def pair(ground: Ground, shared: Site, zone: str) -> None:
    """Two at once: every lease is one's, and when one is dead the other has all."""
    one, other = (ground.start(zone, shared.server) for _ in range(2))
    with ground.book.row("two at once"):
        names = ground.names(zone)

        def all_are_held() -> bool:
            return all(ground.is_held(n, one) or ground.is_held(n, other) for n in names)

        await until(all_are_held, "all are held by either")
        began = time.time()
        end = time.monotonic() + 15
        while time.monotonic() < end:
            left = [n for n in names if not (ground.is_held(n, one) or ground.is_held(n, other))]
            assert not left, f"held by neither: {ground.history.now(left[0])}"
            await asyncio.sleep(0.1)
        holders = {v.lease.holder for n in names for v in ground.history.since(n, began)}
        by_name = {n: {v.lease.holder for v in ground.history.since(n, began)} for n in names}
        assert holders <= {one.me, other.me}
        assert all(len(found) == 1 for found in by_name.values()), by_name
    with ground.book.row("two at once, and one dies"):
        await one.kill()
        await ground.until_all_held(other, zone, DURATION + 2 * PERIOD + 2)
