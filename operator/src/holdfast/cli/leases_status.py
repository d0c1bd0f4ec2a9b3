"""`holdfast leases status`: what each zone's manager says of itself, and what it comes to."""

from collections.abc import Mapping
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from holdfast.cli.cluster import Home, cluster, home_of
from holdfast.cli.files import ForPeople
from holdfast.core.guards import effective
from holdfast.core.leases.fleet import Fleet, Mode
from holdfast.core.leases.rules import queue_bound
from holdfast.live.api import Json

WIDTH = 118
HEAD = ("zone", "held", "queue", "oldest", "age at start", "late", "failed", "wasted")


def leases_status(namespace: str | None, kubeconfig: str | None) -> int:
    uvloop.run(_status(namespace, kubeconfig))
    return 0


async def _status(namespace: str | None, kubeconfig: str | None) -> None:
    async with cluster(kubeconfig) as api:
        show(Console(width=WIDTH, highlight=False), await home_of(api, namespace))


def show(console: Console, home: Home) -> None:
    """ForPeople for a Region without leases."""
    region = home.region
    if region.fleet is None:
        raise ForPeople(
            f"Region {region.name} in {home.space} has no leases: its spec has no fleet"
        )
    told: Mapping[str, Json] = home.status.get("leases") or {}
    paused = " (paused: its arm is over)" if region.paused else ""
    console.print(f"[bold]{home.space}[/]  Region {region.name}{paused}{home.also}")
    rungs = effective(region.guards, region.lease_guards)["leases"].items()
    console.print(f"guards    {', '.join(f'{name} {rung}' for name, rung in rungs)}")
    if region.fleet.admit_at_most is not None:
        console.print(
            f"throttled by a human: at most {region.fleet.admit_at_most} wait; --at-most 0 lifts it"
        )
    table = Table(*HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for zone in dict.fromkeys((*region.zones, *sorted(told))):
        table.add_row(zone, *_cells(told.get(zone), region.fleet))
    console.print(table)
    console.print(story(region.fleet, region.zones, told, home.space), markup=False, soft_wrap=True)


def _cells(said: Json | None, fleet: Fleet) -> tuple[str, ...]:
    if not said:
        return ("no report", *("" for _ in HEAD[2:]))
    bound, age = said.get("bound"), _number(said, "ageAtStartSeconds")
    late = f"[red]{age:.2f} s > {fleet.timeout:g} s[/]"
    return (
        f"{_count(said, 'held')}/{_count(said, 'units')}",
        f"{_count(said, 'queue')}/{'no bound' if bound is None else bound}",
        f"{_number(said, 'oldestSeconds'):.1f} s",
        late if age > fleet.timeout else f"{age:.2f} s of {fleet.timeout:g} s",
        str(_count(said, "late")),
        str(_count(said, "failed")),
        f"{100 * wasted_share(said):.0f} %",
    )


def wasted_share(said: Json) -> float:
    """Of the attempts that have ended, those that won nothing. 0 where none has."""
    ended = _count(said, "started") - _count(said, "underWay")
    return max(0.0, 1 - _count(said, "succeeded") / ended) if ended > 0 else 0.0


def story(fleet: Fleet, zones: tuple[str, ...], told: Mapping[str, Json], space: str) -> str:
    """In one sentence what is going on. Work that is begun past its deadline is done in vain, so
    with leases lost it is a collapse: nothing is won back until less waits."""
    noun = "racks" if fleet.mode is Mode.RACK else "leases"
    there = {zone: told[zone] for zone in zones if told.get(zone)}
    if not there:
        return "no lease manager of these zones has reported yet"
    silent = ", ".join(zone for zone in zones if zone not in there)
    also = f"; no report of {silent}" if silent else ""
    held = sum(_count(said, "held") for said in there.values())
    units = sum(_count(said, "units") for said in there.values())
    if held >= units:
        return f"healthy: all {units} {noun} are held{also}"
    partly = {z: s for z, s in there.items() if _count(s, "held") < _count(s, "units")}
    oldest = max(_number(said, "ageAtStartSeconds") for said in partly.values())
    some = f"{held} of {units} {noun} are held"
    if oldest > fleet.timeout:
        names = [z for z, s in partly.items() if _number(s, "ageAtStartSeconds") > fleet.timeout]
        return (
            f"collapsing in {', '.join(names)}: {some}, and state checks are begun up to "
            f"{oldest:.1f} s after they were queued, past their {fleet.timeout:g} s, so they win "
            f"nothing back{also}. Let less wait: holdfast leases throttle --at-most "
            f"{queue_bound(fleet)} -n {space}, then holdfast leases restart -n {space}"
        )
    last = next((str(s["lastFailure"]) for s in partly.values() if s.get("lastFailure")), "")
    failed = f"; the last that won nothing: {last}" if last else ""
    return f"recovering: {some}, and state checks are begun in time{failed}{also}"


def _count(said: Json, name: str) -> int:
    return int(said.get(name) or 0)


def _number(said: Json, name: str) -> float:
    value: Any = said.get(name)
    return float(value or 0.0)
