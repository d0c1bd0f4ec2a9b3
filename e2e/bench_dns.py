"""Figures of the DNS loops on the cluster, as ratios within one run: `make bench-dns`.

- safety: what a fence costs, the whole apply of one endpoint, the variants in turns
- latency: plan appended → changed answer, against a bare PUT → changed answer, in turns, with three
  enactors
- flips: ordinary ones under a prober, an enactor killed every hundred
- midApply: an enactor killed between tree and flip, until another has changed the answer
- rollout: a thousand endpoints of ten addresses against bare write loops; memory of every process,
  and its CPU with nothing to do

Nothing here is a timed test: figures are printed beside their goals and written, never asserted.
Calls that are measured are made as a ServiceAccount, for administrators escape the API server's
flow control. Have the machine to yourself: it must run nothing else.
"""

import argparse
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from e2e.bench import kills, latency, rollout, safety
from e2e.bench.figures import Goal, show
from e2e.bench.ground import clear


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each there is."""

    runs: int
    turns: int
    samples: int
    flips: int
    deaths: int
    endpoints: int
    rollouts: int
    idle_seconds: int


FULL = Scale(5, 100, 200, 10_000, 20, 1000, 3, 60)
QUICK = Scale(2, 20, 20, 300, 2, 50, 1, 10)
"""Every piece once, in minutes: whether it works, not what it says."""


async def _mid_apply(scale: Scale) -> dict[str, Any]:
    return {fence: await kills.mid_apply(fence, scale.deaths) for fence in kills.FENCES}


PARTS: Mapping[
    str, tuple[Callable[[Scale], Awaitable[dict[str, Any]]], Callable[[Any], list[Goal]]]
] = {
    "safety": (lambda s: safety.safety(s.runs, s.turns), safety.goals),
    "latency": (lambda s: latency.latency(s.samples), latency.goals),
    "flips": (lambda s: kills.flips(s.flips), kills.flip_goals),
    "midApply": (_mid_apply, kills.mid_apply_goals),
    "rollout": (lambda s: rollout.rollout(s.endpoints, s.rollouts, s.idle_seconds), rollout.goals),
}


async def measure(parts: list[str], scale: Scale, path: Path) -> None:
    """Each part's figures are written as soon as they are there."""
    console = Console()
    found: dict[str, Any] = {"cores": os.cpu_count(), "goals": []}
    goals: list[Goal] = []
    for name in parts:
        await clear()
        began = time.monotonic()
        of, judged = PARTS[name]
        found[name] = await of(scale)
        found[name]["tookSeconds"] = round(time.monotonic() - began)
        goals += judged(found[name])
        found["goals"] = [goal.document() for goal in goals]
        path.write_text(json.dumps(found, indent=2) + "\n")
        console.print_json(data=found[name])
    show(goals, console)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="every piece, a little of each")
    parser.add_argument("--flips", type=int, help=f"ordinary flips, {FULL.flips} otherwise")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    if arguments.flips:
        scale = replace(scale, flips=arguments.flips)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    uvloop.run(measure(arguments.part or list(PARTS), scale, arguments.json))


if __name__ == "__main__":
    main()
