"""Virtual time: one heap of what is to happen, and a clock that jumps from one to the next."""

import heapq
from collections.abc import Callable


class Kernel:
    """`now` in seconds since the run began. What is due at one time happens in the order in which
    it was planned, so a run is repeatable."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._stopped = False

    def at(self, t: float, do: Callable[[], None]) -> None:
        """Have something done at `t`, which is not in the past."""
        assert t >= self.now, f"{t} is before {self.now}"
        self._planned += 1
        heapq.heappush(self._due, (t, self._planned, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self.at(self.now + seconds, do)

    def stop(self) -> None:
        """Nothing happens after what happens now."""
        self._stopped = True

    def run(self, until: float) -> None:
        """Until `until`, until somebody stops it, or until nothing is left to happen."""
        due, pop = self._due, heapq.heappop
        while due and not self._stopped and due[0][0] <= until:
            self.now, _, do = pop(due)
            self.events += 1
            do()
