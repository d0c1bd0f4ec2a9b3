"""The planner in virtual time: appends a plan when one is due, and trims old ones."""

from collections.abc import Callable, Generator
from typing import TypeVar

from holdfast.core.guards import effective
from holdfast.core.intents import Intent
from holdfast.core.objects import EndpointPlan, FrontEnd
from holdfast.core.planner import Planned, Unplanned, append, look, trim, wanted
from holdfast.core.replies import Reply
from holdfast.sim.site import Client, Site

R = TypeVar("R")
RETRY_SECONDS = 1.0
TRIM_EVERY = 10


class Planner:
    """`capacity` of each front end, one a zone."""

    def __init__(self, site: Site, capacity: int) -> None:
        self._site, self._client = site, Client(site)
        zones = enumerate(site.region.zones, start=1)
        fleet = (FrontEnd(f"10.0.{number}.1", capacity) for number, _ in zones)
        self._content: tuple[EndpointPlan, ...] = wanted(site.region.endpoints, fleet)
        self._newest = 0

    def start(self) -> None:
        self._drive(look(), self._looked)

    def _looked(self, newest: int | None) -> None:
        if newest is None:
            self._client.later(RETRY_SECONDS, self.start)
            return
        self._newest = newest
        self._append()

    def _append(self) -> None:
        if self._content:
            self._drive(append(self._content, self._newest), self._appended)

    def _appended(self, outcome: Planned | Unplanned) -> None:
        if isinstance(outcome, Unplanned):
            self._newest = outcome.newest
            self._client.later(RETRY_SECONDS, self._append)
            return
        self._newest = outcome.plan.generation
        due = self._site.kernel.now + self._period() if self._period() else None
        if self._newest % TRIM_EVERY == 0:
            self._drive(trim(self._site.region.plan_history), lambda _: self._report(due))
        else:
            self._report(due)

    def _report(self, due: float | None) -> None:
        """Say in the Region's status which guards are in force; then wait for the next plan's time.
        Other news of it are for people."""
        site = self._site

        def written() -> None:
            site.board.guard(effective(site.region.guards))
            if due is not None:
                self._client.later(max(0.0, due - site.kernel.now), self._append)

        self._client.later(site.draw(site.latencies.status), written)

    def _period(self) -> float:
        """Seconds between plans although nothing has changed; 0 for never."""
        rate = self._site.region.churn_per_minute
        return 60 / rate if rate > 0 else 0.0

    def _drive(self, flow: Generator[Intent, Reply, R], done: Callable[[R], None]) -> None:
        """Run a flow to its end, call by call."""

        def answer(reply: Reply | None) -> None:
            try:
                intent = next(flow) if reply is None else flow.send(reply)
            except StopIteration as stop:
                done(stop.value)
                return
            self._client.call(intent, answer)

        answer(None)
