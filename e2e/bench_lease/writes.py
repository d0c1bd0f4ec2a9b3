"""What the fence and our own client cost a renewal: fenced PUTs of leases against bare ones; and
what a rack of leases in one object saves."""

from collections.abc import Mapping
from typing import Any

from e2e.bench.figures import Goal
from e2e.bench_lease.writers import (
    RACK,
    Bare,
    Fenced,
    Work,
    bare_session,
    field_of_leases,
    in_turns,
    told,
)
from holdfast.core.leases.fleet import Mode


async def writes(rounds: int, calls: int) -> dict[str, Any]:
    async with field_of_leases() as on, bare_session(on.access) as session:
        variants: dict[str, Work] = {
            "fenced": await Fenced.create(on, Mode.DROPLET),
            "bare": await Bare.create(on, session),
        }
        rates = await in_turns(variants, rounds, calls, "fenced lease PUTs and bare PUTs")
        return told(rates, calls) | {"ratio": rates.ratios("fenced", "bare")}


def goals(found: Mapping[str, Any]) -> list[Goal]:
    return [
        Goal(
            "fenced lease PUTs a second / bare PUTs a second",
            found["ratio"]["median"],
            at_least=0.85,
        )
    ]


async def racks(rounds: int, calls: int) -> dict[str, Any]:
    async with field_of_leases() as on:
        variants: dict[str, Work] = {
            "rackObjects": await Fenced.create(on, Mode.RACK),
            "dropletObjects": await Fenced.create(on, Mode.DROPLET),
        }
        rates = await in_turns(variants, rounds, calls, "PUTs of racks and of single leases")
        renewals = {
            "rack": round(RACK * rates.medians()["rackObjects"]),
            "droplet": round(rates.medians()["dropletObjects"]),
        }
        ratio = rates.ratios("rackObjects", "dropletObjects", RACK)
        return told(rates, calls) | {
            "leasesInARack": RACK,
            "renewalsPerSecond": renewals,
            "ratio": ratio,
        }


def rack_goals(found: Mapping[str, Any]) -> list[Goal]:
    figure = f"renewals a second, {found['leasesInARack']} leases an object / one an object"
    return [Goal(figure, found["ratio"]["median"], at_least=30, unit="×")]
