"""`holdfast leases throttle|restart`: what a person on call does about a collapse.

Both write one field of the Region's spec, which the managers watch: nothing else of ours has to run
for it. Each is a JSON patch under a test of what was read, so of two people neither is overwritten
unheard.
"""

from collections.abc import Awaitable, Callable, Mapping

import uvloop

from holdfast.cli import word
from holdfast.cli.cluster import cluster, explained, home_of, need
from holdfast.cli.desk import Desk, Wish
from holdfast.cli.files import ForPeople
from holdfast.cli.teller import Teller
from holdfast.core.guards import OnStart
from holdfast.core.leases.fleet import Fleet
from holdfast.live.api import Json

TRIES = 5
AT_MOST_MAX = 100_000
RESTARTS_MAX = 1_000_000
"""Of Region.spec.fleet."""
BEGINS: Mapping[OnStart, str] = {
    OnStart.RELIST_ALL: "every lease is queued at once (leases.onStart=RelistAll)",
    OnStart.SPREAD: "every lease once, spread over {period:g} s (leases.onStart=Spread)",
}


def bound_of(at_most: int) -> int:
    """ForPeople for what is no bound."""
    if not 0 <= at_most <= AT_MOST_MAX:
        raise ForPeople(
            f"--at-most {at_most}: from 1 to {AT_MOST_MAX} state checks, or 0 to lift the bound"
        )
    return at_most


async def throttle(desk: Desk, at_most: int) -> int:
    """Let at most so many wait in each queue; 0: as the guard has it."""
    fleet = _fleet(desk)

    def change(there: Json) -> list[Json] | None:
        before = there.get("admitAtMost")
        if before == (at_most or None):
            return None
        path = "/spec/fleet/admitAtMost"
        write: Json = {"op": "remove", "path": path}
        if at_most:
            write = {"op": "add", "path": path, "value": at_most}
        return [{"op": "test", "path": path, "value": before}, write]

    changed = await _write(desk, "admitAtMost", change)
    guard = f"leases.admission={desk.home.region.lease_guards.admission}"
    told = f"at most {at_most} state checks wait or are under way in each zone"
    if not at_most:
        was = f"the bound of {fleet.admit_at_most} is lifted" if changed else "there was no bound"
        desk.teller.say(f"{was}: what may wait is the guard's to say ({guard})")
    else:
        stands = "" if changed else ", and did before"
        desk.teller.say(
            f"{told}{stands}; what waits already stays: holdfast leases restart "
            f"-n {desk.home.space} drops it"
        )
    if changed:
        said = told if at_most else "bound lifted"
        await desk.leave("OperatorThrottled", f"{desk.who}: {said}")
    return 0


async def restart(desk: Desk, zone: str | None) -> int:
    """Have the manager of a zone, or of all, drop its memory."""
    fleet, zones = _fleet(desk), desk.home.region.zones
    if zone is not None and zone not in zones:
        raise ForPeople(
            f"--zone: {zone!r} is no zone of Region {desk.home.region.name} in {desk.home.space}; "
            f"there are: {', '.join(zones)}"
        )
    chosen = zones if zone is None else (zone,)

    def change(there: Json) -> list[Json]:
        before = there.get("restarts")
        after = dict(before or {})
        for name in chosen:
            after[name] = int(after.get(name, 0)) + 1
            if after[name] > RESTARTS_MAX:
                raise ForPeople(f"spec.fleet.restarts of {name} is at {RESTARTS_MAX}: set it to 0")
        path = "/spec/fleet/restarts"
        return [
            {"op": "test", "path": path, "value": before},
            {"op": "add", "path": path, "value": after},
        ]

    await _write(desk, "restarts", change)
    names, begins = ", ".join(chosen), BEGINS[desk.home.region.lease_guards.on_start]
    desk.teller.say(
        f"the managers of {names} drop what they have in memory and begin anew: "
        f"{begins.format(period=fleet.period)}"
    )
    await desk.leave("OperatorRestarted", f"{desk.who}: memory of {names} dropped")
    return 0


def _fleet(desk: Desk) -> Fleet:
    region = desk.home.region
    if region.fleet is None:
        raise ForPeople(
            f"Region {region.name} in {desk.home.space} has no leases: its spec has no fleet. Say "
            "which Region has, with -n NAMESPACE"
        )
    return region.fleet


async def _write(desk: Desk, field: str, change: Callable[[Json], list[Json] | None]) -> bool:
    """Change spec.fleet under a test of what was read; `change` makes the operations of it, None
    where there is nothing to change. Whether that was a change."""
    path, space = desk.home.path, desk.home.space
    for _ in range(TRIES):
        raw = await need(desk.api, path, space)
        fleet = raw["spec"].get("fleet")
        if not fleet:
            raise ForPeople(f"Region {desk.home.region.name}: spec.fleet was taken away meanwhile")
        operations = change(fleet)
        if operations is None:
            return False
        same: Json = {"op": "test", "path": "/metadata/uid", "value": raw["metadata"]["uid"]}
        answer = await desk.api.json_patch(path, [same, *operations])
        if answer.ok:
            return True
        causes = (answer.body.get("details") or {}).get("causes")
        if answer.status not in (409, 422) or causes:
            raise ForPeople(explained(answer, space))
    name = desk.home.region.name
    raise ForPeople(
        f"Region {name}: spec.fleet.{field} was changed {TRIES} times meanwhile, and nothing was "
        "written by us: find out by whom, then enter it again"
    )


def run(act: Callable[[Desk], Awaitable[int]], wish: Wish) -> int:
    """One of the acts, from connection to exit code."""
    return uvloop.run(_at_desk(act, wish))


async def _at_desk(act: Callable[[Desk], Awaitable[int]], wish: Wish) -> int:
    who = word.who(wish.who, wish.kubeconfig)
    with Teller() as teller:
        async with cluster(wish.kubeconfig) as api:
            teller.doing("reading the Region")
            home = await home_of(api, wish.namespace)
            where = f"Region {home.region.name} in namespace {home.space}{home.also}"
            teller.say(f"{where}; you are {who}")
            return await act(Desk(api, home, who, wish, teller))
