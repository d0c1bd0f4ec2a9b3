"""Performs the intents of flows on a cluster: each one call, one proof or one wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar, assert_never

from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Reach,
    Replace,
    Unpin,
    call_name,
)
from holdfast.core.names import service_fqdn
from holdfast.core.objects import Alias, Object, Plan, Tree
from holdfast.core.replies import (
    ADMISSION_POLICY,
    Absent,
    Conflict,
    Deleted,
    Exists,
    Listed,
    Missed,
    Overloaded,
    Passed,
    Picked,
    Proven,
    Read,
    Rejected,
    Reply,
    TimedOut,
    Unproven,
    Written,
)
from holdfast.live import metrics
from holdfast.live.api import Answer, Api
from holdfast.live.resolver import Server, answers_exactly
from holdfast.live.wire import (
    page_of,
    parse,
    patch_operations,
    path_of,
    pin_operations,
    render,
    selector_of,
)

R = TypeVar("R")
_POLL_SECONDS = (0.001, 0.25)


async def drive(
    flow: Generator[Intent, Reply, R], perform: Callable[[Intent], Awaitable[Reply]]
) -> R:
    """Run a flow to its end."""
    try:
        intent = next(flow)
        while True:
            intent = flow.send(await perform(intent))
    except StopIteration as stop:
        outcome: R = stop.value
        return outcome


class Performer:
    """Performs intents in one Region's namespace. `pick`, `servers` and `reach` are answered by
    the role: from its own watches, and by its holds. `pick` waits for a plan newer than it is
    given; a role that picks nothing has none. `clock` is the wall clock that replies bear."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        region: str,
        pick: Callable[[Pick], Awaitable[Plan]] | None = None,
        servers: Callable[[], tuple[Server, ...]] = tuple,
        reach: Callable[[Reach], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api, self._namespace, self._region = api, namespace, region
        self._pick, self._servers, self._reach = pick, servers, reach
        self._clock = clock

    async def __call__(self, intent: Intent) -> Reply:
        began = time.monotonic()
        reply = await self._perform(intent)
        if not isinstance(intent, Pick | Reach):
            metrics.CALL.labels(call_name(intent)).observe(time.monotonic() - began)
        return reply

    async def _perform(self, intent: Intent) -> Reply:
        match intent:
            case Get(kind, name):
                answer = await self._api.get(f"{path_of(kind, self._namespace)}/{name}")
                return self._reply(answer, kind, Read)
            case List(kind):
                return await self._list(kind)
            case Create(obj):
                body = render(obj, self._namespace, self._region)
                answer = await self._api.create(path_of(type(obj), self._namespace), body)
                return self._reply(answer, type(obj), Written)
            case Replace() | Overwrite():
                return await self._put(intent)
            case PatchAlias():
                return await self._patch(intent)
            case Pin(tree) | Unpin(tree):
                path = f"{path_of(Tree, self._namespace)}/{tree}"
                answer = await self._api.json_patch(path, pin_operations(intent))
                return self._reply(answer, Tree, Written)
            case Delete(kind, name, uid, version):
                path = f"{path_of(kind, self._namespace)}/{name}"
                answer = await self._api.delete(path, uid, version)
                return Deleted(self._clock()) if answer.ok else self._refused(answer)
            case Pick():
                assert self._pick is not None, "this role picks no plans"
                return Picked(await self._pick(intent), self._clock())
            case Prove():
                return await self._prove(intent)
            case Reach():
                if self._reach is not None:
                    await self._reach(intent)
                return Passed(self._clock())
            case _:
                assert_never(intent)

    async def _put(self, intent: Replace | Overwrite) -> Reply:
        obj = intent.obj
        path = f"{path_of(type(obj), self._namespace)}/{obj.name}"
        body = render(obj, self._namespace, self._region)
        fenced = isinstance(intent, Replace)
        put = self._api.replace if fenced else self._api.overwrite_whatever_is_there
        return self._reply(await put(path, body), type(obj), Written)

    async def _list(self, kind: type[Any]) -> Reply:
        """All pages of a listing are of one version."""
        selector, page = selector_of(kind), page_of(kind)
        query = {"labelSelector": selector} if selector else {}
        query |= {"limit": str(page)} if page else {}
        items: list[Object] = []
        while True:
            answer = await self._api.get(path_of(kind, self._namespace), **query)
            if not answer.ok:
                return self._refused(answer)
            items += (parse(kind, raw) for raw in answer.body["items"])
            if not (more := (answer.body.get("metadata") or {}).get("continue")):
                return Listed(tuple(items), self._clock())
            query["continue"] = more
            del answer  # one page at a time

    async def _patch(self, intent: PatchAlias) -> Reply:
        path = f"{path_of(Alias, self._namespace)}/{intent.endpoint}"
        operations = patch_operations(intent, self._namespace, self._region)
        return self._reply(await self._api.json_patch(path, operations), Alias, Written)

    async def _prove(self, intent: Prove) -> Reply:
        name = service_fqdn(intent.tree, self._namespace, self._region)
        started = time.monotonic()
        pause = _POLL_SECONDS[0]
        while seen := await answers_exactly(self._servers(), name, intent.addresses):
            if time.monotonic() - started > intent.deadline_seconds:
                return Unproven(seen, self._clock())
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])
        return Proven(self._clock())

    def _reply(
        self, answer: Answer, kind: type[Any], wrap: Callable[[Object, float], Reply]
    ) -> Reply:
        if answer.ok:
            return wrap(parse(kind, answer.body), self._clock())
        return self._refused(answer)

    def _refused(self, answer: Answer) -> Reply:
        return refusal(answer, self._clock())


def refusal(answer: Answer, now: float) -> Reply:
    """The reply for an answer that is no success. By status, reason and details: 409 and 422 each
    mean more than one thing."""
    reason = str(answer.body.get("reason", ""))
    message = str(answer.body.get("message", ""))
    match answer.status:
        case 0 | 504:
            return TimedOut(now)
        case 404:
            return Absent(now)
        case 409:
            return Exists(now) if reason == "AlreadyExists" else Conflict(now)
        case 422 if not (answer.body.get("details") or {}).get("causes"):
            return Missed(now)
        case status if status == 429 or status >= 500:
            return Overloaded(now)
        case 403 if "ValidatingAdmissionPolicy" in message:
            return Rejected(ADMISSION_POLICY, message, now)
        case status:
            causes = (answer.body.get("details") or {}).get("causes") or [{}]
            return Rejected(str(causes[0].get("reason") or reason or status), message, now)
