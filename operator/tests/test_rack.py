"""The droplets' agent: what it hosts, what it answers, and how it fails when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from aiohttp.test_utils import TestServer

from holdfast.cli import main, parser
from holdfast.core.leases.fleet import Fleet
from holdfast.live import arm_manifests as manifests
from holdfast.live.rack import Agent, Fault, Racks, application, fault_of

ZONE = "us-east-1a"
ONE = Racks(ZONE, racks=2, droplets=4)
INSTALL = manifests.Installation("holdfast-system", "holdfast", "image", "c", "Never", ())


class Asked:
    """An agent, asked over loopback."""

    def __init__(self, base: str, session: ClientSession) -> None:
        self._base, self._session = base, session

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(f"{self._base}{path}") as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def break_it(self, fault: Any) -> tuple[int, str]:
        async with self._session.put(f"{self._base}/fault", json=fault) as answer:
            return answer.status, await answer.text()


def on(racks: Racks, story: Callable[[Asked], Awaitable[None]]) -> None:
    async def play() -> None:
        server = TestServer(application(racks, "first"), host="127.0.0.1")
        timeout = ClientTimeout(total=5)
        async with server, ClientSession(timeout=timeout, trust_env=False) as session:
            async with asyncio.timeout(20):
                await story(Asked(str(server.make_url("")).rstrip("/"), session))

    asyncio.run(play())


def said(unit: str, droplets: str = "1") -> tuple[int, dict[str, str]]:
    return 200, {"unit": unit, "agent": "first", "droplets": droplets}


# --- what it hosts --------------------------------------------------------------------------------


def test_every_rack_of_a_zone_is_hosted_by_one_agent() -> None:
    agents = [Racks(ZONE, racks=7, droplets=3, agents=3, agent=i) for i in (1, 2, 3)]
    assert [list(a.hosted) for a in agents] == [[1, 4, 7], [2, 5], [3, 6]]


def test_an_agent_beyond_the_racks_hosts_none() -> None:
    assert list(Racks(ZONE, racks=2, droplets=1, agents=5, agent=4).hosted) == []


def test_the_units_of_a_fleet_are_hosted_under_the_names_that_it_has() -> None:
    for fleet in (Fleet(3, 4), Fleet(3, 4, agents=2)):
        agents = [
            Racks(ZONE, fleet.racks, fleet.droplets, fleet.agents, i + 1)
            for i in range(fleet.agents)
        ]
        for name in fleet.names(ZONE):
            assert sum(a.places(name) is not None for a in agents) == 1


@pytest.mark.parametrize(
    "unit",
    [
        "us-east-1a",
        "us-east-1a-r0",
        "us-east-1a-r3",
        "us-east-1a-r01",
        "us-east-1a-r1-d0",
        "us-east-1a-r1-d5",
        "us-east-1a-r1-d01",
        "us-east-1a-r1-d",
        "us-east-1a-r1-d1-d1",
        "us-east-1b-r1",
        "us-east-1b-r1-d1",
        "r1",
        "us-east-1a-r" + "1" * 6000,
        "us-east-1a-r1-d" + "1" * 6000,
        "us-east-1a-r1-d\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_what_is_not_hosted_is_no_unit(unit: str) -> None:
    assert ONE.places(unit) is None


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((0, 4, 1, 1), "at least 1"),
        ((1, 0, 1, 1), "at least 1"),
        ((1, 1, 2, 0), "agent 0: from 1 to 2"),
        ((1, 1, 2, 3), "agent 3: from 1 to 2"),
    ],
)
def test_numbers_that_make_no_agent(numbers: tuple[int, int, int, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Racks(ZONE, *numbers)


def test_the_command_refuses_them_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rack", "--zone", ZONE, "--racks", "2", "--droplets", "4", "--agent", "2"]
    assert main(words) == 2
    assert "agent 2: from 1 to 1" in capsys.readouterr().err


# --- what it answers ------------------------------------------------------------------------------


def test_a_droplet_and_a_rack_are_answered_for_by_this_incarnation() -> None:
    async def story(asked: Asked) -> None:
        assert await asked.get("/healthz") == (200, "ok\n")
        assert await asked.get("/units/us-east-1a-r1-d3") == said("us-east-1a-r1-d3")
        assert await asked.get("/units/us-east-1a-r2") == said("us-east-1a-r2", "1111")
        assert (await asked.get("/units/us-east-1a-r3"))[0] == 404
        assert (await asked.get("/units/us-east-1a-r1-d5"))[0] == 404

    on(ONE, story)


def test_two_incarnations_have_names_of_their_own() -> None:
    assert Agent(ONE).incarnation != Agent(ONE).incarnation


# --- how it fails ---------------------------------------------------------------------------------


def test_a_silent_one_says_503_until_it_is_mended() -> None:
    async def story(asked: Asked) -> None:
        assert (await asked.break_it({"mode": "silent"}))[0] == 204
        assert (await asked.get("/units/us-east-1a-r1-d1"))[0] == 503
        assert (await asked.get("/healthz"))[0] == 200
        assert (await asked.break_it({"mode": "none"}))[0] == 204
        assert await asked.get("/units/us-east-1a-r1-d1") == said("us-east-1a-r1-d1")

    on(ONE, story)


def test_a_fault_of_some_units_is_theirs_alone_and_seen_in_their_racks_answer() -> None:
    ill = ["us-east-1a-r1-d2", "us-east-1a-r1-d4"]

    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "silent", "units": ill})
        assert (await asked.get("/units/us-east-1a-r1-d2"))[0] == 503
        assert await asked.get("/units/us-east-1a-r1-d1") == said("us-east-1a-r1-d1")
        assert await asked.get("/units/us-east-1a-r1") == said("us-east-1a-r1", "1010")
        assert await asked.get("/units/us-east-1a-r2") == said("us-east-1a-r2", "1111")

    on(ONE, story)


def test_one_that_speaks_for_another_names_one_of_its_kind() -> None:
    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "another"})
        assert (await asked.get("/units/us-east-1a-r1-d4"))[1]["unit"] == "us-east-1a-r1-d1"
        assert (await asked.get("/units/us-east-1a-r1"))[1]["unit"] == "us-east-1a-r2"

    on(ONE, story)


def test_a_lonely_one_speaks_for_another_all_the_same() -> None:
    lonely = Racks(ZONE, racks=1, droplets=1)
    for unit in ("us-east-1a-r1", "us-east-1a-r1-d1"):
        assert lonely.another(unit) == f"{unit}-another"


def test_a_late_one_answers_after_so_many_seconds() -> None:
    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "late", "seconds": 0.2})
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await asked.get("/units/us-east-1a-r1-d1") == said("us-east-1a-r1-d1")
        assert loop.time() - began >= 0.2

    on(ONE, story)


def test_one_that_hangs_answers_nobody_until_it_is_mended() -> None:
    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "hang"})
        waiting = asyncio.create_task(asked.get("/units/us-east-1a-r1-d1"))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        await asked.break_it({})
        assert (await waiting)[0] == 503
        assert (await asked.get("/units/us-east-1a-r1-d1"))[0] == 200

    on(ONE, story)


def test_one_that_hangs_can_be_stopped() -> None:
    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "hang"})
        waiting = asyncio.create_task(asked.get("/units/us-east-1a-r1"))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    on(ONE, story)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([], "an object with mode"),
        ({"mood": "bad"}, "an object with mode"),
        ({"mode": "sad"}, "'sad' is none of none, hang, late, another, silent"),
        ({"mode": ["hang"]}, "is none of"),
        ({"mode": "late", "seconds": -1}, "no number from 0"),
        ({"mode": "late", "seconds": True}, "no number from 0"),
        ({"mode": "late", "seconds": float("nan")}, "no number from 0"),
        ({"mode": "late", "seconds": "1"}, "no number from 0"),
        ({"mode": "hang", "units": "us-east-1a-r1"}, "a list of at most"),
        ({"mode": "hang", "units": ["us-east-1a-r9"]}, "'us-east-1a-r9' is not hosted here"),
        ({"mode": "hang", "units": [1]}, "1 is not hosted here"),
    ],
)
def test_a_fault_that_is_none_is_refused_by_field(raw: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fault_of(raw, ONE)


def test_a_fault_that_is_none_changes_nothing() -> None:
    async def story(asked: Asked) -> None:
        await asked.break_it({"mode": "silent"})
        status, why = await asked.break_it({"mode": "sad"})
        assert status == 400
        assert "'sad' is none of" in why
        assert (await asked.get("/units/us-east-1a-r1"))[0] == 503

    on(ONE, story)


def test_every_field_of_a_fault() -> None:
    raw = {"mode": "late", "seconds": 2, "units": ["us-east-1a-r1", "us-east-1a-r1-d2"]}
    units = frozenset({"us-east-1a-r1", "us-east-1a-r1-d2"})
    assert fault_of(raw, ONE) == Fault("late", 2.0, units)
    assert fault_of({}, ONE) == Fault()


# --- where it runs --------------------------------------------------------------------------------


def test_its_deployment_runs_what_the_command_understands_in_its_zone() -> None:
    raw = manifests.rack_deployment(ZONE, 2, Fleet(5, 6, agents=3), INSTALL)
    assert raw["metadata"]["name"] == "rack-us-east-1a-2"
    pod = raw["spec"]["template"]
    own = {
        "app.kubernetes.io/name": "rack",
        "holdfast.dev/zone": ZONE,
        "holdfast.dev/agent": "2",
    }
    assert own.items() <= pod["metadata"]["labels"].items()
    assert raw["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"topology.kubernetes.io/zone": ZONE}
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("rack", False)
    assert spec["securityContext"] == manifests.POD_SECURITY
    (container,) = spec["containers"]
    assert container["securityContext"] == manifests.SECURITY
    given = parser().parse_args(container["args"])
    numbers = (given.zone, given.racks, given.droplets, given.agents, given.agent)
    assert numbers == (ZONE, 5, 6, 3, 2)
    assert list(Racks(*numbers).hosted) == [2, 5]
