"""All combinations as people read them: a table, the smallest sets, and traces in files."""

from pathlib import Path
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from holdfast.check.report import Json

LETTERS = {
    "NonEmpty": "E",
    "NoLiveDelete": "D",
    "Monotone": "M",
    "Converges": "C",
    "WholePlan": "W",
    "RollbackNamesATree": "R",
}
"""By invariant, in the order of how much they matter."""

ALL_BUT_ROLLBACK = "all but RollbackNamesATree"
COLUMNS = ("step", "zone", "call", "reply", "live", "trees")
LADDERS = ("fence", "cleanup", "rollback")
"""The guards whose rungs are combined; the others stay as aws-2025 has them."""


def print_ablation(console: Console, document: Json) -> None:
    every = document["combinations"]
    console.print(_table(every))
    console.print(
        "  breaks: "
        + ", ".join(f"{letter} {name}" for name, letter in LETTERS.items())
        + "\n  outage: calls of a shortest way to it; stuck: states that never converge again"
    )
    outages = sum(c["outcome"] == "OutageReproduced" for c in every)
    states = sum(c["exploration"]["distinctStates"] for c in every)
    peak = max(c["exploration"]["peakMebibytes"] for c in every)
    console.print(
        f"\n[bold]{len(every) - outages} of {len(every)}[/] combinations prevent the outage. "
        f"Exhaustive within {within(document['bounds'])}:\n"
        f"{states:,} states in {document['seconds']:.0f} s with --jobs {document['jobs']}, at most "
        f"{peak} MiB a process."
    )
    guards = document["changedFrom"]["dns"]
    before = ", ".join(f"{ladder} {guards[ladder]}" for ladder in LADDERS)
    console.print(f"\nThe smallest changes to aws-2025 ({before}) that keep")
    for entry in document["smallestSets"]:
        line = f"  {asked(entry['keeps']):27} {told(entry['sets'])}"
        console.print(fill(line, console.width, subsequent_indent=" " * 30))


def within(bounds: Json) -> str:
    """The bounds, as they stand beside the word exhaustive."""
    faults = ", ".join(f"{name} {n}" for name, n in bounds["budgets"].items())
    return (
        f"{bounds['enactors']} enactors, {bounds['plans']} plans, retention "
        f"{bounds['retention']}, {bounds['endpoints']} endpoint(s); {faults}"
    )


def asked(keeps: list[str]) -> str:
    if len(keeps) == len(LETTERS):
        return "all of them"
    return keeps[0] if len(keeps) == 1 else ALL_BUT_ROLLBACK


def told(sets: list[list[str]]) -> str:
    if not sets:
        return "no combination does"
    if sets == [[]]:
        return "no change needed"
    return " or ".join(" with ".join(s) for s in sets)


def letters(broken: list[str]) -> str:
    """`EDM··R`: what breaks, each invariant at its place."""
    return "".join(letter if name in broken else "·" for name, letter in LETTERS.items())


def _table(every: list[Json]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("fence", "cleanup", "rollback", "breaks"):
        table.add_column(column, no_wrap=True)
    for column in ("outage", "states", "worlds", "transitions", "depth", "stuck", "s"):
        table.add_column(column, justify="right", no_wrap=True)
    for at, combination in enumerate(every):
        rungs, e = combination["guards"]["dns"], combination["exploration"]
        outage = combination["traces"].get("NonEmpty")
        last = at + 1 == len(every) or every[at + 1]["guards"]["dns"]["fence"] != rungs["fence"]
        table.add_row(
            *(rungs[name] for name in ("fence", "cleanup", "rollback")),
            letters(combination["invariantsBroken"]),
            str(len(outage)) if outage else "-",
            *(f"{e[k]:,}" for k in ("distinctStates", "distinctWorlds", "transitions", "depth")),
            f"{e['stuckStates']:,}",
            f"{e['seconds']:.0f}",
            style="red" if outage else None,
            end_section=last,
        )
    return table


def write_traces(folder: Path, document: Json) -> int:
    """A Markdown file for each combination that breaks something. How many there were."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for combination in document["combinations"]:
        if combination["traces"]:
            rungs = combination["guards"]["dns"]
            name = "-".join(rungs[ladder] for ladder in LADDERS)
            (folder / f"{name}.md").write_text(_traces(name, combination, document["bounds"]))
            count += 1
    return count


def _traces(name: str, combination: Json, bounds: Json) -> str:
    lines = [f"# {name}: {combination['outcome']}", "", f"Within {within(bounds)}.", ""]
    for invariant, rows in combination["traces"].items():
        lines += [f"## A shortest way to break {invariant}: {len(rows)} calls", ""]
        lines += [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for row in rows:
            lines.append(f"| {row['n']} | {' | '.join(row.get(c, '') for c in COLUMNS)} |")
        lines.append("")
    return "\n".join(lines)
