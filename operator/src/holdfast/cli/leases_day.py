"""`holdfast leases day`: the simulated day as a table, a document and a picture."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from holdfast.cli.ablate_picture import require_matplotlib
from holdfast.cli.files import ForPeople
from holdfast.cli.leases import WIDTH
from holdfast.cli.simulate import SEED_MAX, write_json
from holdfast.core.document import Json
from holdfast.sim.sweep import has_columns

if TYPE_CHECKING:
    from holdfast.sim.fleet_day import Day

DROPLETS_MIN, DROPLETS_MAX = 3000, 5_000_000
CURVE_EVERY = 4
"""Samples of 15 s: a point a minute."""


def run(droplets: int, seed: int, json: Path | None, pictures: list[Path]) -> int:
    if not DROPLETS_MIN <= droplets <= DROPLETS_MAX:
        raise ForPeople(
            f"--droplets {droplets}: from {DROPLETS_MIN:,}, so that each zone has three workers, "
            f"to {DROPLETS_MAX:,}, which take a minute"
        )
    if not 0 <= seed <= SEED_MAX:
        raise ForPeople(f"--seed {seed}: a whole number from 0 to {SEED_MAX}")
    if not has_columns():
        raise ForPeople("leases day needs numpy: pip install 'holdfast[sweep]'")
    if pictures:
        require_matplotlib(pictures)
    from holdfast.sim.fleet_day import simulate

    with Console(stderr=True).status("leases") as status:
        day = simulate(droplets, seed, status.update)
    document = document_of(day)
    _print(document)
    write_json(json, document)
    for file in pictures:
        _draw(document, file)
        Console().print(f"picture: {file}", soft_wrap=True)
    return 0


def document_of(day: "Day") -> Json:
    """Figures and curves; JSON knows no NaN and no infinity, null stands for them."""
    from holdfast.sim.fleet_day_figures import rows

    return {
        "engine": "simulate",
        "seed": day.seed,
        "droplets": day.droplets,
        "figures": {
            row.name: {
                "says": row.says,
                "label": str(row.label),
                "simulated": _finite(row.simulated),
                "knownOrFormula": row.known,
                "unit": row.unit,
                "ratio": _finite(row.ratio),
                "isRight": row.is_right,
                "source": row.source,
            }
            for row in rows(day)
        },
        "curves": {
            name: {
                field: [round(float(x), 3) for x in getattr(curve, field)[::CURVE_EVERY]]
                for field in ("times", "held", "waiting", "good", "vain")
            }
            for name, curve in (
                ("people", day.people),
                ("nobody", day.nobody),
                ("renewalsFirst", day.renewals_first),
                ("safe", day.safe),
            )
        },
    }


def _print(document: Json) -> None:
    table = Table(width=WIDTH)
    for title in ("quantity", "label", "simulated", "known or formula", "ratio", "source"):
        table.add_column(title, justify="right" if title in ("simulated", "ratio") else "left")
    figures = document["figures"].values()
    for row in figures:
        ratio, beside = row["ratio"], row["knownOrFormula"]
        table.add_row(
            row["says"],
            row["label"],
            _said(row["simulated"], row["unit"]),
            "" if beside is None else _said(beside, row["unit"]),
            "" if ratio is None else f"{ratio:.2f}",
            row["source"],
        )
    console = Console(width=WIDTH, highlight=False)
    console.print(table)
    told = [row for row in figures if row["label"] == "predicted"]
    right = sum(row["isRight"] for row in told)
    console.print(f"{right} of {len(told)} predictions within 25 %")


def _draw(document: Json, file: Path) -> None:
    from holdfast.cli.leases_day_picture import draw

    try:
        draw(document, file)
    except OSError as error:
        raise ForPeople(f"{file}: {error.strerror}") from error


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _said(value: float | None, unit: str) -> str:
    if value is None:
        return "never"
    digits = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return f"{digits} {unit}".rstrip()
