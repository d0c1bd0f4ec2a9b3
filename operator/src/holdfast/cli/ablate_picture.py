"""The heat map of all combinations: where the outage is, and what else breaks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.check.report import Json
from holdfast.cli.ablate_table import LETTERS, within
from holdfast.cli.files import ForPeople

SUFFIXES = (".svg", ".png")
OUTAGE, OUTAGE_EDGE = "#f2b48a", "#b34700"
CALM, CALM_EDGE = "#dcebf7", "#8fb4d3"
INK, FAINT, GREY = "#1d2733", "#ffffff", "#5c6670"
"""Orange and blue differ to every eye, and in grey by their lightness; letters say the rest."""

MEANING = {
    "NonEmpty": "every name has an answer; broken: the outage",
    "NoLiveDelete": "no tree is deleted while it is live",
    "Monotone": "no name goes back to an older plan",
    "Converges": "the newest plan can always be reached again",
    "WholePlan": "an answer is exactly one plan's",
    "RollbackNamesATree": "the rollback record names a tree that exists",
}
FENCES = {
    "None": "no check, no lock, a blind write",
    "CheckOnce": "one check, then AWS's lock",
    "CheckEach": "a check before every turn",
    "LeaderOnly": "asks whether it leads, writes blindly",
    "ResourceVersion": "the version, not what it says",
    "CheckInLock": "the check moved inside the lock",
    "Generation": "only if newer, at the version read",
}
CLEANUPS = {
    "ByAge": "older than my plan",
    "SkipLiveWhenListing": "not what is live when listed",
    "RereadBeforeDelete": "asks again before each delete",
    "PinLive": "never what is pinned",
}
CELL, GAP, BAND = 1.0, 0.07, 0.16
ROW = 0.62


def require_matplotlib(files: Sequence[Path]) -> None:
    """ForPeople, before anything is explored, if a picture could not be drawn."""
    for file in files:
        if file.suffix not in SUFFIXES:
            raise ForPeople(f"--picture {file}: it ends in none of {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ForPeople("--picture needs matplotlib: pip install 'holdfast[pictures]'") from error


def draw(document: Json, file: Path) -> None:
    """The same document gives the same file, byte for byte, with the same matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    style: Any = {"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    with plt.rc_context(style):
        figure, axis = plt.subplots(figsize=(13, 8.6))
        figure.subplots_adjust(0.01, 0.01, 0.99, 0.99)
        _matrix(axis, document)
        _legend(axis)
        _caption(axis, document)
        axis.set_aspect("auto")
        axis.set_xlim(-2.75, 8 * CELL + 3 * BAND + 0.1)
        axis.set_ylim(7 * ROW + 2.05, -1.75)
        axis.axis("off")
        metadata = {"Date": None, "Creator": None} if file.suffix == ".svg" else {"Software": None}
        figure.savefig(file, dpi=130, facecolor="white", metadata=metadata)
        plt.close(figure)


def _left(cleanup: int, rollback: int) -> float:
    return (2 * cleanup + rollback) * CELL + cleanup * BAND


def _matrix(axis: Any, document: Json) -> None:
    before = document["changedFrom"]["dns"]
    for combination in document["combinations"]:
        rungs = combination["guards"]["dns"]
        column = list(CLEANUPS).index(rungs["cleanup"])
        rollback = ("Coupled", "Decoupled").index(rungs["rollback"])
        left, top = _left(column, rollback), list(FENCES).index(rungs["fence"]) * ROW
        _cell(axis, left, top, combination, rungs == before)
    for number, (fence, says) in enumerate(FENCES.items()):
        middle = (number + 0.5) * ROW
        axis.text(-0.12, middle - 0.1, fence, ha="right", va="center", fontsize=11, color=INK)
        axis.text(-0.12, middle + 0.12, says, ha="right", va="center", fontsize=7.5, color=GREY)
    for number, (cleanup, says) in enumerate(CLEANUPS.items()):
        middle = _left(number, 1)
        axis.text(middle, -0.62, cleanup, ha="center", va="center", fontsize=11, color=INK)
        axis.text(middle, -0.42, says, ha="center", va="center", fontsize=7.5, color=GREY)
        for rollback, name in enumerate(("Coupled", "Decoupled")):
            x = _left(number, rollback) + CELL / 2
            axis.text(x, -0.14, name, ha="center", va="center", fontsize=8.5, color=INK)
    axis.text(-0.12, -0.62, "cleanup →", ha="right", va="center", fontsize=9, color=GREY)
    axis.text(-0.12, -0.14, "fence ↓   rollback →", ha="right", va="center", fontsize=9, color=GREY)


def _cell(axis: Any, left: float, top: float, combination: Json, as_aws: bool) -> None:
    from matplotlib.patches import Rectangle

    outage = combination["outcome"] == "OutageReproduced"
    fill, edge = (OUTAGE, OUTAGE_EDGE) if outage else (CALM, CALM_EDGE)
    inner = CELL - GAP, ROW - GAP
    axis.add_patch(
        Rectangle(
            (left + GAP / 2, top + GAP / 2),
            *inner,
            facecolor=fill,
            edgecolor=INK if as_aws else edge,
            linewidth=2.6 if as_aws else 0.8,
        )
    )
    word = "OUTAGE" if outage else "no outage"
    if as_aws:
        word = "OUTAGE (AWS)"
    axis.text(
        left + CELL / 2,
        top + 0.2,
        word,
        ha="center",
        va="center",
        fontsize=8,
        color="#7a2e00" if outage else "#1f4e79",
        weight="bold" if outage else "normal",
    )
    for number, (name, letter) in enumerate(LETTERS.items()):
        x = left + CELL / 2 + (number - 2.5) * 0.145
        _glyph(axis, x, top + 0.43, letter, name in combination["invariantsBroken"])


def _glyph(axis: Any, x: float, y: float, letter: str, broken: bool) -> None:
    """A square: dark with its letter where the invariant breaks, empty where it is kept."""
    from matplotlib.patches import Rectangle

    width, height = 0.12, 0.17
    axis.add_patch(
        Rectangle(
            (x - width / 2, y - height / 2),
            width,
            height,
            facecolor=INK if broken else FAINT,
            edgecolor=INK if broken else "#a9b4be",
            linewidth=0.7,
        )
    )
    if broken:
        axis.text(
            x, y + 0.005, letter, ha="center", va="center", fontsize=7, color="white", weight="bold"
        )


def _legend(axis: Any) -> None:
    from matplotlib.patches import Rectangle

    top = 7 * ROW + 0.36
    axis.text(-2.65, top, "A dark square: some interleaving", fontsize=9, color=INK, va="center")
    axis.text(-2.65, top + 0.26, "breaks this invariant", fontsize=9, color=INK, va="center")
    for number, (name, letter) in enumerate(LETTERS.items()):
        x, y = (0.0, 4.4)[number // 3], top + (number % 3) * 0.26
        _glyph(axis, x + 0.06, y, letter, broken=True)
        axis.text(x + 0.2, y, name, fontsize=9, color=INK, va="center")
        axis.text(x + 1.62, y, MEANING[name], fontsize=8.5, color=GREY, va="center")
    y = top + 3 * 0.26 + 0.06
    _glyph(axis, 0.06, y, "", broken=False)
    axis.text(0.2, y, "none does: it is kept", fontsize=9, color=INK, va="center")
    frame = Rectangle((4.4, y - 0.1), 0.24, 0.2, facecolor="none", edgecolor=INK, linewidth=2.2)
    axis.add_patch(frame)
    axis.text(4.74, y, "as AWS ran it in October 2025", fontsize=9, color=INK, va="center")


def _caption(axis: Any, document: Json) -> None:
    every = document["combinations"]
    calm = sum(c["outcome"] == "OutagePrevented" for c in every)
    states = sum(c["exploration"]["distinctStates"] for c in every)
    title = f"{calm} of {len(every)} combinations of guards prevent the outage"
    axis.text(-2.65, -1.5, title, fontsize=16, color=INK, va="center", weight="bold")
    lead = (
        "Three guards of the DNS loops and all their rungs, worst first. Each cell was explored "
        "whole: every order in which the loops' calls can meet."
    )
    axis.text(-2.65, -1.15, lead, fontsize=10, color=GREY, va="center")
    end = (
        f"Exhaustive within {within(document['bounds'])} ({states / 1e6:.1f} million states). "
        "Beyond these bounds nothing is claimed."
    )
    axis.text(-2.65, 7 * ROW + 1.75, end, fontsize=8.5, color=GREY, va="center")
