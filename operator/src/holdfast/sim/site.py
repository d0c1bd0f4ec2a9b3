"""What the parts of one simulated Region share, and how a client of its API server behaves."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from holdfast.core.intents import Intent
from holdfast.core.region import Region
from holdfast.core.replies import Reply
from holdfast.sim.board import Board
from holdfast.sim.faults import CALL_TIMEOUT_SECONDS, Faults, Stalling
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import Latencies, Latency
from holdfast.sim.quantiles import look
from holdfast.sim.server import Server


@dataclass(slots=True)
class Site:
    kernel: Kernel
    chance: Random
    latencies: Latencies
    faults: Faults
    region: Region
    server: Server
    board: Board
    is_frozen: bool = False
    """The Region's automation is off, by an operator's word."""

    def draw(self, latency: Latency) -> float:
        """Seconds."""
        return look(latency.table, self.chance.random())


class Client:
    """One process: slow, stalled or dead, as the faults say. What it has planned is forgotten when
    it dies; what it has sent arrives."""

    def __init__(self, site: Site, slow: float = 1.0, stalls: bool = False) -> None:
        self.site = site
        self._slow = slow
        self._stalling = Stalling(site.faults.stalls if stalls else None, site.chance.random)
        self._life = 0

    def die(self) -> None:
        self._life += 1

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something a while from now, if still alive and awake."""
        life, kernel = self._life, self.site.kernel

        def due() -> None:
            if life != self._life:
                return
            awake = self._stalling.awake(kernel.now)
            if awake > kernel.now:
                kernel.at(awake, lambda: do() if life == self._life else None)
            else:
                do()

        kernel.after(seconds, due)

    def call(self, intent: Intent, then: Callable[[Reply], None]) -> None:
        """One call of the API server."""
        site = self.site
        lost = site.faults.loses(site.chance.random)
        life = self._life

        def arrive() -> None:
            reply = site.server.perform(intent, lost)
            if life == self._life:
                patience = CALL_TIMEOUT_SECONDS if lost else 0.0
                self.later(patience, lambda: then(reply))

        site.kernel.after(self._slow * site.draw(site.latencies.of(intent)), arrive)
