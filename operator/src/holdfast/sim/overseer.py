"""The scenario role in virtual time: it watches, and lets holds go."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from holdfast.core.acts import Act
from holdfast.core.holds import Hold
from holdfast.core.intents import Create
from holdfast.core.leases.instances import Instance
from holdfast.core.leases.lease import DropletLease, RackLease
from holdfast.core.ledger import AliasSeen, SliceSeen, TreeSeen
from holdfast.core.objects import Alias, Plan, Slice, Tree
from holdfast.core.record import Record
from holdfast.fake import Change
from holdfast.sim.board import Notice
from holdfast.sim.site import Client, Site

TICK_SECONDS = 0.1


class Overseer:
    """`record` on the overseer's own clock: seconds since it heard of the first plan."""

    def __init__(
        self, site: Site, record: Record, settle: float, deadline: float, over: Callable[[], None]
    ) -> None:
        self.record, self.zero = record, 0.0
        self._site, self._client = site, Client(site)
        self._act: Callable[[Act, Callable[[str, str], None]], None] = _nobody
        self._settle, self._deadline, self._over = settle, deadline, over
        self._last: dict[str, Tree] = {}
        self._pieces: dict[str, Slice] = {}
        self._busy = False
        self._ticks = 0

    @property
    def t(self) -> float:
        begun = self.record.plans or self.record.arm.start
        return self._site.kernel.now - self.zero if begun else 0.0

    def start(self, act: Callable[[Act, Callable[[str, str], None]], None]) -> None:
        """`act(what, done)` sees to an act of the timeline, and says what came of it."""
        self._act = act
        self._site.server.watch((Alias, Tree), self._service)
        self._site.server.watch((Slice,), self._slice)
        self._site.server.watch((Plan,), self._plan)
        self._site.server.watch((DropletLease, RackLease), self._lease)
        self._site.server.watch((Instance,), self._instance)
        self._site.board.watch(self._region)
        self._look()

    def _service(self, change: Change) -> None:
        kind, name = change.key
        gone = change.obj is None
        if kind is Tree:
            tree = self._last[name] if change.obj is None else change.obj
            assert isinstance(tree, Tree)
            self._last[name] = tree
            self.record.see(self.t, TreeSeen(tree, gone))
        elif isinstance(change.obj, Alias):
            self.record.see(self.t, AliasSeen(change.obj))
        elif name in self.record.ledger.aliases:
            self.record.see(self.t, AliasSeen(self.record.ledger.aliases[name], gone=True))
        self._look()

    def _slice(self, change: Change) -> None:
        piece = change.obj
        if isinstance(piece, Slice):
            self._pieces[piece.name] = piece
            self.record.see(self.t, SliceSeen(piece))
        else:
            self.record.see(self.t, SliceSeen(self._pieces.pop(change.key[1]), gone=True))
        self._look()

    def _plan(self, change: Change) -> None:
        if not isinstance(change.obj, Plan):
            return
        if not self.record.plans and self.record.arm.start is None:
            self.zero = self.record.ledger.zero = self._site.kernel.now
        bare = tuple(e.endpoint for e in change.obj.endpoints if not e.front_ends)
        self.record.planned(self.t, change.obj.generation, bare, change.obj)
        self._look()

    def _lease(self, change: Change) -> None:
        lease, leases = change.obj, self.record.leases
        if leases is not None and isinstance(lease, DropletLease | RackLease):
            leases.seen(self.t, lease)

    def _instance(self, change: Change) -> None:
        instance, leases = change.obj, self.record.leases
        if leases is not None and isinstance(instance, Instance):
            leases.instance(self.t, instance)

    def _launch(self) -> None:
        """What customers launch."""
        leases = self.record.leases
        if leases is None:
            return
        for instance in leases.to_launch():
            wanted = replace(instance, created=self._site.kernel.now)
            self._site.server.perform(Create(wanted))
            leases.launches.made(instance.name)

    def _region(self, notice: Notice) -> None:
        self.record.told(self.t, notice.status)
        self._look()

    def _look(self) -> None:
        """Whether there is a hold to let go, or the arm is over; again at every news, and at least
        ten times a second."""
        if self._busy:
            return
        self._ticks += 1
        for act in self.record.acts_due(self.t):
            self._act(act, partial(self._acted, act))
        due = self.record.due(self.t)
        self._launch()
        if due:
            self._busy = True
            self._release(due)
            return
        if self.record.is_over(self.t, self._settle):
            self._over()
        elif max(self.t, self._site.kernel.now) > self._deadline:
            self.record.cut_off = True
            self._over()
        else:
            tick = self._ticks
            self._client.later(TICK_SECONDS, lambda: self._look() if tick == self._ticks else None)

    def _acted(self, act: Act, said: str, failed: str) -> None:
        self.record.acted(self.t, act, said, failed)

    def _release(self, due: tuple[Hold, ...]) -> None:
        """One write after the other, and the news of the time in between at the end."""
        first, rest = due[0], due[1:]

        def written() -> None:
            self._site.board.release(first.name)
            self.record.released(self.t, first.name)
            if rest:
                self._release(rest)
            else:
                self._busy = False
                self._look()

        self._client.later(self._site.draw(self._site.latencies.status), written)


def _nobody(act: Act, done: Callable[[str, str], None]) -> None:
    done("", f"nobody does {act.name}")
