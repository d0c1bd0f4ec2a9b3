"""`holdfast drill`: breaks a throw-away Region in the incident's way, and times who mends it.

What the person does is seen through the API and the DNS servers alone, so it does not matter with
which tool, or from where. The Region goes away at the end, whatever the end is.
"""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, TypeAlias

import uvloop

from holdfast.cli import servers
from holdfast.cli.cluster import cluster, home
from holdfast.cli.drill_report import CALLED, document, print_report
from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.following import spoken
from holdfast.cli.run import SCENARIOS, apply
from holdfast.cli.servers import Servers
from holdfast.cli.teller import Teller
from holdfast.core.drill import (
    AliasNow,
    Answered,
    Done,
    PlanMade,
    RegionNow,
    Report,
    Server,
    Sight,
    judge,
)
from holdfast.core.names import customer_name
from holdfast.core.objects import Alias, Plan
from holdfast.live.api import Api, Json
from holdfast.live.resolver import Response, ask
from holdfast.live.resolver import Server as DnsServer
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH, parse, path_of, plan_of, selector_of

SCENARIO, ARM, REGION, ENDPOINT = "drill", "practice", "us-east-1", "dynamodb"
SPACE = f"{SCENARIO}-{ARM}"
NAME = customer_name(ENDPOINT, REGION)
TAKE_UP_SECONDS, BREAK_SECONDS = 60.0, 240.0
LOOK_SECONDS = 0.2
STAYS_SECONDS = 10.0
"""All has to be well for so long; and the person wants to see it, too."""
ASK_SECONDS: dict[Server, float] = {"authoritative": 0.1, "resolver": 0.25}
EXIT_INTERRUPTED = 130

End: TypeAlias = Literal["recovered", "timeout", "interrupted"]


def drill(timeout: float, json_file: Path | None, kubeconfig: str | None) -> int:
    """Exit code: 0 every observable step done, 1 not."""
    try:
        return uvloop.run(_drill(timeout, json_file, kubeconfig))
    except asyncio.CancelledError:
        return EXIT_INTERRUPTED


async def _drill(timeout: float, json_file: Path | None, kubeconfig: str | None) -> int:
    raw = read_scenario(SCENARIO)
    me = asyncio.current_task()
    assert me is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    with Teller() as teller:
        async with cluster(kubeconfig) as api:
            await apply(api, SCENARIO, raw)
            course = Drill(api, teller)
            try:
                end = await course.hold(timeout)
            finally:
                await _take_away(api, teller)
    report = judge(course.sights, course.ended_at)
    if report.empty_at is None:
        return EXIT_INTERRUPTED
    print_report(report, end, NAME)
    if json_file is not None:
        _write(json_file, document(report, end, SPACE, NAME))
    if end == "interrupted":
        return EXIT_INTERRUPTED
    return 0 if report.passed else 1


def _write(path: Path, report: Json) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + "\n")
    except OSError as error:
        raise ForPeople(f"{path}: {error.strerror}") from error


async def _take_away(api: Api, teller: Teller) -> None:
    answer = await api.delete(f"{SCENARIOS}/{SCENARIO}")
    if answer.ok or answer.status == 404:
        teller.say(f"Scenario {SCENARIO} deleted: namespace {SPACE} goes with it, in some seconds")
    else:
        why = answer.body.get("message")
        teller.say(
            f"Scenario {SCENARIO} is still there: kubectl delete scenario {SCENARIO} ({why})"
        )


