"""A reverse proxy between one lease manager and the real API server: plain HTTP on loopback to it,
TLS to the server, with the token of the manager's own ServiceAccount. What it has taken is on its
way whatever becomes of the client, as on a real network."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from e2e.faults.traffic import gone, is_bookmark

T = TypeVar("T")
_NO_LIMIT = aiohttp.ClientTimeout(total=None)
_KEPT_HEADERS = ("Accept", "Content-Type", "Authorization")
_LONGER_THAN_ANY_CLIENT_WAITS = 120.0
DELAY_SECONDS = 2.0
WATCHED = "dropletleases"
"""Of whose watch the faults are."""


class Harm(StrEnum):
    """To a write."""

    LOST_REPLY = "reply lost"
    """It has its effect; no answer comes, until the client gives up."""
    LOST_REQUEST = "request lost"
    DELAY = "2 s delay"
    """It reaches the API server late, whether its sender still waits or not."""
    CONFLICT = "409"
    OVERLOADED = "429"
    ERROR = "500"
    RESET = "reset"
    """The connection is torn down, and it has no effect."""
    INVALID = "422"


_REFUSALS = {
    Harm.CONFLICT: (409, "Conflict"),
    Harm.OVERLOADED: (429, "TooManyRequests"),
    Harm.ERROR: (500, "InternalError"),
    Harm.INVALID: (422, "Invalid"),
}


class Watching(StrEnum):
    """How a watch goes."""

    PLAIN = "plain"
    ENDED = "ended at once"
    """Answered with 200 and nothing: a server that is about to stop does so."""
    GONE = "410 in the stream"
    REFUSED = "410 in the answer"
    SWAPPED = "out of order"
    """Of each object two events change places."""
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Call:
    """`name`: of the object, also of one that is to be created."""

    method: str
    resource: str
    name: str
    body: Any

    @property
    def phase(self) -> str:
        return str((self.body.get("status") or {}).get("phase", "")) if self.body else ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of a lease that reached the API server, when, and what it answered."""

    at: float
    call: Call
    status: int


Rule: TypeAlias = Callable[[Call], bool]


@dataclass(slots=True)
class Line:
    """One manager's way to the API server. `may_pass`: while it is clear, what writes is kept back;
    `flows`: while it is clear, watches bring nothing. `lag`: seconds by which they are late."""

    url: str
    watching: Watching = Watching.PLAIN
    is_overloaded: bool = False
    lag: float = 0.0
    may_pass: asyncio.Event = field(default_factory=asyncio.Event)
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    struck: list[Call] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    kept_back: list[Call] = field(default_factory=list)
    listings: list[float] = field(default_factory=list)
    watches: list[float] = field(default_factory=list)
    _armed: tuple[Harm, Rule] | None = None
    _open: set[asyncio.Transport] = field(default_factory=set)

    def arm(self, harm: Harm, rule: Rule) -> None:
        """Strike the first call to which the rule applies."""
        self._armed = harm, rule
        self.struck.clear()

    def strikes(self, call: Call) -> Harm | None:
        if self._armed is None or not self._armed[1](call):
            return None
        harm, self._armed = self._armed[0], None
        self.struck.append(call)
        return harm

    def cut(self) -> None:
        """Tear down the watch of the leases."""
        for transport in self._open:
            transport.abort()

    def opened(self, request: web.Request) -> Callable[[], None]:
        transport = request.transport
        assert transport is not None
        self._open.add(transport)
        return lambda: self._open.discard(transport)


