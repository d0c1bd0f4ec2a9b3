"""Watches: what changed reaches each watcher in order, a little later."""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from holdfast.sim.kernel import Kernel

T = TypeVar("T")


class Feed(Generic[T]):
    """One watcher's. What was sent first arrives first, however the lags fall."""

    def __init__(self, kernel: Kernel, lag: Callable[[], float], take: Callable[[T], None]) -> None:
        self._kernel, self._lag, self._take = kernel, lag, take
        self._arrived = 0.0

    def send(self, news: T) -> None:
        self._arrived = max(self._arrived, self._kernel.now + self._lag())
        self._kernel.at(self._arrived, partial(self._take, news))
