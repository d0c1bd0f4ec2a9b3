"""`holdfast leases size|day|...`: the second loop of the incident, for one's own numbers."""

import argparse
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from holdfast.cli import leases_people
from holdfast.cli.files import ForPeople
from holdfast.cli.simulate import write_json
from holdfast.core.document import Json
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.sizing_figures import Figure, figures

WIDTH = 118
DROPLETS_MAX, WORKERS_MAX, ATTEMPTS_MAX = 10**9, 10**6, 1000
PERIOD_MAX_SECONDS, LEASE_MAX_SECONDS = 7 * 86400.0, 30 * 86400.0
WORK_MAX_SECONDS = 86400.0
RENEW = "what a worker needs to renew a lease, besides its calls"
ESTABLISH = "what it needs to win a lost one back"
DROPLETS = "leases, of all zones; default: %(default)s"
SEED = "of chance; default: %(default)s"
HEARTBEATS = 3
"""To a lease: two may be lost without losing it. The CRD enforces the same."""


def add_command(commands: Any) -> None:
    leases = commands.add_parser("leases", help="droplet leases: size a manager, replay the day")
    sub = leases.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_size(sub)
    _add_day(sub)
    leases_people.add(sub)


def _add_size(sub: Any) -> None:
    size = sub.add_parser(
        "size",
        help="what a manager's numbers allow: load, bound, recovery, collapse",
        description="Formulas only, of one manager (a zone's), with the numbers put in.",
    )
    size.add_argument("--droplets", type=whole, required=True, metavar="N", help="leases it keeps")
    size.add_argument(
        "--period", type=number, required=True, metavar="SECONDS", help="between two heartbeats"
    )
    size.add_argument("--renew-ms", type=number, required=True, metavar="MS", help=RENEW)
    size.add_argument("--establish-ms", type=number, required=True, metavar="MS", help=ESTABLISH)
    size.add_argument(
        "--timeout", type=number, required=True, metavar="SECONDS", help="from queueing to done"
    )
    size.add_argument(
        "--workers", type=whole, required=True, metavar="K", help="state checks done at once"
    )
    size.add_argument(
        "--lease", type=number, metavar="SECONDS", help="how long one lasts; default: 3 periods"
    )
    size.add_argument(
        "--attempts", type=whole, metavar="R", help="of each heartbeat; default: without end"
    )
    size.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    size.set_defaults(do=_size)


def _add_day(sub: Any) -> None:
    day = sub.add_parser(
        "day",
        help="the leases of 20 October 2025 at their scale, simulated: seconds",
        description="Three zones over 14.5 h of virtual time. Each figure says whether it was set, "
        "fitted or predicted.",
    )
    day.add_argument("--droplets", type=whole, default=10**6, metavar="N", help=DROPLETS)
    day.add_argument("--seed", type=whole, default=20251020, metavar="S", help=SEED)
    day.add_argument("--json", type=Path, metavar="FILE", help="write figures and curves there")
    day.add_argument(
        "--picture", type=Path, action="append", metavar="FILE", help=".svg or .png; repeatable"
    )
    day.set_defaults(do=_day)


def _day(arguments: argparse.Namespace) -> int:
    from holdfast.cli.leases_day import run  # numpy is loaded with it

    return run(arguments.droplets, arguments.seed, arguments.json, arguments.picture or [])


def whole(text: str) -> int:
    """A whole number, as an option's value. Its bounds are checked later, all together."""
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def number(text: str) -> float:
    """A number that is one: neither NaN nor infinite."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}: a finite number is wanted")
    return value


def _size(arguments: argparse.Namespace) -> int:
    fleet = fleet_of_options(arguments)
    attempts = math.inf
    if arguments.attempts is not None:
        within("--attempts", arguments.attempts, 1, ATTEMPTS_MAX, "leave it out for no end")
        attempts = float(arguments.attempts)
    found = figures(fleet, attempts)
    console = Console(width=WIDTH, highlight=False)
    table = Table("quantity", "value", "formula, with the numbers", width=WIDTH)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    table.columns[1].justify = "right"
    for figure in found:
        table.add_row(figure.says, _said(figure), figure.formula)
    console.print(table)
    write_json(arguments.json, _document(fleet, found))
    return 0


def fleet_of_options(arguments: argparse.Namespace) -> Fleet:
    """The fleet of a command line. ForPeople names the option, the bound and the way out."""
    a = arguments
    lease = HEARTBEATS * a.period if a.lease is None else a.lease
    within("--droplets", a.droplets, 1, DROPLETS_MAX, "size the manager of one zone or cell")
    within("--workers", a.workers, 1, WORKERS_MAX, "a manager has at least one")
    above_zero("--period", a.period, PERIOD_MAX_SECONDS, "seconds between two heartbeats")
    above_zero("--renew-ms", a.renew_ms, WORK_MAX_SECONDS * 1000, "milliseconds of a worker")
    above_zero("--establish-ms", a.establish_ms, WORK_MAX_SECONDS * 1000, "likewise")
    above_zero("--timeout", a.timeout, LEASE_MAX_SECONDS, "seconds from queueing to done")
    above_zero("--lease", lease, LEASE_MAX_SECONDS, "seconds that a lease lasts")
    if lease < HEARTBEATS * a.period:
        raise ForPeople(
            f"--lease {lease:g}: at least {HEARTBEATS}·period = {HEARTBEATS * a.period:g} s, so "
            f"that one lost heartbeat loses no lease; or --period at most {lease / HEARTBEATS:g}"
        )
    if not a.renew_ms <= a.establish_ms <= a.timeout * 1000:
        raise ForPeople(
            f"--establish-ms {a.establish_ms:g}: from --renew-ms ({a.renew_ms:g}) to --timeout "
            f"({a.timeout * 1000:g} ms), or none would ever end in time; or a longer --timeout"
        )
    if a.timeout >= lease:
        raise ForPeople(
            f"--timeout {a.timeout:g}: less than the lease's {lease:g} s, or a check would count "
            f"for a lease that has run out; or --lease above {a.timeout:g}"
        )
    return Fleet(
        droplets=a.droplets,
        duration=lease,
        period=a.period,
        timeout=a.timeout,
        workers=a.workers,
        renew=a.renew_ms / 1000,
        establish=a.establish_ms / 1000,
    )


def within(option: str, value: int, low: int, high: int, way_out: str) -> None:
    if not low <= value <= high:
        raise ForPeople(f"{option} {value}: from {low:,} to {high:,}; {way_out}")


def above_zero(option: str, value: float, high: float, way_out: str) -> None:
    if not 0 < value <= high:
        raise ForPeople(f"{option} {value:g}: more than 0, up to {high:g}; {way_out}")


def _said(figure: Figure) -> str:
    if figure.unit == "yes/no":
        return "yes" if figure.value else "no"
    if math.isinf(figure.value):
        return "never" if figure.unit == "s" else "∞"
    digits = f"{figure.value:,.0f}" if figure.value >= 1e4 else f"{figure.value:.4g}"
    return f"{digits} {figure.unit}".rstrip()


def _document(fleet: Fleet, found: tuple[Figure, ...]) -> Json:
    """JSON knows no infinity: null stands for it."""
    return {
        "leases": fleet.leases,
        "figures": {
            f.name: {
                "value": _plain(f),
                "unit": f.unit,
                "formula": f.formula,
            }
            for f in found
        },
    }


def _plain(figure: Figure) -> bool | float | None:
    if figure.unit == "yes/no":
        return bool(figure.value)
    return None if math.isinf(figure.value) else figure.value
