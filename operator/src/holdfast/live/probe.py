"""The probe: a customer that resolves and connects ten times a second, and remembers what it got.

It asks the authoritative server and the customers' caching resolver, and connects to an address of
the resolver's last answer. Its tallies are read over HTTP, with times counted from a moment that
the reader names on the probe's own clock.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from holdfast.core.answers import Answer, Tally, classify
from holdfast.core.objects import Family
from holdfast.live import metrics
from holdfast.live.resolver import Response, Server, ask
from holdfast.live.store import PORT

AUTHORITATIVE = "authoritative"
INTERVAL_SECONDS = 0.1
QUERY_TIMEOUT_SECONDS = 1.0
CONNECT_TIMEOUT_SECONDS = 1.0


class Probe:
    """Asks for one name. `servers` by the name under which they are tallied, the authoritative one
    among them; `region` is the namespace, as metrics name it."""

    def __init__(
        self,
        name: str,
        families: Sequence[Family],
        servers: dict[str, Server],
        region: str,
        whole: bool = False,
    ) -> None:
        self._name, self._families, self._servers = name, families, servers
        self._region = region
        self.tallies = {server: Tally(whole) for server in servers}
        self.connects = {"ok": 0, "failed": 0}
        self.answered: dict[str, set[tuple[str, ...]]] = {}

    async def run(self) -> None:
        """Ask at a steady rate: a query that hangs does not delay the next one."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            while True:
                for label, server in self._servers.items():
                    for family in self._families:
                        group.create_task(self._ask(label, server, family))
                due += INTERVAL_SECONDS
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _ask(self, label: str, server: Server, family: Family) -> None:
        if label != AUTHORITATIVE and self.tallies[AUTHORITATIVE].began is None:
            return  # a resolver asked too early would cache "no such name" for a minute
        response = await ask(server, self._name, family, QUERY_TIMEOUT_SECONDS)
        tally = self.tallies[label]
        if not response.rcode:
            answer = Answer.MISSING
        else:
            n = len(response.addresses)
            answer = classify(response.rcode, n, response.generation, tally.newest)
        tally.add(time.time(), answer, response.generation)
        metrics.ANSWERS.labels(label, str(answer)).inc()
        if response.generation is not None and response.addresses:
            self.answered.setdefault(response.tree, set()).add(response.addresses)
            endpoint = response.tree.rpartition("-p")[0]
            metrics.GENERATION.labels(self._region, endpoint, "served").set(response.generation)
        if label != AUTHORITATIVE and tally.began is not None:
            await self._connect(response)

    async def _connect(self, response: Response) -> None:
        result = "failed"
        if response.addresses:
            address = response.addresses[self.connects["ok"] % len(response.addresses)]
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    _, writer = await asyncio.open_connection(address, PORT)
                writer.close()
                result = "ok"
            except (OSError, TimeoutError):
                pass
        self.connects[result] += 1
        metrics.CONNECTS.labels(result).inc()

    def document(self, zero: float) -> dict[str, Any]:
        """Everything seen so far, times in seconds after `zero`."""
        return {
            "now": time.time(),
            "name": self._name,
            "families": list(self._families),
            "intervalSeconds": INTERVAL_SECONDS,
            "servers": {label: tally.report(zero) for label, tally in self.tallies.items()},
            "servedGenerations": {
                label: [[round(t - zero, 2), g] for t, g in tally.generations]
                for label, tally in self.tallies.items()
            },
            "connects": dict(self.connects),
            "answered": {tree: sorted(map(list, sets)) for tree, sets in self.answered.items()},
        }


def application(probe: Probe) -> web.Application:
    async def tally(request: web.Request) -> web.Response:
        try:
            zero = float(request.query.get("zero", "0"))
        except ValueError:
            return web.json_response({"error": "zero is not a number of seconds"}, status=400)
        return web.json_response(probe.document(zero))

    async def clock(_: web.Request) -> web.Response:
        return web.json_response({"now": time.time()})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/tally", tally)
    app.router.add_get("/clock", clock)
    app.router.add_get("/healthz", healthz)
    return app
