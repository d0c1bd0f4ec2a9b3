"""Plan appended → changed answer in the simulator, as `make bench-dns` measures it on the cluster:
three enactors, one plan after the other, and a bare PUT beside it."""

from random import Random
from typing import Any

from holdfast.core.intents import Create
from holdfast.core.objects import Alias, EndpointPlan, Plan
from holdfast.core.region import region_of
from holdfast.core.replies import Reply
from holdfast.fake import Change
from holdfast.sim.board import Board
from holdfast.sim.contention import content
from holdfast.sim.dns import Authoritative
from holdfast.sim.enactor import Enactor
from holdfast.sim.faults import NONE
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import MEASURED
from holdfast.sim.quantiles import look
from holdfast.sim.server import Server
from holdfast.sim.site import Client, Site

REST_SECONDS = 0.3
"""Between two plans: the other enactors and the cleaner come to rest."""


class Watched(Authoritative):
    """Notes when each generation was first served."""

    def __init__(self, server: Server, kernel: Kernel) -> None:
        super().__init__(server)
        self._kernel = kernel
        self.served_at: dict[int, float] = {}

    def _take(self, change: Change) -> None:
        super()._take(change)
        if isinstance(change.obj, Alias):
            self.served_at.setdefault(change.obj.generation, self._kernel.now)


def plan_to_answer(fence: str, samples: int, seed: int = 1) -> dict[str, Any]:
    """Milliseconds, of plans that were served at all: a later one may overtake."""
    spec = {"guards": {"dns": {"fence": fence}}, "planHistory": 10}
    region = region_of("bench", "us-east-1", spec)
    kernel, chance = Kernel(), Random(seed)

    def lag() -> float:
        return look(MEASURED.watch.table, chance.random())

    site = Site(kernel, chance, MEASURED, NONE, region, Server(kernel, lag), Board(kernel, lag, ()))
    authoritative = Watched(site.server, kernel)
    for zone in region.zones:
        Enactor(site, zone, authoritative).start()
    sent = _appends(site, content(region), samples)
    kernel.run(until=(samples + 2) * REST_SECONDS)
    took = []
    for generation, at in sent.items():
        served = authoritative.served_at.get(generation)
        if served is not None:
            took.append(served - at + site.draw(MEASURED.query))
    return _spread(took)


def _appends(site: Site, plan: tuple[EndpointPlan, ...], samples: int) -> dict[int, float]:
    """Append plans for a while; when each was sent."""
    client = Client(site)
    sent: dict[int, float] = {}

    def nothing(_: Reply) -> None:
        return

    def append() -> None:
        generation = len(sent) + 1
        if generation <= samples:
            sent[generation] = site.kernel.now
            client.call(Create(Plan(generation, plan)), nothing)
            client.later(REST_SECONDS, append)

    append()
    return sent


def bare_put(samples: int, seed: int = 1) -> dict[str, Any]:
    """A write, a watch and a query, one after the other."""
    chance = Random(seed)
    parts = (MEASURED.write, MEASURED.watch, MEASURED.query)
    took = [sum(look(p.table, chance.random()) for p in parts) for _ in range(samples)]
    return _spread(took)


def _spread(seconds: list[float]) -> dict[str, Any]:
    ordered = sorted(1000 * s for s in seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    spread = {"p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0)}
    return {"samples": len(ordered), **spread}
