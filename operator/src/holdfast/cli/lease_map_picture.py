"""The map of the lease managers, with what the formulas say drawn on top."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.core.document import Json

INK, GREY = "#1d2733", "#5c6670"
COLOURS = {
    "stable": "#dcebf7",
    "vulnerable": "#f7e7b4",
    "metastable": "#e08a52",
    "partly": "#b9a3cf",
    "overloaded": "#8b949c",
}
MEANING = {
    "stable": "stable: not even the worst brings it down",
    "vulnerable": "vulnerable: this outage does not, a worse one does",
    "metastable": "metastable: stays down after this outage",
    "partly": "partly back: what is held is refused and lapses",
    "overloaded": "overloaded: down without any outage",
}
MARKS = {"metastable": "x", "partly": "_", "overloaded": "x"}


def draw(document: Json, file: Path) -> None:
    """The same figures give the same file, with the same matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    style: Any = {"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            2, 2, figsize=(12.6, 9), sharex=True, sharey=True, layout="constrained"
        )
        for axis, panel in zip(axes.flat, document["panels"], strict=True):
            _panel(axis, document, panel)
        for axis in axes[:, 0]:
            axis.set_ylabel("outage of what the checks need, s")
        for axis in axes[1]:
            axis.set_xlabel("load of the renewals, ρ = N·c_r/(kP)")
        handles: list[Any] = [
            Patch(facecolor=COLOURS[name], edgecolor="white", label=says)
            for name, says in MEANING.items()
        ]
        handles += axes.flat[0].get_legend_handles_labels()[0]
        handles += axes.flat[1].get_legend_handles_labels()[0]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9
        )
        figure.suptitle(
            "Which outage leaves a lease manager down for good: every cell simulated, lines by "
            "formula\nk = 10, P = 30 s, T = 10 s, L = 90 s, c_r = 50 ms, c_e = 500 ms",
            fontsize=11,
            color=INK,
            x=0.01,
            ha="left",
        )
        metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=130, facecolor="white", metadata=metadata)
        plt.close(figure)


def _panel(axis: Any, document: Json, panel: Json) -> None:
    from matplotlib.colors import ListedColormap

    loads, outages = document["loads"], document["outageSeconds"]
    found = {(c["load"], c["outageSeconds"]): c["found"] for c in panel["cells"]}
    grid = [[list(COLOURS).index(found[load, d]) for load in loads] for d in outages]
    axis.pcolormesh(
        grid,
        cmap=ListedColormap(list(COLOURS.values())),
        vmin=-0.5,
        vmax=len(COLOURS) - 0.5,
        edgecolors="white",
        linewidth=0.8,
        rasterized=True,
    )
    for name, mark in MARKS.items():
        where = [
            (x + 0.5, y + 0.5)
            for x, load in enumerate(loads)
            for y, d in enumerate(outages)
            if found[load, d] == name
        ]
        axis.scatter(
            [x for x, _ in where], [y for _, y in where], s=14, c=INK, marker=mark, linewidths=0.8
        )
    if panel["name"] == "aws-2025":
        inside = [(load, d) for load, d in document["contour"] if load <= 1]
        axis.plot(
            [_place(load, loads) for load, _ in inside],
            [_place(d, outages) for _, d in inside],
            color=INK,
            linewidth=2,
            label="formula: the backlog takes T (excess > μT)",
        )
    if panel["name"] == "two-attempts":
        axis.axvline(
            _place(panel["stableBelow"], loads),
            color=INK,
            linewidth=2,
            linestyle="dashed",
            label="formula: ρ = c_r/(R·c_e), that is λ = μ/R",
        )
    axis.set_title(
        f"{panel['says']}\n{panel['agrees']} of {len(panel['cells'])} cells as the formula says",
        fontsize=9.5,
        color=INK,
        loc="left",
    )
    axis.set_xlim(0, len(loads))
    axis.set_ylim(0, len(outages))
    across, up = ([i + 0.5 for i in range(len(values))] for values in (loads, outages))
    axis.set_xticks(across, [f"{load:g}" for load in loads], rotation=45, fontsize=8)
    axis.set_yticks(up, [f"{d:g}" for d in outages], fontsize=8)
    axis.tick_params(colors=GREY, length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _place(value: float, values: Sequence[float]) -> float:
    """Where a value stands between the evenly set ones: by its logarithm."""
    for i in range(len(values) - 1):
        if value <= values[i + 1] or i == len(values) - 2:
            low, high = math.log(values[i]), math.log(values[i + 1])
            return i + 0.5 + (math.log(value) - low) / (high - low)
    return 0.0
