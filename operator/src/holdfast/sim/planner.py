"""The planner in virtual time: appends a plan when one is due, and trims old ones."""

from collections.abc import Callable, Generator
from typing import TypeVar

from holdfast.core.intents import Intent
from holdfast.core.objects import EndpointPlan, FrontEnd
from holdfast.core.planner import Planned, Seen, Unplanned, append, look, trim, wanted
from holdfast.core.replies import Reply
from holdfast.sim.site import Client, Site

R = TypeVar("R")
RETRY_SECONDS = 1.0
TRIM_EVERY = 10


class Planner:
    """`fleet` is what it sees of the front ends."""

    def __init__(self, site: Site, fleet: tuple[FrontEnd, ...]) -> None:
        self._site, self._client = site, Client(site)
        self._fleet = fleet
        self._is_up = True
        self._newest = 0

    def start(self) -> None:
        self._drive(look(), self._looked)

    @property
    def _content(self) -> tuple[EndpointPlan, ...]:
        region = self._site.region
        return wanted(region.endpoints, self._fleet, region.guards.keeps_last_good)

    def scale(self, replicas: int) -> None:
        """Be there, or not."""
        self._is_up = replicas > 0
        self._client.die()
        if self._is_up:
            self.start()

    def see(self, fleet: tuple[FrontEnd, ...]) -> None:
        """The front ends have changed: a plan is due at once."""
        changed, self._fleet = fleet != self._fleet, fleet
        if changed and self._is_up:
            self._client.die()
            self.start()

    def _looked(self, found: Seen | Unplanned) -> None:
        if isinstance(found, Unplanned):
            self._client.later(RETRY_SECONDS, self.start)
            return
        self._newest = found.newest
        self._append()

    def _append(self) -> None:
        content = self._content
        if content and not self._site.is_frozen:
            self._drive(append(content, self._newest), self._appended)
        elif self._period():
            self._client.later(self._period(), self._append)

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
            site.board.guard(site.region.effective)
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
