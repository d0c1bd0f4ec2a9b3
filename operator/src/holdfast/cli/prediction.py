"""`holdfast sweep` of a Scenario of mode Jitter: what a run of it will show."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from holdfast.cli.files import ForPeople
from holdfast.cli.simulate import write_json
from holdfast.core.document import Json
from holdfast.sim.arm import Weather
from holdfast.sim.measured import latencies
from holdfast.sim.prediction import RUNS, predict, reached

WIDTH = 100
RUNS_MAX = 10_000
SHOWN = 6
"""Rows of plans behind; the document has all."""


def predict_runs(raw: Json, arguments: argparse.Namespace) -> int:
    """`raw` is the Scenario, with every default."""
    runs = arguments.seeds or RUNS
    if not 20 <= runs <= RUNS_MAX:
        raise ForPeople(f"--seeds {runs}: from 20 to {RUNS_MAX} for mode Jitter")
    if raw["spec"]["region"]["planner"]["churnPerMinute"] <= 0:
        raise ForPeople("the Scenario's planner.churnPerMinute is 0, so no plan ever races")
    names = [a["name"] for a in raw["spec"]["arms"]]
    if arguments.arm not in (None, *names):
        raise ForPeople(f"--arm {arguments.arm}: {arguments.scenario} has {', '.join(names)}")
    weather = _weather(arguments.latencies)
    weathers = {name: weather for name in names if arguments.arm in (None, name)}
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("runs", total=len(weathers) * runs)
        arms = predict(
            raw,
            range(arguments.seed, arguments.seed + runs),
            weathers,
            arguments.jobs,
            done=lambda: progress.advance(bar),
        )
    document = {
        "scenario": raw["metadata"]["name"],
        "engine": "simulate",
        "seed": arguments.seed,
        "runs": runs,
        "confidence": round(reached(runs), 4),
        "latencies": str(arguments.latencies or "default"),
        "arms": arms,
    }
    _print(document)
    write_json(arguments.json, document)
    return 0


def _weather(file: Path | None) -> Weather:
    """With the latencies that a cluster measured, if a file has them."""
    if file is None:
        return Weather()
    try:
        return Weather(latencies=latencies(file.read_text()))
    except OSError as error:
        raise ForPeople(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise ForPeople(f"{file}: {error}") from error


def _print(document: Json) -> None:
    console = Console(width=WIDTH, highlight=False)
    console.print(
        f"\n{document['scenario']}: what a run will show, by {document['runs']} simulated ones; "
        "in brackets the interval\n"
        f"in which a further run lies with a chance of {document['confidence']:.1%}"
    )
    table = Table("what", width=WIDTH)
    for arm in document["arms"]:
        table.add_column(arm["name"], justify="right")
    table.add_row("seconds", *(f"{arm['seconds']:g}" for arm in document["arms"]))
    table.add_row("chance that it strikes", *(_chance(arm["strikes"]) for arm in document["arms"]))
    for label, figure in (
        ("flips", "flips"),
        ("stale flips", "staleFlips"),
        ("plans behind at a write, mean", "behindMean"),
        ("plans behind at a write, most", "behindMax"),
    ):
        table.add_row(label, *(_spread(arm["figures"][figure]) for arm in document["arms"]))
    for n in range(SHOWN):
        shares = [arm["behind"].get(str(n)) for arm in document["arms"]]
        if any(shares):
            table.add_row(f"writes {n} behind", *(_percent(share) for share in shares))
    console.print(table)


def _chance(strikes: Json) -> str:
    low, high = strikes["chance95"]
    return f"{strikes['chance']:.0%} (of the estimate: {low:.0%}–{high:.0%})"


def _spread(told: Json) -> str:
    return f"{told['mean']:.3g} ({told['low']:.3g}–{told['high']:.3g})"


def _percent(told: dict[str, Any] | None) -> str:
    if told is None:
        return "none"
    return f"{told['mean']:.1%} ({told['low']:.1%}–{told['high']:.1%})"
