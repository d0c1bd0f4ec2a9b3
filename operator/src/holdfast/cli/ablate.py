"""`holdfast ablate`: every combination of guards explored, on all cores, without a cluster."""

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from holdfast.check.ablation import Finding, ablation_document, combinations, explore, name_of
from holdfast.check.explorer import TooLarge
from holdfast.check.report import Json
from holdfast.cli.ablate_picture import draw, require_matplotlib
from holdfast.cli.ablate_table import print_ablation, write_traces
from holdfast.cli.check import load
from holdfast.cli.files import ForPeople
from holdfast.core.bounds import Bounds
from holdfast.core.guards import LOCKS, Cleanup, DnsGuards, Fence

STATES_MAX = 6_000_000
"""Of one combination: less than 2 GB."""
WIDTH = 118


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "ablate",
        help="explore every combination of guards; print the smallest sets that suffice",
        description="Explores every combination of the rungs of dns.fence, dns.cleanup and "
        "dns.rollback within a Scenario's bounds (spec.check); its arms and timeline are ignored. "
        "Exit code: 0 when all are explored, 2 when that could not be done.",
    )
    parser.add_argument("scenario", help="a file, or the name of one that comes with holdfast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it there")
    parser.add_argument(
        "--picture",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="draw the heat map there, .svg or .png; repeatable",
    )
    parser.add_argument(
        "--traces",
        type=Path,
        metavar="DIR",
        help="write a shortest way to everything that breaks, a file a combination",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="default: %(default)s"
    )
    parser.set_defaults(do=_ablate)


def _ablate(arguments: argparse.Namespace) -> int:
    scenario = load(arguments.scenario)
    if arguments.jobs < 1:
        raise ForPeople(f"--jobs {arguments.jobs} is not 1 or more")
    if arguments.picture:
        require_matplotlib(arguments.picture)
    began = time.monotonic()
    findings = explore_all(combinations(), scenario.bounds, arguments.jobs)
    seconds = time.monotonic() - began
    document = ablation_document(scenario.name, scenario.bounds, findings, seconds, arguments.jobs)
    console = Console(width=WIDTH, highlight=False)
    print_ablation(console, document)
    try:
        _write(console, arguments, document)
    except OSError as error:
        raise ForPeople(f"{error.filename}: {error.strerror}") from error
    return 0


def _write(console: Console, arguments: argparse.Namespace, document: Json) -> None:
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
        console.print(f"all of it: {arguments.json}")
    if arguments.traces is not None:
        count = write_traces(arguments.traces, document)
        console.print(f"traces: {count} files in {arguments.traces}")
    for file in arguments.picture:
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(document, file)
        console.print(f"picture: {file}")


def explore_all(every: Sequence[DnsGuards], bounds: Bounds, jobs: int) -> list[Finding]:
    """In the order of `every`. ForPeople when one is too large, or its process was killed."""
    found: dict[DnsGuards, Finding] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(f"{jobs} processes", total=len(every))
        try:
            for finding in _in_processes(sorted(every, key=_is_small), bounds, jobs):
                found[finding.guards] = finding
                progress.update(task, advance=1, description=name_of(finding.guards))
        except TooLarge as error:
            raise ForPeople(f"{error}. Narrow the bounds in the Scenario's spec.check") from error
        except BrokenProcessPool as error:
            raise ForPeople(
                "a process was killed, as happens when memory runs out; try --jobs 1, or narrow "
                "the bounds in the Scenario's spec.check"
            ) from error
    return [found[guards] for guards in every]


def _is_small(guards: DnsGuards) -> tuple[bool, bool]:
    """The large ones begin first, so that no core waits at the end for one that began last."""
    locks = guards.fence in LOCKS or guards.fence is Fence.LEADER_ONLY
    return guards.cleanup is not Cleanup.PIN_LIVE, not locks


def _in_processes(every: Sequence[DnsGuards], bounds: Bounds, jobs: int) -> Iterator[Finding]:
    # A process for each combination: what an exploration has used, Python does not give back.
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=_die_at_once, max_tasks_per_child=1
    )
    try:
        for done in as_completed([pool.submit(_explore, guards, bounds) for guards in every]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _die_at_once() -> None:
    """When a person interrupts, as programs do: without a traceback from every process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _explore(guards: DnsGuards, bounds: Bounds) -> Finding:
    try:
        found = explore(guards, bounds, STATES_MAX)
    except TooLarge as error:
        raise TooLarge(f"{name_of(guards)}: {error}") from error
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return replace(found, peak_bytes=peak)
