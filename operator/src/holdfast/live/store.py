"""The store: a small key-value service with bounded capacity, one front end a zone.

It stands for DynamoDB: what customers want behind the name, and what plans are made of.
"""

import asyncio
import time

from aiohttp import web

PORT = 8080


class Bucket:
    """A token bucket: `rate` requests per second, and as many at once after a pause."""

    def __init__(self, rate: float) -> None:
        self._rate, self._tokens, self._at = rate, rate, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def application(capacity: float) -> web.Application:
    """The HTTP service. `capacity` in requests per second; what is beyond it gets 503."""
    items: dict[str, bytes] = {}
    bucket = Bucket(capacity)

    async def item(request: web.Request) -> web.Response:
        if not bucket.take():
            return web.Response(status=503, text="over capacity\n")
        key = request.match_info["key"]
        if request.method == "PUT":
            items[key] = await request.read()
            return web.Response(status=204)
        if key not in items:
            return web.Response(status=404, text="no such item\n")
        return web.Response(body=items[key])

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application(client_max_size=64 * 1024)
    app.router.add_route("PUT", "/items/{key}", item)
    app.router.add_route("GET", "/items/{key}", item)
    app.router.add_get("/healthz", healthz)
    return app


async def serve(app: web.Application) -> None:
    """Serve on every address of the Pod, both families, until cancelled."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, PORT).start()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
