"""The pages of docs/failures: their commands are run against the arm that shows the failure.

A page names its Scenario in its first comment, `<!-- shown by: stuck -->`. Each `$ ` line of its
`console` blocks is a command; what follows is what it printed, `...` for lines left out. `python -m
e2e.pages stuck` runs the commands of the pages that this Scenario shows and writes what they print;
the test compares, with numbers, ages and names of Pods masked.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster_tools import run

PAGES = Path(__file__).parent.parent / "docs" / "failures"
_SHOWN_BY = re.compile(r"<!-- shown by: ([a-z0-9-]+) -->")
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"), "TIME"),
    (re.compile(r"\b(\d+[dhms])+\b"), "AGE"),
    (re.compile(r"\d+"), "N"),
    (re.compile(r"\bN(, N)+\b"), "N"),
    (re.compile(r"\s+"), " "),
)
LINES_MAX = 14


@dataclass(frozen=True, slots=True)
class Shown:
    """One command of a page, and what the page says that it prints."""

    page: str
    command: str
    printed: tuple[str, ...]


def pages_of(scenario: str) -> list[Path]:
    found = []
    for page in sorted(PAGES.glob("*.md")):
        told = _SHOWN_BY.search(page.read_text())
        if told and told[1] == scenario:
            found.append(page)
    return found


def shown(page: Path) -> Iterator[Shown]:
    for block in _BLOCK.findall(page.read_text()):
        command = ""
        printed: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield Shown(page.name, command, tuple(printed))
                command, printed = line.removeprefix("$ "), []
            else:
                printed.append(line)
        if command:
            yield Shown(page.name, command, tuple(printed))


def output(command: str) -> list[str]:
    """What a command prints; AssertionError if it fails. `holdfast` is that of this environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = run("env", f"PATH={path}", "bash", "-o", "pipefail", "-c", command)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return [line.rstrip() for line in done.stdout.splitlines()]


def masked(line: str) -> str:
    for pattern, word in _MASKS:
        line = pattern.sub(word, line)
    return line.strip()


def missing(told: Shown) -> list[str]:
    """The lines of a page that the command does not print now, numbers aside."""
    now = {masked(line) for line in output(told.command)}
    return [line for line in told.printed if line != "..." and masked(line) not in now]


def fill(page: Path) -> None:
    """Write into a page what its commands print."""
    text = page.read_text()

    def block(match: re.Match[str]) -> str:
        lines = []
        for line in match[1].splitlines():
            if line.startswith("$ "):
                printed = output(line.removeprefix("$ "))
                more = ["..."] if len(printed) > LINES_MAX else []
                lines += [line, *printed[:LINES_MAX], *more]
        return "```console\n" + "\n".join(lines) + "\n```"

    page.write_text(_BLOCK.sub(block, text))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill the pages that a Scenario shows.")
    parser.add_argument("scenario")
    scenario = parser.parse_args().scenario
    for page in pages_of(scenario):
        fill(page)
        print(page.name)


if __name__ == "__main__":
    main()
