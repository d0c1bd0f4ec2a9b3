"""The thin client against a small server of its own: what it sends, and how often."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from holdfast.live.api import Answer, Api


async def on_a_server(
    handler: Callable[[web.Request], Awaitable[web.Response]],
    story: Callable[[Api], Awaitable[Answer]],
) -> Answer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration: Any = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    configuration.client_session_kwargs = {"trust_env": False}
    api = Api(configuration, "test")
    try:
        return await story(api)
    finally:
        await api.close()
        await runner.cleanup()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
def test_a_write_is_sent_once_also_when_its_connection_is_torn_down(method: str) -> None:
    """On a connection that was good for a call before: there HTTP clients like to try again."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.method)
        if request.method == "GET":
            return web.json_response({})
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def story(api: Api) -> Answer:
        assert (await api.get("/x")).ok
        return await api.call(method, "/x", {"metadata": {}})

    answer = asyncio.run(on_a_server(handler, story))
    assert answer.status == 0
    assert seen == ["GET", method]
