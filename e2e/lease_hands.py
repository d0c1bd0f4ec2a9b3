"""What is done to leases by hand, and what must come of it."""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

from e2e.cluster_tools import kubectl
from e2e.lease_ground import Ground, Running, Site
from e2e.lease_history import DURATION, PERIOD, until
from e2e.lease_looks import delete, keeps, lease, renewals
from holdfast.core.leases.fleet import Mode
from holdfast.core.names import ZONE_LABEL
from holdfast.live.lease_wire import path_of_leases

FAR = "9999-12-31T23:59:59.000000Z"
EDITS: Mapping[str, Any] = {
    "holder": {"spec": {"holder": "elsewhere/another"}},
    "no holder": {"spec": {"holder": None}},
    "9999": {"spec": {"renewed": FAR}},
    "9999, another's": {"spec": {"holder": "elsewhere/another", "renewed": FAR}},
    "labels off": {"metadata": {"labels": None}},
    "another zone's label": {"metadata": {"labels": {ZONE_LABEL: "elsewhere"}}},
    "phase": {"status": {"phase": "Expired"}},
    "a day long": {"spec": {"durationSeconds": 86400}},
    "transitions raised": {"spec": {"transitions": 1000}},
}
REFUSED: Mapping[str, Any] = {
    "transitions lowered": {"spec": {"transitions": 0}},
    "another droplet": {"spec": {"droplet": "another"}},
    "another zone": {"spec": {"zone": "another"}},
    "renewed: tomorrow": {"spec": {"renewed": "tomorrow"}},
}
IN_ITS_SECOND = "holder, in the second of a renewal"
MENDED_WITHIN_SECONDS = 8.0


async def hands(ground: Ground, shared: Site, zone: str) -> None:
    one = ground.start(zone, shared.server)
    names = ground.names(zone)
    await ground.until_all_held(one, zone)
    for number, (key, body) in enumerate(EDITS.items()):
        with ground.book.row(f"hand: {key}"):
            await _mended(ground, one, names[number % len(names)], body)
    with ground.book.row(f"hand: {IN_ITS_SECOND}"):
        await _in_its_second(ground, one, names[0])
    with ground.book.row("hand: deleted"):
        name = names[1]
        words = ("delete", "dropletlease", name, "-n", ground.space)
        uid = lease(ground, name).uid
        await asyncio.to_thread(kubectl, *words)

        def is_anew() -> bool:
            return ground.is_held(name, one) and lease(ground, name).uid != uid

        await until(is_anew, "it is made anew", MENDED_WITHIN_SECONDS)
        await _said(ground, "LeaseDeleted", name)
        deleted = [m for m, _ in await ground.events("LeaseDeleted") if f"{zone}-" in m]
        assert all(name in m for m in deleted), deleted
    for key, body in REFUSED.items():
        with ground.book.row(f"hand: {key}"):
            path = f"{path_of_leases(Mode.DROPLET, ground.space)}/{names[2]}"
            answer = await ground.hand.merge_patch(path, body)
            assert answer.status == 422, answer
    with ground.book.row("hand: all is as it was"):
        await keeps(ground, one, zone, PERIOD)


async def _edit(ground: Ground, name: str, body: Any) -> dict[str, Any]:
    """A hand's, and what the lease is after it."""
    path = f"{path_of_leases(Mode.DROPLET, ground.space)}/{name}"
    answer = await ground.hand.merge_patch(path, body)
    assert answer.ok, answer
    return answer.body


async def _until_mended(ground: Ground, one: Running, name: str, after: dict[str, Any]) -> None:
    version = int(after["metadata"]["resourceVersion"])

    def is_mended() -> bool:
        now = ground.history.now(name)
        newer = now is not None and int(now.lease.resource_version) > version
        return newer and ground.is_held(name, one)

    try:
        await until(is_mended, name, MENDED_WITHIN_SECONDS)
    except AssertionError:
        raise AssertionError(f"not mended: {ground.history.now(name)}") from None


async def _mended(ground: Ground, one: Running, name: str, body: Any) -> None:
    """An edit is undone at once, and told."""
    told = await ground.events("LeaseEdited")
    after = await _edit(ground, name, body)
    await _until_mended(ground, one, name, after)
    raised = body.get("spec", {}).get("transitions", 0)
    assert lease(ground, name).transitions >= raised, "that counts, and never goes down"
    await _said(ground, "LeaseEdited", name, told)


async def _in_its_second(ground: Ground, one: Running, name: str) -> None:
    """The API server keeps whole seconds of who wrote when. All renewals of a zone fall on the same
    part of a second, three of them apart: one is kept back until a second begins."""
    line = one.line

    def is_kept_back(since: int) -> bool:
        return any(c.name == name for c in renewals(line.kept_back[since:]))

    for _ in range(8):
        since = len(line.kept_back)
        line.may_pass.clear()
        await until(lambda: is_kept_back(since), "a renewal")  # noqa: B023
        told, before = await ground.events("LeaseEdited"), ground.history.now(name)
        await asyncio.sleep(1.02 - time.time() % 1)
        line.may_pass.set()
        await until(lambda: ground.history.now(name) is not before, "it is written")  # noqa: B023
        after = await _edit(ground, name, EDITS["holder"])
        await _until_mended(ground, one, name, after)
        if len({entry["time"] for entry in after["metadata"]["managedFields"]}) == 1:
            await _said(ground, "LeaseEdited", name, told)
            number = int(after["spec"]["transitions"])
            assert lease(ground, name).transitions == number, "taken anew, not mended"
            return
    raise AssertionError("no edit fell into the second of a renewal")


async def _said(
    ground: Ground, reason: str, name: str, but: Collection[tuple[str, int]] = ()
) -> None:
    """An Event on the Region tells of this lease, and is none of those that there were."""
    end = time.monotonic() + 15
    while not [m for m in await ground.events(reason) if name in m[0] and m not in but]:
        assert time.monotonic() < end, f"no {reason} of {name}: {await ground.events(reason)}"
        await asyncio.sleep(0.3)


async def unattended(ground: Ground, shared: Site, zone: str) -> None:
    """Edits while no manager runs: the next one finds them."""
    one, names = ground.start(zone, shared.server), ground.names(zone)
    with ground.book.row("hand: while no manager runs"):
        await ground.until_all_held(one, zone)
        await one.kill()
        path = path_of_leases(Mode.DROPLET, ground.space)
        for name, key in zip(
            names, ("9999, another's", "9999", "labels off", "phase", "no holder"), strict=False
        ):
            answer = await ground.hand.merge_patch(f"{path}/{name}", EDITS[key])
            assert answer.ok, answer
        await delete(ground, zone, 5)
        next_one = ground.start(zone, shared.server)
        await ground.until_all_held(next_one, zone, 2 * DURATION + 5)
