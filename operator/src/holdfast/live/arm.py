"""Runs one arm: watches what happens, releases holds, and gathers the evidence."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from holdfast.core.guards import effective
from holdfast.core.holds import ActorView, Hold, actor_of, hold_of
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import AliasSeen, Ledger, TreeSeen
from holdfast.core.names import KIND_LABEL, MANAGED_LABEL
from holdfast.core.objects import Alias, Tree
from holdfast.core.scenario import Arm, Scenario
from holdfast.core.timeline import HoldWatch, stale_attempts
from holdfast.core.verdict import Evidence, guards_missing, judge, outcome_of
from holdfast.live.api import Api, Json
from holdfast.live.arm_manifests import Installation
from holdfast.live.arm_setup import Stage
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH, parse

log = logging.getLogger("holdfast.scenario")

TICK_SECONDS = 0.1
CONVERGED_WITHIN_SECONDS = 5.0
"""A plan older than this at the end of an arm must be live, or the arm has not converged."""
PROBE_PORT = 8080
ALLOWANCE_SECONDS = 3.0
"""From the birth of the alias to the resolver's first good answer."""


class ArmRun:
    """One arm, once. `t` is seconds since the arm's first plan, on this process's clock."""

    def __init__(
        self,
        api: Api,
        scenario: Scenario,
        arm: Arm,
        install: Installation,
        say: Callable[[str], None],
    ) -> None:
        self._api, self._scenario, self._arm, self._say = api, scenario, arm, say
        self._stage = Stage(api, scenario, arm, install)
        self._ledger = Ledger()
        self._holds: tuple[Hold, ...] = tuple(hold_of(h) for h in arm.holds)
        self._hold_watch = HoldWatch()
        self._actors: dict[str, ActorView] = {}
        self._plans: dict[int, float] = {}
        self._zero: float | None = None
        self._gaps = 0
        self._cut_off = False
        self._changed = asyncio.Event()
        self._guards_in_force: Json = {}

    async def run(self) -> Json:
        """The arm's part of the result document."""
        try:
            await self._stage.build(self._say)
            async with asyncio.TaskGroup() as group:
                watches = [
                    group.create_task(self._watch_services()),
                    group.create_task(self._watch_plans()),
                    group.create_task(self._watch_region()),
                ]
                await self._stage.start()
                self._say("started")
                await self._until_over()
                probe = await self._probe_document()
                for watch in watches:
                    watch.cancel()
        finally:
            await self._stage.close()
        return self._document(probe)

    def _t(self) -> float:
        return time.time() - self._zero if self._zero is not None else 0.0

    async def _until_over(self) -> None:
        created = time.time()
        settle, deadline = self._scenario.settle_seconds, self._scenario.deadline_seconds
        while True:
            now = self._t()
            for name in self._hold_watch.see(now, self._actors):
                self._note_hold(now, name, "held")
            newest = max(self._plans, default=0)
            for hold in self._hold_watch.due(now, self._holds, self._actors, newest):
                await self._stage.release(hold.name)
                self._hold_watch.released[hold.name] = self._t()
                overdue = hold.name in self._hold_watch.overdue
                self._note_hold(self._t(), hold.name, "overdue" if overdue else "released")
            if self._zero is not None:
                live = self._ledger.live_generations
                began = live[0][0] if live else now
                if self._hold_watch.is_over(now, began, self._holds, settle):
                    return
            if max(now, time.time() - created) > deadline:
                self._cut_off = True
                return
            self._say(self._story(now, newest))
            self._changed.clear()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _story(self, now: float, newest: int) -> str:
        held = [f"{a.zone} held at {a.step}" for a in self._actors.values() if a.hold]
        live = ", ".join(
            f"{e} {'names nothing' if a.target not in self._ledger.trees else a.target}"
            for e, a in sorted(self._ledger.aliases.items())
        )
        return "; ".join([f"{now:.0f} s: plan {newest}", live or "no alias yet", *held])

    def _note_hold(self, t: float, name: str, event: str) -> None:
        hold = next(h for h in self._holds if h.name == name)
        actor = self._actors[hold.zone]
        more: dict[str, Any] = {"generation": actor.generation} if actor.generation else {}
        if actor.victims:
            more["victims"] = list(actor.victims)
        where = {"zone": hold.zone, "step": hold.at}
        self._ledger.note(t, event, f"hold/{name}", "enactor", **where, **more)

    async def _watch_services(self) -> None:
        path = f"/api/v1/namespaces/{self._stage.namespace}/services"
        async for change in follow(self._api, path, f"{MANAGED_LABEL}=true"):
            if change.event == "SYNCED":
                self._gaps += change.relisted
                self._ledger.judge(self._t())
                continue
            whole = not change.listed
            kind = (change.obj["metadata"].get("labels") or {}).get(KIND_LABEL)
            gone = change.event == "DELETED"
            if kind == "alias":
                alias = parse(Alias, change.obj)
                assert isinstance(alias, Alias)
                self._ledger.see(self._t(), AliasSeen(alias, gone), whole)
            elif kind == "tree":
                tree = parse(Tree, change.obj)
                assert isinstance(tree, Tree)
                self._ledger.see(self._t(), TreeSeen(tree, gone), whole)
            self._changed.set()

    async def _watch_plans(self) -> None:
        path = f"{GROUP_PATH}/namespaces/{self._stage.namespace}/dnsplans"
        async for change in follow(self._api, path):
            if change.event != "ADDED":
                continue
            if self._zero is None:
                self._zero = time.time()
            generation = int(change.obj["spec"]["planGeneration"])
            self._plans[generation] = self._t()
            self._ledger.note(self._t(), "planned", f"plan/{generation}", "planner")
            self._changed.set()

    async def _watch_region(self) -> None:
        path = f"{GROUP_PATH}/namespaces/{self._stage.namespace}/regions"
        async for change in follow(self._api, path):
            if change.event == "SYNCED":
                continue
            status = change.obj.get("status") or {}
            before = self._actors
            self._actors = {z: actor_of(z, raw) for z, raw in (status.get("actors") or {}).items()}
            self._guards_in_force = status.get("guards") or self._guards_in_force
            for zone, actor in self._actors.items():
                self._note_actor(before.get(zone) or ActorView(zone), actor)
            self._changed.set()

    def _note_actor(self, old: ActorView, new: ActorView) -> None:
        """What one enactor has newly reported of itself."""

        def note(event: str, step: str, generation: int) -> None:
            where = {"zone": new.zone, "step": step}
            self._ledger.note(self._t(), event, f"plan/{generation}", "enactor", **where)

        if new.tried and not old.tried:
            note(new.tried, "flip", new.tried_generation)
        if new.cleaned and not old.cleaned and self._is_held_at_delete(new.zone):
            note("cleaned", "delete", new.generation)
        if new.rollback_missing and not old.rollback_missing:
            note("stuck", "read", new.generation)

    def _is_held_at_delete(self, zone: str) -> bool:
        return any(h.zone == zone and h.at == "delete" for h in self._holds)

    async def _probe_document(self) -> Json:
        """The probe's tallies on our clock: its offset is measured to half a round trip."""
        path = f"/api/v1/namespaces/{self._stage.namespace}/pods"
        pods = await self._api.need("GET", path, labelSelector="app.kubernetes.io/name=probe")
        addresses = [p["status"]["podIP"] for p in pods["items"] if p["status"].get("podIP")]
        if not addresses or self._zero is None:
            return {}
        url = f"http://{addresses[0]}:{PROBE_PORT}"
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                sent = time.time()
                async with session.get(f"{url}/clock") as answer:
                    theirs = (await answer.json())["now"]
                offset = theirs - (sent + time.time()) / 2
                zero = f"{self._zero + offset:.6f}"
                async with session.get(f"{url}/tally", params={"zero": zero}) as answer:
                    document: Json = await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("%s: the probe did not answer: %s", self._stage.namespace, error)
            return {}
        document["endedAt"] = document.pop("now") - self._zero - offset
        return document

    def _converged(self, end: float) -> bool:
        due = [g for g, t in self._plans.items() if t <= end - CONVERGED_WITHIN_SECONDS]
        wanted = max(due, default=0)
        aliases = self._ledger.aliases
        return all(
            (a := aliases.get(e)) is not None and a.generation >= wanted
            for e in self._scenario.region["endpoints"]
        )

    def _document(self, probe: Json) -> Json:
        ledger, servers = self._ledger, probe.get("servers") or {}
        end = self._t()
        if not self._converged(end):
            ledger.broken.setdefault(Invariant.CONVERGES, end)
        first = servers.get("authoritative", {}).get("firstEmptyAt")
        if first is not None:
            ledger.note(first, "firstEmptyAnswer", "authoritative", "probe")
            again = servers["authoritative"].get("recoveredAt")
            if again is not None:
                ledger.note(again, "answeredAgain", "authoritative", "probe")
        empty = sum(int(s["empty"]) for s in servers.values())
        refused = sum(a.stale_refused for a in self._actors.values())
        dropped = sum(a.stale_dropped for a in self._actors.values())
        guards, live = effective(self._arm.guards), ledger.live_generations
        evidence = Evidence(
            broken=frozenset(ledger.broken),
            empty_answers=empty,
            coverage=coverage(probe, live[0][0] if live else 0.0),
            uncaught_holds=self._hold_watch.uncaught(self._holds),
            overdue_holds=tuple(sorted(self._hold_watch.overdue)),
            attempts=stale_attempts(self._holds, self._actors),
            healthy_at_first=bool(servers) and all("beganAt" in s for s in servers.values()),
            cut_off=self._cut_off,
            watch_gaps=self._gaps,
            guards_as_asked=self._guards_in_force == guards,
        )
        verdict, why = judge(self._arm.expect, evidence)
        missing = guards_missing(ledger.broken, self._arm.guards)
        was_empty = bool(ledger.emptied or empty)
        recovered = "nobody" if ledger.empty_at_the_end() else "nextPlan"
        dns: Json = {
            "name": probe.get("name", ""),
            "families": probe.get("families", []),
            **servers,
            "staleWritesApplied": ledger.stale_writes_applied,
            "staleWritesRefused": {"conflict": refused},
            "staleDropped": dropped,
            "liveGenerations": [list(g) for g in ledger.live_generations],
            "servedGenerations": probe.get("servedGenerations", {}),
            "connects": probe.get("connects", {}),
            "watchGaps": self._gaps,
        }
        if was_empty:
            dns |= {"recoveredBy": recovered, "healedByItself": recovered == "nextPlan"}
        return {
            "name": self._arm.name,
            "namespace": self._stage.namespace,
            "guards": self._guards_in_force or guards,
            "expect": str(self._arm.expect),
            "outcome": str(outcome_of(evidence)),
            "verdict": str(verdict),
            "message": why,
            "seconds": round(end, 1),
            "invariantsBroken": sorted(str(i) for i in ledger.broken),
            "guardsMissing": sorted(missing),
            "wouldHaveHeld": {guard: list(held) for guard, held in missing.items()},
            "dns": dns,
            "timeline": sorted(ledger.timeline, key=lambda line: line["t"]),
        }


def coverage(probe: Json, born: float) -> float:
    """Answers with or without addresses of the server that gave the fewest, over those due from
    the birth of the alias (with an allowance) to the end. 0 when there is nothing to count."""
    servers = (probe.get("servers") or {}).values()
    if not servers or not all("beganAt" in s for s in servers):
        return 0.0
    per_second = len(probe["families"]) / probe["intervalSeconds"]
    shares = [
        (s["ok"] + s["stale"] + s["empty"])
        / max(1.0, (probe["endedAt"] - min(s["beganAt"], born + ALLOWANCE_SECONDS)) * per_second)
        for s in servers
    ]
    return float(min(shares))
