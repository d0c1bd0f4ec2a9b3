"""What a lease manager's process takes when nothing goes wrong: 1,500 leases of one zone, an object
each, renewed every 30 s."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from rich.progress import track

from e2e.bench import processes
from e2e.bench.figures import Goal
from e2e.bench_lease.scenes import document, looker, scene
from holdfast.core.leases.fleet import Mode

ZONE = "us-east-1a"
FLEET = {
    "mode": "Droplet",
    "racks": 3,
    "droplets": 500,
    "agents": 3,
    "durationSeconds": 90,
    "heartbeatMilliseconds": 30_000,
    "timeoutMilliseconds": 5_000,
    "workers": 10,
    "renewMilliseconds": 50,
    "establishMilliseconds": 100,
}
"""Its first heartbeats are spread over a period, as all that follow: 1500 · 0.1 s / (10 / 2)."""
PATIENCE_SECONDS = 400.0
LOOK_SECONDS = 10


async def steady(droplets: int, seconds: int) -> dict[str, Any]:
    """`droplets` of each rack; measured over `seconds`, once all are held."""
    fleet = FLEET | {"droplets": droplets}
    told = document("bench-steady", fleet, (ZONE,), seconds + 700, 2000)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(scene(told))
        took = await there.until_held(PATIENCE_SECONDS)
        look = await stack.enter_async_context(looker(there, Mode.DROPLET))
        await asyncio.sleep(10)
        manager = next(p for p in processes.of_operator() if p.name.endswith(f"leases-{ZONE}"))
        done = (await there.managers())[ZONE]["succeeded"]
        before, began = processes.use(manager), time.monotonic()
        shares = []
        for second in track(range(1, seconds + 1), "all held: heartbeats and nothing else"):
            await asyncio.sleep(max(0.0, began + second - time.monotonic()))
            if second % LOOK_SECONDS == 0:
                shares.append(round((await look()).share, 5))
        after, took_seconds = processes.use(manager), time.monotonic() - began
        renewals = (await there.managers())[ZONE]["succeeded"] - done
    cpu = after.cpu_seconds - before.cpu_seconds
    return {
        "leases": 3 * droplets,
        "birthSeconds": round(took, 1),
        "seconds": round(took_seconds, 1),
        "renewals": renewals,
        "renewalsPerSecond": round(renewals / took_seconds, 2),
        "managerCores": round(cpu / took_seconds, 4),
        "managerCpuMsPerRenewal": round(1000 * cpu / max(1, renewals), 2),
        "managerRssMb": after.rss_mb,
        "heldShareOfEachLook": shares,
    }


def goals(found: Mapping[str, Any]) -> list[Goal]:
    what = f"{found['leases']} leases of a zone, an object each"
    shares = found["heldShareOfEachLook"]
    return [
        Goal(f"{what}: their manager's CPU", found["managerCores"], at_most=0.5, unit="cores"),
        Goal(f"{what}: held, in the worst look", 100 * min(shares, default=0.0), unit="%"),
    ]
