"""Draws a result document of leases: how many each arm held, and when the store was gone."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

HELD, GONE, SHED, STUCK, BACK = "#0b57d0", "#b3261e", "#1b7f3b", "#b3261e", "#1b7f3b"
WORDS = {
    "Stuck": ("stuck", STUCK),
    "RecoveredByItself": ("back by itself", BACK),
    "NeededShedding": ("back once work was shed", BACK),
    "Untouched": ("never hit", BACK),
}
COLUMNS = 3


def draw(result: dict[str, Any], files: list[Path]) -> None:
    arms = result["arms"]
    rows = -(-len(arms) // COLUMNS)
    plt.rcParams.update({"font.size": 9, "svg.hashsalt": "holdfast", "svg.fonttype": "none"})
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=(9.6, 1.9 * rows + 0.8), sharex=True, sharey=True, squeeze=False
    )
    places = [axis for row in grid for axis in row]
    for axis, arm in zip(places, arms, strict=False):
        _arm(axis, arm)
    for axis in places[len(arms) :]:
        axis.set_visible(False)
    for row in grid:
        row[0].set_ylabel("leases held")
    for axis in places[max(0, len(arms) - COLUMNS) : len(arms)]:
        axis.set_xlabel("seconds since the first plan")
        axis.xaxis.set_tick_params(labelbottom=True)
    where = "simulated" if result["engine"] == "simulate" else "on the cluster"
    figure.suptitle(f"{result['scenario']}, {where}: the store is gone (shaded), and comes back")
    figure.tight_layout()
    for file in files:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix == ".svg" else None)


def _arm(axis: Any, arm: dict[str, Any]) -> None:
    leases = arm["leases"]
    t, held = [p[0] for p in leases["held"]], [p[1] for p in leases["held"]]
    axis.fill_between(t, held, step="post", color=HELD, alpha=0.25, linewidth=0)
    axis.step(t, held, where="post", color=HELD, linewidth=1.2)
    acts = [line for line in arm["timeline"] if line["event"] == "acted"]
    stores = [line["t"] for line in acts if line["message"].startswith("store")]
    if len(stores) >= 2:
        axis.axvspan(stores[0], stores[1], color=GONE, alpha=0.12, linewidth=0)
    for line in acts:
        if line.get("actor") == "operator":
            axis.axvline(line["t"], color=SHED, linewidth=1, linestyle=":")
    words, colour = WORDS[leases["metastability"]]
    if "recoverySeconds" in leases and leases["metastability"] != "Untouched":
        words += f", {leases['recoverySeconds']:.0f} s"
    axis.set_title(arm["name"], loc="left", fontsize=9)
    axis.set_title(words, loc="right", fontsize=9, color=colour)
    axis.set_ylim(0, leases["leases"] * 1.05)
    axis.set_xlim(left=0)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    source, *targets = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text()), targets)
