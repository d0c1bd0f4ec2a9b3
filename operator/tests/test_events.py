"""Events of a Region: posted once, counted from then on, and never in anybody's way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from holdfast.core.reasons import Notice, Reason
from holdfast.live import events as module
from holdfast.live.api import Answer
from holdfast.live.events import WAITING_MAX, Events
from holdfast.live.metrics import EVENTS

Json = dict[str, Any]


class Server:
    """Takes what is posted, as long as `status` is 0."""

    def __init__(self) -> None:
        self.status = 0
        self.calls = 0
        self.posted: list[Json] = []
        self.patched: list[tuple[str, Json]] = []

    async def create(self, path: str, body: Json) -> Answer:
        assert path == "/api/v1/namespaces/ns/events"
        return self._taken(self.posted, body, body)

    async def merge_patch(self, path: str, body: Json) -> Answer:
        name = path.removeprefix("/api/v1/namespaces/ns/events/")
        return self._taken(self.patched, (name, body), {"metadata": {"name": name}})

    def _taken(self, into: list[Any], what: Any, body: Json) -> Answer:
        self.calls += 1
        if self.status:
            return Answer(self.status, {})
        into.append(what)
        return Answer(201, body)


def on(story: Callable[[Server, Events], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"REPEAT": 0.05, "PACE": 0.0, "RETRY": 0.01}.items():
        monkeypatch.setattr(module, f"{name}_SECONDS", seconds)

    async def play() -> None:
        server = Server()
        said = Events(server, "ns", "us-east-1", "holdfast-enactor", "a/1")  # type: ignore[arg-type]
        said.about("uid-1")
        task = asyncio.create_task(said.run())
        try:
            async with asyncio.timeout(5):
                await story(server, said)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.001)


def refused(message: str = "plan 3", endpoint: str = "dynamodb") -> Notice:
    return Notice(Reason.STALE_WRITE_REFUSED, message, endpoint)


def dropped() -> float:
    return float(EVENTS.labels("ns", "dropped")._value.get())


def test_an_event_names_the_region_the_reason_and_who_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, events: Events) -> None:
        events.say(refused())
        await until(lambda: bool(server.posted))
        event = server.posted[0]
        assert event["involvedObject"] == {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Region",
            "namespace": "ns",
            "name": "us-east-1",
            "uid": "uid-1",
        }
        assert event["metadata"]["namespace"] == "ns"
        assert (event["reason"], event["type"]) == ("StaleWriteRefused", "Warning")
        assert (event["message"], event["count"]) == ("plan 3", 1)
        assert (event["reportingComponent"], event["reportingInstance"]) == (
            "holdfast-enactor",
            "a/1",
        )
        assert event["firstTimestamp"] == event["lastTimestamp"]

    on(story, monkeypatch)


def test_what_repeats_is_counted_into_one_event_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, events: Events) -> None:
        for n in range(1, 301):
            events.say(refused(f"plan {n}"))
            if n % 30 == 0:
                await asyncio.sleep(0.02)
        await until(lambda: bool(server.patched) and server.patched[-1][1]["count"] == 300)
        assert len(server.posted) == 1
        assert len(server.patched) <= 6, "every 0.05 s at most"
        assert {name for name, _ in server.patched} == {server.posted[0]["metadata"]["name"]}
        assert server.patched[-1][1]["message"] == "plan 300"
        assert "lastTimestamp" in server.patched[-1][1]

    on(story, monkeypatch)


def test_reasons_and_endpoints_have_events_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: Server, events: Events) -> None:
        events.say(refused(endpoint="dynamodb"))
        events.say(refused(endpoint="s3"))
        events.say(Notice(Reason.LOCK_LOST, "lost", "s3"))
        await until(lambda: len(server.posted) == 3)
        assert len({e["metadata"]["name"] for e in server.posted}) == 3

    on(story, monkeypatch)


def test_an_event_that_the_server_has_forgotten_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, events: Events) -> None:
        events.say(refused())
        await until(lambda: len(server.posted) == 1)
        server.status = 404
        events.say(refused("again"))
        await until(lambda: server.calls > 1)
        server.status = 0
        await until(lambda: len(server.posted) == 2)
        assert server.posted[1]["message"] == "again"
        assert server.posted[1]["count"] == 1
        names = {e["metadata"]["name"] for e in server.posted}
        assert len(names) == 2

    on(story, monkeypatch)


def test_what_cannot_be_posted_is_posted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: Server, events: Events) -> None:
        server.status = 503
        events.say(refused("first"))
        events.say(refused("second"))
        await until(lambda: server.calls > 3)
        server.status = 0
        await until(lambda: bool(server.posted))
        assert (server.posted[0]["message"], server.posted[0]["count"]) == ("second", 2)

    on(story, monkeypatch)


def test_what_can_never_be_posted_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIES", 3)
    before = dropped()

    async def story(server: Server, events: Events) -> None:
        server.status = 403
        events.say(refused())
        await until(lambda: dropped() == before + 1)
        await asyncio.sleep(0.05)
        assert server.calls == 3

    on(story, monkeypatch)


def test_too_much_is_dropped_and_counted_and_saying_it_never_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, events: Events) -> None:
        before = dropped()
        for n in range(WAITING_MAX + 10):
            events.say(refused(endpoint=f"e{n}"))
        assert dropped() == before + 10
        await until(lambda: len(server.posted) == WAITING_MAX)

    on(story, monkeypatch)


def test_nothing_is_posted_before_the_region_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: Server, events: Events) -> None:
        events.about("")
        events.say(refused())
        await asyncio.sleep(0.05)
        assert server.calls == 0
        events.about("uid-2")
        await until(lambda: bool(server.posted))
        assert server.posted[0]["involvedObject"]["uid"] == "uid-2"

    on(story, monkeypatch)
