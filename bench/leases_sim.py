"""make bench-leases-sim: a million leases over 14.5 hours, beside SimPy on the same model.

The day of `holdfast leases day`, without what else might have been: CPU seconds of one core and the
most memory, each in a process of its own. SimPy runs the same day, one zone of it and fewer leases,
in the same round. What is compared is lease-seconds a CPU second, and events (heartbeats, and
checks that ended) a CPU second; and at the same size the two must tell the same day.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.leases_simpy import MOST, SimpyZone
from holdfast.core.guards import AWS_LEASES
from holdfast.sim import fleet_day as day

LEASES, SIMPY_LEASES = 1_000_000, 5_000
SEED = 20251020
AGREE = 0.05
"""To which the two days are the same: when half was lost, and how long 95 % took to come back (when
the very last does is luck where leases are few)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One engine's day. `half_lost`, `most_back`, `recovery`: seconds of virtual time, the latter
    two since people acted. `rss`: megabytes, with the interpreter and numpy."""

    leases: int
    events: int
    cpu: float
    rss: float
    half_lost: float
    most_back: float
    recovery: float

    @property
    def lease_seconds(self) -> float:
        """For each CPU second."""
        return self.leases * (day.END - day.BEFORE) / self.cpu

    @property
    def speed(self) -> float:
        return self.events / self.cpu


def columns(leases: int, zones: int = day.ZONES) -> Run:
    began = time.process_time()
    events, curve = 0, None
    for zone in range(zones):
        mine = leases // zones + (zone < leases % zones)
        recorder = day.until_people(mine, AWS_LEASES, SEED + zone)
        found = day.helped(recorder, throttle=True)
        events += recorder.zone.counts.beats + recorder.zone.counts.started
        curve = found if curve is None else curve.plus(found)
    assert curve is not None
    act = day.PEOPLE_ACT
    most, whole = (curve.rises_to(share * leases, act) - act for share in (MOST, 1.0))
    cpu = time.process_time() - began
    return Run(leases, events, cpu, _rss(), curve.falls_to(leases / 2), most, whole)


def one_zone(leases: int) -> Run:
    return columns(leases, 1)


def simpy_zone(leases: int) -> Run:
    began = time.process_time()
    told = SimpyZone(day.fleet_of(leases)).run()
    cpu = time.process_time() - began
    most, whole = told.most_back - day.PEOPLE_ACT, told.whole - day.PEOPLE_ACT
    return Run(leases, told.events, cpu, _rss(), told.half_lost, most, whole)


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(engine: Callable[[int], Run], leases: int) -> Run:
    """In a process of its own, so that memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(engine, leases).result()


def measure(rounds: int, leases: int, simpy_leases: int) -> dict[str, Any]:
    ours, theirs = [], []
    for _ in track(range(rounds), "rounds"):
        ours.append(alone(columns, leases))
        theirs.append(alone(simpy_zone, simpy_leases))
    small, same = alone(one_zone, simpy_leases), theirs[0]
    for found, beside in ((small.most_back, same.most_back), (small.half_lost, same.half_lost)):
        assert abs(found / beside - 1) < AGREE, (small, same)
    return {
        "cores": os.cpu_count(),
        "rounds": rounds,
        "columns": _told(ours),
        "simpy": _told(theirs),
        "sameSize": {
            "leases": simpy_leases,
            "halfLostMinutes": _minutes(small.half_lost, same.half_lost),
            "mostBackMinutes": _minutes(small.most_back, same.most_back),
            "cpuRatio": round(same.cpu / small.cpu, 2),
        },
        "ratio": {
            "leaseSecondsPerCpuSecond": _ratio([r.lease_seconds for r in ours], theirs),
            "eventsPerCpuSecond": _median(
                [a.speed / b.speed for a, b in zip(ours, theirs, strict=True)]
            ),
        },
    }


def _told(runs: list[Run]) -> dict[str, Any]:
    return {
        "leases": runs[0].leases,
        "virtualHours": (day.END - day.BEFORE) / day.HOUR,
        "cpuSeconds": _median([r.cpu for r in runs]),
        "rssMegabytes": _median([r.rss for r in runs]),
        "events": runs[0].events,
        "eventsPerCpuSecond": round(statistics.median(r.speed for r in runs)),
        "leaseSecondsPerCpuSecond": round(statistics.median(r.lease_seconds for r in runs)),
        "recoveryMinutes": round(runs[0].recovery / 60, 1),
    }


def _minutes(ours: float, theirs: float) -> dict[str, float]:
    return {"columns": round(ours / 60, 1), "simpy": round(theirs / 60, 1)}


def _ratio(ours: list[float], theirs: list[Run]) -> float:
    return _median([a / b.lease_seconds for a, b in zip(ours, theirs, strict=True)])


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def show(document: dict[str, Any]) -> None:
    table = Table("what", "SimPy", "columns", "ratio", title="one core, medians")
    theirs, ours, ratio = document["simpy"], document["columns"], document["ratio"]
    for key, says in (
        ("leases", "leases"),
        ("cpuSeconds", "CPU seconds for the day"),
        ("rssMegabytes", "most memory, MB"),
        ("events", "events"),
        ("eventsPerCpuSecond", "events a CPU second"),
        ("leaseSecondsPerCpuSecond", "lease-seconds a CPU second"),
        ("recoveryMinutes", "recovery, minutes"),
    ):
        beside = f"{ratio[key]:,} ×" if key in ratio else ""
        table.add_row(says, f"{theirs[key]:,}", f"{ours[key]:,}", beside)
    Console().print(table)
    Console().print(f"the same size: {document['sameSize']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--leases", type=int, default=LEASES)
    parser.add_argument("--simpy-leases", type=int, default=SIMPY_LEASES)
    arguments = parser.parse_args()
    document = measure(arguments.rounds, arguments.leases, arguments.simpy_leases)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    show(document)


if __name__ == "__main__":
    main()
