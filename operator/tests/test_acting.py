"""Deployments scaled by a timeline, and given back."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import kopf
import pytest
from kopf._core.intents.causes import Activity

from holdfast.core.acts import Act, Order, Scale
from holdfast.core.holds import Condition
from holdfast.live.acting import ActFailed, Acting
from holdfast.live.api import Answer
from holdfast.live.arm_manifests import Installation
from holdfast.live.roles import watch_scenarios
from holdfast.live.scenario_role import ScenarioRun, Scenarios

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


class Deployments:
    """Those that there are; of any other the API server says 403, for a right is of names."""

    def __init__(self, replicas: Mapping[str, int]) -> None:
        self.replicas = dict(replicas)
        self.scaled: list[str] = []

    async def get(self, path: str) -> Answer:
        name = path.removesuffix("/scale").rpartition("/")[2]
        if name not in self.replicas:
            return Answer(403, {"message": "no"})
        count = self.replicas[name]
        return Answer(200, {"spec": {"replicas": count}, "status": {"replicas": count}})

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        name = path.removesuffix("/scale").rpartition("/")[2]
        self.scaled.append(name)
        self.replicas[name] = body["spec"]["replicas"]
        return Answer(200, {})


def acting(there: Deployments, *enactors: str) -> Acting:
    install = Installation("holdfast-system", "holdfast", "", "", "", (), enactors)
    return Acting(there, "arm", install, ZONES)  # type: ignore[arg-type]


def scale(acting: Acting, role: str, replicas: int, zone: str = "") -> str:
    act = Act("act-1", Scale(role, replicas, zone), Condition())  # type: ignore[arg-type]
    return asyncio.run(acting.do(act))


def test_processes_are_given_back_where_the_chart_has_them() -> None:
    """A chart of two zones under Regions of three."""
    there = Deployments(
        {
            "holdfast-planner": 0,
            "holdfast-enactor-us-east-1a": 2,
            "holdfast-enactor-us-east-1b": 0,
            "holdfast-leases-us-east-1a": 0,
            "holdfast-leases-us-east-1b": 1,
        }
    )
    asyncio.run(acting(there, *ZONES[:2]).restore())
    assert set(there.replicas.values()) == {1}
    assert "holdfast-leases-us-east-1b" not in there.scaled


def test_enactors_of_all_zones_are_those_that_the_chart_has() -> None:
    there = Deployments({"holdfast-enactor-us-east-1a": 1, "holdfast-planner": 1})
    said = scale(acting(there, "us-east-1a"), "enactor", 0)
    assert there.replicas == {"holdfast-enactor-us-east-1a": 0, "holdfast-planner": 1}
    assert said == "enactor of us-east-1a: 0"


@pytest.mark.parametrize(
    ("role", "zone", "where"),
    [("store", "us-east-1x", ", ".join(ZONES)), ("enactor", "us-east-1c", "us-east-1a only")],
)
def test_a_zone_without_the_role_is_a_failure_that_says_where_there_is_one(
    role: str, zone: str, where: str
) -> None:
    there = Deployments({f"store-{z}": 1 for z in ZONES} | {"holdfast-enactor-us-east-1a": 1})
    with pytest.raises(ActFailed, match=f"{role} of {zone}: there is one in .*{where}"):
        scale(acting(there, "us-east-1a"), role, 0, zone)
    assert set(there.replicas.values()) == {1}


def test_racks_are_the_arms_and_lease_managers_the_operators() -> None:
    """Of racks the first agent of each zone that is named: what the others host goes on."""
    there = Deployments(
        {f"rack-{z}-{n}": 1 for z in ZONES[:2] for n in (1, 2)}
        | {f"holdfast-leases-{z}": 1 for z in ZONES[:2]}
    )
    one = acting(there, *ZONES[:2])
    assert scale(one, "rack", 0, "us-east-1b") == "rack of us-east-1b: 0"
    assert scale(one, "leases", 2) == "leases of us-east-1a, us-east-1b: 2"
    assert there.replicas == {
        "rack-us-east-1a-1": 1,
        "rack-us-east-1a-2": 1,
        "rack-us-east-1b-1": 0,
        "rack-us-east-1b-2": 1,
        "holdfast-leases-us-east-1a": 2,
        "holdfast-leases-us-east-1b": 2,
    }


class Pods:
    """Takes Pods, each of which succeeds at once."""

    def __init__(self) -> None:
        self.args: list[list[str]] = []

    async def need(self, verb: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert (verb, path) == ("POST", "/api/v1/namespaces/arm/pods")
        self.args.append(body["spec"]["containers"][0]["args"])
        return body

    async def get(self, path: str) -> Answer:
        assert path == "/api/v1/namespaces/arm/pods/oncall-act-1"
        return Answer(200, {"status": {"phase": "Succeeded"}})


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order("thaw"), ["dns", "thaw", "--why=scripted thaw"]),
        (Order("throttle", admit_at_most=5), ["leases", "throttle", "--at-most=5"]),
        (Order("restart", zone="us-east-1a"), ["leases", "restart", "--zone=us-east-1a"]),
        (Order("restart"), ["leases", "restart"]),
    ],
)
def test_an_order_is_of_the_group_that_it_belongs_to(order: Order, words: list[str]) -> None:
    pods = Pods()
    install = Installation("holdfast-system", "holdfast", "", "", "", (), ZONES)
    entered = Acting(pods, "arm", install, ZONES)  # type: ignore[arg-type]
    said = asyncio.run(entered.do(Act("act-1", order, Condition())))
    assert pods.args == [[*words, "-n", "arm"]]
    assert said == f"holdfast {' '.join(words)}"


def test_stores_and_the_planner_are_scaled_too() -> None:
    there = Deployments({f"store-{z}": 1 for z in ZONES} | {"holdfast-planner": 1})
    one = acting(there, "us-east-1a")
    assert scale(one, "store", 0, "us-east-1b") == "store of us-east-1b: 0"
    assert scale(one, "planner", 0) == "planner: 0"
    assert there.replicas == {
        "store-us-east-1a": 1,
        "store-us-east-1b": 0,
        "store-us-east-1c": 1,
        "holdfast-planner": 0,
    }


def test_a_new_scenario_role_gives_back_what_its_forerunner_took() -> None:
    """Also where the Scenario has been deleted meanwhile, and no other is there."""
    install = Installation("holdfast-system", "holdfast", "", "", "", (), ZONES[:1])
    there = Deployments(
        {
            "holdfast-planner": 0,
            "holdfast-enactor-us-east-1a": 1,
            "holdfast-leases-us-east-1a": 0,
        }
    )
    asyncio.run(Scenarios(there, install).start())  # type: ignore[arg-type]
    assert set(there.replicas.values()) == {1}


def test_a_scenario_role_that_is_told_to_stop_ends_what_runs() -> None:
    """Before Kopf, which would give it five seconds."""
    stopped: list[bool] = []
    registry = kopf.OperatorRegistry()
    watch_scenarios(registry, SimpleNamespace(stop=lambda: stopped.append(True)))  # type: ignore[arg-type]
    (handler,) = registry._activities.get_all_handlers()
    assert handler.activity is Activity.CLEANUP
    asyncio.run(handler.fn())  # type: ignore[arg-type]
    assert stopped == [True]


def test_a_scenario_role_starts_although_nothing_can_be_given_back() -> None:
    install = Installation("holdfast-system", "holdfast", "", "", "", (), ZONES)
    asyncio.run(Scenarios(Deployments({}), install).start())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "planners"),
    [("DELETED", 1), ("the role stops", 0), ("a bug", 1)],
)
def test_an_arm_cut_short_is_closed_and_gives_back_unless_the_role_itself_stops(
    event: str, planners: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that stops may be scaled to nothing with all others: it must not wake them again, nor
    take a broken arm from people who are mending it."""
    install = Installation("holdfast-system", "holdfast", "", "", "", (), ())
    there = Deployments({"holdfast-planner": 0})

    async def story() -> None:
        running = asyncio.Event()

        async def close() -> None:
            closed.append(event)

        async def run(found: ScenarioRun) -> None:
            found._stage = SimpleNamespace(close=close)  # type: ignore[assignment]
            running.set()
            if event == "a bug":
                raise RuntimeError(event)
            await asyncio.Event().wait()

        async def fail(_: ScenarioRun, why: str) -> None:
            said.append(why)

        said: list[str] = []
        closed: list[str] = []
        monkeypatch.setattr(ScenarioRun, "run", run)
        monkeypatch.setattr(ScenarioRun, "fail", fail)
        role = Scenarios(there, install)  # type: ignore[arg-type]
        raw = {"metadata": {"uid": "u", "name": "s", "generation": 1}, "spec": {}}
        before = asyncio.all_tasks()
        role.on_event({"type": "ADDED", "object": raw})
        (task,) = asyncio.all_tasks() - before
        await running.wait()
        if event == "DELETED":
            role.on_event({"type": event, "object": raw})
        elif event == "the role stops":
            role.stop()
        done, _ = await asyncio.wait({task}, timeout=5)
        assert done
        assert said == (["RuntimeError: a bug"] if event == "a bug" else [])
        assert len(closed) == planners

    asyncio.run(story())
    assert there.replicas == {"holdfast-planner": planners}
