"""Enactors that are killed (SIGKILL) while plans go on: is any answer empty, and how long does it
take until another does the work?"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from rich.progress import Progress, track

from e2e.bench import processes
from e2e.bench.customer import Customer, crowd
from e2e.bench.figures import Goal, spread
from e2e.bench.ground import REGION, Ground, ground
from e2e.bench.plans import Plans
from holdfast.core.lock import parse_lock
from holdfast.core.objects import Alias
from holdfast.live.watch import follow
from holdfast.live.wire import ALIAS_SELECTOR, parse

NAME = f"dynamodb.{REGION}.cloud.test"
FENCES = ("Generation", "CheckOnce")
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
KILLED, *OTHERS = ZONES
PLANS_PER_MINUTE = 720
EVERY = 100
"""Flips between two kills."""
LOCK_SECONDS = 3
SETTLE_SECONDS = 1.0
"""From holds to the plan that they are for: until every enactor has heard of them."""
HOLD_SECONDS = 120
PATIENCE_SECONDS = 60.0


async def flips(number: int) -> dict[str, Any]:
    """So many flips as the planner's own churn makes them, an enactor killed every hundred."""
    async with ground(operated=True) as there:
        await there.front_ends(3)
        guards = {"dns": {"fence": "Generation"}}
        await there.begin(
            {
                "guards": guards,
                "planHistory": 10,
                "planner": {"churnPerMinute": PLANS_PER_MINUTE},
            }
        )
        await Plans.after_the_first(there)
        Customer(there.server, NAME).until(b"dynamodb-p1", PATIENCE_SECONDS)
        with crowd(there.server, NAME) as seen:
            tale = await _count(there, number)
        return {**tale, "prober": seen}


async def _count(there: Ground, number: int) -> dict[str, Any]:
    began = last = time.monotonic()
    gap, done, kills, deaths = 0.0, 0, 0, set[asyncio.Future[Any]]()
    path = f"{there.core}/services"
    with Progress() as progress:
        task = progress.add_task("flips, an enactor killed every hundred", total=number)
        async for change in follow(there.admin, path, ALIAS_SELECTOR):
            if change.event != "MODIFIED":
                last = time.monotonic()
                continue
            alias = parse(Alias, change.obj)
            assert isinstance(alias, Alias)
            now = time.monotonic()
            gap, last, done = max(gap, now - last), now, done + 1
            progress.advance(task)
            if done == number:
                break
            if done % EVERY == 0:
                zone = ZONES[kills % len(ZONES)]
                kills += 1
                deaths.add(asyncio.ensure_future(asyncio.to_thread(_kill_one_of, zone)))
    missed = sum(not found for found in await asyncio.gather(*deaths))
    seconds = time.monotonic() - began
    return {
        "flips": done,
        "killed": kills - missed,
        "seconds": round(seconds, 1),
        "flipsPerSecond": round(done / seconds, 1),
        "longestWithoutAFlipSeconds": round(gap, 2),
    }


def _kill_one_of(zone: str) -> bool:
    """False if none ran there: its replacement was not up yet."""
    with suppress(AssertionError, StopIteration):
        victim = processes.enactor(zone)
        processes.kill(victim)
        processes.renew(victim)
        return True
    return False


async def mid_apply(fence: str, samples: int) -> dict[str, Any]:
    """One enactor stands before its flip, all others before their pick. It is killed, they are let
    go, and the clock runs from before the kill to the changed answer."""
    async with ground(operated=True) as there:
        await there.front_ends(3)
        spec = {"guards": {"dns": {"fence": fence}}, "enactor": {"lockSeconds": LOCK_SECONDS}}
        await there.begin(spec)
        plans = await Plans.after_the_first(there)
        customer = Customer(there.server, NAME)
        customer.until(b"dynamodb-p1", PATIENCE_SECONDS)
        found = [
            await _one(there, plans, customer, number)
            for number in track(range(samples), f"{fence}: killed between tree and flip")
        ]
        return {
            "lockSeconds": LOCK_SECONDS,
            "byAnother": sum(writer != KILLED for _, _, writer in found),
            "killToAnswer": asdict(spread([took for took, _, _ in found])),
            "killOrEndOfLockToAnswer": asdict(spread([beyond for _, beyond, _ in found])),
        }


async def _one(
    there: Ground, plans: Plans, customer: Customer, number: int
) -> tuple[float, float, str]:
    """Seconds from the kill to the changed answer; from the end of the dead one's lock, if that
    comes later; and the zone of whoever flipped."""
    holds = [_hold(f"killed-{number}", KILLED, "flip")]
    holds += [_hold(f"other-{number}{zone[-1]}", zone, "pick") for zone in OTHERS]
    victim = await asyncio.to_thread(processes.enactor, KILLED)
    await there.change({"holds": holds})
    await asyncio.sleep(SETTLE_SECONDS)
    label = await plans.append()
    await _until_held(there, {h["zone"]: h["name"] for h in holds})
    lock = parse_lock((await _alias(there)).lock)
    began, wall = time.monotonic(), time.time()
    await asyncio.to_thread(processes.kill, victim)
    await there.change({"holds": []})
    renewal = asyncio.create_task(asyncio.to_thread(processes.renew, victim))
    # Its successor would take itself for one beside an actor that stands at a hold.
    await there.report({KILLED: {"hold": ""}})
    await asyncio.to_thread(customer.until, label, PATIENCE_SECONDS)
    took = time.monotonic() - began
    await renewal
    locked = max(0.0, lock.expires - wall) if lock else 0.0
    return took, took - locked, (await _alias(there)).writer.partition("/")[0]


def _hold(name: str, zone: str, at: str) -> dict[str, Any]:
    until = {"afterSeconds": HOLD_SECONDS}
    deadline = {"deadlineSeconds": HOLD_SECONDS}
    return {"name": name, "zone": zone, "at": at, "until": until, **deadline}


async def _until_held(there: Ground, names: Mapping[str, str]) -> None:
    end, actors = time.monotonic() + PATIENCE_SECONDS, dict[str, Any]()
    while time.monotonic() < end:
        status = (await there.admin.need("GET", there.region)).get("status") or {}
        actors = status.get("actors") or {}
        if all((actors.get(zone) or {}).get("hold") == name for zone, name in names.items()):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"not all stand at {dict(names)}: {json.dumps(actors)}")


async def _alias(there: Ground) -> Alias:
    alias = parse(Alias, await there.admin.need("GET", f"{there.core}/services/dynamodb"))
    assert isinstance(alias, Alias)
    return alias


def flip_goals(found: Mapping[str, Any]) -> list[Goal]:
    seen = found["prober"]
    return [
        Goal(f"empty answers in {found['flips']} flips with kills", seen["empty"], 0),
        Goal("queries of the prober", seen["queriesPerSecond"], None, 1000, "/s"),
    ]


def mid_apply_goals(found: Mapping[str, Any]) -> list[Goal]:
    goals = []
    for fence in FENCES:
        took = found[fence]["killOrEndOfLockToAnswer"]["max_ms"] / 1000
        what = "kill" if fence == "Generation" else "end of the dead one's lock"
        goals.append(Goal(f"{fence}: {what} → answer by another, max", took, 1.5, unit="s"))
    return goals
