"""How long the calls of planner and enactors took between two moments, as they measured it: what
`holdfast sweep --latencies` reads.

`python -m e2e.call_latencies FILE` writes all since the processes began.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import TypeAlias

from e2e.cluster_tools import SYSTEM, items, metrics

METRIC = "holdfast_call_seconds_bucket"
Scrape: TypeAlias = Counter[str]
"""By series, of all processes together."""


def scrape() -> Scrape:
    found: Scrape = Counter()
    for pod in items("pods", "-n", SYSTEM):
        name = pod["metadata"]["name"]
        if "-enactor-" not in name and "-planner-" not in name:
            continue
        for line in metrics(name).splitlines():
            if line.startswith(METRIC):
                series, _, value = line.rpartition(" ")
                found[series] += int(float(value))
    return found


def between(before: Scrape, after: Scrape) -> str:
    """As metrics are written. Of processes that began anew in between nothing is known."""
    return "\n".join(f"{series} {n - before[series]}" for series, n in after.items()) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(between(Counter(), scrape()))
