"""`holdfast leases status`: what each zone's manager says of itself, and what it comes to."""

import time
from collections.abc import Iterable, Mapping
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
from holdfast.live.lease_wire import seconds

WIDTH = 118
SILENT_SECONDS = 20.0
"""Managers report every five seconds, also where nothing is new: one that has not for so long is
gone, or stands. By the clock of whoever asks."""
HEAD = ("zone", "held", "queue+busy", "oldest", "age at start", "late", "failed", "wasted")


def leases_status(namespace: str | None, kubeconfig: str | None) -> int:
    uvloop.run(_status(namespace, kubeconfig))
    return 0


async def _status(namespace: str | None, kubeconfig: str | None) -> None:
    async with cluster(kubeconfig) as api:
        show(Console(width=WIDTH, highlight=False), await home_of(api, namespace), time.time())


def show(console: Console, home: Home, now: float) -> None:
    """ForPeople for a Region without leases. `now`: seconds of the epoch."""
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
            f"throttled by a human: at most {region.fleet.admit_at_most} wait or are under way in "
            "each zone; --at-most 0 lifts it"
        )
    table = Table(*HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    silent = {} if region.paused else silent_for(told, now)
    for zone in dict.fromkeys((*region.zones, *sorted(told))):
        table.add_row(zone, *_cells(told.get(zone), silent.get(zone), region.fleet))
    console.print(table)
    said = story(region.fleet, region.zones, told, home.space, silent)
    console.print(said, markup=False, soft_wrap=True)


def silent_for(told: Mapping[str, Json], now: float) -> dict[str, float]:
    """The zones whose manager has reported, and not for too long; since when, in seconds."""
    ages = {
        zone: now - seconds(said["reported"]) for zone, said in told.items() if said.get("reported")
    }
    return {zone: age for zone, age in ages.items() if age > SILENT_SECONDS}


def _cells(said: Json | None, silent: float | None, fleet: Fleet) -> tuple[str, ...]:
    if not said:
        return ("no report", *("" for _ in HEAD[2:]))
    if silent is not None:
        return (f"silent for {silent:.0f} s", *("" for _ in HEAD[2:]))
    bound, age = said.get("bound"), _number(said, "ageAtStartSeconds")
    most = "no bound" if bound is None else bound
    late = f"[red]{age:.2f} s > {fleet.timeout:g} s[/]"
    return (
        f"{_count(said, 'held')}/{_count(said, 'units')}",
        f"{_count(said, 'queue')}+{_count(said, 'underWay')}/{most}",
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


def story(
    fleet: Fleet,
    zones: tuple[str, ...],
    told: Mapping[str, Json],
    space: str,
    silent: Mapping[str, float],
) -> str:
    """In one sentence what is going on. Work that is begun past its deadline is done in vain, so
    with leases lost it is a collapse: nothing is won back until less waits. Where what fails last
    is the dependency, that is to come back first."""
    noun = "racks" if fleet.mode is Mode.RACK else "leases"
    there = {zone: told[zone] for zone in zones if told.get(zone) and zone not in silent}
    missing = ", ".join(
        f"{zone} (its manager was heard {silent[zone]:.0f} s ago)" if zone in silent else zone
        for zone in zones
        if zone not in there
    )
    if not there:
        return f"unknown: no lease manager reports: {missing}"
    also = f"; no report of {missing}" if missing else ""
    held = sum(_count(said, "held") for said in there.values())
    units = sum(_count(said, "units") for said in there.values())
    if held >= units:
        whole = f"all {units} {noun} are held"
        return f"unknown: {whole} of the zones that report{also}" if also else f"healthy: {whole}"
    partly = {z: s for z, s in there.items() if _count(s, "held") < _count(s, "units")}
    oldest = max(_number(said, "ageAtStartSeconds") for said in partly.values())
    some = f"{held} of {units} {noun} are held"
    if oldest > fleet.timeout:
        names = [z for z, s in partly.items() if _number(s, "ageAtStartSeconds") > fleet.timeout]
        return (
            f"collapsing in {', '.join(names)}: {some}, and state checks are begun up to "
            f"{oldest:.1f} s after they were queued, past their {fleet.timeout:g} s, so they win "
            f"nothing back{_failed(partly[z] for z in names)}{also}. Once what they need answers, "
            f"let less wait: holdfast leases throttle --at-most {queue_bound(fleet)} -n {space}, "
            f"then holdfast leases restart -n {space}"
        )
    failed = _failed(partly.values())
    return f"recovering: {some}, and state checks are begun in time{failed}{also}"


def _failed(zones: Iterable[Json]) -> str:
    last = next((str(s["lastFailure"]) for s in zones if s.get("lastFailure")), "")
    return f"; the last that won nothing: {last}" if last else ""


def _count(said: Json, name: str) -> int:
    return int(said.get(name) or 0)


def _number(said: Json, name: str) -> float:
    value: Any = said.get(name)
    return float(value or 0.0)
