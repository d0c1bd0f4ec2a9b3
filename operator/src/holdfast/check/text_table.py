"""A table in plain text, for terminals, test reports and exceptions."""

import textwrap
from collections.abc import Sequence

WIDTH = 100
NARROWEST = 12
GAP = "  "


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """Left-aligned columns; a cell that is too long for its column goes on in the next line."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines: list[str] = []
    for row in (head, tuple("-" * w for w in widths), *rows):
        cells = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, widths, strict=True)]
        for at in range(max(map(len, cells))):
            parts = (c[at] if at < len(c) else "" for c in cells)
            line = GAP.join(p.ljust(w) for p, w in zip(parts, widths, strict=True))
            lines.append(line.rstrip())
    return "\n".join(lines)
