"""make bench-check: how fast the checker is, beside TLC on the same model in the same run.

Every line is a process of its own, so that start-up and memory are its own too. Several rounds, the
lines one after the other within each; medians.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.core.bounds import Bounds, Budgets
from holdfast.core.guards import AWS_2025, Cleanup, DnsGuards, Fence, Rollback
from oracle.cases import Case
from oracle.tlc import MODULES, Unavailable, constants, fetch

NO_FAULTS = Budgets(lock_expiries=0)
GENERATION = DnsGuards(Fence.GENERATION, Cleanup.BY_AGE, Rollback.COUPLED)
LINES: dict[str, tuple[DnsGuards, Bounds, bool]] = {
    "aws-2025, 2 enactors, retention 1, to the outage": (AWS_2025, Bounds(), False),
    "aws-2025, 2 enactors, retention 1, all states": (AWS_2025, Bounds(), True),
    "aws-2025, 3 enactors, retention 2, to the outage": (
        AWS_2025,
        Bounds(3, 5, 2, 1, NO_FAULTS),
        False,
    ),
    "CheckOnce, 3 enactors, 3 plans, retention 1, all states": (
        AWS_2025,
        Bounds(3, 3, 1, 1, NO_FAULTS),
        True,
    ),
    "Generation, 3 enactors, 4 plans, retention 1, one crash": (
        GENERATION,
        Bounds(3, 4, 1, 1, Budgets(crashes=1, lock_expiries=0)),
        True,
    ),
    "Generation, 2 endpoints, 2 enactors, 4 plans": (
        GENERATION,
        Bounds(2, 4, 1, 2, NO_FAULTS),
        True,
    ),
    "Generation, 2 endpoints, 3 enactors, 3 plans": (
        GENERATION,
        Bounds(3, 3, 1, 2, NO_FAULTS),
        True,
    ),
    "CheckOnce, 2 endpoints, 2 enactors, 4 plans": (AWS_2025, Bounds(2, 4, 1, 2, NO_FAULTS), True),
    "Generation, 2 endpoints, 3 enactors, 4 plans": (
        GENERATION,
        Bounds(3, 4, 1, 2, NO_FAULTS),
        True,
    ),
    "CheckOnce, 2 endpoints, 3 enactors, 3 plans": (AWS_2025, Bounds(3, 3, 1, 2, NO_FAULTS), True),
}
TLC_CASES = {
    "CheckOnce, 2 enactors, 4 plans, one expiry": Case(Fence.CHECK_ONCE, 4, expiries=1),
    "Generation, 3 enactors, 3 plans": Case(Fence.GENERATION, 3, enactors=3),
}


def line_of(case: Case) -> tuple[DnsGuards, Bounds, bool]:
    """The same model for our checker, all states."""
    budgets = Budgets(crashes=case.crashes, lock_expiries=case.expiries)
    bounds = Bounds(case.enactors, case.plans, case.retention, 1, budgets)
    return DnsGuards(case.fence, Cleanup.BY_AGE, case.rollback), bounds, True


def explore(name: str) -> dict[str, Any]:
    """One line, in this process: what was explored, in how many seconds of exploring."""
    from holdfast.check.dns import dns_model
    from holdfast.check.explorer import Explorer
    from holdfast.core.invariants import OUTAGE

    guards, bounds, whole = LINES.get(name) or line_of(TLC_CASES[name])
    explorer = Explorer(dns_model(guards, bounds))
    found = explorer.explore(frozenset() if whole else OUTAGE)
    return {
        "states": found.states,
        "worlds": found.worlds,
        "transitions": found.transitions,
        "exploringSeconds": found.seconds,
        "outage": bool(OUTAGE & set(found.broken)),
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def in_a_process(name: str) -> dict[str, Any]:
    """A line with start-up included."""
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "bench.check", "--line", name], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found | {"seconds": time.perf_counter() - began}


def tlc(jar: Path, case: Case) -> dict[str, Any]:
    """The plain specification under TLC, one worker, no observing: states generated a second."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(Path(__file__).parents[1] / "oracle" / MODULES[0], name)
        lines = ["SPECIFICATION Spec", *constants(case)]
        (Path(name) / "DNSRace.cfg").write_text("\n".join(lines) + "\n")
        options = ["-XX:+UseParallelGC", f"-Djava.io.tmpdir={name}", "-cp", str(jar), "tlc2.TLC"]
        run = subprocess.run(
            ["java", *options, "-workers", "1", "-deadlock", "DNSRace"],
            cwd=name,
            capture_output=True,
            text=True,
            check=False,
        )
    counted = re.search(
        r"(\d+) states generated, (\d+) distinct states found, 0 states left", run.stdout
    )
    if counted is None:
        raise RuntimeError(run.stdout[-2000:])
    seconds = time.perf_counter() - began
    return {"transitions": int(counted[1]), "states": int(counted[2]), "seconds": seconds}


def median(rounds: list[dict[str, Any]], read: Callable[[dict[str, Any]], float]) -> float:
    return statistics.median(read(r) for r in rounds)


def bench(rounds: int) -> dict[str, Any]:
    document: dict[str, Any] = {"rounds": rounds, "lines": {}, "besideTlc": {}}
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in list(LINES)}
    for number in range(rounds):
        for name in told:
            print(f"[{number + 1}/{rounds}] {name}", file=sys.stderr, flush=True)
            told[name].append(in_a_process(name))
    for name, runs in told.items():
        document["lines"][name] = runs[0] | {
            "seconds": round(median(runs, lambda r: r["seconds"]), 2),
            "exploringSeconds": round(median(runs, lambda r: r["exploringSeconds"]), 2),
            "transitionsPerSecond": round(
                median(runs, lambda r: r["transitions"] / r["exploringSeconds"])
            ),
            "gigabytes": round(max(r["gigabytes"] for r in runs), 2),
        }
    try:
        jar = fetch()
    except Unavailable as why:
        print(f"not run beside TLC: {why}", file=sys.stderr)
        return document
    for name, case in TLC_CASES.items():
        pairs = []
        for number in range(rounds):
            print(f"[{number + 1}/{rounds}] {name}, TLC and ours", file=sys.stderr, flush=True)
            pairs.append((tlc(jar, case), in_a_process(name)))
        document["besideTlc"][name] = {
            "tlcSeconds": round(statistics.median(t["seconds"] for t, _ in pairs), 2),
            "ourSeconds": round(statistics.median(o["seconds"] for _, o in pairs), 2),
            "tlcStates": pairs[0][0]["states"],
            "ourStates": pairs[0][1]["states"],
            "tlcTimeOverOurs": round(
                statistics.median(t["seconds"] / o["seconds"] for t, o in pairs), 2
            ),
        }
    return document


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--line", help="explore one line and print what was found")
    arguments = parser.parse_args()
    if arguments.line:
        print(json.dumps(explore(arguments.line)))
        return 0
    document = bench(arguments.rounds) | {"cores": os.cpu_count()}
    for name, line in document["lines"].items():
        print(
            f"{name:58} {line['seconds']:7.2f} s  {line['states']:>10,} states  "
            f"{line['transitionsPerSecond']:>9,} transitions/s  {line['gigabytes']:.2f} GB"
        )
    for name, line in document["besideTlc"].items():
        print(
            f"{name:58} TLC {line['tlcSeconds']:.2f} s ({line['tlcStates']:,} states), ours "
            f"{line['ourSeconds']:.2f} s ({line['ourStates']:,}): TLC / ours "
            f"{line['tlcTimeOverOurs']:.2f}"
        )
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
