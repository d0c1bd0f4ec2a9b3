"""The scenario role: runs Scenarios one after the other, their arms one after the other."""

import asyncio
import logging
import os
from typing import Any

from holdfast.core.document import summary
from holdfast.core.scenario import Scenario, scenario_of
from holdfast.core.verdict import Verdict, worst
from holdfast.live import metrics
from holdfast.live.acting import ActFailed, Acting
from holdfast.live.api import Api, ApiError, Json
from holdfast.live.arm import ArmRun
from holdfast.live.arm_manifests import Installation
from holdfast.live.arm_setup import ArmError, Stage
from holdfast.live.result import arm_summary, store_arm
from holdfast.live.stamp import rfc3339
from holdfast.live.wire import GROUP_PATH

log = logging.getLogger("holdfast.scenario")

SAY_EVERY_SECONDS = 1.0
INTERRUPTED = (
    "the scenario role was restarted while this arm ran, and what it had watched is lost: "
    "delete the Scenario and apply it again"
)


def installation() -> Installation:
    """What the chart says about itself, from the environment it sets."""
    ports = os.environ.get("HOLDFAST_NODE_PORTS", "")
    return Installation(
        namespace=os.environ["HOLDFAST_NAMESPACE"],
        release=os.environ["HOLDFAST_RELEASE"],
        image=os.environ["HOLDFAST_IMAGE"],
        coredns_image=os.environ["HOLDFAST_COREDNS_IMAGE"],
        pull_policy=os.environ.get("HOLDFAST_PULL_POLICY", "IfNotPresent"),
        node_ports=tuple(int(p) for p in ports.split(",") if p),
        zones=tuple(z for z in os.environ.get("HOLDFAST_ZONES", "").split(",") if z),
    )


async def give_back(api: Api, install: Installation) -> None:
    """Have one process of each role again, which an arm's timeline may have scaled. What fails is
    said here, and by the next arm, too: the tale of the arm before is told.
    """
    try:
        await Acting(api, "", install).restore()
    except (ActFailed, ApiError) as error:
        log.error("processes are not given back: %s", error)


