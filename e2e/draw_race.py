"""Draws a result document: what was planned, what the alias named, when nobody got an answer."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

PLANNED, LIVE, EMPTY, GOOD = "#8a929a", "#0b57d0", "#b3261e", "#1b7f3b"
HELP = {
    "refused": "stale write refused: 409",
    "dropped": "stale plan dropped",
    "aliasNamesATreeAgain": "overridden by somebody on call",
}
SECONDS_MAX = 26
"""What comes later is seen through the resolver alone."""


def draw(result: dict[str, Any], files: list[Path]) -> None:
    arms = result["arms"]
    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "holdfast", "svg.fonttype": "none"})
    figure, axes = plt.subplots(len(arms), 1, figsize=(9, 2.1 * len(arms)), sharex=True)
    for axis, arm in zip(axes, arms, strict=True):
        _arm(axis, arm)
    axes[1].legend(*axes[0].get_legend_handles_labels(), loc="lower right", frameon=False)
    axes[0].set_xlim(-1, SECONDS_MAX)
    axes[-1].set_xlabel("seconds since the first plan")
    figure.suptitle(f"{result['scenario']}: plans kept coming; what did the name answer?")
    figure.tight_layout()
    for file in files:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)


def _arm(axis: Any, arm: dict[str, Any]) -> None:
    dns, end = arm["dns"], arm["seconds"]
    planned = [
        (line["t"], int(line["object"].partition("/")[2]))
        for line in arm["timeline"]
        if line["event"] == "planned"
    ]
    live = [(t, generation) for t, _, generation in dns["liveGenerations"]]
    _steps(axis, planned, end, PLANNED, "newest plan")
    _steps(axis, live, end, LIVE, "the alias names")
    seen = dns["authoritative"]
    if seen["empty"]:
        until = seen.get("recoveredAt", end)
        axis.axvspan(seen["firstEmptyAt"], until, color=EMPTY, alpha=0.15, label="empty answers")
        axis.axvline(seen["firstEmptyAt"], color=EMPTY, linewidth=1)
    for line in arm["timeline"]:
        if line["event"] in HELP and (line.get("zone") or dns.get("recoveredBy") == "operator"):
            axis.axvline(line["t"], color=GOOD, linewidth=1)
            axis.annotate(f" {HELP[line['event']]}", (line["t"], 0), color=GOOD, fontsize=8)
    fence = arm["guards"]["dns"]["fence"]
    axis.set_title(f"{arm['name']} (fence {fence}): {arm['outcome']}", loc="left", fontsize=9)
    axis.set_ylabel("generation")
    axis.set_ylim(bottom=-1)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)


def _steps(axis: Any, points: list[tuple[float, int]], end: float, colour: str, label: str) -> None:
    t, generation = [p[0] for p in points], [p[1] for p in points]
    axis.step([*t, end], [*generation, generation[-1]], where="post", color=colour, label=label)


if __name__ == "__main__":
    source, *targets = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text()), targets)
