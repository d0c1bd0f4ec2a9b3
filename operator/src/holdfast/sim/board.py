"""The Region object: its holds on one side, what its actors report on the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from holdfast.core.holds import ActorView, Hold, actor_status
from holdfast.sim.feed import Feed
from holdfast.sim.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Notice:
    """The Region as a watch delivers it. `status` as the cluster's object has it."""

    holds: tuple[Hold, ...]
    status: dict[str, Any]


class Board:
    def __init__(self, kernel: Kernel, lag: Callable[[], float], holds: tuple[Hold, ...]) -> None:
        self._kernel, self._lag = kernel, lag
        self.holds = holds
        self._actors: dict[str, dict[str, Any]] = {}
        self._guards: dict[str, Any] = {}
        self._leases: dict[str, Any] = {}
        self._feeds: list[Feed[Notice]] = []

    def watch(self, take: Callable[[Notice], None]) -> None:
        """One watcher; it is told of the Region as it is now, first."""
        feed = Feed(self._kernel, self._lag, take)
        self._feeds.append(feed)
        feed.send(self._notice())

    def report(self, view: ActorView) -> None:
        """An enactor's own entry, replaced whole."""
        self._actors[view.zone] = actor_status(view)
        self._spread()

    def guard(self, guards: dict[str, Any]) -> None:
        """The planner's: which guards are in force."""
        self._guards = guards
        self._spread()

    def lease(self, zone: str, said: dict[str, Any]) -> None:
        """A lease manager's own entry."""
        self._leases[zone] = said
        self._spread()

    def release(self, name: str) -> None:
        """The scenario role's: let a hold go."""
        self.holds = tuple(replace(h, released=h.released or h.name == name) for h in self.holds)
        self._spread()

    def _notice(self) -> Notice:
        status: dict[str, Any] = {"actors": dict(self._actors)}
        if self._guards:
            status["guards"] = self._guards
        if self._leases:
            status["leases"] = dict(self._leases)
        return Notice(self.holds, status)

    def _spread(self) -> None:
        notice = self._notice()
        for feed in self._feeds:
            feed.send(notice)
