"""What must not outlive an arm's run is taken down, whatever the API server answers at first."""

import asyncio
from typing import Any

import pytest

from holdfast.cli.files import read_scenario
from holdfast.cli.strict import admit
from holdfast.core.scenario import scenario_of
from holdfast.live import arm_setup
from holdfast.live.api import Answer
from holdfast.live.arm_manifests import Installation
from holdfast.live.arm_setup import Stage

DONE = [
    ("PATCH", "regions/us-east-1"),
    ("PATCH", "deployments/probe"),
    ("DELETE", "services/authoritative-nodeport"),
    ("DELETE", "services/resolver-nodeport"),
]


class Server:
    """Of each call the first answers are `before`, and then it is taken."""

    def __init__(self, owner: str, *before: int) -> None:
        self._owner, self._before = owner, before
        self._asked: dict[str, int] = {}
        self.done: list[tuple[str, str]] = []

    def _answer(self, verb: str, path: str, body: dict[str, Any]) -> Answer:
        number = self._asked[path] = self._asked.get(path, 0) + 1
        if number <= len(self._before):
            return Answer(self._before[number - 1], {"message": "no"})
        if verb != "GET":
            self.done.append((verb, "/".join(path.split("/")[-2:])))
        return Answer(200, body)

    async def get(self, path: str) -> Answer:
        owners = [{"kind": "Scenario", "uid": self._owner}]
        return self._answer("GET", path, {"metadata": {"ownerReferences": owners}})

    async def json_patch(self, path: str, operations: list[dict[str, Any]]) -> Answer:
        assert operations[-1] == {"op": "add", "path": "/spec/paused", "value": True}
        return self._answer("PATCH", path, {})

    async def merge_patch(self, path: str, body: dict[str, Any]) -> Answer:
        assert body == {"spec": {"replicas": 0}}
        return self._answer("PATCH", path, {})

    async def delete(self, path: str) -> Answer:
        return self._answer("DELETE", path, {})


def close(server: Server) -> None:
    scenario = scenario_of("dns-race", "ours", admit(read_scenario("dns-race"), "dns-race")["spec"])
    install = Installation("holdfast-system", "holdfast", "", "", "", ())
    stage = Stage(server, scenario, scenario.arms[0], install)  # type: ignore[arg-type]
    asyncio.run(stage.close())


@pytest.mark.parametrize("before", [(), (0,), (500, 429), (503, 0, 504)])
def test_an_arm_is_closed_although_the_api_server_is_away_for_a_while(
    before: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm_setup, "RETRY_SECONDS", 0.001)
    server = Server("ours", *before)
    close(server)
    assert server.done == DONE


def test_it_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arm_setup, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(arm_setup, "CLOSE_DEADLINE_SECONDS", 0.01)
    close(Server("ours", *(500,) * 1000))
    assert "dns-race-aws-2025: the arm is not closed: no" in caplog.text


@pytest.mark.parametrize("refusal", [403, 404, 409, 422])
def test_what_is_refused_for_good_is_not_asked_again(refusal: int) -> None:
    """A namespace on its way out has lost its rights: the next Scenario does not wait for it."""
    server = Server("ours", refusal)
    close(server)
    assert server.done == []


def test_a_namespace_of_somebody_else_is_not_touched() -> None:
    server = Server("somebody")
    close(server)
    assert server.done == []
