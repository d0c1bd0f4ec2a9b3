"""`holdfast sweep leases`: which outage brings which lease manager down for good, as a map."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from holdfast.cli.ablate_picture import require_matplotlib
from holdfast.cli.files import ForPeople
from holdfast.cli.simulate import write_json
from holdfast.core.document import Json
from holdfast.sim.sweep import has_columns

NAME = "leases"
LETTERS = {"stable": "·", "vulnerable": "v", "metastable": "M", "partly": "p", "overloaded": "O"}
JOBS_MAX, WIDTH = 1024, 118
HOURS = 0.5
"""Of a run of the race, which is the other sweep's."""
OWN_GRID = "the map of the leases has its own grid, and no chance"


def is_asked(scenario: str) -> bool:
    """Whether the sweep is over leases: a file of that name goes before."""
    return scenario == NAME and not Path(scenario).is_file()


def sweep_leases(arguments: argparse.Namespace) -> int:
    for option in ("arm", "vary", "seeds", "latencies"):
        if getattr(arguments, option):
            raise ForPeople(f"--{option}: {OWN_GRID}")
    for option, default in (("hours", HOURS), ("seed", 0)):
        if getattr(arguments, option) != default:
            raise ForPeople(f"--{option}: {OWN_GRID}")
    if not 1 <= arguments.jobs <= JOBS_MAX:
        raise ForPeople(f"--jobs {arguments.jobs}: from 1 to {JOBS_MAX}")
    if not has_columns():
        raise ForPeople("sweep leases needs numpy: pip install 'holdfast[sweep]'")
    pictures: list[Path] = arguments.picture or []
    if pictures:
        require_matplotlib(pictures)
    document = _explore(arguments.jobs)
    _print(document)
    write_json(arguments.json, document)
    for file in pictures:
        _draw(document, file)
        Console().print(f"picture: {file}", soft_wrap=True)
    return 0


def _explore(jobs: int) -> Json:
    from holdfast.sim import lease_map

    cells = len(lease_map.PANELS) * len(lease_map.LOADS) * len(lease_map.OUTAGES)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("cells", total=cells)
        found = lease_map.explore(jobs, lambda count: progress.advance(bar, count))
    return lease_map.document(found)


def _draw(document: Json, file: Path) -> None:
    from holdfast.cli.lease_map_picture import draw

    try:
        draw(document, file)
    except OSError as error:
        raise ForPeople(f"{file}: {error.strerror}") from error


def _print(document: Json) -> None:
    console = Console(width=WIDTH, highlight=False)
    for panel in document["panels"]:
        table = Table(title=panel["says"], title_justify="left")
        table.add_column("outage, s", justify="right", no_wrap=True)
        for load in document["loads"]:
            table.add_column(f"{load:g}", justify="center")
        found = {(c["load"], c["outageSeconds"]): c["found"] for c in panel["cells"]}
        for outage in reversed(document["outageSeconds"]):
            letters = (LETTERS[found[load, outage]] for load in document["loads"])
            table.add_row(f"{outage:g}", *letters)
        console.print(table)
        console.print(f"as the formula says: {panel['agrees']} of {len(panel['cells'])} cells\n")
    told = ", ".join(f"{letter} {word}" for word, letter in LETTERS.items())
    console.print(f"across: the load ρ of the renewals; {told}")
