"""Instances on a real API server: launched, refused, left alone, and mended after a hand.

Three acts, told with kubectl alone: while leases are held, while they are lost, and once they are
held again. `test_...` plays them with the role of this checkout and leases that it is told of. A
test that has an arm with a fleet standing may play them there, at its own moments:

    told = while_held(space, zone)      # all leases held
    while_lost(space, zone, told)       # every lease of the zone has run out
    once_held_again(space, zone, told)  # all are back, before the arm ends and pauses its Region
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from e2e.cluster_tools import get, items, kubectl, run, until
from holdfast.core.region import region_of
from holdfast.live.api import connect
from holdfast.live.instance_role import Instances
from holdfast.live.lease_wire import MANAGER

pytestmark = pytest.mark.cluster

SPACE, ZONE = "instances-test", "us-east-1a"
DROPLETS = frozenset(f"{ZONE}-r1-d{n}" for n in range(1, 6))
FLEET = {"racks": 1, "droplets": len(DROPLETS)}
QUIET_SECONDS = 4.0
"""Some passes of the role: what it leaves alone, it leaves alone in all of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """Of the instance that runs through all acts and is asked for nothing."""

    uid: str
    version: str


def launch(space: str, zone: str, name: str) -> None:
    body = {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Instance",
        "metadata": {"name": name, "namespace": space},
        "spec": {"zone": zone},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(body))


def ask(space: str, name: str, action: str) -> None:
    patch = json.dumps({"spec": {"action": action}})
    kubectl("patch", "instance", name, "-n", space, "--type=merge", "-p", patch)


def found(space: str, name: str) -> Any:
    return get("instance", name, "-n", space)


def stands(space: str, name: str) -> tuple[str, str]:
    status = found(space, name).get("status") or {}
    return status.get("phase", ""), status.get("droplet", "")


def condition(space: str, name: str, kind: str) -> dict[str, Any]:
    conditions = (found(space, name).get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def until_phase(space: str, name: str, phase: str) -> str:
    """Its droplet, once it is in that phase."""
    until(lambda: stands(space, name)[0] == phase, f"{name} is {phase}", 30)
    return stands(space, name)[1]


def no_droplet_is_twos(space: str) -> bool:
    statuses = [i.get("status") or {} for i in items("instances", "-n", space)]
    named = [s["droplet"] for s in statuses if s.get("droplet")]
    return len(named) == len(set(named))


def while_held(space: str, zone: str) -> Told:
    """Launched, rebooted, stopped, mended, made anew."""
    for name in ("story-a", "story-b", "story-c"):
        launch(space, zone, name)
    on = {name: until_phase(space, name, "Running") for name in ("story-a", "story-b", "story-c")}
    assert no_droplet_is_twos(space)
    assert all(droplet.startswith(f"{zone}-r") for droplet in on.values())

    ask(space, "story-a", "Reboot")
    until(lambda: bool(condition(space, "story-a", "Rebooted")), "story-a is rebooted", 20)
    done, spec = condition(space, "story-a", "Rebooted"), found(space, "story-a")["metadata"]
    assert done["observedGeneration"] == spec["generation"]
    assert stands(space, "story-a") == ("Running", on["story-a"])
    ask(space, "story-a", "Run")

    for status in (
        {"droplet": on["story-b"]},
        {"phase": "Stopped", "droplet": None},
        {"phase": "Pending", "conditions": None},
    ):
        edit = json.dumps({"status": status})
        words = ["patch", "instance", "story-a", "-n", space, "--subresource=status"]
        kubectl(*words, "--type=merge", "-p", edit)
        until(
            lambda: stands(space, "story-a") == ("Running", on["story-a"]),
            f"the edit {edit} is mended",
            20,
        )
    assert condition(space, "story-a", "Rebooted") == done

    ask(space, "story-c", "Stop")
    assert until_phase(space, "story-c", "Stopped") == ""
    before = found(space, "story-b")["metadata"]["uid"]
    kubectl("delete", "instance", "story-b", "-n", space)
    launch(space, zone, "story-b")
    until_phase(space, "story-b", "Running")
    assert found(space, "story-b")["metadata"]["uid"] != before
    assert no_droplet_is_twos(space)
    meta = found(space, "story-a")["metadata"]
    return Told(meta["uid"], meta["resourceVersion"])


def while_lost(space: str, zone: str, told: Told) -> None:
    """Nothing is launched, stopped or rebooted; what runs is not touched."""
    launch(space, zone, "story-late")
    ask(space, "story-b", "Stop")
    ask(space, "story-c", "Run")
    for name in ("story-late", "story-c"):
        until(
            lambda name=name: (
                condition(space, name, "InsufficientCapacity").get("status")  # type: ignore[misc]
                == "True"
            ),
            f"{name} is told that there is no capacity",
            20,
        )
        assert stands(space, name) == ("Pending", "")
        why = condition(space, name, "InsufficientCapacity")["message"]
        assert why.startswith("0 of ")
        assert why.endswith(f" droplets of {zone} have a held lease and are free")
    until(
        lambda: condition(space, "story-b", "ActionRefused").get("reason") == "LeaseNotHeld",
        "the stop is refused",
        20,
    )
    there = {n: found(space, n)["metadata"]["resourceVersion"] for n in ("story-late", "story-b")}
    time.sleep(QUIET_SECONDS)
    assert stands(space, "story-b")[0] == "Running"
    untouched(space, told)
    for name, version in there.items():
        assert found(space, name)["metadata"]["resourceVersion"] == version, "said once"


def once_held_again(space: str, zone: str, told: Told) -> None:
    """What was wanted is done, and what was not asked for anything never was."""
    for name in ("story-late", "story-c"):
        assert until_phase(space, name, "Running").startswith(f"{zone}-r")
        assert condition(space, name, "InsufficientCapacity")["status"] == "False"
    until_phase(space, "story-b", "Stopped")
    assert condition(space, "story-b", "ActionRefused")["status"] == "False"
    assert no_droplet_is_twos(space)
    untouched(space, told)
    names = [f"story-{which}" for which in ("a", "b", "c", "late")]
    kubectl("delete", "instances", *names, "-n", space)


def untouched(space: str, told: Told) -> None:
    meta = found(space, "story-a")["metadata"]
    assert Told(meta["uid"], meta["resourceVersion"]) == told


def while_paused(space: str) -> None:
    """A Region that is paused is left alone, whatever is asked."""
    launch(space, ZONE, "story-paused")
    time.sleep(QUIET_SECONDS)
    assert "status" not in found(space, "story-paused")


@pytest.fixture
def space() -> Iterator[str]:
    run("kubectl", "delete", "namespace", SPACE, "--ignore-not-found", "--wait")
    kubectl("create", "namespace", SPACE)
    yield SPACE
    kubectl("delete", "namespace", SPACE, "--wait=false")


def test_launches_need_held_leases_and_what_runs_needs_nobody(space: str) -> None:
    asyncio.run(play(space))


async def play(space: str) -> None:
    region = region_of(space, "us-east-1", {"zones": [ZONE, "us-east-1b"], "fleet": FLEET})
    held = DROPLETS
    async with connect(f"{MANAGER}{ZONE}") as api:
        role = Instances(api, lambda: region, ZONE, lambda: held, time.time)
        running = asyncio.create_task(role.run())
        try:
            told = await asyncio.to_thread(while_held, space, ZONE)
            held = frozenset()
            await asyncio.to_thread(while_lost, space, ZONE, told)
            held = DROPLETS
            await asyncio.to_thread(once_held_again, space, ZONE, told)
            region = replace(region, paused=True)
            await asyncio.to_thread(while_paused, space)
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
