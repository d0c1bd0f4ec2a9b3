"""How often the race strikes by itself, over the knobs that were varied."""

from pathlib import Path
from typing import Any

from holdfast.core.document import Json
from holdfast.sim.knobs import KNOBS

COLOURS = ("#b34700", "#00639c", "#4a7d1e", "#7a3e9d", "#8a6d00", "#333f4d")
MARKS = ("o", "s", "^", "D", "v", "P")
INK, GREY = "#1d2733", "#5c6670"
PANELS_MAX = 6


def draw(document: Json, file: Path) -> None:
    """One panel for each value of the third knob (and fourth, ...), one line for each of the
    second; the first runs along. The same figures give the same file, with the same matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    style: Any = {"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    along, lines, panels = _axes(document)
    with plt.rc_context(style):
        width = 8.8 if len(panels) == 1 else 4.2 * len(panels) + 1.6
        figure, axes = plt.subplots(
            1, len(panels), figsize=(width, 5.2), sharey=True, squeeze=False, layout="constrained"
        )
        for axis, panel in zip(axes[0], panels, strict=True):
            for number, line in enumerate(lines):
                _line(axis, document, along, line, panel, number)
            _dress(axis, document, along, panel)
        axes[0][0].set_ylabel("races in an hour of simulated time")
        if lines != [{}]:
            handles, labels = axes[0][0].get_legend_handles_labels()
            figure.legend(
                handles,
                labels,
                loc="outside right upper",
                frameon=False,
                fontsize=9,
                labelcolor=INK,
            )
        figure.suptitle(_title(document), fontsize=10, color=INK, x=0.01, ha="left")
        metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=130, facecolor="white", metadata=metadata)
        plt.close(figure)


def _turned(document: Json) -> list[str]:
    """The knobs that differ from cell to cell; the first of all, if none does."""
    varied = document["varied"]
    return [k for k, values in varied.items() if len(values) > 1] or list(varied)[:1]


def _axes(document: Json) -> tuple[str, list[Json], list[Json]]:
    """The knob along, the lines' values of the second, the panels' of all the others."""
    along, *others = _turned(document)
    lines = [{others[0]: v} for v in document["varied"][others[0]]] if others else [{}]
    panels: list[Json] = []
    for cell in document["cells"]:
        rest = {k: cell["knobs"][k] for k in others[1:]}
        if rest not in panels:
            panels.append(rest)
    return along, lines, panels[:PANELS_MAX]


def _line(axis: Any, document: Json, along: str, line: Json, panel: Json, number: int) -> None:
    wanted = line | panel
    found = [c for c in document["cells"] if all(c["knobs"][k] == v for k, v in wanted.items())]
    places = [_place(document, along, c["knobs"][along], number) for c in found]
    colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
    label = _said(line)
    seen = [(x, c) for x, c in zip(places, found, strict=True) if c["races"]]
    unseen = [(x, c) for x, c in zip(places, found, strict=True) if not c["races"]]
    axis.errorbar(
        [x for x, _ in seen],
        [c["racesPerHour"] for _, c in seen],
        yerr=[
            [c["racesPerHour"] - c["racesPerHour95"][0] for _, c in seen],
            [c["racesPerHour95"][1] - c["racesPerHour"] for _, c in seen],
        ],
        color=colour,
        marker=mark,
        markersize=6,
        linewidth=1.6,
        linestyle="none" if isinstance(found[0]["knobs"][along], str) else "solid",
        elinewidth=1.2,
        capsize=3,
        label=label,
    )
    for x, cell in unseen:  # nothing seen: as much as can be excluded
        top = cell["racesPerHour95"][1]
        axis.plot([x], [top], marker="v", markerfacecolor="white", color=colour, markersize=7)
        says = f"none, < {top:.2g}"
        axis.annotate(
            says,
            (x, top),
            (8, -3),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
        )


def _place(document: Json, along: str, value: Any, line: int) -> float:
    """Values stand evenly, in their order; lines a little apart, so that bars can be told."""
    return float(document["varied"][along].index(value)) + 0.03 * line


def _dress(axis: Any, document: Json, along: str, panel: Json) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    values = document["varied"][along]
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    few = high / low < 300
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())
    named = any(isinstance(v, str) for v in values)
    axis.set_xticks(range(len(values)), [_value(v) for v in values], rotation=20 if named else 0)
    axis.set_xlim(-0.4, len(values) - 0.45)
    axis.set_xlabel(f"{along}: {KNOBS[along].says}")
    axis.set_title(_said(panel), fontsize=10, color=INK)
    axis.grid(axis="y", color="#dde3e8", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", colors=GREY)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _said(knobs: Json) -> str:
    return ", ".join(f"{name} {_value(v)}" for name, v in knobs.items())


def _value(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _title(document: Json) -> str:
    guards, varied = document["cells"][0]["guards"], document["varied"]
    same = {k: v for k, v in guards.items() if k not in varied}
    same |= {k: v[0] for k, v in varied.items() if k not in _turned(document)}
    hours = document["seeds"] * document["hoursPerSeed"]
    first = f"How often does the race strike by itself? Up to {hours:,.0f} simulated hours a point"
    return f"{first}; bars: 95 %\n{_said(same)}"
