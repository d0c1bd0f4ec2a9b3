"""The runbook's blocks, read from its markdown: what is to be run, and what it is said to print."""

import re
from dataclasses import dataclass
from pathlib import Path

RUNBOOK = Path(__file__).resolve().parent.parent / "docs/runbook.md"
ALONE = "## With kubectl alone"
LEASES = "## Leases that do not come back"
LEASES_ALONE = "### The same with kubectl alone"
_BLOCK = re.compile(r"```sh\n(?P<script>.*?)```\n```text\n(?P<prints>.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """`section`: the heading above it, of whatever level."""

    section: str
    script: str
    prints: str


def blocks(text: str) -> list[Block]:
    """In order. A block of `sh` without one of `text` after it is an error: nobody would notice."""
    found = []
    section = ""
    for part in re.split(r"^(#+ .*)$", text, flags=re.MULTILINE):
        if part.startswith("#"):
            section = part.lstrip("# ")
            continue
        here = [Block(section, m["script"], m["prints"]) for m in _BLOCK.finditer(part)]
        if len(here) != part.count("```sh\n"):
            raise ValueError(f"{section}: a block of sh without its output")
        found += here
    return found


def with_holdfast(text: str) -> list[Block]:
    """What is done with our own command, where a name answers nothing."""
    return blocks(_before(text, ALONE))


def with_kubectl(text: str) -> list[Block]:
    return blocks(_before(_after(text, ALONE), LEASES))


def leases_with_holdfast(text: str) -> list[Block]:
    """The same, where leases do not come back."""
    return blocks(_before(_after(text, LEASES), LEASES_ALONE))


def leases_with_kubectl(text: str) -> list[Block]:
    return blocks(_after(text, LEASES_ALONE))


def _before(text: str, heading: str) -> str:
    return _parts(text, heading)[0]


def _after(text: str, heading: str) -> str:
    return _parts(text, heading)[1]


def _parts(text: str, heading: str) -> tuple[str, str]:
    before, found, after = text.partition(f"\n{heading}\n")
    if not found:
        raise ValueError(f"the runbook has no heading {heading!r}")
    return before, after


_DIFFERS = (
    (re.compile(r"^\[ *[0-9.]+ s\] "), ""),
    (re.compile(r"us-east-1[a-z]/[-0-9a-f]{36}"), "<enactor>"),
    (re.compile(r"-[0-9a-f]{8}-v"), "-<uid>-v"),
    (re.compile(r"\d+"), "0"),
    (re.compile("[\u2500-\u257f]+"), "|"),
)
"""What is never the same twice: times, who won, uids, numbers, the widths of a table's columns."""


def kinds(printed: str, words: int) -> set[str]:
    """The first words of each line that is not the rest of another, without what differs."""
    found = set()
    for line in printed.splitlines():
        bare = line
        for pattern, instead in _DIFFERS:
            bare = pattern.sub(instead, bare)
        first = [w.rstrip(":,;") for w in bare.split()[:words]]
        if first and line[0] != " ":
            found.add(" ".join(first))
    return found
