"""The result as people read it: an arm a column, a question a row."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from holdfast.core.document import Json
from holdfast.core.guards import AWS_2025, AWS_LEASES, SAFE_LEASES, effective
from holdfast.core.verdict import Verdict, guard_yaml

EXIT = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.ERROR: 2, Verdict.INCONCLUSIVE: 2}
COLOURS = {"Pass": "green", "Fail": "red", "Error": "red", "Inconclusive": "yellow"}
WIDTH = 110
COLUMNS_MAX = 4
"""Arms beside one another; more go into further tables."""
RACE = (
    "held",
    "overdue",
    "released",
    "staleFlip",
    "refused",
    "dropped",
    "liveTreeDeleted",
    "cleaned",
)
STORY = {
    *RACE,
    "aliasNamesNothing",
    "firstEmptyAnswer",
    "stuck",
    "aliasNamesATreeAgain",
    "acted",
    "actFailed",
    "answeredAgain",
    "alert",
    "partial",
    "whole",
    "leasesHeld",
    "leasesLost",
}


def print_result(result: Json) -> None:
    console = Console(width=WIDTH, highlight=False)
    colour = COLOURS[result["verdict"]]
    console.print()
    console.print(f"Scenario [bold]{result['scenario']}[/]: [{colour}]{result['verdict']}[/]")
    arms = result["arms"]
    for first in range(0, len(arms), COLUMNS_MAX):
        console.print(_table(arms[first : first + COLUMNS_MAX]))
    for arm in arms:
        _story(console, arm)
        _advice(console, arm)


def _table(arms: list[Json]) -> Table:
    table = Table(show_lines=False, width=WIDTH)
    table.add_column("what")
    for arm in arms:
        table.add_column(arm["name"], overflow="fold")
    is_of_leases = any("leases" in arm for arm in arms)
    for label, read in ROWS:
        told = [read(arm) for arm in arms]
        if not (is_of_leases and label in OF_THE_RACE and set(told) <= {"", "0", "none"}):
            table.add_row(label, *told)
    if is_of_leases:
        for label, of_leases in LEASE_ROWS:
            table.add_row(label, *(of_leases(arm.get("leases") or {}) for arm in arms))
    if any("contention" in (arm.get("dns") or {}) for arm in arms):
        table.add_row("writes of an old plan", *map(_behind, arms))
    return table


def _verdict(arm: Json) -> str:
    colour = COLOURS.get(arm["verdict"], "")
    tail = "" if arm["verdict"] == "Pass" else f": {arm.get('message', '')}"
    return f"[{colour}]{arm['verdict']}[/]{tail}"


def _guards(arm: Json) -> str:
    """Of leases, where there are any: what is otherwise than AWS ran it."""
    groups = arm.get("guards") or {}
    if "leases" in groups:
        return f"fence {groups['dns']['fence']}; {_lease_guards(groups['leases'])}"
    rungs = groups.get("dns") or {}
    return ", ".join(f"{name} {rung}" for name, rung in rungs.items() if rung != "Disabled")


def _lease_guards(rungs: Mapping[str, str]) -> str:
    aws = effective(AWS_2025, AWS_LEASES)["leases"]
    if rungs == effective(AWS_2025, SAFE_LEASES)["leases"]:
        return "leases: safe, all of them"
    other = [f"{name} {rung}" for name, rung in rungs.items() if rung != aws.get(name)]
    return f"leases: {', '.join(other) or 'as AWS ran it'}"


def _saw(server: str) -> Callable[[Json], str]:
    def read(arm: Json) -> str:
        seen = (arm.get("dns") or {}).get(server) or {}
        if not seen:
            return "no data"
        total, empty = seen["queries"], seen["empty"]
        if not empty:
            return f"never empty in {total} answers"
        again = seen.get("recoveredAt")
        end = f"until {again} s" if again is not None else "to the end"
        return f"EMPTY {seen['emptySeconds']} s: from {seen['firstEmptyAt']:.2f} s {end}"

    return read


def _by_code(arm: Json) -> str:
    """What a dashboard shows: the share of answers that are NOERROR, the empty ones too."""
    seen = (arm.get("dns") or {}).get("authoritative") or {}
    if not seen.get("queries"):
        return ""
    good = seen["ok"] + seen["stale"] + seen["empty"]
    return f"{100 * good / seen['queries']:.4g} %"


def _alerted(arm: Json) -> str:
    """How long after the first empty answer, or after the end of a fault of leases alone, somebody
    would have been told."""
    dns = arm.get("dns") or {}
    if "alerts" not in dns:
        return ""
    told = [
        f"{alert[after]} s: {name.removeprefix('Holdfast')}"
        for name, alert in dns["alerts"].items()
        for after in ("afterFirstEmptySeconds", "afterFaultSeconds")
        if after in alert
    ]
    if told or not (dns.get("authoritative") or {}).get("empty"):
        return ", ".join(told) or ", ".join(dns["alerts"]) or "none"
    return "none by the end"


def _count(*path: str) -> Callable[[Json], str]:
    def read(arm: Json) -> str:
        found: Any = arm.get("dns") or {}
        for key in path:
            found = (found or {}).get(key)
        return "" if found is None else str(found)

    return read


def _behind(arm: Json) -> str:
    """Mode Jitter: how many writes were how old."""
    seen = (arm.get("dns") or {}).get("contention")
    if not seen:
        return ""
    late: Counter[int] = Counter()
    for zone in seen["byZone"].values():
        late.update({int(n): times for n, times in zone["behind"].items() if n != "0"})
    if not late:
        return f"none of {seen['flips']}"
    return f"{late.total()} of {seen['flips']}, {max(late)} plans at most"


def _held(leases: Json) -> str:
    if not leases:
        return "no leases"
    return f"{leases['heldAtEnd']} of {leases['leases']}, least {leases['heldLeast']}"


def _came_back(leases: Json) -> str:
    words = {
        "Untouched": "was never hit",
        "RecoveredByItself": "[green]by itself[/]",
        "NeededShedding": "[yellow]once work was shed[/]",
        "Stuck": "[red]STUCK[/]",
    }
    found = words.get(leases.get("metastability", ""), "")
    if "recoverySeconds" in leases and leases["metastability"] != "Untouched":
        found += f", after {leases['recoverySeconds']:.0f} s"
    return found


def _attempts(leases: Json) -> str:
    if not leases:
        return ""
    counts = leases["attempts"]
    each = leases.get("attemptsPerSuccess")
    told = f"{counts['started']}, {counts['late']} too late, {leases['wastedShare']:.0%} in vain"
    return told + (f"; {each} a success" if each else "")


def _age(leases: Json) -> str:
    ages = leases.get("ageAtStartSeconds") or {}
    if not ages:
        return ""
    return f"{ages['max']:.1f} s, deadline {leases['offered']['deadlineSeconds']:g} s"


def _instances(leases: Json) -> str:
    told = leases.get("instances") or {}
    if not told:
        return ""
    waited = told.get("launchedAfterSeconds")
    late = f", launched after {waited:.0f} s" if waited is not None else ""
    refused = f"; {told['refused']} launches refused{late}" if told.get("refused") else ""
    return f"{told['running']} running{refused}"


OF_THE_RACE = frozenset(
    {
        "alert after",
        "recovered by",
        "stale writes applied",
        "stale writes refused (409)",
        "refused by policy (403)",
        "stale plans dropped",
    }
)
"""Rows that a table of leases leaves out where they have nothing to tell."""
LEASE_ROWS: tuple[tuple[str, Callable[[Json], str]], ...] = (
    ("leases held at the end", _held),
    ("after the fault", _came_back),
    ("state checks", _attempts),
    ("oldest work begun", _age),
    ("instances", _instances),
)


def _listed(field: str) -> Callable[[Json], str]:
    return lambda arm: ", ".join(arm.get(field) or ()) or "none"


ROWS: tuple[tuple[str, Callable[[Json], str]], ...] = (
    ("guards", _guards),
    ("expected", lambda arm: str(arm.get("expect", ""))),
    ("outcome", lambda arm: str(arm.get("outcome", "none"))),
    ("verdict", _verdict),
    ("customers, at the server", _saw("authoritative")),
    ("customers, through the resolver", _saw("resolver")),
    ("success by response code", _by_code),
    ("alert after", _alerted),
    ("recovered by", _count("recoveredBy")),
    ("stale writes applied", _count("staleWritesApplied")),
    ("stale writes refused (409)", _count("staleWritesRefused", "conflict")),
    ("refused by policy (403)", _count("staleWritesRefused", "policy")),
    ("stale plans dropped", _count("staleDropped")),
    ("invariants broken", _listed("invariantsBroken")),
)


def _story(console: Console, arm: Json) -> None:
    """The causal timeline, without the ordinary work."""
    lines = [line for line in arm.get("timeline") or () if line["event"] in STORY]
    if not lines:
        return
    console.print(f"\n[bold]{arm['name']}[/]: what happened, in seconds since the first plan")
    for line in lines[:24]:
        console.print(f"  {line['t']:7.2f}  {line.get('zone', ''):11} {_sentence(line)}")


SENTENCES: Mapping[str, str] = {
    "released": "let go from {step}",
    "overdue": "let go from {step}",
    "staleFlip": "[red]flips back from {fromGeneration} to {toGeneration}[/] "
    "(resourceVersion {resourceVersionBefore} → {resourceVersionAfter})",
    "refused": "[green]its stale write is refused: 409[/] ({object})",
    "dropped": "[green]drops its stale plan on its own re-read[/] ({object})",
    "liveTreeDeleted": "[red]{object} is deleted while the alias names it[/]",
    "aliasNamesNothing": "[red]{object} names nothing[/]",
    "aliasNamesATreeAgain": "{object} names a tree again",
    "firstEmptyAnswer": "[red]first empty answer (NOERROR, 0 addresses) from the {object} "
    "server[/]",
    "answeredAgain": "[green]the {object} server answers with addresses again[/]",
    "stuck": "[red]cannot apply {object}: the rollback record has nothing to name[/]",
    "cleaned": "has finished its deletes",
    "alert": "[yellow]{object} fires[/]",
    "acted": "{actor}: {message}",
    "actFailed": "[red]{actor} could not: {message}[/]",
    "partial": "{object} is live at some endpoints only: {message}",
    "whole": "every endpoint is on {object}",
    "leasesHeld": "[green]{message}[/]",
    "leasesLost": "[red]{message}[/]",
}


def _sentence(line: Json) -> str:
    told = {"step": "", "actor": "", "message": "", **line}
    if line["event"] == "held":
        plan = f" with plan {line['generation']}" if line.get("generation") else ""
        victims = f", about to delete {line['victims']}" if line.get("victims") else ""
        return f"held at {told['step']}{plan}{victims}"
    return SENTENCES.get(line["event"], "{event} {object}").format(**told)


def _advice(console: Console, arm: Json) -> None:
    for guard, held in (arm.get("wouldHaveHeld") or {}).items():
        console.print(f"  {', '.join(held)} would have held with [bold]{guard_yaml(guard)}[/]")
    if arm.get("verdict") == "Pass" and arm.get("invariantsBroken") == ["RollbackNamesATree"]:
        console.print(
            "  RollbackNamesATree breaks behind any fence when ByAge cleans and a generation was "
            "skipped;\n  it is reported and makes no outage."
        )
