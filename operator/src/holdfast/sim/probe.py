"""The customers: they ask both servers ten times a second, and remember what they got."""

from itertools import product
from typing import Any

from holdfast.core.answers import PROBED_MAX, Tally, classify, told, told_families
from holdfast.core.names import customer_name
from holdfast.core.objects import Family
from holdfast.core.starts import Start
from holdfast.sim.dns import Authoritative, Resolver, Response
from holdfast.sim.site import Site

INTERVAL_SECONDS = 0.1
SERVERS = ("authoritative", "resolver")


class Probe:
    """Of a Region's first endpoints. Answers are noted when they come, one `query` after they were
    given."""

    def __init__(
        self,
        site: Site,
        authoritative: Authoritative,
        resolver: Resolver,
        start: Start | None = None,
    ) -> None:
        self._site = site
        self._authoritative, self._resolver = authoritative, resolver
        self._endpoints = site.region.endpoints[:PROBED_MAX]
        whole = start is not None
        self.tallies = {e: {s: Tally(whole) for s in SERVERS} for e in self._endpoints}
        self._connects = {"ok": 0, "failed": 0}
        self._answered: dict[str, set[tuple[str, ...]]] = {}

    def start(self) -> None:
        """At some moment of an interval: customers know nothing of plans."""
        kernel, chance = self._site.kernel, self._site.chance
        kernel.after(INTERVAL_SECONDS * chance.random(), self._ask)

    def _ask(self) -> None:
        site = self._site
        now = site.kernel.now
        site.kernel.after(INTERVAL_SECONDS, self._ask)
        for endpoint, family in product(self._endpoints, site.region.families):
            answer = self._authoritative.ask(endpoint, family)
            self._note(endpoint, "authoritative", family, answer)
            if family in self.tallies[endpoint]["authoritative"].families:
                # Asked too early it would keep "no such name" for a minute.
                answer = self._resolver.ask(endpoint, now, family)
                self._note(endpoint, "resolver", family, answer)

    def _note(self, endpoint: str, label: str, family: Family, response: Response) -> None:
        site, tally = self._site, self.tallies[endpoint][label]
        addresses, generation = response.addresses, response.generation
        answer = classify(response.rcode, len(addresses), generation, tally.newest(family))
        tally.add(site.kernel.now + site.draw(site.latencies.query), answer, generation, family)
        if addresses:
            self._answered.setdefault(response.tree, set()).add(addresses)
        if label == "resolver" and family == "IPv4" and tally.began is not None:
            self._connects["ok" if addresses else "failed"] += 1

    def document(self, zero: float) -> dict[str, Any]:
        """Everything seen so far, times in seconds after `zero`, as the cluster's probe does."""
        first, *further = self._endpoints
        found: dict[str, Any] = {
            "name": customer_name(first, self._site.region.name),
            "families": told_families(self._site.region.families, self.tallies.values()),
            "intervalSeconds": INTERVAL_SECONDS,
            "connects": dict(self._connects),
            "answered": {tree: sorted(map(list, sets)) for tree, sets in self._answered.items()},
            "endedAt": self._site.kernel.now - zero,
            **told(self.tallies[first], zero),
        }
        if further:
            found["endpoints"] = {e: told(self.tallies[e], zero) for e in self._endpoints}
        return found
