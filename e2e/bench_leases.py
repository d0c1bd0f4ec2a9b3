"""Figures of the lease loops on the cluster, as ratios within one run: `make bench-leases`.

- writes: what fence and client cost a renewal, fenced PUTs of leases against bare PUTs, in turns
- attempts: whole state checks against bare PUTs, in turns
- kopf: CPU of a renewal by Kopf's timer and patch, and by ours
- racks: renewals a second with a hundred leases an object, and with one, in turns
- steady: CPU of one manager that keeps 1,500 leases
- recovery: lease-collapse's best arm and its worst: how soon it is over, and whether it ever is
- million: a million leases in ten thousand objects, for ten minutes, and what everything takes

Nothing here is a timed test: figures are printed beside their goals and written, never asserted.
Calls that are measured are made as a ServiceAccount, for administrators escape the API server's
flow control. Have the machine to yourself: it must run nothing else.
"""

import argparse
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from kubernetes.aio.config.config_exception import ConfigException
from rich.console import Console

from e2e.bench import ground
from e2e.bench.figures import Goal, show
from e2e.bench_lease import attempts, kopf_cost, million, recovery, scenes, steady, writes


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each there is. `calls` in each round of each variant; `droplets` of each of three
    racks; `racks` of each of three zones, and between their heartbeats."""

    rounds: int
    calls: int
    kopf_rounds: int
    kopf_seconds: int
    droplets: int
    steady_seconds: int
    recoveries: int
    racks: int
    looks: int
    apart_seconds: float
    heartbeat_seconds: int


FULL = Scale(12, 480, 3, 10, 500, 90, 3, 3336, 10, 60.0, 180)
QUICK = Scale(2, 192, 1, 5, 20, 20, 1, 20, 2, 6.0, 6)
"""Every piece once, in minutes: whether it works, not what it says."""

Part = tuple[Callable[[Scale], Awaitable[dict[str, Any]]], Callable[[Any], list[Goal]]]
PARTS: Mapping[str, Part] = {
    "writes": (lambda s: writes.writes(s.rounds, s.calls), writes.goals),
    "attempts": (lambda s: attempts.attempts(s.rounds, s.calls), attempts.goals),
    "kopf": (lambda s: kopf_cost.kopf_cost(s.kopf_rounds, s.kopf_seconds), kopf_cost.goals),
    "racks": (lambda s: writes.racks(s.rounds, s.calls), writes.rack_goals),
    "steady": (lambda s: steady.steady(s.droplets, s.steady_seconds), steady.goals),
    "recovery": (lambda s: recovery.recovery(s.recoveries), recovery.goals),
    "million": (
        lambda s: million.million(s.racks, s.looks, s.apart_seconds, s.heartbeat_seconds),
        million.goals,
    ),
}


async def measure(parts: list[str], scale: Scale, path: Path) -> None:
    """Each part's figures are written as soon as they are there."""
    console = Console()
    found: dict[str, Any] = {"cores": os.cpu_count(), "goals": []}
    goals: list[Goal] = []
    for name in parts:
        await kopf_cost.unhook()
        await ground.clear()
        await scenes.clear()
        began = time.monotonic()
        of, judged = PARTS[name]
        found[name] = await of(scale)
        found[name]["tookSeconds"] = round(time.monotonic() - began)
        goals += judged(found[name])
        found["goals"] = [goal.document() for goal in goals]
        path.write_text(json.dumps(found, indent=2) + "\n")
        console.print_json(data={k: v for k, v in found[name].items() if k != "processes"})
    show(goals, console)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="every piece, a little of each")
    arguments = parser.parse_args()
    if arguments.json.is_dir():
        parser.error(f"--json {arguments.json}: a folder, and a file is wanted")
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    scale = QUICK if arguments.quick else FULL
    try:
        uvloop.run(measure(arguments.part or list(PARTS), scale, arguments.json))
    except ConfigException as error:
        parser.error(f"no cluster: {error}; `make cluster` creates one, `make env` leads to it")


if __name__ == "__main__":
    main()
