"""A lease manager that a hold stops before a write: who is caught, what stands, what is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from holdfast.core.holds import ActorView, Hold, actor_of, catcher, hold_of, is_met, reporter
from holdfast.core.leases.attempt import Answered, Outcome, attempt
from holdfast.core.leases.lease import DropletLease
from holdfast.core.leases.report import names_of
from holdfast.core.leases.stand import Stand
from holdfast.core.region import Region, region_of
from holdfast.core.scenario import holds_of
from holdfast.core.timeline import HoldWatch
from holdfast.live.api import Answer
from holdfast.live.lease_calls import LeaseCalls
from holdfast.live.lease_role import LeaseManager
from holdfast.live.lease_wire import parse_lease, render_lease

A, B = "us-east-1a", "us-east-1b"
ENTRY = {"hold": {"role": "leases", "zone": A, "at": "write"}, "until": {"afterSeconds": 20}}
RAW = dict(holds_of([ENTRY])[0])
HOLD = hold_of(RAW)
WHOLE = names_of({A: {"held": 4}, B: {"held": 4}}, 8)
LEASE = DropletLease("us-east-1a-r1-d1", A, 1, 9.0, uid="u-1", resource_version="7")


def arrives(stand: Stand, *holds: Hold, actors: dict[str, ActorView] | None = None) -> bool:
    return stand.arrive(LEASE.name, holds, actors or {}, WHOLE) is not None


def test_a_managers_hold_is_no_enactors_and_the_other_way_round() -> None:
    assert (HOLD.role, HOLD.actor) == ("leases", "leases/us-east-1a")
    enactor = ActorView(A, "turn", generation=1)
    assert catcher((HOLD,), enactor, {}, 1) is None
    assert catcher((HOLD,), replace(enactor, step="write"), {}, 1) is None
    at_turn = replace(HOLD, role="enactor", at="turn")
    assert catcher((at_turn,), enactor, {}, 1) == at_turn
    assert not arrives(Stand(A), at_turn)
    assert hold_of({k: v for k, v in RAW.items() if k != "role"}).role == "enactor"


def test_it_catches_once_in_its_zone_and_at_its_lease() -> None:
    stand = Stand(A)
    assert not arrives(Stand(B), HOLD)
    assert not arrives(stand, replace(HOLD, released=True))
    assert not arrives(stand, replace(HOLD, droplet="us-east-1a-r1-d2"))
    assert not stand.is_held
    assert arrives(stand, replace(HOLD, droplet=LEASE.name))
    assert stand.is_held
    assert (stand.view.zone, stand.view.endpoint) == (reporter("leases", A), LEASE.name)
    stand.let_go()
    assert not stand.is_held
    assert not arrives(stand, HOLD)


def test_whom_a_hold_has_caught_its_successor_is_not_caught_by_it() -> None:
    caught = ActorView(reporter("leases", A), "write", hold="hold-1", caught=("hold-1",))
    successor = Stand(A)
    assert not arrives(successor, HOLD, actors={caught.zone: caught})
    assert arrives(successor, replace(HOLD, name="hold-2"), actors={caught.zone: caught})
    assert successor.view.caught == ("hold-1", "hold-2"), "its report takes the place of the other"


def test_it_catches_once_all_managers_hold_what_it_asks_for() -> None:
    when = hold_of({**RAW, "when": {"leasesHeld": 100}})
    for told in ({}, {A: {"held": 4}}, {A: {"held": 4}, B: {"held": 3}}):
        assert Stand(A).arrive(LEASE.name, (when,), {}, names_of(told, 8)) is None
    assert Stand(A).arrive(LEASE.name, (when,), {}, WHOLE) == when


def test_a_timeline_sees_that_a_manager_stands_and_lets_it_go() -> None:
    stand, watch = Stand(A), HoldWatch()
    held = hold_of({**RAW, "until": {"held": A}}).until
    assert not is_met(held, ActorView(""), {}, 0, 0.0)
    assert arrives(stand, HOLD)
    actors = {stand.view.zone: stand.view}
    assert is_met(held, ActorView(""), actors, 0, 0.0)
    assert not is_met(replace(held, held=B), ActorView(""), actors, 0, 0.0)
    assert watch.see(1.0, actors) == ("hold-1",)
    assert watch.due(20.9, (HOLD,), actors, 0) == ()
    assert watch.due(21.0, (HOLD,), actors, 0) == (HOLD,)


# --- live


class Stub:
    """An API server for one lease and a Region's status."""

    def __init__(self) -> None:
        self.lease = render_lease(LEASE, "us-east-1", "r-1")
        self.puts: list[int] = []
        self.told: list[dict[str, Any]] = []
        self.failures = 0

    async def replace(self, path: str, body: dict[str, Any]) -> Answer:
        assert path.endswith(f"/namespaces/ns/dropletleases/{LEASE.name}")
        meta, stored = body["metadata"], self.lease["metadata"]
        if (meta["uid"], meta["resourceVersion"]) != (stored["uid"], stored["resourceVersion"]):
            self.puts.append(409)
            return Answer(409, {"reason": "Conflict"})
        version = str(int(stored["resourceVersion"]) + 1)
        self.lease = {**body, "metadata": {**meta, "resourceVersion": version}}
        self.puts.append(200)
        return Answer(200, self.lease)

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        assert path.endswith("/namespaces/ns/regions/us-east-1/status")
        if self.failures:
            self.failures -= 1
            return Answer(500, {})
        self.told.append(body["status"]["actors"])
        return Answer(200, {})


