"""A million leases in ten thousand objects: whether they are held for ten minutes, and what every
process of the cluster takes meanwhile."""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from rich.console import Console
from rich.progress import track

from e2e.bench import processes
from e2e.bench.figures import Goal
from e2e.bench_lease import nodes
from e2e.bench_lease.scenes import Look, document, looker, scene
from holdfast.core.leases.fleet import Mode

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
LEASES_A_RACK = 100
FLEET = {
    "mode": "Rack",
    "droplets": LEASES_A_RACK,
    "agents": 3,
    "timeoutMilliseconds": 10_000,
    "workers": 16,
    "renewMilliseconds": 50,
    "establishMilliseconds": 400,
}
"""Besides racks and heartbeats. Born over 3336 · 0.4 s / (16 / 2) = 167 s, a little below a period:
the load is even."""
BIRTH_SECONDS = 420
"""Within which they are to be made and won, from the first plan on."""
PATIENCE_SECONDS = 600.0
SHOWN = ("kube-apiserver", "etcd")


async def million(
    racks: int, looks: int, apart_seconds: float, heartbeat_seconds: int
) -> dict[str, Any]:
    """`racks` of each zone, their leases held for a little more than three heartbeats."""
    console = Console()
    seconds = round(BIRTH_SECONDS + looks * apart_seconds + 60)
    told = document("bench-million", _fleet(racks, heartbeat_seconds), ZONES, seconds, 2000)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(scene(told))
        birth = await there.until_held(PATIENCE_SECONDS)
        look = await stack.enter_async_context(looker(there, Mode.RACK))
        before_managers = await there.managers()
        before, began = nodes.look(), time.monotonic()
        busy = _machine_seconds()
        found: list[Look] = []
        for number in track(range(looks), "looks at all leases"):
            await asyncio.sleep(max(0.0, began + number * apart_seconds - time.monotonic()))
            found.append(await look())
            console.print(f"{found[-1].held} of {found[-1].leases} held, {100 * _share(found):g} %")
        await asyncio.sleep(max(0.0, began + looks * apart_seconds - time.monotonic()))
        took = time.monotonic() - began
        rows = nodes.rows(before, nodes.look(), took, nodes.names())
        machine = (_machine_seconds() - busy) / took
        managers = await there.managers()
        if (await there.status()).get("phase") == "Complete":
            console.print("[bold]the arm was over before the last look[/bold]")
    nodes.show(rows, console)
    expected = len(ZONES) * racks * LEASES_A_RACK
    renewed = sum(managers[z]["succeeded"] - before_managers[z]["succeeded"] for z in managers)
    return {
        "leases": expected,
        "objects": found[-1].objects,
        "birthSeconds": round(birth),
        "seconds": round(took),
        "heldOfEachLook": [one.held for one in found],
        "leastShare": round(min(one.held for one in found) / expected, 6),
        "putsPerSecond": round(renewed / took, 2),
        "renewalsPerSecond": round(renewed * LEASES_A_RACK / took),
        "machineCores": {"busy": round(machine, 2), "of": os.cpu_count()},
        "processes": [row.document() for row in rows],
    }


def _fleet(racks: int, heartbeat_seconds: int) -> dict[str, Any]:
    return FLEET | {
        "racks": racks,
        "heartbeatMilliseconds": 1000 * heartbeat_seconds,
        "durationSeconds": 10 * heartbeat_seconds // 3,
    }


def _share(found: list[Look]) -> float:
    return round(found[-1].share, 6)


def _machine_seconds() -> float:
    """Seconds of CPU that this machine has used so far, for whatever."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, *rest = map(int, file.readline().split()[1:])
    return (user + nice + system + sum(rest[:2])) / processes.TICKS


def goals(found: Mapping[str, Any]) -> list[Goal]:
    of = {row["name"]: row for row in found["processes"]}
    ours = [row["cores"] for name, row in of.items() if "-leases-" in name]
    return [
        Goal(
            f"{found['leases']} leases in {found['objects']} objects: held, in the worst look",
            round(100 * found["leastShare"], 4),
            at_least=99.9,
            unit="%",
        ),
        *(Goal(f"CPU of {name}", of[name]["cores"], unit="cores") for name in SHOWN if name in of),
        Goal("CPU of the busiest lease manager", max(ours, default=0.0), unit="cores"),
        Goal("CPU of the whole machine", found["machineCores"]["busy"], unit="cores"),
    ]
