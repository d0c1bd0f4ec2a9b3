"""Runs one arm on the cluster: the watches, the releases, and the probe's tale. What all of it
means is for the record and its document."""

import asyncio
import logging
import time
from collections.abc import Callable

import aiohttp

from holdfast.core.acts import Act
from holdfast.core.document import arm_document
from holdfast.core.leases.chronicle import Chronicle
from holdfast.core.leases.fleet import Fleet
from holdfast.core.ledger import AliasSeen, SliceSeen, TreeSeen
from holdfast.core.names import KIND_LABEL, MANAGED_LABEL
from holdfast.core.objects import Alias, Plan, Slice, Tree
from holdfast.core.record import Record
from holdfast.core.scenario import Arm, Scenario
from holdfast.core.scrapes import with_alerts
from holdfast.core.starts import BAD_START_SECONDS, Start
from holdfast.live import plans
from holdfast.live.acting import ActFailed, Acting
from holdfast.live.api import Api, ApiError, Json
from holdfast.live.arm_setup import ArmError, Stage
from holdfast.live.instance_wire import digest as instance_digest
from holdfast.live.instance_wire import path_of_instances, render_instance
from holdfast.live.lease_wire import digest as lease_digest
from holdfast.live.lease_wire import path_of_leases
from holdfast.live.scrape import Scraper
from holdfast.live.watch import follow
from holdfast.live.wire import GROUP_PATH, page_of, parse, path_of

log = logging.getLogger("holdfast.scenario")

TICK_SECONDS = 0.1
LAUNCH_TICK_SECONDS = 0.5
PROBE_PORT = 8080
LEASES_A_PAGE = 500


