"""docs/faults.md: every case a row, written from a run."""

import re
import textwrap
from collections.abc import Sequence

from e2e.faults.cases import CASES, GUARDS, Case
from e2e.faults.harm import Harm, WatchHarm
from e2e.faults.life import GIVE_UP_SECONDS
from e2e.faults.lives import EDITED, FIRST, LATER, MOVED, OVERTAKEN, PAIR, Life
from e2e.faults.processes import RESTART_SECONDS
from e2e.faults.scene import LOCK_SECONDS
from e2e.faults.sweep import Result, Sweep
from e2e.faults.verdict import MEANINGS, Reason

_HEAD = """# Faults, case by case

Written by `python -m e2e.faults --docs docs/faults.md`, from a run on a cluster; not by hand.

A reverse proxy stands between the operator's own planner and enactors and a real API server. It
strikes one write, or one event of a watch, in one plan's life, and lets everything else pass. The
roles are the code that ships, in a process of the test's that can be killed; Kopf is not in the
loop, a list-and-watch through the proxy stands in for it. Each case has a namespace of its own, and
a customer who asks for the name twenty times a second.

A case passes if the end state and the number of creates and deletes that had an effect are those of
a run without the fault, no answer was empty, and no answer was of an older plan than one before.
The state is compared twice: when all is quiet after the plan that was struck, and at the end, when
two more plans have been applied. Where a case differs, its row names the reason; the reasons are
listed below the tables, and exactly what each excuses in `e2e/faults/verdict.py`. A reason that is
granted and not needed fails the case as well.

`make test-faults` plays all cases. Figures here are of one run: {cases} cases in {seconds:.0f} s,
{answers} answers, {lapses} of them empty, {missing} that never came.
"""

_READING = (
    f"A process that crashed is replaced after {RESTART_SECONDS} s, as another Pod. A lock lasts "
    f'{LOCK_SECONDS} s: that of the dead must expire first. "applied after" counts from the change '
    "that called for the plan until its name answers, what is too old is gone and the planner has "
    f'reported it; "-" if all was quiet for {GIVE_UP_SECONDS:.0f} s with something left for the '
    "next plan to do. Extra writes are those that had an effect, of any kind but events and "
    "conditions, more (or fewer) than without the fault until then."
)

_HARMS = {
    Harm.CRASH_AFTER: "it has its effect; the process that sent it is dead before it hears so",
    Harm.LOST_REPLY: "it has its effect; no answer comes until the client gives up, after 10 s",
    Harm.RESET_AFTER: "it has its effect; the connection is torn down in place of an answer",
    Harm.CRASH_BEFORE: "the process that sent it is dead before it has left",
    Harm.OVERLOADED: "refused, no effect",
    Harm.ERROR: "refused, no effect",
    Harm.RESET: "the connection is torn down, no effect",
    Harm.DELAY: "it reaches the API server a minute later, long after its sender gave up on it",
    WatchHarm.DROP: "swallowed, on a stream that goes on",
    WatchHarm.REPEAT: "sent twice",
    WatchHarm.REORDER: "kept back until the next has gone by",
    WatchHarm.GONE: "the stream ends with this error in its place",
    WatchHarm.CUT: "the connection is torn down in the middle of the event",
}

_LIVES: dict[Life, str] = {
    LATER: "Writes of a later plan's life, in order: the planner appends it, trims the oldest plan "
    "of its history and reports; the enactor applies it. `-2` is an object of the plan two before.",
    FIRST: "The first plan of a Region, with which the alias is born.",
    OVERTAKEN: "The same writes, each a minute late: two more plans have been applied when it "
    "arrives.",
    PAIR: "Two enactors: one of them is struck, or its wall clock jumps as it reaches a step, and "
    "the other goes on.",
    EDITED: "Watches of the Region, as its endpoints are edited.",
    MOVED: "Watches of the authoritative servers' slice, as one replaces the other.",
}


def render(run: Sweep) -> str:
    """The whole page."""
    seen = [r.outcome.customer for r in run.results if r.outcome is not None]
    parts = [
        _HEAD.format(
            cases=len(run.results),
            seconds=run.seconds,
            answers=sum(c.answered for c in seen),
            lapses=sum(len(c.lapses) for c in seen),
            missing=sum(c.missing for c in seen),
        ),
        "| fault | what happens |\n| --- | --- |",
        *(f"| {harm} | {says} |" for harm, says in _HARMS.items()),
        "",
        _wrapped(_READING),
        "",
    ]
    for guards in GUARDS:
        parts.append(f"## {guards}, Decoupled\n")
        for life in _LIVES:
            rows = [r for r in run.results if (r.case.guards, r.case.life) == (guards, life)]
            if rows:
                parts += [
                    f"### {guards}: {life.name}\n",
                    _wrapped(_LIVES[life]) + "\n",
                    *_table(rows),
                    "",
                ]
    parts.append("## Why a case may differ\n")
    parts += [explained(reason) for reason in Reason]
    return "\n".join(parts) + "\n"


def explained(reason: Reason) -> str:
    """A reason as the page has it."""
    return _wrapped(f"- **{reason}**: {MEANINGS[reason]}", indent="  ")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, subsequent_indent=indent, break_on_hyphens=False)


def _table(rows: Sequence[Result]) -> list[str]:
    head = ["| what is struck | fault | applied after | extra writes | differs |"]
    return [*head, "| --- | --- | --- | --- | --- |", *(_row(r) for r in rows)]


def _row(result: Result) -> str:
    seconds = result.outcome.seconds if result.outcome else None
    applied = "-" if seconds is None else f"{seconds:.1f} s"
    verdict = result.verdict
    differs = ", ".join(verdict.reasons) or "no"
    if verdict.failures:
        differs = f"**FAILED**: {'; '.join(verdict.failures)}"
    case = result.case
    cells = (f"`{case.what}`", str(case.harm), applied, f"{verdict.extra_writes:+d}", differs)
    return f"| {' | '.join(cells)} |"


def cases_in(page: str) -> list[str]:
    """The names of the cases that a page has rows for, in order."""
    found, section = [], ""
    for line in page.splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ")
        row = re.match(r"\| `([^`]+)` \| ([^|]+) \|", line)
        if row:
            found.append(f"{section}: {row[1]}: {row[2]}")
    return found


def cases_expected() -> list[str]:
    """The names of all cases, in the order of the page."""
    return [case.name for guards in GUARDS for life in _LIVES for case in _of(guards, life)]


def _of(guards: str, life: Life) -> list[Case]:
    return [c for c in CASES if (c.guards, c.life) == (guards, life)]
