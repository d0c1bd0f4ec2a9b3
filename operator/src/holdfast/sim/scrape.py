"""Scrapes the customers of a simulated arm, as the cluster's are scraped."""

from collections.abc import Mapping
from random import Random

from holdfast.core.alerts import SCRAPE_SECONDS, Key, series
from holdfast.core.answers import Tally
from holdfast.core.record import Record
from holdfast.core.scrapes import Scrapes
from holdfast.sim.kernel import Kernel

Tallies = Mapping[str, Mapping[str, Tally]]
"""By endpoint and server."""


class Scraper:
    """When it scrapes, and when rules are evaluated, is chance of its own: nothing else moves by
    it."""

    def __init__(
        self, kernel: Kernel, record: Record, tallies: Tallies, region: str, seed: str
    ) -> None:
        self._kernel, self._record = kernel, record
        self._tallies, self._region = tallies, region
        self._scrapes = Scrapes(region)
        chance = Random(f"{seed}/scrape")
        self._phase = chance.random()
        kernel.after(SCRAPE_SECONDS * chance.random(), self._scrape)

    def fired(self, zero: float) -> dict[str, float]:
        """When each alert began to fire, in seconds after `zero`."""
        return self._scrapes.fired(zero, self._kernel.now, self._phase)

    def _scrape(self) -> None:
        self._kernel.after(SCRAPE_SECONDS, self._scrape)
        self._scrapes.add(self._kernel.now, values(self._tallies, self._region), self._record)


def values(tallies: Tallies, region: str) -> dict[Key, float]:
    """What the cluster's probe exports, from the same tallies."""
    found: dict[Key, float] = {}
    for endpoint, servers in tallies.items():
        for server, tally in servers.items():
            for answer, count in tally.counts.items():
                key = series("holdfast_answers_total", server=server, answer=str(answer))
                found[key] = found.get(key, 0.0) + count
        told = servers["authoritative"].generations
        if told:
            labels = {"region": region, "endpoint": endpoint, "stage": "served"}
            found[series("holdfast_plan_generation", **labels)] = float(told[-1][1])
    return found
