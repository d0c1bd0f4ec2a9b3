"""Plays all cases, many at a time, each beside a run of its life without a fault."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from e2e.faults import cases
from e2e.faults.cases import Case
from e2e.faults.harm import AnyFault
from e2e.faults.life import Outcome, Stage
from e2e.faults.lives import FIRST, LATER, Life
from e2e.faults.site import Site, site
from e2e.faults.verdict import Verdict, judge

AT_ONCE = 40
"""Lives with something to do. Those that wait for a late write do not count."""
ALIVE = 110
"""Lives under way, with a customer each."""

_Key: TypeAlias = tuple[str, Life]


@dataclass(frozen=True, slots=True)
class Result:
    """`outcome` is None if the case itself failed, and `verdict` says how."""

    case: Case
    outcome: Outcome | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Sweep:
    """`complaints`: of the runs without a fault, which must be as the list of cases supposes."""

    results: tuple[Result, ...]
    complaints: tuple[str, ...]
    seconds: float


async def sweep(chosen: Sequence[Case], at_once: int = AT_ONCE) -> Sweep:
    """Play these cases. The long ones begin first."""
    began = time.monotonic()
    async with site() as shared:
        players = _Players(shared, at_once)
        lives = {(c.guards, c.life) for c in chosen}
        ordered = sorted(chosen, key=lambda c: not c.is_long)
        async with asyncio.TaskGroup() as group:
            bare = {key: group.create_task(players.play(key, None)) for key in lives}
            played = {c: group.create_task(players.try_to(c)) for c in ordered}
        without = {key: task.result() for key, task in bare.items()}
        results = tuple(_judged(c, without[c.guards, c.life], played[c].result()) for c in chosen)
        complaints = tuple(c for key, seen in without.items() for c in _complaints(key, seen))
        return Sweep(results, complaints, time.monotonic() - began)


class _Players:
    def __init__(self, shared: Site, at_once: int) -> None:
        self._site, self._busy = shared, asyncio.Semaphore(at_once)
        self._alive = asyncio.Semaphore(ALIVE)
        self._numbers = itertools.count(1)

    async def play(self, key: _Key, fault: AnyFault | None) -> Outcome:
        guards, life = key
        async with self._alive:
            space = f"{self._site.run}-{next(self._numbers)}"
            stage = Stage(self._site, space, life, cases.GUARDS[guards])
            return await stage.play(fault, self._busy)

    async def try_to(self, case: Case) -> Outcome | Exception:
        """One case that breaks does not end the others."""
        try:
            return await self.play((case.guards, case.life), case.fault)
        except Exception as error:  # noqa: BLE001
            return error


def _judged(case: Case, without: Outcome, seen: Outcome | Exception) -> Result:
    if isinstance(seen, Exception):
        failure = f"{type(seen).__name__}: {seen}"
        return Result(case, None, Verdict((), (failure,), 0))
    return Result(case, seen, judge(case, without, seen))


def _complaints(key: _Key, seen: Outcome) -> list[str]:
    """What a life without a fault did not do as the list of cases has it."""
    guards, life = key
    found = []
    if seen.seconds is None:
        found.append(f"{guards}: {life.name}: never applied")
    if seen.customer.lapses:
        found.append(f"{guards}: {life.name}: {len(seen.customer.lapses)} empty answers")
    expected: dict[str, tuple[str, ...]] = {}
    if life == LATER:
        expected = {cases.PLANNER: cases.PLANNED, cases.ENACTOR: cases.ENACTED[guards]}
    if life == FIRST:
        expected = {cases.PLANNER: cases.FIRST_PLANNED, cases.ENACTOR: cases.FIRST_ENACTED}
    for process, writes in expected.items():
        did = seen.writes_of(process, life.under_test)
        if did != writes:
            found.append(f"{guards}: {life.name}: {process} wrote {did}, not {writes}")
    return found
