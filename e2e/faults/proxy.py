"""A reverse proxy before the real API server: plain HTTP on loopback to our processes, TLS with the
kubeconfig's credentials to the server. What it forwards is on its way whatever becomes of the
client, as on a real network."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from e2e.faults.harm import DELAY_SECONDS, Harm, WatchHarm
from e2e.faults.traffic import Traffic, gone, is_bookmark
from e2e.faults.write import Write, write_of

T = TypeVar("T")
_NO_LIMIT = aiohttp.ClientTimeout(total=None)
_KEPT_HEADERS = ("Accept", "Content-Type")
_LONGER_THAN_ANY_CLIENT_WAITS = 120.0
_MAX_BODY = 16 * 2**20


@dataclass(slots=True)
class Line:
    """One process's way to the API server. A dead process's requests go nowhere."""

    url: str
    traffic: Traffic
    process: str
    crash: Callable[[], None]
    dead: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    kind: str = "application/json"

    def response(self) -> web.Response:
        return web.Response(status=self.status, body=self.body, content_type=self.kind)


class Proxy:
    """`async with Proxy(configuration)`; then `line` for each process."""

    def __init__(self, configuration: Any) -> None:
        self.authority: str = configuration.ssl_ca_cert
        self._upstream = configuration.host
        self._tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        self._tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        self._lines: dict[str, Line] = {}
        self._under_way: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "Proxy":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls), read_bufsize=2**21
        )
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{line}/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._under_way:
            task.cancel()
        await self._session.close()
        await self._runner.cleanup()

    def line(self, traffic: Traffic, process: str, crash: Callable[[], None]) -> Line:
        key = str(len(self._lines))
        self._lines[key] = Line(f"{self._url}/{key}", traffic, process, crash)
        return self._lines[key]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        line = self._lines[request.match_info["line"]]
        if line.dead:
            return _torn(request)
        if request.query.get("watch") == "true":
            try:
                return await self._watch(request, line)
            except (aiohttp.ClientError, ConnectionResetError):
                return _torn(request)
        body = await request.read()
        write = write_of(request.method, request.path, body)
        line.traffic.begins()
        try:
            return await self._call(request, line, body, write)
        except aiohttp.ClientError:
            return _torn(request)
        finally:
            line.traffic.ends(write)

    async def _call(
        self, request: web.Request, line: Line, body: bytes, write: Write | None
    ) -> web.StreamResponse:
        traffic = line.traffic
        await traffic.may_pass(line.process)
        fault = traffic.strikes(line.process, write)
        match fault.harm if fault else None:
            case None:
                return (await self._forward(request, line, body)).response()
            case Harm.OVERLOADED:
                return _status(429, "TooManyRequests")
            case Harm.ERROR:
                return _status(500, "InternalError")
            case Harm.RESET:
                return _torn(request)
            case Harm.RESET_AFTER:
                await self._forward(request, line, body)
                return _torn(request)
            case Harm.CRASH_BEFORE:
                line.crash()
            case Harm.CRASH_AFTER:
                await self._forward(request, line, body)
                line.crash()
            case Harm.LOST_REPLY:
                await self._forward(request, line, body)
                await asyncio.sleep(_LONGER_THAN_ANY_CLIENT_WAITS)
            case Harm.DELAY:
                traffic.late += 1
                self._keep(self._send_late(request, line, body))
                await asyncio.sleep(_LONGER_THAN_ANY_CLIENT_WAITS)
        return _torn(request)

    async def _forward(self, request: web.Request, line: Line, body: bytes) -> _Answer:
        """To the API server and back; on its way even if the client has left."""
        return await asyncio.shield(self._keep(self._send(request, line, body)))

    def _keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _send_late(self, request: web.Request, line: Line, body: bytes) -> None:
        await asyncio.sleep(DELAY_SECONDS)
        await line.traffic.may_arrive.wait()
        try:
            await self._send(request, line, body, late=True)
        finally:
            line.traffic.late -= 1

    async def _send(
        self, request: web.Request, line: Line, body: bytes, late: bool = False
    ) -> _Answer:
        async with self._session.request(
            request.method,
            self._upstream_of(request),
            data=body or None,
            headers={k: request.headers[k] for k in _KEPT_HEADERS if k in request.headers},
        ) as answer:
            raw = await answer.read()
        write = write_of(request.method, request.path, body)
        if write is not None:
            line.traffic.arrived(line.process, write, answer.status, late)
        return _Answer(answer.status, raw, answer.content_type)

    def _upstream_of(self, request: web.Request) -> URL:
        _, _, rest = request.path_qs.removeprefix("/").partition("/")
        return URL(f"{self._upstream}/{rest}", encoded=True)

    async def _watch(self, request: web.Request, line: Line) -> web.StreamResponse:
        resource = request.path.rpartition("/")[2]
        async with self._session.get(self._upstream_of(request), timeout=_NO_LIMIT) as answer:
            if answer.status != 200:
                return _Answer(answer.status, await answer.read()).response()
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            kept_back = b""
            async for event in answer.content:
                harm = line.traffic.strikes_event(line.process, resource, event)
                match harm:
                    case None if kept_back and is_bookmark(event):
                        pass
                    case None:
                        await response.write(event + kept_back)
                        kept_back = b""
                    case WatchHarm.DROP:
                        pass
                    case WatchHarm.REPEAT:
                        await response.write(event + event)
                    case WatchHarm.REORDER:
                        kept_back = event
                    case WatchHarm.GONE:
                        await response.write(gone())
                        return response
                    case WatchHarm.CUT:
                        await response.write(event[: len(event) // 2])
                        return _torn(request)
            return response


def _torn(request: web.Request) -> web.Response:
    """No answer, and no connection any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _status(code: int, reason: str) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "a fault of the tests",
        "reason": reason,
        "code": code,
    }
    return web.Response(status=code, body=orjson.dumps(body), content_type="application/json")
