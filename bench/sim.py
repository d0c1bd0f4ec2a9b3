"""make bench-sim: how fast the simulator is, beside SimPy on the same model in the same run.

The model is that of `holdfast sweep`: the same flows, the same fake API server, the same latencies,
stalls and seeds, written as SimPy processes. Its runs are compared with ours, event counts and all,
so that only speed differs. To tell what the tables bring and what the columns, SimPy is also given
our tables. Events a second are of CPU time, of one core, tables made anew each time; several
rounds, the engines one after the other within each; medians.
"""

import argparse
import json
import math
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import simpy
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.sim_latency import bare_put, plan_to_answer
from holdfast.core.intents import Get, Pick, Prove
from holdfast.core.objects import Alias
from holdfast.core.region import backoff, region_of
from holdfast.core.replies import Unproven
from holdfast.core.rounds import Deferred, Refused
from holdfast.sim.columns import Columns
from holdfast.sim.contention import Arena, Exposure, Rival, Setting, race, source
from holdfast.sim.enactor import REFUSED_PAUSE_SECONDS, pause_seconds
from holdfast.sim.faults import Stalling, Stalls
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import MEASURED
from holdfast.sim.quantiles import look
from holdfast.sim.tables import Row, Tables

SECONDS = 120.0
SEEDS, LANES = 16, 2048
"""Runs of the slow engines, and of the columns: the first are the same."""
SAMPLES = 1000
TICKS = 100_000
CLOCKS = 4


def setting(fence: str) -> Setting:
    spec = {
        "guards": {"dns": {"fence": fence}},
        "planner": {"churnPerMinute": 60},
        "retention": 2,
    }
    return Setting(region_of("bench", "us-east-1", spec), MEASURED, Stalls())


