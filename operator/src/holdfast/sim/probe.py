"""The customers: they ask both servers ten times a second, and remember what they got."""

from typing import Any

from holdfast.core.answers import Tally, classify
from holdfast.core.names import customer_name
from holdfast.core.starts import Start
from holdfast.sim.dns import Authoritative, Resolver, Response
from holdfast.sim.site import Site

INTERVAL_SECONDS = 0.1
FAMILIES = ("IPv4",)


class Probe:
    """Of one endpoint. Answers are noted when they come, one `query` after they were given."""

    def __init__(
        self,
        site: Site,
        endpoint: str,
        authoritative: Authoritative,
        resolver: Resolver,
        start: Start | None = None,
    ) -> None:
        self._site, self._endpoint = site, endpoint
        self._authoritative, self._resolver = authoritative, resolver
        whole = start is not None
        self.tallies = {"authoritative": Tally(whole), "resolver": Tally(whole)}
        self._connects = {"ok": 0, "failed": 0}

    def start(self) -> None:
        """At some moment of an interval: customers know nothing of plans."""
        kernel, chance = self._site.kernel, self._site.chance
        kernel.after(INTERVAL_SECONDS * chance.random(), self._ask)

    def _ask(self) -> None:
        site = self._site
        now = site.kernel.now
        site.kernel.after(INTERVAL_SECONDS, self._ask)
        self._note("authoritative", self._authoritative.ask(self._endpoint))
        if self.tallies["authoritative"].began is not None:
            # Asked too early it would keep "no such name" for a minute.
            self._note("resolver", self._resolver.ask(self._endpoint, now))

    def _note(self, label: str, response: Response) -> None:
        site, tally = self._site, self.tallies[label]
        generation = response.generation
        answer = classify(response.rcode, len(response.addresses), generation, tally.newest)
        tally.add(site.kernel.now + site.draw(site.latencies.query), answer, generation)
        if label == "resolver" and tally.began is not None:
            self._connects["ok" if response.addresses else "failed"] += 1

    def document(self, zero: float) -> dict[str, Any]:
        """Everything seen so far, times in seconds after `zero`, as the cluster's probe does."""
        return {
            "name": customer_name(self._endpoint, self._site.region.name),
            "families": list(FAMILIES),
            "intervalSeconds": INTERVAL_SECONDS,
            "servers": {label: tally.report(zero) for label, tally in self.tallies.items()},
            "servedGenerations": {
                label: [[round(t - zero, 2), g] for t, g in tally.generations]
                for label, tally in self.tallies.items()
            },
            "connects": dict(self._connects),
            "endedAt": self._site.kernel.now - zero,
        }