class Scenarios:
    """All Scenarios there are. Each has a task; a lock lets one run at a time.

    After every arm its stage is closed and processes are given back, whatever became of it, but not
    when this role is told to stop: the operator may be being scaled to nothing while people look at
    the arm, or mend it. Its successor does both when it starts.
    """

    def __init__(self, api: Api, install: Installation) -> None:
        self._api, self._install = api, install
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Before any Scenario is heard of: give back the processes that an interrupted arm took
        away, whose Scenario may be gone by now.
        """
        await give_back(self._api, self._install)

    def on_event(self, event: Json) -> None:
        raw = event["object"]
        uid = raw["metadata"]["uid"]
        if event["type"] == "DELETED" or "deletionTimestamp" in raw["metadata"]:
            task = self._tasks.pop(uid, None)
            if task is not None:
                task.cancel()
        elif uid not in self._tasks and (raw.get("status") or {}).get("phase") != "Complete":
            self._tasks[uid] = asyncio.create_task(self._run(raw))

    def stop(self) -> None:
        """End what runs, at once, and leave it as it stands. Kopf would give it five seconds, and
        by chance an arm would come to its end in them, or not.
        """
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, raw: Json) -> None:
        run = ScenarioRun(self._api, raw, self._install)
        try:
            if self._turn.locked():
                await run.say_waiting()
            async with self._turn:
                try:
                    await run.run()
                except asyncio.CancelledError:
                    if raw["metadata"]["uid"] not in self._tasks:
                        await run.leave()
                    raise
                except Exception:
                    await run.leave()
                    raise
        except Exception as error:
            log.exception("scenario %s", raw["metadata"]["name"])
            await run.fail(_causes(error))


class ScenarioRun:
    """One Scenario from its first arm to its verdict."""

    def __init__(self, api: Api, raw: Json, install: Installation) -> None:
        self._api, self._raw, self._install = api, raw, install
        self._name: str = raw["metadata"]["name"]
        self._generation = raw["metadata"]["generation"]
        self._before: dict[str, Json] = {
            a["name"]: a for a in (raw.get("status") or {}).get("arms") or ()
        }
        self._arms: dict[str, Json] = dict(self._before)
        self._message = ""
        self._stage: Stage | None = None

    async def run(self) -> None:
        scenario = scenario_of(self._name, self._raw["metadata"]["uid"], self._raw["spec"])
        started = (self._raw.get("status") or {}).get("startedAt") or rfc3339()
        self._arms = {
            arm.name: self._before.get(
                arm.name, {"name": arm.name, "phase": "Pending", "expect": str(arm.expect)}
            )
            for arm in scenario.arms
        }
        await self._write(
            phase="Running",
            startedAt=started,
            conditions=[
                _condition("Complete", "False", "Running", "arms are running", self._generation),
                _condition("Succeeded", "Unknown", "Running", "no verdict yet", self._generation),
            ],
        )
        teller = asyncio.create_task(self._tell())
        try:
            for arm in scenario.arms:
                if self._arms[arm.name]["phase"] != "Complete":
                    await self._arm(scenario, arm.name)
        finally:
            teller.cancel()
        verdict = worst(Verdict(a["verdict"]) for a in self._arms.values())
        await self._finish(verdict, summary(verdict, self._arms.values()))

    async def say_waiting(self) -> None:
        self._message = "waits for the Scenario that is running"
        await self._write(phase="Waiting")

    async def fail(self, why: str) -> None:
        await self._finish(Verdict.ERROR, why)

    async def leave(self) -> None:
        """Take down what must not outlive the arm that runs, if one does."""
        await self._close()
        await give_back(self._api, self._install)

    async def _close(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            await stage.close()

    async def _arm(self, scenario: Scenario, name: str) -> None:
        arm = next(a for a in scenario.arms if a.name == name)
        entry = self._arms[name]
        self._stage = stage = Stage(self._api, scenario, arm, self._install)
        if entry["phase"] == "Running":
            self._close_arm(entry, Verdict.INCONCLUSIVE, INTERRUPTED)
            await self.leave()
            return
        entry["phase"] = "Running"
        entry["namespace"] = scenario.namespace_of(name)
        await self._write()

        def say(message: str) -> None:
            self._message = f"arm {name}: {message}"

        acting = Acting(self._api, stage.namespace, self._install, stage.zones)
        try:
            document = await ArmRun(self._api, scenario, arm, stage, acting, say).run()
            await self._close()
            await store_arm(self._api, scenario.name, document)
        except* (ApiError, ArmError, ActFailed) as errors:
            why = "; ".join(str(e) for e in errors.exceptions)
            log.exception("arm %s", name)
            self._close_arm(entry, Verdict.ERROR, why)
        else:
            entry |= arm_summary(document)
            metrics.ARMS.labels(entry["verdict"]).inc()
        await self.leave()
        await self._write()

    def _close_arm(self, entry: Json, verdict: Verdict, why: str) -> None:
        entry |= {"phase": "Complete", "verdict": str(verdict), "message": why}
        metrics.ARMS.labels(str(verdict)).inc()

    async def _tell(self) -> None:
        """Write the message whenever it has changed, once a second at most."""
        said = ""
        while True:
            await asyncio.sleep(SAY_EVERY_SECONDS)
            if self._message != said:
                said = self._message
                await self._write()

    async def _finish(self, verdict: Verdict, message: str) -> None:
        self._message = message
        good = "True" if verdict is Verdict.PASS else "False"
        conditions = [
            _condition("Complete", "True", "Ran", message, self._generation),
            _condition("Succeeded", good, str(verdict), message, self._generation),
        ]
        ended = rfc3339()
        while not await self._write(
            phase="Complete", verdict=str(verdict), endedAt=ended, conditions=conditions
        ):
            await asyncio.sleep(SAY_EVERY_SECONDS)

    async def _write(self, **status: Any) -> bool:
        """True if it is written, or the Scenario is gone."""
        done = sum(a["phase"] == "Complete" for a in self._arms.values())
        status |= {
            "observedGeneration": self._generation,
            "message": self._message,
            "progress": f"{done}/{len(self._raw['spec']['arms'])}",
            "arms": list(self._arms.values()),
        }
        path = f"{GROUP_PATH}/scenarios/{self._name}/status"
        answer = await self._api.merge_patch(path, {"status": status})
        if answer.ok or answer.status == 404:
            return True
        log.warning("status of %s not written: %s", self._name, answer.body.get("message"))
        return False


def _causes(error: BaseException) -> str:
    """What went wrong, of a group every part."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_causes(e) for e in error.exceptions)
    return f"{type(error).__name__}: {error}"


def _condition(kind: str, status: str, reason: str, message: str, generation: int) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": rfc3339(),
    }