class ArmRun:
    """One arm, once. `t` is seconds since the arm's first plan, on this process's clock."""

    def __init__(
        self,
        api: Api,
        scenario: Scenario,
        arm: Arm,
        stage: Stage,
        acting: Acting,
        say: Callable[[str], None],
    ) -> None:
        self._api, self._scenario, self._say = api, scenario, say
        self._stage, self._acting = stage, acting
        self._acts: set[asyncio.Task[None]] = set()
        self._arm = arm
        self._record = Record(
            arm, tuple(scenario.region["endpoints"]), scenario.jitter, self._stage.zones
        )
        self._scraper = Scraper(api, self._stage.namespace, self._record)
        self._zero: float | None = None
        self._changed = asyncio.Event()

    async def run(self) -> Json:
        """The arm's part of the result document."""
        try:
            await self._acting.restore()
            await self._stage.build(self._say)
            async with asyncio.TaskGroup() as group:
                watches = [
                    group.create_task(self._watch_services()),
                    group.create_task(self._watch_slices()),
                    group.create_task(self._watch_plans()),
                    group.create_task(self._watch_region()),
                    group.create_task(self._scraper.run()),
                ]
                if self._arm.fleet is not None:
                    watches.append(group.create_task(self._watch_leases(self._arm.fleet)))
                    watches.append(group.create_task(self._watch_instances()))
                if self._arm.start is not None:
                    await self._start_badly(self._arm.start)
                await self._stage.start()
                self._say("started")
                if self._record.leases is not None:
                    watches.append(group.create_task(self._launch(self._record.leases)))
                await self._until_over()
                probe = await self._probe_document()
                for task in watches:
                    task.cancel()
        finally:
            await self._end_acts()
        document = arm_document(self._record, probe, self._t())
        document = with_alerts(document, self._scraper.fired(self._zero or 0.0))
        return {**document, "namespace": self._stage.namespace}

    async def _end_acts(self) -> None:
        """End what people and processes still do: nothing of an arm is done after it."""
        acts = tuple(self._acts)
        for act in acts:
            act.cancel()
        await asyncio.gather(*acts, return_exceptions=True)

    async def _start_badly(self, start: Start) -> None:
        """Break the name before anybody serves it, and let customers see it so for a while."""
        self._begin()
        await self._stage.make(start)
        self._say(f"begins badly: {start}")
        await asyncio.sleep(BAD_START_SECONDS)

    async def _act(self, act: Act) -> None:
        said, failed = "", ""
        try:
            said = await self._acting.do(act)
        except (ActFailed, ApiError) as error:
            failed = str(error)
            log.warning("%s: %s: %s", self._stage.namespace, act.name, failed)
        self._record.acted(self._t(), act, said, failed)
        self._changed.set()

    def _begin(self) -> None:
        self._zero = self._record.ledger.zero = time.time()

    def _t(self) -> float:
        return time.time() - self._zero if self._zero is not None else 0.0

    async def _until_over(self) -> None:
        created, record = time.time(), self._record
        while True:
            now = self._t()
            for act in record.acts_due(now):
                task = asyncio.create_task(self._act(act))
                self._acts.add(task)
                task.add_done_callback(self._acts.discard)
            for hold in record.due(now):
                await self._stage.release(hold.name)
                record.released(self._t(), hold.name)
            if record.is_over(now, self._arm.settle_seconds):
                return
            if max(now, time.time() - created) > self._scenario.deadline_seconds:
                record.cut_off = True
                return
            self._say(record.story(now))
            self._changed.clear()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _watch_services(self) -> None:
        path = f"/api/v1/namespaces/{self._stage.namespace}/services"
        async for change in follow(self._api, path, f"{MANAGED_LABEL}=true"):
            if change.event == "SYNCED":
                self._record.synced(self._t(), change.relisted)
                continue
            whole = not change.listed
            kind = (change.obj["metadata"].get("labels") or {}).get(KIND_LABEL)
            gone = change.event == "DELETED"
            if kind == "alias":
                alias = parse(Alias, change.obj)
                assert isinstance(alias, Alias)
                self._record.see(self._t(), AliasSeen(alias, gone), whole)
            elif kind == "tree":
                tree = parse(Tree, change.obj)
                assert isinstance(tree, Tree)
                self._record.see(self._t(), TreeSeen(tree, gone), whole)
            self._changed.set()

    async def _watch_slices(self) -> None:
        path = path_of(Slice, self._stage.namespace)
        async for change in follow(self._api, path, f"{MANAGED_LABEL}=true"):
            if change.event == "SYNCED":
                continue
            piece = parse(Slice, change.obj)
            assert isinstance(piece, Slice)
            seen = SliceSeen(piece, change.event == "DELETED")
            self._record.see(self._t(), seen, not change.listed)
            self._changed.set()

    async def _watch_plans(self) -> None:
        path = f"{GROUP_PATH}/namespaces/{self._stage.namespace}/dnsplans"
        async for change in follow(self._api, path, digest=plans.digest, page=page_of(Plan)):
            if change.event != "ADDED":
                continue
            if self._zero is None:
                self._begin()
            plan = change.obj["value"]
            assert isinstance(plan, Plan)
            bare = tuple(e.endpoint for e in plan.endpoints if not e.front_ends)
            self._record.planned(self._t(), plan.generation, bare, plan)
            self._changed.set()

    async def _watch_region(self) -> None:
        path = f"{GROUP_PATH}/namespaces/{self._stage.namespace}/regions"
        region = self._scenario.region_name
        async for change in follow(self._api, path):
            if change.event == "SYNCED" or change.obj["metadata"]["name"] != region:
                continue
            if change.event == "DELETED":
                raise ArmError(f"Region {region} was deleted while the arm ran")
            self._record.told(self._t(), change.obj.get("status") or {})
            self._changed.set()

    async def _watch_leases(self, fleet: Fleet) -> None:
        leases = self._record.leases
        assert leases is not None, "an arm with a fleet keeps a chronicle of its leases"
        path = path_of_leases(fleet.mode, self._stage.namespace)
        async for change in follow(self._api, path, digest=lease_digest, page=LEASES_A_PAGE):
            if change.event == "SYNCED":
                self._record.gaps += change.relisted
            else:
                leases.seen(self._t(), change.obj["value"], change.event == "DELETED")

    async def _watch_instances(self) -> None:
        """What a hand has made of a status is no manager's doing."""
        leases = self._record.leases
        assert leases is not None, "an arm with a fleet keeps a chronicle of its leases"
        path = path_of_instances(self._stage.namespace)
        async for change in follow(self._api, path, digest=instance_digest):
            if change.event == "SYNCED":
                self._record.gaps += change.relisted
            elif change.event == "DELETED" or not change.obj["hand"]:
                leases.instance(self._t(), change.obj["value"], change.event == "DELETED")

    async def _launch(self, leases: Chronicle) -> None:
        """What customers launch. One that could not be created is tried again."""
        path = path_of_instances(self._stage.namespace)
        while True:
            for instance in leases.to_launch():
                answer = await self._api.create(path, render_instance(instance))
                if answer.ok or answer.status == 409:
                    leases.launches.made(instance.name)
            await asyncio.sleep(LAUNCH_TICK_SECONDS)

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
