"""What each role of the operator runs."""

import os
from typing import Any

import kopf

from holdfast.core.enactor import Actor
from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.core.region import Region
from holdfast.live.api import Api, Json, connect
from holdfast.live.enactor_role import Enactor
from holdfast.live.operator import Regions, operate, watch_regions
from holdfast.live.planner_role import Planner
from holdfast.live.scenario_role import Scenarios, installation


async def run_role(role: str) -> None:
    """Run one role until it is told to stop. ValueError for one that does not exist."""
    match role:
        case "planner":
            async with connect("holdfast-planner") as api:
                await operate(lambda registry: watch_regions(registry, planners(api), plans=False))
        case "enactor":
            zone, pod = os.environ["HOLDFAST_ZONE"], os.environ["HOLDFAST_POD_UID"]
            me = Actor(zone, f"{zone}/{pod}")
            async with connect(f"holdfast-enactor-{zone}") as api:
                await operate(
                    lambda registry: watch_regions(registry, enactors(api, me), plans=True)
                )
        case "scenario":
            async with connect("holdfast-scenario") as api:
                await operate(lambda registry: watch_scenarios(registry, api))
        case _:
            raise ValueError(f"no such role: {role}")


def planners(api: Api) -> Regions:
    def start(region: Region, raw: Json) -> Planner:
        return Planner(api, region, raw["metadata"]["generation"])

    def update(worker: Planner, region: Region, raw: Json) -> None:
        worker.update(region, raw["metadata"]["generation"])

    return Regions(start, update)


def enactors(api: Api, me: Actor) -> Regions:
    def start(region: Region, raw: Json) -> Enactor:
        return Enactor(api, me, region, raw.get("status") or {})

    def update(worker: Enactor, region: Region, raw: Json) -> None:
        worker.update(region, raw.get("status") or {})

    return Regions(start, update)


def watch_scenarios(registry: kopf.OperatorRegistry, api: Api) -> None:
    scenarios = Scenarios(api, installation())

    @kopf.on.event(API_GROUP, API_VERSION, "scenarios", registry=registry)
    async def on_scenario(event: Any, **_: Any) -> None:
        scenarios.on_event(event)