class SimpyRace:
    """The model of `contention.race`, with SimPy's environment, processes, time-outs and events."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self._setting = setting
        self._draw = source(seed).random
        self._env = simpy.Environment()
        self._arena = Arena(setting.region)
        self._rivals = [Rival(me, setting.region) for me in setting.rivals()]
        self._stalling = [Stalling(setting.stalls, self._draw) for _ in self._rivals]
        self._news: list[simpy.Event | None] = [self._env.event() for _ in self._rivals]
        self._since = [0.0] * len(self._rivals)
        self._over = self._env.event()

    def run(self, seconds: float) -> Exposure:
        env = self._env
        for number in range(len(self._rivals)):
            env.process(self._enactor(number))
        env.process(self._planner())
        env.run(until=env.any_of([self._over, env.timeout(seconds)]))
        self._arena.seen.seconds = env.now
        return self._arena.seen

    def _enactor(self, number: int) -> Generator[simpy.Event, Any, None]:
        env, arena, draw = self._env, self._arena, self._draw
        rival, region, latencies = self._rivals[number], self._setting.region, MEASURED
        first = self._news[number]
        assert first is not None
        yield first
        while True:
            now, intent = env.now, rival.intent
            arena.seen.events += 1
            reply = arena.perform(intent, now)
            if arena.seen.struck:
                self._over.succeed()
                return
            patience = intent.deadline_seconds if isinstance(intent, Prove) else 0.0
            on = self._stalling[number].awake(
                now + patience if isinstance(reply, Unproven) else now
            )
            outcome = rival.answered(reply)
            if isinstance(outcome, Deferred | Refused):
                on += pause_seconds(region, outcome, rival.deferrals, draw())
            if not isinstance(rival.intent, Pick):
                yield env.timeout(on + look(latencies.of(rival.intent).table, draw()) - now)
            elif arena.api.ready(rival.intent):
                yield env.timeout(on - now)
            else:
                news = self._news[number] = env.event()
                self._since[number] = on
                yield news

    def _planner(self) -> Generator[simpy.Event, Any, None]:
        env, draw, watch = self._env, self._draw, MEASURED.watch.table
        while True:
            now = env.now
            self._arena.seen.events += 1
            self._append()
            for number, news in enumerate(self._news):
                if news is not None:
                    self._news[number] = None
                    heard = max(now + look(watch, draw()), self._since[number])
                    env.process(self._tell(news, heard - now))
            lag = look(MEASURED.write.table, draw())
            yield env.timeout(self._setting.period_seconds + lag)

    def _append(self) -> None:
        self._arena.append(self._env.now)

    def _tell(self, news: simpy.Event, lag: float) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(lag)
        news.succeed()


class SimpyTables(SimpyRace):
    """SimPy's kernel over our tables: no flow is run and no call is performed."""

    def __init__(self, setting: Setting, seed: int, tables: Tables, rows: dict[Any, Row]) -> None:
        super().__init__(setting, seed)
        self._tables, self._rows = tables, rows
        self._world, self._memory = tables.nothing, list(tables.start)
        self._before = [0.0] * len(self._memory)
        self._deferrals = [0] * len(self._memory)
        self._until = math.inf
        calls = MEASURED
        self._calls = {
            "get": calls.get.table,
            "list": calls.list.table,
            "write": calls.write.table,
            "proof": calls.proof.table,
        }

    def _enactor(self, number: int) -> Generator[simpy.Event, Any, None]:
        env, draw, region = self._env, self._draw, self._setting.region
        first = self._news[number]
        assert first is not None
        yield first
        while True:
            now = env.now
            row = self._act(number, now)
            if row.empty:
                self._over.succeed()
                return
            on = self._stalling[number].awake(now + row.patience)
            if row.ended:
                again = self._deferrals[number] + 1 if row.ended == "deferred" else 0
                self._deferrals[number] = again
            if row.ended == "deferred":
                on += backoff(region, self._deferrals[number], draw())
            elif row.ended == "refused":
                on += REFUSED_PAUSE_SECONDS * (0.5 + 0.5 * draw())
            if row.ask == "wait":
                news = self._news[number] = env.event()
                self._since[number] = on
                yield news
            elif row.ask == "pick":
                yield env.timeout(on - now)
            else:
                yield env.timeout(on + look(self._calls[row.ask], draw()) - now)

    def _act(self, number: int, now: float) -> Row:
        seen, tables, memory = self._arena.seen, self._tables, self._memory
        intent = tables.intents[memory[number]]
        late = self._until <= now and isinstance(intent, Get) and intent.kind is Alias
        key = (self._world, memory[number], late)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = tables.row(*key)
        if row.changed or row.lock_lost or row.deleted:
            for other in range(len(memory)):
                if other != number:
                    memory[other] = tables.told(memory[other], row)
        if row.lock_lost:
            self._until = math.inf
        if row.lock_taken:
            seconds = self._setting.region.lock_seconds
            self._until = float(f"{self._before[number] + seconds:.3f}")
        self._before[number] = now
        self._world, memory[number] = row.world, row.memory
        seen.events += 1
        seen.struck = row.empty
        seen.stale_writes += row.stale
        return row

    def _append(self) -> None:
        self._world = self._tables.appended(self._world)
        self._memory = [self._tables.older(m) for m in self._memory]


def simpy_clocks() -> int:
    """SimPy's kernel alone: processes that only wait."""
    env = simpy.Environment()

    def clock() -> Generator[simpy.Event, Any, None]:
        for _ in range(TICKS):
            yield env.timeout(0.01)

    for _ in range(CLOCKS):
        env.process(clock())
    env.run()
    return CLOCKS * TICKS


def our_clocks() -> int:
    """Our kernel alone."""
    kernel = Kernel()

    def clock() -> None:
        kernel.after(0.01, clock)

    for _ in range(CLOCKS):
        kernel.after(0.01, clock)
    kernel.run(until=0.01 * TICKS)
    return kernel.events


def timed(work: Callable[[], int]) -> float:
    """Events a second of CPU time."""
    began = time.process_time()
    events = work()
    return events / (time.process_time() - began)


