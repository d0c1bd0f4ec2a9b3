"""`holdfast sweep`: how likely the race is by itself, over a grid of knobs and many seeds; and what
a run of a Scenario of mode Jitter will show."""

import argparse
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from holdfast.cli.ablate_picture import require_matplotlib
from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.lease_map import HOURS, is_asked, sweep_leases
from holdfast.cli.prediction import predict_runs
from holdfast.cli.simulate import seed, write_json
from holdfast.cli.strict import admit
from holdfast.cli.sweep_picture import draw
from holdfast.core.document import Json
from holdfast.core.region import Region, region_of
from holdfast.core.scenario import Arm, Scenario, scenario_of
from holdfast.sim.knobs import KNOBS, Value, cells, vary
from holdfast.sim.prediction import RUNS
from holdfast.sim.sweep import has_columns, sweep

DEFAULT = ("retention=1,2,3",)
WIDTH = 118
SEEDS = 2048
SEEDS_MAX, HOURS_MAX = 1_000_000, 10_000.0


def add_command(commands: Any) -> None:
    knobs = "\n".join(
        f"  {name:24}{knob.says}: "
        + (", ".join(knob.rungs) or f"from {knob.low:g} to {knob.high:g}")
        for name, knob in KNOBS.items()
    )
    parser = commands.add_parser(
        "sweep",
        help="how likely the race is by itself: a grid of knobs, many seeds; needs no cluster",
        description="No holds: enactors contend under latencies, jitter and rare stalls, and every "
        "run ends with its race or with its time. Same seed, same figures. A Scenario of mode "
        "Jitter is run as it is, and no knob is turned, unless --vary names one: what is told then "
        "is what one run of it will show.",
        epilog=f"knobs:\n{knobs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenario",
        nargs="?",
        default="dns-race",
        help="a file or name: its region and an arm's guards are where the knobs start "
        "(default: %(default)s); leases: the map of loads and outages of lease managers, "
        "whose only options are --jobs, --json and --picture",
    )
    parser.add_argument("--arm", metavar="NAME", help="default: the Scenario's first")
    parser.add_argument(
        "--vary", action="append", metavar="KNOB=V,V", help=f"repeatable; default: {DEFAULT[0]}"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"runs of every cell ({SEEDS}), of every arm ({RUNS})",
    )
    parser.add_argument("--hours", type=float, default=HOURS, metavar="H", help="of each run")
    parser.add_argument(
        "--latencies",
        type=Path,
        metavar="FILE",
        help="mode Jitter: what planner and enactors of a cluster say at /metrics",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="the first run's")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--picture", type=Path, action="append", metavar="FILE", help=".svg or .png; repeatable"
    )
    parser.set_defaults(do=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    if is_asked(arguments.scenario):
        return sweep_leases(arguments)
    raw = admit(read_scenario(arguments.scenario), arguments.scenario)
    if raw["spec"]["mode"] == "Jitter" and not arguments.vary:
        return predict_runs(raw, arguments)
    arguments.seeds = SEEDS if arguments.seeds is None else arguments.seeds
    pictures = arguments.picture or []
    if pictures:
        require_matplotlib(pictures)
    scenario, arm = _arm(raw, arguments.scenario, arguments.arm)
    region = _region(scenario, arm)
    try:
        varied = dict(vary(text) for text in arguments.vary or DEFAULT)
        grid = list(cells(varied))
    except ValueError as error:
        raise ForPeople(f"--vary {error}") from error
    _check_bounds(arguments, varied, region)
    document = {
        "scenario": scenario.name,
        "arm": arm.name,
        "engine": "simulate",
        "seed": arguments.seed,
        "seeds": arguments.seeds,
        "hoursPerSeed": arguments.hours,
        "varied": {name: list(values) for name, values in varied.items()},
        "cells": _run(region, grid, arguments),
    }
    _print(document)
    write_json(arguments.json, document)
    for file in pictures:
        draw(document, file)
        Console().print(f"picture: {file}", soft_wrap=True)
    return 0


def _arm(raw: Json, name: str, wanted: str | None) -> tuple[Scenario, Arm]:
    scenario = scenario_of(raw["metadata"]["name"], "swept", raw["spec"])
    found = [a for a in scenario.arms if wanted in (None, a.name)]
    if not found:
        raise ForPeople(f"--arm {wanted}: {name} has {', '.join(a.name for a in scenario.arms)}")
    return scenario, found[0]


def _region(scenario: Scenario, arm: Arm) -> Region:
    spec = {**scenario.region, "guards": arm.raw_guards}
    return region_of(scenario.namespace_of(arm.name), scenario.region_name, spec)


def _check_bounds(
    arguments: argparse.Namespace, varied: dict[str, tuple[Value, ...]], region: Region
) -> None:
    if not 1 <= arguments.seeds <= SEEDS_MAX:
        raise ForPeople(f"--seeds {arguments.seeds}: from 1 to {SEEDS_MAX}")
    if not 0 < arguments.hours <= HOURS_MAX:
        raise ForPeople(f"--hours {arguments.hours:g}: more than 0, up to {HOURS_MAX:g}")
    if not 1 <= arguments.jobs <= 1024:
        raise ForPeople(f"--jobs {arguments.jobs}: from 1 to 1024")
    if "planRate" not in varied and region.churn_per_minute <= 0:
        raise ForPeople(
            "the Scenario's planner.churnPerMinute is 0, so no plan ever races: --vary planRate=60"
        )


def _run(region: Region, grid: list[dict[str, Value]], arguments: argparse.Namespace) -> list[Json]:
    console = Console(stderr=True)
    if not has_columns():
        console.print("numpy is not there: the plain engine runs, some fifty times slower")
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        seeds = range(arguments.seed, arguments.seed + arguments.seeds)
        bar = progress.add_task("runs", total=len(grid) * len(seeds))
        return sweep(
            region,
            grid,
            seeds,
            arguments.hours,
            arguments.jobs,
            lambda task: progress.advance(bar, len(task.seeds)),
        )


def _print(document: Json) -> None:
    console = Console(width=WIDTH, highlight=False)
    console.print(
        f"\n{document['scenario']}, arm {document['arm']}: each cell {document['seeds']} runs of "
        f"{document['hoursPerSeed']:g} h, or until the name is empty"
    )
    table = Table(width=WIDTH)
    for name in document["varied"]:
        table.add_column(name, justify="right", overflow="fold")
    for title in ("races", "hours", "races/h (95 %)", "chance in an hour", "stale writes/h"):
        table.add_column(title, justify="right", no_wrap=True)
    for cell in document["cells"]:
        hours = cell["exposureHours"]
        table.add_row(
            *(v if isinstance(v, str) else f"{v:g}" for v in cell["knobs"].values()),
            str(cell["races"]),
            f"{hours:,.4g}",
            _spread(cell["racesPerHour"], cell["racesPerHour95"]),
            _spread(cell["probabilityPerHour"], cell["probabilityPerHour95"]),
            f"{cell['staleWrites'] / hours:.3g}",
        )
    console.print(table)


def _spread(found: float, interval: list[float]) -> str:
    return f"{found:.3g} ({interval[0]:.2g}–{interval[1]:.2g})"
