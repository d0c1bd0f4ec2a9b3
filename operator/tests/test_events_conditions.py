"""Conditions of a Region: written when a state has changed, and not because work goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from holdfast.core.reasons import Reason
from holdfast.live import conditions as module
from holdfast.live.api import Answer
from holdfast.live.conditions import Condition, Conditions, applied_type

Json = dict[str, Any]
APPLIED = applied_type("us-east-1a")
GOOD = Condition(APPLIED, True, Reason.APPLIED, "since plan 1")
BAD = Condition(APPLIED, False, Reason.LOCK_LOST, "plan 2 waits")


class Server:
    def __init__(self) -> None:
        self.status = 200
        self.applied: list[Json] = []

    async def apply(self, path: str, body: Json) -> Answer:
        assert path == "/apis/holdfast.dev/v1alpha1/namespaces/ns/regions/us-east-1/status"
        if self.status == 200:
            self.applied.append(body)
        return Answer(self.status, {"metadata": {"resourceVersion": str(10 * len(self.applied))}})

    def told(self) -> list[tuple[str, str]]:
        return [(c["status"], c["reason"]) for b in self.applied for c in b["status"]["conditions"]]


def on(
    story: Callable[[Server, Conditions], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    status: Json | None = None,
    **paces: float,
) -> None:
    for name, seconds in ({"CHANGE": 0.0, "COUNT": 0.05, "RETRY": 0.01} | paces).items():
        monkeypatch.setattr(module, f"{name}_SECONDS", seconds)

    async def play() -> None:
        server = Server()
        conditions = Conditions(server, "ns", "us-east-1")  # type: ignore[arg-type]
        conditions.about("uid-1", status or {}, APPLIED)
        task = asyncio.create_task(conditions.run())
        try:
            async with asyncio.timeout(5):
                await story(server, conditions)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.001)


def raw(condition: Condition, since: str = "2025-10-20T06:48:00Z") -> Json:
    return {
        "type": condition.type,
        "status": str(condition.is_true),
        "reason": str(condition.reason),
        "message": condition.message,
        "lastTransitionTime": since,
    }


def test_the_type_is_one_that_kubernetes_takes() -> None:
    assert APPLIED == "us-east-1a.holdfast.dev/Applied"


def test_a_change_is_applied_to_the_region_of_this_uid_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        conditions.set(GOOD)
        await until(lambda: bool(server.applied))
        body = server.applied[0]
        assert (body["apiVersion"], body["kind"]) == ("holdfast.dev/v1alpha1", "Region")
        assert body["metadata"] == {"name": "us-east-1", "uid": "uid-1"}
        (told,) = body["status"]["conditions"]
        assert {k: v for k, v in told.items() if k != "lastTransitionTime"} == {
            "type": APPLIED,
            "status": "True",
            "reason": "Applied",
            "message": "since plan 1",
        }

    on(story, monkeypatch)


def test_the_same_said_again_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        for _ in range(100):
            conditions.set(GOOD)
            await asyncio.sleep(0.001)
        assert server.told() == [("True", "Applied")]

    on(story, monkeypatch)


def test_numbers_in_a_message_follow_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        for n in range(100):
            conditions.set(Condition(APPLIED, False, Reason.ROLLBACK_MISSING, f"{n} times"))
            await asyncio.sleep(0.002)
        await until(lambda: "99 times" in str(server.applied[-1]))
        assert 2 <= len(server.applied) <= 8

    on(story, monkeypatch)


def test_what_changes_back_and_forth_is_written_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        for n in range(100):
            conditions.set(GOOD if n % 2 else BAD)
            await asyncio.sleep(0.002)
        await until(lambda: server.told()[-1] == ("True", "Applied"))
        assert len(server.applied) <= 8

    on(story, monkeypatch, CHANGE=0.05)


def test_time_of_transition_moves_with_the_status_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = iter(f"2025-10-20T06:48:{n:02}Z" for n in range(60))
    monkeypatch.setattr(module, "rfc3339", lambda: next(stamps))

    async def story(server: Server, conditions: Conditions) -> None:
        for n, condition in enumerate(
            [BAD, Condition(APPLIED, False, Reason.FROZEN, "by alice"), GOOD], start=1
        ):
            conditions.set(condition)
            await until(lambda n=n: len(server.applied) == n)  # type: ignore[misc]
        since = [b["status"]["conditions"][0]["lastTransitionTime"][-3:] for b in server.applied]
        assert since == ["00Z", "00Z", "01Z"]

    on(story, monkeypatch)


def test_what_a_former_incarnation_has_written_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        assert conditions.of(APPLIED) == GOOD
        conditions.set(GOOD)
        await asyncio.sleep(0.1)
        assert server.applied == []
        conditions.set(Condition(APPLIED, True, Reason.APPLIED, "since plan 9"))
        await until(lambda: bool(server.applied))
        (told,) = server.applied[0]["status"]["conditions"]
        assert told["lastTransitionTime"] == "2025-10-20T06:48:00Z"

    on(story, monkeypatch, {"conditions": [raw(GOOD)]})


@pytest.mark.parametrize(
    "now", [{}, {"conditions": [raw(BAD)]}, {"conditions": [raw(GOOD) | {"reason": "Lunch"}]}]
)
def test_what_a_hand_has_changed_is_said_anew(monkeypatch: pytest.MonkeyPatch, now: Json) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        conditions.set(GOOD)
        await until(lambda: len(server.applied) == 1)
        conditions.about("uid-1", now, APPLIED)
        await until(lambda: len(server.applied) == 2)
        conditions.about("uid-1", {"conditions": [raw(GOOD)]}, APPLIED)
        await asyncio.sleep(0.1)
        assert len(server.applied) == 2

    on(story, monkeypatch)


def test_what_cannot_be_written_is_written_later_and_then_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(server: Server, conditions: Conditions) -> None:
        server.status = 503
        conditions.set(BAD)
        await asyncio.sleep(0.05)
        conditions.set(GOOD)
        server.status = 200
        await until(lambda: bool(server.applied))
        assert server.told() == [("True", "Applied")]

    on(story, monkeypatch)


def test_what_a_watch_brings_late_is_no_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another role has written the status just before us: its event comes after our reply."""

    async def story(server: Server, conditions: Conditions) -> None:
        conditions.set(GOOD)
        await until(lambda: len(server.applied) == 1)
        conditions.about("uid-1", {"newestPlan": 1}, APPLIED, version="9")
        await asyncio.sleep(0.1)
        assert len(server.applied) == 1
        conditions.about("uid-1", {"newestPlan": 1}, APPLIED, version="11")
        await until(lambda: len(server.applied) == 2)

    on(story, monkeypatch)
