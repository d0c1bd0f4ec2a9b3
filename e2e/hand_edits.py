"""Done by hand to what runs: every case of `hand_cases` and `hand_scenarios`, and the table of what
came of each.

`python -m e2e.hand_edits --write` plays them on the cluster and writes the table into the page; the
test plays them too, and fails when something else comes of one, or when the page says something
else. Numbers in it are those of the run that wrote it.
"""

import argparse
import re
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from e2e import hand_scenarios
from e2e.cluster_tools import SYSTEM, items, until
from e2e.hand_cases import GROUPS, MIXED, Case, Group
from e2e.hand_ground import Customer, Eyes, Ground, Json, dns_server, lay
from e2e.hand_reactions import Play
from e2e.hand_scenarios import Came

PAGE = Path(__file__).parent.parent / "docs" / "bad-input.md"
BEGIN, END = "<!-- begin: by hand -->\n", "<!-- end: by hand -->\n"
HEAD = (
    "| done by hand | guards | what comes of it | answers without an address |\n|---|---|---|---|\n"
)
AT_ONCE = 5
"""Groups that are played at once: the API server, and our two cores, have more to do."""
QUIET_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one case. `wrong`: why it was not as said, "" if it was; `empties`: answers
    without an address, and for how long there were any."""

    key: str
    done: str
    guards: str
    came: str
    empties: int | None
    seconds: float = 0.0
    wrong: str = ""
    may_be_empty: bool = False

    def line(self) -> str:
        many = f"{self.empties}" + (f" ({self.seconds:.1f} s)" if self.seconds else "")
        asked = "" if self.empties is None else many
        asked = "none" if self.empties == 0 and not self.may_be_empty else asked
        return _cells(self.done, self.guards, self.came, asked)


@dataclass(frozen=True, slots=True)
class Found:
    """`rows` by key; `restarted`: Pods of the operator that are others, or have restarted;
    `restless`: namespaces in which something was written although nothing was to be done."""

    rows: dict[str, Row]
    restarted: tuple[str, ...]
    restless: tuple[str, ...]
    seconds: float


def play(groups: Iterable[Group] = GROUPS, *, scenarios: bool = True) -> Found:
    """Everything: Regions in namespaces of their own, beside each other; Scenarios, one after the
    other; and at last, with the operator away, what needs no operator."""
    chosen, began = list(groups), time.monotonic()
    pods = operators()
    with closing(Eyes()) as eyes, dns_server() as server, closing(Customer(*server)) as customer:
        lay([*(g.space for g in chosen), *(["hands-down"] if scenarios else [])], server)
        grounds = [
            Ground(g.space, g.guards, eyes, customer, g.regular, spec=g.spec) for g in chosen
        ]
        with ThreadPoolExecutor(AT_ONCE + 1) as pool:
            told = pool.submit(hand_scenarios.play) if scenarios else None
            playing = [pool.submit(play_group, *both) for both in _longest_first(chosen, grounds)]
            played = {row.key: row for task in playing for row in task.result()}
            rows = [played[f"{g.name}/{c.name}"] for g in chosen for c in g.cases]
            rows += [_told("scenario", "`safe`", *one) for one in (told.result() if told else ())]
        restless, restarted = quiet(grounds), changed(pods, operators())
        if scenarios:
            down = Ground("hands-down", MIXED, eyes, customer)
            came = hand_scenarios.play_down(down)
            empties, _ = customer.empties(came.space, came.since, came.till)
            rows.append(_told("down", said(MIXED), came, empties))
    return Found({r.key: r for r in rows}, restarted, restless, time.monotonic() - began)


def _longest_first(groups: list[Group], grounds: list[Ground]) -> Iterator[tuple[Group, Ground]]:
    pairs = list(zip(groups, grounds, strict=True))
    yield from (pair for pair in pairs if pair[0].long)
    yield from (pair for pair in pairs if not pair[0].long)


def _told(group: str, guards: str, came: Came, empties: int | None) -> Row:
    key, empty = f"{group}/{came.key}", came.may_be_empty
    return Row(key, came.done, guards, came.came, empties, 0.0, came.wrong, empty)


def play_group(group: Group, ground: Ground) -> list[Row]:
    try:
        ground.begin()
    except AssertionError as error:
        return [_row(group, case, "", wrong=f"never began: {error}") for case in group.cases]
    return [play_case(group, case, ground) for case in group.cases]


def play_case(group: Group, case: Case, ground: Ground) -> Row:
    """A case that goes wrong is told, and the next is played."""
    began, came, wrong = time.time(), "", ""
    try:
        played = Play.begin(ground, case.body)
        began = played.began
        played.edit(case.does)
        came = case.then.see(played)
    except Exception as error:  # noqa: BLE001 - it is told, and the next is played
        last = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__}: {error} ({last.name}:{last.lineno})"
    empties, seconds = ground.customer.empties(ground.space, began, time.time())
    print(f"{group.name}/{case.name}: {came or wrong} [{empties}]", flush=True)
    return _row(group, case, came, empties, seconds, wrong)


def _row(
    group: Group,
    case: Case,
    came: str,
    empties: int = 0,
    seconds: float = 0.0,
    wrong: str = "",
) -> Row:
    done = " · ".join(f"`{command}`" for command in case.does)
    told = f"{came}. {case.note[:1].upper()}{case.note[1:]}" if case.note else came
    key = f"{group.name}/{case.name}"
    return Row(key, done, said(group.guards), told, empties, seconds, wrong, case.empties)


def said(guards: Json) -> str:
    """Guards in a word, as the page explains it."""
    if guards == MIXED:
        return "`aws-2025` +"
    dns = guards.get("dns", {})
    profile = guards.get("profile", "aws-2025")
    return f"`{profile}`" + "".join(f", `{name}: {rung}`" for name, rung in dns.items())


# --- what holds for all of them


def operators() -> dict[str, tuple[str, int]]:
    """The operator's Pods: uid, and how often a container has restarted."""
    return {
        p["metadata"]["name"]: (
            p["metadata"]["uid"],
            sum(c["restartCount"] for c in p["status"].get("containerStatuses") or ()),
        )
        for p in items("pods", "-n", SYSTEM, "-l", "holdfast.dev/process")
    }


