"""The probe: a customer that resolves and connects ten times a second, and remembers what it got.

It asks the authoritative server and the customers' caching resolver for every name that it is
given, in every family, and connects to an address of the resolver's last answer; to IPv4 alone, for
on a cluster of one family an IPv6 address is answered and leads nowhere. Its tallies are read over
HTTP, with times counted from a moment that the reader names on the probe's own clock.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import product
from typing import Any

from aiohttp import web

from holdfast.core.answers import Answer, Tally, classify, told, told_families
from holdfast.core.objects import Family
from holdfast.live import metrics
from holdfast.live.resolver import Response, Server, ask
from holdfast.live.store import PORT

AUTHORITATIVE = "authoritative"
INTERVAL_SECONDS = 0.1
QUERY_TIMEOUT_SECONDS = 1.0
CONNECT_TIMEOUT_SECONDS = 1.0


class Probe:
    """`names` are what customers ask for: an endpoint's, then a dot. `servers` by the name under
    which they are tallied, the authoritative one among them; `region` is the namespace, as metrics
    name it."""

    def __init__(
        self,
        names: Sequence[str],
        families: Sequence[Family],
        servers: dict[str, Server],
        region: str,
        whole: bool = False,
    ) -> None:
        self._names, self._families, self._servers = names, families, servers
        self._region = region
        self.tallies = {name: {label: Tally(whole) for label in servers} for name in names}
        self.connects = {"ok": 0, "failed": 0}
        self.answered: dict[str, set[tuple[str, ...]]] = {}
        for label, answer in product(servers, Answer):
            metrics.ANSWERS.labels(label, str(answer))  # a series that begins at 1 does not rise

    async def run(self) -> None:
        """Ask at a steady rate: a query that hangs does not delay the next one."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as group:
            while True:
                for name, label, family in product(self._names, self._servers, self._families):
                    group.create_task(self._ask(name, label, family))
                due += INTERVAL_SECONDS
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _ask(self, name: str, label: str, family: Family) -> None:
        tallies = self.tallies[name]
        tally = tallies[label]
        if label != AUTHORITATIVE and family not in tallies[AUTHORITATIVE].families:
            return  # a resolver asked too early would cache "no such name" for a minute
        response = await ask(self._servers[label], name, family, QUERY_TIMEOUT_SECONDS)
        if not response.rcode:
            answer = Answer.MISSING
        else:
            n = len(response.addresses)
            answer = classify(response.rcode, n, response.generation, tally.newest(family))
        tally.add(time.time(), answer, response.generation, family)
        if family in tally.families or not tally.families:
            metrics.ANSWERS.labels(label, str(answer)).inc()
        if response.generation is not None and response.addresses:
            self.answered.setdefault(response.tree, set()).add(response.addresses)
            endpoint = response.tree.rpartition("-p")[0]
            served = metrics.GENERATION.labels(self._region, endpoint, "served")
            if label == AUTHORITATIVE:  # a resolver is behind by nature
                served.set(response.generation)
        if label != AUTHORITATIVE and family == "IPv4" and tally.began is not None:
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
        first, *further = self._names
        found: dict[str, Any] = {
            "now": time.time(),
            "name": first,
            "families": told_families(self._families, self.tallies.values()),
            "intervalSeconds": INTERVAL_SECONDS,
            "connects": dict(self.connects),
            "answered": {tree: sorted(map(list, sets)) for tree, sets in self.answered.items()},
            **told(self.tallies[first], zero),
        }
        if further:
            found["endpoints"] = {
                name.partition(".")[0]: told(tallies, zero)
                for name, tallies in self.tallies.items()
            }
        return found


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
