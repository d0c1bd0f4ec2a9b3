"""The API server of a simulated Region: the fake, with watches that lag."""

from collections.abc import Callable
from typing import Any

from holdfast.core.intents import Intent
from holdfast.core.replies import Reply
from holdfast.fake import Change, FakeApi, Lost
from holdfast.sim.feed import Feed
from holdfast.sim.kernel import Kernel


class Server:
    def __init__(self, kernel: Kernel, lag: Callable[[], float], admission: bool = False) -> None:
        self.api = FakeApi(admission=admission)
        self._kernel, self._lag = kernel, lag
        self._feeds: list[tuple[tuple[type[Any], ...], Feed[Change]]] = []
        self._sent = 0

    def watch(self, kinds: tuple[type[Any], ...], take: Callable[[Change], None]) -> None:
        """One watcher: every change of these kinds, in their order."""
        self._feeds.append((kinds, Feed(self._kernel, self._lag, take)))

    def perform(self, intent: Intent, lost: Lost | None = None) -> Reply:
        reply = self.api.perform(intent, self._kernel.now, lost)
        for change in self.api.changes[self._sent :]:
            for kinds, feed in self._feeds:
                if change.key[0] in kinds:
                    feed.send(change)
        self._sent = len(self.api.changes)
        return reply
