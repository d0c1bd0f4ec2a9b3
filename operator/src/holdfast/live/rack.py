"""An agent of a zone: it hosts racks of droplets, and answers state checks for them.

Of the racks of a zone agent `i` of `n` (from 1) hosts every n-th from the i-th on. What it answers
with is told apart by its incarnation, which is a word of chance: an agent that is started anew has
forgotten what leases its droplets had.
"""

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from aiohttp import web

from holdfast.core.leases.fleet import droplet_name, rack_name, rack_of

Wrong: TypeAlias = Literal["none", "hang", "late", "another", "silent"]
"""What is wrong. `hang`: no answer, until the fault is another. `late`: one after some seconds.
`another`: one that speaks for another unit. `silent`: 503."""
MODES: tuple[Wrong, ...] = get_args(Wrong)
SECONDS_MAX = 3600.0
UNITS_MAX = 10_000
NAME_MAX = 253


@dataclass(frozen=True, slots=True)
class Racks:
    """Which units an agent hosts. ValueError for numbers that make no agent."""

    zone: str
    racks: int
    droplets: int
    agents: int = 1
    agent: int = 1

    def __post_init__(self) -> None:
        if min(self.racks, self.droplets, self.agents) < 1:
            raise ValueError("racks, droplets and agents: at least 1 of each")
        if not 1 <= self.agent <= self.agents:
            raise ValueError(f"agent {self.agent}: from 1 to {self.agents}, the number of agents")

    @property
    def hosted(self) -> range:
        """The numbers of its racks."""
        return range(self.agent, self.racks + 1, self.agents)

    def places(self, unit: str) -> range | None:
        """The numbers of the droplets that a unit is of: a rack has all of its own, a droplet is of
        itself. None for what is not hosted here."""
        rack = rack_of(unit) if len(unit) <= NAME_MAX else 0
        if rack not in self.hosted:
            return None
        name = rack_name(self.zone, rack)
        if unit == name:
            return range(1, self.droplets + 1)
        number = unit.removeprefix(f"{name}-d")
        if not number.isdecimal() or not 1 <= int(number) <= self.droplets:
            return None
        one = int(number)
        return range(one, one + 1) if unit == droplet_name(self.zone, rack, one) else None

    def another(self, unit: str) -> str:
        """A unit of the same kind that it is not: hosted here, if there are two."""
        rack, places = rack_of(unit), self.places(unit)
        assert places is not None, unit
        if unit == rack_name(self.zone, rack):
            other = self.hosted[(self.hosted.index(rack) + 1) % len(self.hosted)]
            found = rack_name(self.zone, other)
        else:
            found = droplet_name(self.zone, rack, places[0] % self.droplets + 1)
        return found if found != unit else f"{unit}-another"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and with which units; with all if none is named. A rack's name is its own: its
    droplets are named one by one."""

    mode: Wrong = "none"
    seconds: float = 0.0
    units: frozenset[str] = frozenset()

    def strikes(self, unit: str) -> bool:
        return self.mode != "none" and (not self.units or unit in self.units)


def fault_of(raw: Any, racks: Racks) -> Fault:
    """From JSON. ValueError naming the field and what it takes."""
    if not isinstance(raw, dict) or not raw.keys() <= {"mode", "seconds", "units"}:
        raise ValueError("an object with mode, seconds and units is wanted")
    mode, seconds, units = raw.get("mode", "none"), raw.get("seconds", 0), raw.get("units") or []
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is none of {', '.join(MODES)}")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= SECONDS_MAX:
        raise ValueError(f"seconds: {seconds!r} is no number from 0 to {SECONDS_MAX:.0f}")
    if not isinstance(units, list) or len(units) > UNITS_MAX:
        raise ValueError(f"units: a list of at most {UNITS_MAX} names is wanted")
    for unit in units:
        if not isinstance(unit, str) or racks.places(unit) is None:
            raise ValueError(f"units: {unit!r} is not hosted here")
    return Fault(mode, float(seconds), frozenset(units))


class Agent:
    """An incarnation. `fault` is what is wrong with it now."""

    def __init__(self, racks: Racks, incarnation: str = "") -> None:
        self.incarnation = incarnation or secrets.token_hex(8)
        self.fault = Fault()
        self._racks = racks
        self._changed = asyncio.Event()

    def strike(self, fault: Fault) -> None:
        """From now on this is wrong. Whoever waits because of the fault before, waits no longer."""
        self.fault = fault
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def answer(self, unit: str) -> dict[str, str] | None:
        """The state of a unit that it hosts; None for no answer. Takes as long as the fault has
        it."""
        fault = self.fault
        if not fault.strikes(unit):
            return self._said(unit)
        match fault.mode:
            case "silent":
                return None
            case "hang":
                await self._changed.wait()
                return None
            case "late":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(fault.seconds):
                        await self._changed.wait()
                return self._said(unit)
            case _:
                return self._said(unit) | {"unit": self._racks.another(unit)}

    def _said(self, unit: str) -> dict[str, str]:
        """A droplet with a fault of its own is not well in its rack's answer."""
        racks, rack = self._racks, rack_of(unit)
        places = racks.places(unit)
        assert places is not None, unit
        ill = self.fault.units - {unit} if self.fault.mode != "none" else frozenset[str]()
        well = ("0" if droplet_name(racks.zone, rack, n) in ill else "1" for n in places)
        return {"unit": unit, "agent": self.incarnation, "droplets": "".join(well)}


def application(racks: Racks, incarnation: str = "") -> web.Application:
    """The HTTP service. Whoever reaches it may have it fail: it is a stand-in, and serves no one
    outside its cluster."""
    agent = Agent(racks, incarnation)

    async def unit(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if racks.places(name) is None:
            return web.Response(status=404, text=f"{name} is not hosted here\n")
        said = await agent.answer(name)
        if said is None:
            return web.Response(status=503, text=f"{name} does not answer\n")
        return web.json_response(said)

    async def fault(request: web.Request) -> web.Response:
        try:
            agent.strike(fault_of(json.loads(await request.read()), racks))
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        return web.Response(status=204)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def let_go(_: web.Application) -> None:
        agent.strike(Fault())

    app = web.Application(client_max_size=512 * 1024)
    app.router.add_get("/units/{name}", unit)
    app.router.add_put("/fault", fault)
    app.router.add_get("/healthz", healthz)
    app.on_shutdown.append(let_go)
    return app
