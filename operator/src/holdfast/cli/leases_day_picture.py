"""The day of the leases: how many were held, and what the managers' work was good for."""

from pathlib import Path
from typing import Any

from holdfast.core.document import Json

INK, GREY, GRID = "#1d2733", "#5c6670", "#dde3e8"
BLUE, ORANGE, GREEN = "#00639c", "#b34700", "#4a7d1e"
HOUR = 3600.0


def draw(document: Json, file: Path) -> None:
    """The same figures give the same file, with the same matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    style: Any = {"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    with plt.rc_context(style):
        figure, (held, work) = plt.subplots(
            2, 1, figsize=(11, 7), sharex=True, layout="constrained", height_ratios=(3, 2)
        )
        _held(held, document)
        _work(work, document)
        for axis in (held, work):
            _dress(axis)
        title = (
            f"{document['droplets']:,} leases of three zones over 14.5 hours, simulated: "
            "a collapse that ends only when people end it"
        )
        figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
        metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=130, facecolor="white", metadata=metadata)
        plt.close(figure)


def _held(axis: Any, document: Json) -> None:
    for name, colour, width, style, says in (
        ("safe", GREEN, 1.4, "dashed", "one zone, profile safe, no people"),
        ("renewalsFirst", GREY, 1.4, "dotted", "one zone, renewals first, no people"),
        ("people", BLUE, 2.2, "solid", "as it was: one queue; throttle and restart at 4 h 26"),
        ("nobody", ORANGE, 1.6, "dashdot", "one zone, if nobody acts"),
    ):
        curve = document["curves"][name]
        most = curve["held"][0]
        share = [100 * h / most for h in curve["held"]]
        hours = [t / HOUR for t in curve["times"]]
        axis.plot(hours, share, color=colour, linewidth=width, linestyle=style, label=says)
    figures = document["figures"]
    for name, says in (
        ("dnsGone", "the name\nanswers again"),
        ("cachesOver", "caches\nforget"),
        ("peopleAct", "people\nact"),
    ):
        at = figures[name]["simulated"]
        axis.axvline(at, color=GREY, linewidth=0.8, linestyle="dashed")
        side = -1 if name == "dnsGone" else 1
        axis.annotate(
            says,
            (at, 108),
            (4 * side, 0),
            textcoords="offset points",
            fontsize=8,
            color=GREY,
            va="center",
            ha="right" if side < 0 else "left",
        )
    axis.axvspan(0, figures["dnsGone"]["simulated"], color="#f2b48a", alpha=0.25, linewidth=0)
    axis.text(0.08, 4, "DNS gone", fontsize=8, color=ORANGE)
    axis.set_ylim(0, 116)
    axis.set_yticks(range(0, 101, 20))
    axis.set_ylabel("leases held, %")
    axis.legend(loc="center right", frameon=False, fontsize=9, labelcolor=INK)


def _work(axis: Any, document: Json) -> None:
    curve = document["curves"]["people"]
    hours = [t / HOUR for t in curve["times"]]
    # No logarithm knows zero: what is less than one check a second stands at the bottom.
    for field, colour, says in (
        ("good", BLUE, "checks that count"),
        ("vain", ORANGE, "checks in vain"),
    ):
        rates = [max(x, 0.5) for x in curve[field]]
        axis.plot(hours, rates, color=colour, linewidth=1.6, label=says)
    axis.set_yscale("log")
    axis.set_ylim(bottom=0.5)
    axis.set_ylabel("a second (0.5: none)")
    axis.set_xlabel("hours since the name was empty (11:48 PM)")
    axis.set_xlim(-0.25, 14.5)
    axis.legend(loc="center right", frameon=False, fontsize=9, labelcolor=INK)


def _dress(axis: Any) -> None:
    axis.grid(axis="y", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(which="both", colors=GREY)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
