"""The runbook's blocks, read from its markdown: what is to be run, and what it is said to print."""

import re
from dataclasses import dataclass
from pathlib import Path

RUNBOOK = Path(__file__).resolve().parent.parent / "docs/runbook.md"
ALONE = "With kubectl alone"
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
    """What is done with our own command."""
    return blocks(text.partition(f"\n## {ALONE}\n")[0])


def with_kubectl(text: str) -> list[Block]:
    return blocks(text.partition(f"\n## {ALONE}\n")[2])


_DIFFERS = (
    (re.compile(r"^\[ *[0-9.]+ s\] "), ""),
    (re.compile(r"us-east-1[a-z]/[-0-9a-f]{36}"), "<enactor>"),
    (re.compile(r"-[0-9a-f]{8}-v"), "-<uid>-v"),
    (re.compile(r"\d+"), "0"),
)
"""What is never the same twice: times, who won, uids, numbers."""


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
