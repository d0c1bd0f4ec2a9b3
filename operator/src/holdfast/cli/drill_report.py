"""What a drill's report looks like, to people and to programs."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from holdfast.cli.word import stamp
from holdfast.core.drill import SERVERS, Done, Report, Server

CALLED: Mapping[Server, str] = {
    "authoritative": "the authoritative server",
    "resolver": "the resolver",
}
COLOURS = {
    Done.DONE: "green",
    Done.MISSED: "red",
    Done.OUT_OF_ORDER: "yellow",
    Done.NOT_OBSERVABLE: "dim",
}
WORDS = {
    Done.DONE: "done",
    Done.MISSED: "MISSED",
    Done.OUT_OF_ORDER: "OUT OF ORDER",
    Done.NOT_OBSERVABLE: "not observable",
}
ENDS = {
    "recovered": "the name answers, automation is thawed, and a guard is on",
    "timeout": "the time was up",
    "interrupted": "it was interrupted",
}


def document(report: Report, end: str, space: str, name: str) -> dict[str, Any]:
    """`seconds` are since the first empty answer; null: it never came."""
    assert report.empty_at is not None
    return {
        "drill": "dns-race",
        "name": name,
        "namespace": space,
        "firstEmptyAt": stamp(report.empty_at),
        "end": end,
        "verdict": "Pass" if report.passed else "Fail",
        "recoverySeconds": dict(report.recovered),
        "steps": [
            {"step": s.step, "done": s.done, "seconds": s.seconds, "note": s.note}
            for s in report.steps
        ],
        "missed": list(report.of(Done.MISSED)),
        "outOfOrder": list(report.of(Done.OUT_OF_ORDER)),
    }


def print_report(report: Report, end: str, name: str, console: Console | None = None) -> None:
    console = console or Console(width=110, highlight=False)
    verdict = "[green]Pass[/]" if report.passed else "[red]Fail[/]"
    console.print(f"\nDrill: {verdict}: {ENDS[end]}")
    for server in SERVERS:
        seconds = report.recovered[server]
        said = f"after {seconds:.1f} s" if seconds is not None else "[red]not recovered[/]"
        console.print(f"{name} at {CALLED[server] + ':':25} {said}")
    table = Table(show_lines=False)
    for column in ("step", "", "seconds", ""):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for s in report.steps:
        at = "" if s.seconds is None else f"{s.seconds:.1f}"
        table.add_row(str(s.step), f"[{COLOURS[s.done]}]{WORDS[s.done]}[/]", at, s.note)
    console.print(table)
