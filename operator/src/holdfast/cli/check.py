"""`holdfast check`: every interleaving of a Scenario's arms within bounds, without a cluster."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from holdfast.check.dns import Setting, setting_of
from holdfast.check.explorer import TooLarge
from holdfast.check.hand_over import HandOver, hand_over, with_hand_over
from holdfast.check.leases import DEFAULT, RACK
from holdfast.check.report import Checked, Json, arm_document, check
from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.simulate import write_json
from holdfast.cli.strict import admit
from holdfast.cli.table import COLOURS, EXIT
from holdfast.core.bounds import Bounds
from holdfast.core.document import result_document
from holdfast.core.guards import DnsGuards
from holdfast.core.invariants import Invariant
from holdfast.core.leases.fleet import Mode
from holdfast.core.scenario import Arm, Scenario, scenario_of
from holdfast.core.verdict import Verdict, guard_yaml

STATES_MAX = 20_000_000
GRAVE = (Invariant.NON_EMPTY, Invariant.CONVERGES)
"""What breaks for customers: a way to it is printed without being asked for."""
WIDTH = 118
_BOUNDS = (
    ("enactors", 1, 5),
    ("plans", 1, 8),
    ("retention", 1, 5),
    ("endpoints", 1, 3),
)
_BUDGETS = (
    ("crashes", "crashes"),
    ("lost-replies", "lost_replies"),
    ("stale-reads", "stale_reads"),
    ("lock-expiries", "lock_expiries"),
)


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="explore every interleaving of a Scenario's arms; needs no cluster",
        description="Explores every interleaving of the very flows that run on the cluster, within "
        "bounds (spec.check of the Scenario, or the options). The timeline is ignored: it is one "
        "schedule among all. Exit code: 0 Pass, 1 Fail, 2 Error or Inconclusive.",
    )
    parser.add_argument("scenario", help="a file, or the name of one that comes with holdfast")
    parser.add_argument("--arm", action="append", metavar="NAME", help="this arm only; repeatable")
    parser.add_argument(
        "--deep",
        action="store_true",
        help="3 enactors, 5 plans, retention 2, no expiry of a lock, until the outage",
    )
    for name, low, high in _BOUNDS:
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{low} to {high}")
    for name, _ in _BUDGETS:
        parser.add_argument(f"--{name}", type=int, metavar="N", help="0 to 3, in one behaviour")
    parser.add_argument(
        "--first", action="store_true", help="stop an arm as soon as its outage is found"
    )
    parser.add_argument(
        "--traces", action="store_true", help="also the way to what breaks without an outage"
    )
    parser.add_argument(
        "--max-states", type=int, default=STATES_MAX, metavar="N", help="default: %(default)s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result document there")
    parser.set_defaults(do=_check)


def _check(arguments: argparse.Namespace) -> int:
    scenario = load(arguments.scenario)
    bounds = _bounds(scenario.bounds, arguments)
    arms = [a for a in scenario.arms if not arguments.arm or a.name in arguments.arm]
    if not arms:
        names = ", ".join(a.name for a in scenario.arms)
        raise ForPeople(f"no arm is called {', '.join(arguments.arm)}; there are {names}")
    console = Console(width=WIDTH, highlight=False)
    whole = not (arguments.first or arguments.deep)
    documents: list[Json] = []
    done: dict[tuple[DnsGuards, Setting], tuple[str, Checked]] = {}
    leases = {mode: explore_lease(console, mode) for mode in _modes(arms)}
    for arm in arms:
        setting = _setting(arm, scenario.region["endpoints"], bounds)
        same = arm.guards, setting
        like, checked = done.get(same, ("", None))
        if checked is None:
            checked = explore_arm(console, arm, setting, bounds, whole, arguments.max_states)
            done[same] = arm.name, checked
        document = arm_document(arm, bounds, checked)
        if arm.fleet:
            document = with_hand_over(arm, document, leases[arm.fleet.mode])
        documents.append(document)
        print_arm(console, document, like, arguments.traces)
    for mode, found in leases.items():
        print_hand_over(console, mode, found)
    result = result_document(scenario.name, "check", scenario.seed, documents)
    colour = COLOURS[result["verdict"]]
    console.print(f"\nScenario [bold]{scenario.name}[/]: [{colour}]{result['verdict']}[/]")
    write_json(arguments.json, result)
    return EXIT[Verdict(result["verdict"])]


def load(name: str) -> Scenario:
    """A Scenario from a file or from the package, held against the CRD. ForPeople says what is
    wrong with it."""
    raw = admit(read_scenario(name), name)
    return scenario_of(raw["metadata"]["name"], "", raw["spec"])


def _bounds(bounds: Bounds, arguments: argparse.Namespace) -> Bounds:
    if arguments.deep:
        bounds = replace(bounds, enactors=3, plans=5, retention=2)
        bounds = replace(bounds, budgets=replace(bounds.budgets, lock_expiries=0))
    for name, low, high in _BOUNDS:
        given = getattr(arguments, name)
        if given is None:
            continue
        if not low <= given <= high:
            raise ForPeople(f"--{name} {given} is not between {low} and {high}")
        bounds = replace(bounds, **{name: given})
    for name, field in _BUDGETS:
        given = getattr(arguments, field)
        if given is None:
            continue
        if not 0 <= given <= 3:
            raise ForPeople(f"--{name} {given} is not between 0 and 3")
        bounds = replace(bounds, budgets=replace(bounds.budgets, **{field: given}))
    return bounds


def _setting(arm: Arm, endpoints: Sequence[str], bounds: Bounds) -> Setting:
    try:
        return setting_of(arm, endpoints, bounds)
    except ValueError as error:
        raise ForPeople(f"{arm.name}: {error}") from error


def explore_arm(
    console: Console, arm: Arm, setting: Setting, bounds: Bounds, whole: bool, max_states: int
) -> Checked:
    with console.status(f"{arm.name}: exploring") as status:
        progress = _progress(arm.name, status.update)
        try:
            return check(arm.guards, bounds, whole, max_states, progress, setting)
        except TooLarge as error:
            raise ForPeople(
                f"{arm.name}: {error}. Narrow the bounds (--enactors, --plans, budgets) or raise "
                "--max-states"
            ) from error


def _progress(name: str, say: Callable[[str], None]) -> Callable[[int, int, int], None]:
    began = time.monotonic()

    def progress(states: int, transitions: int, depth: int) -> None:
        seconds = max(time.monotonic() - began, 1e-9)
        say(
            f"[{seconds:4.0f} s] {name}: {states:,} states, depth {depth}, "
            f"{transitions / seconds:,.0f} transitions/s"
        )

    return progress


def print_arm(console: Console, arm: Json, like: str = "", traces: bool = False) -> None:
    """One arm as people read it: verdict, what was explored, and the shortest trace. `like`: an arm
    with the same guards, whose exploration is this one's."""
    colour = COLOURS[arm["verdict"]]
    rungs = arm["guards"]["dns"].items()
    guards = ", ".join(f"{name} {rung}" for name, rung in rungs if rung != "Disabled")
    console.print(f"\n[bold]{arm['name']}[/]  {guards}")
    console.print(
        f"  [{colour}]{arm['verdict']}[/]: {arm['outcome']}, {arm['expect']} was expected"
        + ("" if arm["verdict"] == "Pass" else f" ({arm['message']})")
    )
    console.print(f"  invariants broken: {', '.join(arm['invariantsBroken']) or 'none'}")
    if like:
        console.print(f"  the guards are those of {like}: so is everything that was explored")
        return
    console.print(f"  {explored(arm['exploration'])}")
    trace = arm.get("trace")
    if trace and (traces or trace["to"] in GRAVE):
        _trace(console, trace)
    elif trace:
        calls = len(trace["rows"])
        console.print(f"  {trace['to']} breaks after {calls} calls: no outage (--traces tells how)")
    for guard, held in arm["wouldHaveHeld"].items():
        console.print(f"  {', '.join(held)} would have held with [bold]{guard_yaml(guard)}[/]")


