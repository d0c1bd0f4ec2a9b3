"""What each role of the operator runs."""

import os
from functools import partial
from typing import Any

import kopf

from holdfast.core.actor import Actor
from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.live.api import Api, connect
from holdfast.live.enactor_role import Enactor
from holdfast.live.lease_role import LeaseManager
from holdfast.live.lease_wire import MANAGER
from holdfast.live.operator import Regions, operate, watch_regions
from holdfast.live.planner_role import Beside, Planner
from holdfast.live.plans import plans_of, watch_plans
from holdfast.live.scenario_role import Scenarios, installation


async def run_role(role: str) -> None:
    """Run one role until it is told to stop. ValueError for one that does not exist."""
    match role:
        case "planner":
            async with connect("holdfast-planner") as api:
                await operate(lambda registry: watch_regions(registry, planners(api)))
        case "enactor":
            zone, pod = os.environ["HOLDFAST_ZONE"], os.environ["HOLDFAST_POD_UID"]
            me = Actor(zone, f"{zone}/{pod}")
            async with connect(f"holdfast-enactor-{zone}") as api:
                regions = enactors(api, me)
                await operate(
                    lambda registry: watch_regions(registry, regions), watch_plans(api, regions)
                )
        case "leases":
            zone, pod = os.environ["HOLDFAST_ZONE"], os.environ["HOLDFAST_POD_UID"]
            async with connect(f"{MANAGER}{zone}") as api:
                managers = lease_managers(api, zone, f"{zone}/{pod}")
                await operate(lambda registry: watch_regions(registry, managers))
        case "scenario":
            async with connect("holdfast-scenario") as api:
                scenarios = Scenarios(api, installation())
                await scenarios.start()
                await operate(lambda registry: watch_scenarios(registry, scenarios))
        case _:
            raise ValueError(f"no such role: {role}")


def planners(api: Api) -> Regions:
    return Regions(
        lambda region, _raw, _plans: Planner(api, region),
        lambda region, first: Beside(api, region, first),
    )


def enactors(api: Api, me: Actor) -> Regions:
    return Regions(
        lambda region, raw, plans: Enactor(api, me, region, raw.get("status") or {}, plans),
        plans_of=partial(plans_of, api),
    )


def lease_managers(api: Api, zone: str, me: str) -> Regions:
    return Regions(lambda region, raw, _plans: LeaseManager(api, zone, me, region, raw))


def watch_scenarios(registry: kopf.OperatorRegistry, scenarios: Scenarios) -> None:
    @kopf.on.event(API_GROUP, API_VERSION, "scenarios", registry=registry)
    async def on_scenario(event: Any, **_: Any) -> None:
        scenarios.on_event(event)

    @kopf.on.cleanup(registry=registry)
    async def on_cleanup(**_: Any) -> None:
        scenarios.stop()