class Stage:
    """A manager whose agents and store are well, and whose Region the test changes."""

    def __init__(self, stub: Stub, status: dict[str, Any] | None = None) -> None:
        self.raw = {"metadata": {"uid": "r-1"}, "status": status or {}}
        self.role = LeaseManager(stub, A, f"{A}/one", self.region(), self.raw)  # type: ignore[arg-type]
        self.calls = LeaseCalls(
            stub,  # type: ignore[arg-type]
            self.role.region,
            "r-1",
            tuple,
            dict,
            self.role.clock,
            self.role._standing.reach,
        )
        for name in ("_resolve", "_check", "_ask"):
            setattr(self.calls, name, self._well)

    async def _well(self, *_: Any) -> Answered:
        return Answered(self.role.clock(), (LEASE.name, "agent-1"), frozenset({0}))

    @staticmethod
    def region(**hold: Any) -> Region:
        spec = {"fleet": {"droplets": 1}, "holds": [{**RAW, **hold}]}
        return region_of("ns", "us-east-1", spec)

    async def attempt(self) -> Outcome:
        now = self.role.clock()
        return await self.calls.drive(attempt(f"{A}/one", LEASE, 0.0, now, now + 60))

    def release(self) -> None:
        self.role.update(self.region(released=True), self.raw)


def on(story: Callable[[Stub, Stage], Awaitable[None]], status: Any = None) -> None:
    async def play() -> None:
        stub = Stub()
        stage = Stage(stub, status)
        telling = asyncio.create_task(stage.role._standing.run())
        try:
            async with asyncio.timeout(5):
                await story(stub, stage)
        finally:
            telling.cancel()
            await stage.calls.close()

    asyncio.run(play())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


def test_a_manager_stands_before_its_write_and_so_does_all_of_it() -> None:
    async def story(stub: Stub, stage: Stage) -> None:
        stub.failures = 1
        caught = asyncio.create_task(stage.attempt())
        await until(lambda: bool(stub.told))
        assert actor_of("", stub.told[0]["leases/us-east-1a"]).hold == "hold-1"
        other = asyncio.create_task(stage.attempt())
        beside = asyncio.create_task(stage.role._book.write(LEASE))
        pump = asyncio.create_task(stage.role._standing.until_free())
        done, _ = await asyncio.wait({caught, other, beside, pump}, timeout=0.05)
        assert not done
        assert stub.puts == []
        theirs = replace(parse_lease(stub.lease), holder=f"{A}/two", renewed=stage.role.clock())
        await stub.replace(
            f"/namespaces/ns/dropletleases/{LEASE.name}", render_lease(theirs, "us-east-1", "r-1")
        )
        stage.release()
        assert (await caught).why == "WriteConflict"
        assert (await other).why == "WriteConflict"
        await asyncio.gather(beside, pump)
        assert stub.puts == [200, 409, 409, 409], "nothing of what it had decided was written"
        assert stub.lease["spec"]["holder"] == f"{A}/two"
        await until(lambda: len(stub.told) > 1)
        told = actor_of("", stub.told[-1]["leases/us-east-1a"])
        assert (told.hold, told.caught, told.let_go) == ("", ("hold-1",), True)

    on(story)


def test_a_manager_that_comes_after_the_one_that_stands_works() -> None:
    status = {"actors": {"leases/us-east-1a": {"hold": "hold-1", "caught": ["hold-1"]}}}

    async def story(stub: Stub, stage: Stage) -> None:
        assert (await stage.attempt()).why == ""
        assert stub.puts == [200]
        assert stub.told == [], "the report is the other's"

    on(story, status)


def test_nobody_lets_it_go_and_it_goes_on_by_itself(monkeypatch: Any) -> None:
    monkeypatch.setattr("holdfast.live.standing.HOLD_GRACE_SECONDS", -59.9)

    async def story(stub: Stub, stage: Stage) -> None:
        assert (await stage.attempt()).why == ""
        assert stub.puts == [200]

    on(story)