def _modes(arms: Sequence[Arm]) -> tuple[Mode, ...]:
    """Of the fleets that there are, in their order."""
    return tuple(dict.fromkeys(arm.fleet.mode for arm in arms if arm.fleet))


def explore_lease(console: Console, mode: Mode) -> HandOver:
    """One lease between its managers: the same for all arms of a mode, for no guard bears on it."""
    bounds = RACK if mode is Mode.RACK else DEFAULT
    with console.status("exploring the hand-over of a lease"):
        return hand_over(bounds=bounds)


def print_hand_over(console: Console, mode: Mode, leases: HandOver) -> None:
    b, found = leases.bounds, leases.found
    of = f", of a rack of {b.droplets} droplets" if mode is Mode.RACK else ""
    broken = ", ".join(sorted(leases.broken)) or "none"
    console.print(
        f"\n[bold]hand-over of a lease[/]{of}\n  invariants broken: {broken}\n"
        f"  exhaustive within {b.managers} managers, {b.ticks / 2:g} leases' time, "
        f"crashes {b.crashes}, lost replies {b.lost_replies}:\n"
        f"  {found.states:,} states, {found.worlds:,} worlds, {found.transitions:,} transitions, "
        f"depth {found.depth}, {found.seconds:.2f} s"
    )
    for name, rows in leases.traces.items():
        table = Table(title=f"a shortest way to break {name}: {len(rows)} moves", width=WIDTH)
        for column in ("", "who", "asks for", "gets", "time", "held by"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(str(row.number), row.actor, row.call, row.reply, *row.world)
        console.print(table)


def explored(exploration: Json) -> str:
    """What was looked at. The word exhaustive never stands without its bounds."""
    e, b = exploration, exploration["bounds"]
    faults = ", ".join(f"{name} {n}" for name, n in b["budgets"].items() if n) or "no faults"
    bounds = (
        f"{b['enactors']} enactors, {b['plans']} plans, retention {b['retention']}, "
        f"{b['endpoints']} endpoint(s), {faults}"
    )
    how = "exhaustive within" if e["exhaustive"] else "stopped at the first outage; bounds"
    stuck = f"; {e['stuckStates']:,} states cannot recover" if e["stuckStates"] else ""
    return (
        f"{how} {bounds}:\n  {e['distinctStates']:,} states, {e['distinctWorlds']:,} worlds, "
        f"{e['transitions']:,} transitions, depth {e['depth']}, {e['seconds']:.2f} s "
        f"({e['transitionsPerSecond']:,}/s){stuck}"
    )


def _trace(console: Console, trace: Json) -> None:
    rows = trace["rows"]
    table = Table(title=f"a shortest way to break {trace['to']}: {len(rows)} calls", width=WIDTH)
    for column in ("", "step", "zone", "call", "reply", "live", "trees"):
        table.add_column(column, overflow="fold")
    for row in rows:
        last = row["n"] == len(rows)
        table.add_row(
            str(row["n"]),
            *(row.get(c, "") for c in ("step", "zone", "call", "reply", "live", "trees")),
            style="red" if last else None,
        )
    console.print(table)