class Drill:
    """`sights`: what was seen, in the order in which it was."""

    def __init__(self, api: Api, teller: Teller) -> None:
        self.sights: list[Sight] = []
        self.ended_at = 0.0
        self._api, self._teller = api, teller
        self._asked = Servers()
        self._said: dict[Server, Response] = {}
        self._served: set[Server] = set()
        self._shown: set[str] = set()

    async def hold(self, timeout: float) -> End:
        """Until the name is mended and given back, the time is up, or somebody has had enough."""
        async with self._watched():
            try:
                await self._until_broken()
                async with asyncio.timeout(timeout):
                    await self._until_over(timeout)
                end: End = "recovered"
            except TimeoutError:
                end = "timeout"
            except asyncio.CancelledError:
                end = "interrupted"
            self.ended_at = time.time()
        return end

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        work = (
            self._watch_aliases(),
            self._watch_plans(),
            self._watch_region(),
            self._ask("authoritative"),
            self._ask("resolver"),
        )
        tasks = [asyncio.create_task(w) for w in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_broken(self) -> None:
        began, told = time.monotonic(), ""
        while self._report().empty_at is None:
            state = (await self._api.get(f"{SCENARIOS}/{SCENARIO}")).body.get("status") or {}
            if state.get("phase") == "Waiting":
                began = time.monotonic()
            if state.get("phase") == "Complete":
                raise ForPeople(f"the Region did not break: {state.get('message')}")
            if not state and time.monotonic() - began > TAKE_UP_SECONDS:
                raise ForPeople(
                    "nothing takes the Scenario up: is the chart installed, and its Pod "
                    "with app.kubernetes.io/component=scenario running?"
                )
            if time.monotonic() - began > BREAK_SECONDS:
                raise ForPeople(
                    f"no empty answer for {NAME} after {BREAK_SECONDS:.0f} s; the scenario role "
                    f"says: {state.get('message')}; servers: {self._asked.how}"
                )
            if not self._asked.authoritative or self._asked.resolver is None:
                self._asked = await servers.find(self._api, SPACE)
            gist = _gist(str(state.get("message") or "waiting for the scenario role"))
            if gist != told:
                self._teller.say(f"breaking a Region: {gist}")
                told = gist
            self._teller.doing(f"breaking a Region: {state.get('message', '')}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _until_over(self, timeout: float) -> None:
        self._teller.say(
            f"\a{NAME} ANSWERS NOTHING. Region {REGION}, namespace {SPACE}. The clock runs: "
            f"{timeout:.0f} s. docs/runbook.md; begin with: holdfast dns status -n {SPACE}"
        )
        over_at: float | None = None
        while over_at is None or time.monotonic() - over_at < STAYS_SECONDS:
            report = self._report()
            self._show(report)
            over_at = (over_at or time.monotonic()) if report.is_over else None
            await asyncio.sleep(LOOK_SECONDS)

    def _report(self) -> Report:
        return judge(self.sights, time.time())

    def _show(self, report: Report) -> None:
        """A line for whatever is newly seen; below it where things stand."""
        assert report.empty_at is not None
        seen = {f"{s.step}: seen": s.seconds for s in report.steps if s.done is not Done.MISSED}
        if report.recovered["authoritative"] is not None:
            seen |= {f"{CALLED[s]} answers": t for s, t in report.recovered.items()}
        for what, seconds in seen.items():
            if seconds is not None and what not in self._shown:
                self._shown.add(what)
                self._teller.say(f"{what}, {seconds:.1f} s after the first empty answer")
        now = time.time() - report.empty_at
        answers = "; ".join(f"{s}: {spoken(said)}" for s, said in self._said.items())
        self._teller.doing(f"{now:.0f} s since the first empty answer; {answers}")

    async def _ask(self, label: Server) -> None:
        good: bool | None = None
        while True:
            await asyncio.sleep(ASK_SECONDS[label])
            server = self._server(label)
            if server is None:
                continue
            said = await ask(server, NAME, "IPv4")
            if not said.rcode:
                continue
            self._said[label] = said
            if said.addresses:
                self._served.add(label)
            if bool(said.addresses) is not good:
                good = bool(said.addresses)
                self.sights.append(Answered(time.time(), label, good))

    def _server(self, label: Server) -> DnsServer | None:
        """Whom to ask, once there is one. The resolver only after the name was served: asked too
        early it would keep "no such name" for a minute, an outage of our own making."""
        if label == "authoritative":
            return next(iter(self._asked.authoritative), None)
        return self._asked.resolver if "authoritative" in self._served else None

    async def _watch_aliases(self) -> None:
        async for change in follow(self._api, path_of(Alias, SPACE), selector_of(Alias)):
            if change.event not in ("SYNCED", "DELETED"):
                alias = parse(Alias, change.obj)
                assert isinstance(alias, Alias)
                self.sights.append(AliasNow(time.time(), alias))

    async def _watch_plans(self) -> None:
        async for change in follow(self._api, path_of(Plan, SPACE)):
            if change.event == "ADDED":
                made = plan_of(change.obj["spec"]).generation
                self.sights.append(PlanMade(time.time(), made))

    async def _watch_region(self) -> None:
        last: Json = {}
        async for change in follow(self._api, f"{GROUP_PATH}/namespaces/{SPACE}/regions"):
            if change.event in ("SYNCED", "DELETED") or change.obj["spec"] == last:
                continue
            last = change.obj["spec"]
            region = home(change.obj).region
            self.sights.append(RegionNow(time.time(), region.freeze, region.guards))


def _gist(message: str) -> str:
    """Without what changes every second: `arm practice: 3 s: plan 4; ...`."""
    head, plan, _ = message.partition(" s: plan ")
    return f"{head.rpartition(':')[0]}: plans come" if plan else message