def changed(
    before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]
) -> tuple[str, ...]:
    return tuple(sorted(n for n in before.keys() | after if before.get(n) != after.get(n)))


def quiet(grounds: list[Ground]) -> tuple[str, ...]:
    """No plans any more: then nobody writes. The namespaces where somebody goes on to."""
    for ground in grounds:
        ground.eyes.patch(
            f"{ground.path('regions')}/us-east-1", {"spec": {"planner": {"churnPerMinute": 0}}}
        )
    seen: dict[str, tuple[object, float]] = {}
    restless: list[str] = []

    def is_quiet(ground: Ground) -> bool:
        now, versions = time.monotonic(), _versions(ground)
        before, since = seen.get(ground.space, (None, now))
        if versions != before:
            seen[ground.space] = versions, now
            return False
        return now - since >= QUIET_SECONDS

    def all_quiet() -> bool:
        restless[:] = [g.space for g in grounds if not is_quiet(g)]
        return not restless

    try:
        until(all_quiet, "nobody writes any more", 45)
    except AssertionError:
        return tuple(restless)
    return ()


def _versions(ground: Ground) -> object:
    found = ground.state()
    objects = [found.alias, *found.trees.values(), *found.slices, *found.plans.values()]
    versions = sorted(str(o.get("metadata", {}).get("resourceVersion")) for o in objects)
    return versions, ground.region().get("metadata", {}).get("resourceVersion")


# --- the table


def table(rows: Iterable[Row]) -> str:
    return HEAD + "".join(row.line() for row in rows)


def _cells(*texts: str) -> str:
    cells = (" ".join(t.split()).replace("|", "\\|").replace("<", "&lt;") for t in texts)
    return f"| {' | '.join(cells)} |\n"


def masked(line: str) -> str:
    """A line without what differs from run to run: numbers, names that are made of them, zones."""
    line = re.sub(r"us-east-1[abc]", "<zone>", line)
    line = re.sub(r"-[0-9a-f]{8}-v4", "-#-v4", line)
    line = re.sub(r", \d+ times in a row", "", line)
    return re.sub(r"\d+(\.\d+)?", "#", line).replace("# (# s) |", "# |")


def write(page: Path, rows: Iterable[Row]) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + table(rows) + END + after)


def only(text: str) -> list[Group]:
    """The groups as far as the keys of their cases have this text."""
    found = []
    for group in GROUPS:
        cases = tuple(c for c in group.cases if text in f"{group.name}/{c.name}")
        if cases:
            found.append(replace(group, cases=cases))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Do by hand what is done by hand.")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their key")
    given = parser.parse_args()
    found = play(only(given.only), scenarios=not given.only)
    wrong = [f"{row.key}: {row.wrong}" for row in found.rows.values() if row.wrong]
    print(*wrong, sep="\n")
    print(f"restarted: {found.restarted}; restless: {found.restless}; {found.seconds:.0f} s")
    if given.write and not wrong:
        write(PAGE, found.rows.values())


if __name__ == "__main__":
    main()