class Proxy:
    """`async with Proxy(configuration)`; then `line` for each manager."""

    def __init__(self, configuration: Any) -> None:
        self._upstream = configuration.host
        self._tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        self._lines: dict[str, Line] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "Proxy":
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**21)
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{line}/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._runner.cleanup()
        await self._session.close()

    def line(self) -> Line:
        key = str(len(self._lines))
        made = self._lines[key] = Line(f"{self._url}/{key}")
        made.may_pass.set()
        made.flows.set()
        return made

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        line = self._lines[request.match_info["line"]]
        if line.is_overloaded:
            return _status(429, "TooManyRequests")
        try:
            if request.query.get("watch") == "true":
                return await self._watch(request, line)
            return await self._call(request, line)
        except (aiohttp.ClientError, ConnectionResetError):
            return _torn(request)

    # --- calls

    async def _call(self, request: web.Request, line: Line) -> web.StreamResponse:
        body = await request.read()
        call = _call_of(request, body)
        is_part = "continue" in request.query or "fieldSelector" in request.query
        if call.method == "GET" and call.resource == WATCHED and not is_part:
            line.listings.append(time.monotonic())
        harm = line.strikes(call)
        if harm in _REFUSALS:
            return _status(*_REFUSALS[harm])
        if harm is Harm.RESET:
            return _torn(request)
        if harm is not Harm.LOST_REQUEST:
            late = DELAY_SECONDS if harm is Harm.DELAY else 0.0
            answer = await asyncio.shield(self._keep(self._send(request, line, call, body, late)))
            if harm is not Harm.LOST_REPLY:
                return answer
        await asyncio.sleep(_LONGER_THAN_ANY_CLIENT_WAITS)
        return _torn(request)

    def _keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _send(
        self, request: web.Request, line: Line, call: Call, body: bytes, late: float
    ) -> web.Response:
        await asyncio.sleep(late)
        if call.method != "GET" and not line.may_pass.is_set():
            line.kept_back.append(call)
            await line.may_pass.wait()
        async with self._session.request(
            request.method, self._upstream_of(request), data=body or None, headers=_headers(request)
        ) as answer:
            raw = await answer.read()
        if call.method != "GET" and call.resource == WATCHED:
            line.sent.append(Sent(time.monotonic(), call, answer.status))
        return web.Response(status=answer.status, body=raw, content_type=answer.content_type)

    def _upstream_of(self, request: web.Request) -> URL:
        _, _, rest = request.path_qs.removeprefix("/").partition("/")
        return URL(f"{self._upstream}/{rest}", encoded=True)

    # --- watches

    async def _watch(self, request: web.Request, line: Line) -> web.StreamResponse:
        is_ours = request.path.endswith(f"/{WATCHED}")
        if is_ours:
            line.watches.append(time.monotonic())
            if line.watching is Watching.REFUSED:
                return _status(410, "Expired")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if is_ours and line.watching in (Watching.ENDED, Watching.GONE):
            await response.prepare(request)
            if line.watching is Watching.GONE:
                await response.write(gone())
            return response
        async with self._session.get(
            self._upstream_of(request), headers=_headers(request), timeout=_NO_LIMIT
        ) as answer:
            if answer.status != 200:
                return web.Response(status=answer.status, body=await answer.read())
            await response.prepare(request)
            closed = line.opened(request) if is_ours else lambda: None
            try:
                await (self._relay if is_ours else _copy)(answer, response, line)
            finally:
                closed()
        return response

    async def _relay(
        self, answer: aiohttp.ClientResponse, response: web.StreamResponse, line: Line
    ) -> None:
        """The leases' events, as late and in whatever order the line has it."""
        arrived: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def read() -> None:
            try:
                async for event in answer.content:
                    arrived.put_nowait((time.monotonic(), event))
            finally:
                arrived.put_nowait((time.monotonic(), b""))

        reading = self._keep(read())
        kept_back: dict[str, bytes] = {}
        try:
            while True:
                at, event = await arrived.get()
                await asyncio.sleep(max(0.0, at + line.lag - time.monotonic()))
                await line.flows.wait()
                if line.watching is Watching.GONE or not event:
                    await response.write(gone() if event else b"")
                    return
                for told in _told(line.watching, event, kept_back):
                    await response.write(told)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):
                await reading


def _told(watching: Watching, event: bytes, kept_back: dict[str, bytes]) -> list[bytes]:
    """What is told for an event, and in which order."""
    if watching is Watching.REPEATED:
        return [event, event]
    if is_bookmark(event):
        return [event]
    uid = orjson.loads(event)["object"]["metadata"]["uid"]
    if uid in kept_back:
        return [event, kept_back.pop(uid)]
    if watching is Watching.SWAPPED:
        kept_back[uid] = event
        return []
    return [event]


async def _copy(answer: aiohttp.ClientResponse, response: web.StreamResponse, _line: Line) -> None:
    async for event in answer.content:
        await response.write(event)


def _call_of(request: web.Request, body: bytes) -> Call:
    """`.../namespaces/<ns>/<resource>[/<name>]`."""
    _, resource, *rest = request.path.partition("/namespaces/")[2].split("/")
    decoded = orjson.loads(body) if body else {}
    named = decoded.get("metadata") or {} if isinstance(decoded, dict) else {}
    return Call(request.method, resource, rest[0] if rest else str(named.get("name", "")), decoded)


def _headers(request: web.Request) -> dict[str, str]:
    return {k: request.headers[k] for k in _KEPT_HEADERS if k in request.headers}


def _torn(request: web.Request) -> web.Response:
    """No answer, and no connection any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _status(code: int, reason: str) -> web.Response:
    """A refusal as the API server words it; a 422 with the causes that a schema's has."""
    causes = [{"reason": "FieldValueInvalid", "message": "a fault of the tests", "field": "spec"}]
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "a fault of the tests",
        "reason": reason,
        "details": {"causes": causes} if code == 422 else {},
        "code": code,
    }
    headers = {"Retry-After": "1"} if code == 429 else {}
    raw = orjson.dumps(body)
    return web.Response(status=code, body=raw, content_type="application/json", headers=headers)
