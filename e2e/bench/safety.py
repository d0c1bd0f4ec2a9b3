"""What a fence costs: the whole apply of one endpoint, from `tree` to the end of its flip.

One enactor, in this process and on the operator's own code and client; nobody else acts. The
variants take turns, one apply each, so that whatever the machine does strikes all of them alike;
each run of turns gives one ratio of medians, and the figure is the median of several runs.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.progress import Progress

from e2e.bench.figures import Goal, spread
from e2e.bench.ground import REGION, Ground, ground
from holdfast.core.actor import Actor
from holdfast.core.enactor import enact
from holdfast.core.intents import Pick, Reach
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan
from holdfast.core.region import region_of
from holdfast.core.rounds import Applied
from holdfast.live.admission import until_in_force
from holdfast.live.authority import Authority
from holdfast.live.perform import Performer, drive

ME = Actor("us-east-1a", "us-east-1a/bench")
FLEET = tuple(FrontEnd(f"198.51.100.{n}", 100) for n in range(1, 4))
GUARDS: Mapping[str, Mapping[str, Any]] = {
    "None": {"dns": {"fence": "None"}},
    "CheckOnce": {"dns": {"fence": "CheckOnce"}},
    "Generation": {"dns": {"fence": "Generation"}},
    "safe": {"profile": "safe"},
}
WARM_UP = 3
REST_SECONDS = 0.02


@dataclass
class Variant:
    """One enactor of one namespace under one set of guards. `applies` and `rounds` are seconds: of
    tree to flip, and of the round from its pick to its end."""

    there: Ground
    authority: Authority
    name: str
    generation: int = 0
    applies: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    _at: dict[str, float] = field(default_factory=dict)

    async def apply(self) -> None:
        self.generation += 1
        region = region_of(self.there.space, REGION, {"guards": GUARDS[self.name]})
        perform = Performer(
            self.there.api,
            region.namespace,
            REGION,
            self._pick,
            self.authority.servers,
            self._reach,
        )
        began = time.perf_counter()
        outcome = await drive(enact(ME, region.rules()), perform)
        assert outcome == Applied(self.generation), outcome
        self.rounds.append(time.perf_counter() - began)
        self.applies.append(self._at["list"] - self._at["tree"])

    async def _pick(self, _: Pick) -> Plan:
        return Plan(self.generation, (EndpointPlan("dynamodb", FLEET),))

    async def _reach(self, at: Reach) -> None:
        self._at[at.step] = time.perf_counter()


async def safety(runs: int, turns: int) -> dict[str, Any]:
    """`runs` of `turns` applies of each variant."""
    async with AsyncExitStack() as stack:
        variants = [await _variant(stack, name) for name in GUARDS]
        for variant in variants * WARM_UP:
            await variant.apply()
        for variant in variants:
            variant.applies.clear()
            variant.rounds.clear()
        with Progress() as progress:
            task = progress.add_task("cost of safety: all variants in turns", total=runs * turns)
            for turn in range(runs * turns):
                first = turn % len(variants)
                for variant in variants[first:] + variants[:first]:
                    await variant.apply()
                    await asyncio.sleep(REST_SECONDS)
                progress.advance(task)
    return {
        "runs": runs,
        "turns": turns,
        "treeToFlip": {v.name: asdict(spread(v.applies)) for v in variants},
        "round": {v.name: asdict(spread(v.rounds)) for v in variants},
        "rateOfGeneration": {
            other: _ratios(variants, "Generation", other, turns) for other in ("None", "CheckOnce")
        },
        "rateOfSafe": {"None": _ratios(variants, "safe", "None", turns)},
    }


async def _variant(stack: AsyncExitStack, name: str) -> Variant:
    there = await stack.enter_async_context(ground(operated=False))
    await there.begin({"paused": True, "guards": GUARDS[name]})  # for the policies alone
    if name == "safe":
        assert not (missing := await until_in_force(there.admin, there.space)), missing
    authority = Authority(there.api, there.space)
    watch = asyncio.create_task(authority.watch())
    stack.callback(watch.cancel)
    async with asyncio.timeout(10):
        while not authority.servers():
            await asyncio.sleep(0.01)
    return Variant(there, authority, name)


def _ratios(variants: list[Variant], of: str, to: str, turns: int) -> dict[str, Any]:
    """How fast one is beside another: medians' ratio of each run, and their median."""
    times = {v.name: v.applies for v in variants}
    runs = [
        round(
            statistics.median(times[to][n : n + turns])
            / statistics.median(times[of][n : n + turns]),
            3,
        )
        for n in range(0, len(times[of]), turns)
    ]
    return {"ofEachRun": runs, "median": round(statistics.median(runs), 3)}


def goals(found: Mapping[str, Any]) -> list[Goal]:
    rates = found["rateOfGeneration"]
    return [
        Goal("Generation's rate of applies / CheckOnce's", rates["CheckOnce"]["median"], None, 1.0),
        Goal("Generation's rate of applies / None's", rates["None"]["median"], None, 0.95),
        Goal("safe's rate of applies / None's", found["rateOfSafe"]["None"]["median"]),
    ]