def over_tables(chosen: Setting) -> list[Exposure]:
    tables = Tables(chosen.region, chosen.rivals())
    rows: dict[Any, Row] = {}
    return [SimpyTables(chosen, s, tables, rows).run(SECONDS) for s in range(SEEDS)]


def one_round(fence: str, found: dict[str, list[float]]) -> None:
    """Every engine once, and a look whether they did the same."""
    chosen, runs = setting(fence), {}

    def counted(name: str, run: Callable[[], list[Exposure]]) -> Callable[[], int]:
        def work() -> int:
            runs[name] = run()
            return sum(r.events for r in runs[name])

        return work

    engines: dict[str, Callable[[], list[Exposure]]] = {
        "simpy": lambda: [SimpyRace(chosen, s).run(SECONDS) for s in range(SEEDS)],
        "plain": lambda: [race(chosen, s, SECONDS) for s in range(SEEDS)],
        "simpy over our tables": lambda: over_tables(chosen),
        "columns": lambda: Columns(chosen, range(LANES), SECONDS).run(),
    }
    for name, run in engines.items():
        found[name].append(timed(counted(name, run)))
    for name in engines:
        same = [(r.events, r.struck, r.stale_writes) for r in runs[name][:SEEDS]]
        assert same == [(r.events, r.struck, r.stale_writes) for r in runs["plain"]], name


def ratios(found: list[float], beside: list[float]) -> float:
    """The median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(found, beside, strict=True)), 2)


def measure(rounds: int) -> dict[str, Any]:
    fences = ("CheckOnce", "Generation")
    kernel: dict[str, list[float]] = {"simpy": [], "ours": []}
    whole: dict[str, dict[str, list[float]]] = {f: defaultdict(list) for f in fences}
    for _ in track(range(rounds), "rounds"):
        kernel["simpy"].append(timed(simpy_clocks))
        kernel["ours"].append(timed(our_clocks))
        for fence in fences:
            one_round(fence, whole[fence])
    return {
        "cores": os.cpu_count(),
        "rounds": rounds,
        "kernelOnly": {
            "eventsPerSecond": {k: round(statistics.median(v)) for k, v in kernel.items()},
            "ratioToSimpy": ratios(kernel["ours"], kernel["simpy"]),
        },
        "wholeModel": {
            fence: {
                "eventsPerSecond": {k: round(statistics.median(v)) for k, v in one.items()},
                "ratioToSimpy": {
                    name: ratios(one[name], one["simpy"]) for name in one if name != "simpy"
                },
            }
            for fence, one in whole.items()
        },
        "simulatedLatency": {
            "barePutToAnswer": bare_put(20 * SAMPLES),
            "planToAnswer": {fence: plan_to_answer(fence, SAMPLES) for fence in fences},
        },
    }


def show(document: dict[str, Any]) -> None:
    table = Table("what", "SimPy", "ours", "ratio", title="events a second, one core, medians")
    kernel = document["kernelOnly"]
    speed = kernel["eventsPerSecond"]
    table.add_row(
        "kernel alone", f"{speed['simpy']:,}", f"{speed['ours']:,}", f"{kernel['ratioToSimpy']} ×"
    )
    for fence, one in document["wholeModel"].items():
        speed = one["eventsPerSecond"]
        for name, ratio in one["ratioToSimpy"].items():
            label = f"whole model, {fence}, {name}"
            table.add_row(label, f"{speed['simpy']:,}", f"{speed[name]:,}", f"{ratio} ×")
    Console().print(table)
    latency = document["simulatedLatency"]
    for name, spread in {"bare PUT": latency["barePutToAnswer"], **latency["planToAnswer"]}.items():
        Console().print(f"simulated, to the changed answer, {name}: {spread}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    document = measure(arguments.rounds)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    show(document)


if __name__ == "__main__":
    main()
