"""An enactor of one zone in virtual time: core's flow, core's book, and when things happen."""

from collections.abc import Callable
from dataclasses import replace

from holdfast.core.actor import Actor
from holdfast.core.book import Book
from holdfast.core.enactor import START, enact
from holdfast.core.holds import HOLD_GRACE_SECONDS, ActorView, Hold, actor_of
from holdfast.core.intents import MUTATIONS, Intent, Pick, Prove, Reach
from holdfast.core.objects import Alias, Plan, Slice, Tree
from holdfast.core.places import AtPick, Place
from holdfast.core.region import Region, backoff
from holdfast.core.repair import broken_endpoints, only
from holdfast.core.replies import Passed, Picked, Proven, Reply, TimedOut, Unproven
from holdfast.core.rounds import Deferred, Flow, Frozen, Refused, Round
from holdfast.fake import Change, FakeApi
from holdfast.sim.board import Notice
from holdfast.sim.dns import Authoritative
from holdfast.sim.faults import CALL_TIMEOUT_SECONDS
from holdfast.sim.site import Client, Site

REFUSED_PAUSE_SECONDS = 1.0
COUNTS_EVERY_SECONDS = 1.0
REPAIR_AFTER_SECONDS = 0.5
POLL_SECONDS = (0.001, 0.25)
"""Between two queries of a proof, growing by half each time: all as on the cluster."""


def pause_seconds(region: Region, outcome: Round, deferrals: int, chance: float) -> float:
    """Before the next round; `deferrals` in a row, this one included."""
    match outcome:
        case Deferred():
            return backoff(region, deferrals, chance)
        case Refused() | Frozen():
            return REFUSED_PAUSE_SECONDS * (0.5 + 0.5 * chance)
        case _:
            return 0.0


class Enactor:
    def __init__(
        self, site: Site, zone: str, authoritative: Authoritative, replaces: bool = False
    ) -> None:
        """`replaces`: another process of the zone stands at a hold, and its report is its own."""
        slow = site.faults.slow.get(zone, 1.0)
        self._site, self._zone, self._authoritative = site, zone, authoritative
        self._client = Client(site, slow, stalls=True)
        self._teller = Client(site, slow)
        self._plans: dict[int, Plan] = {}
        self._holds: tuple[Hold, ...] = ()
        self._actors: dict[str, ActorView] = {}
        self._incarnation = 0
        self._book = Book(ActorView(zone))
        self._telling = False
        self._is_silent = replaces
        self._loses = False
        self._seen = FakeApi()
        self._broken_since: float | None = None
        self._flow: Flow | None = None
        self._here: Place = START
        self._deferrals = 0
        self._ended = False
        self._waits: tuple[Callable[[], bool], Callable[[], None]] | None = None

    def start(self) -> None:
        """Take the Region up: its watches first."""
        self._site.server.watch((Plan,), self._planned)
        if self._site.region.guards.repairs:
            self._site.server.watch((Alias, Tree, Slice), self._see)
        self._site.board.watch(self._noticed)
        self._begin()

    def crash(self, down_seconds: float) -> None:
        """Die now, and be there again as another incarnation: what is in memory is lost, what the
        Region's status repeats is not."""
        self._client.die()
        self._teller.die()
        self._waits, self._flow, self._here, self._telling = None, None, START, False
        self._incarnation += 1
        self._deferrals = 0
        self._book = Book(replace(self._actors.get(self._zone, ActorView(self._zone)), hold=""))
        self._client.later(down_seconds, self._begin)
        if self._site.region.guards.repairs:  # the timer of one that was due died, too
            self._client.later(down_seconds + REPAIR_AFTER_SECONDS, self._news)

    def stop(self) -> None:
        """Go for good, wherever it stands: scaled away."""
        self.crash(0.0)
        self._client.die()

    @property
    def _me(self) -> Actor:
        pod = f"pod-{self._incarnation}{'-again' if self._is_silent else ''}"
        return Actor(self._zone, f"{self._zone}/{pod}")

    def _see(self, change: Change) -> None:
        """What is answered, by our own watch: for repairs."""
        if change.obj is None:
            self._seen.objects.pop(change.key, None)
        else:
            self._seen.objects[change.key] = change.obj
        if not self._broken():
            self._broken_since = None
        elif self._broken_since is None:
            self._broken_since = self._site.kernel.now
            self._client.later(REPAIR_AFTER_SECONDS, self._news)

    def _broken(self) -> tuple[str, ...]:
        newest = self._plans.get(self._newest())
        return broken_endpoints(newest, self._seen.objects.values()) if newest else ()

    def _next(self, above: int) -> Plan | None:
        """What there is to do: a newer plan, or a repair of the newest."""
        newest = self._plans.get(self._newest())
        if newest is None or newest.generation > above:
            return newest
        now, since = self._site.kernel.now, self._broken_since
        if since is None or now - since < REPAIR_AFTER_SECONDS:
            return None
        broken = self._broken()  # of a newer plan, other things may be
        return only(newest, broken) if broken else None

    def _planned(self, change: Change) -> None:
        if isinstance(change.obj, Plan):
            self._plans[change.obj.generation] = change.obj
        else:
            self._plans = {g: p for g, p in self._plans.items() if p.name != change.key[1]}
        self._news()

    def _noticed(self, notice: Notice) -> None:
        self._holds = notice.holds
        self._actors = {z: actor_of(z, raw) for z, raw in notice.status["actors"].items()}
        self._news()

    def _news(self) -> None:
        """Somebody may have waited for it."""
        if self._waits is not None and self._waits[0]():
            (_, then), self._waits = self._waits, None
            self._client.later(0.0, then)

    def _until(self, true: Callable[[], bool], then: Callable[[], None]) -> None:
        assert self._waits is None, "an enactor waits for one thing at a time"
        if true():
            then()
        else:
            self._waits = (true, then)

    def _newest(self) -> int:
        return max(self._plans, default=0)

    def _begin(self) -> None:
        """A round, once there is something to pick."""
        above = self._here.above if isinstance(self._here, AtPick) else -1
        self._until(lambda: self._next(above) is not None, self._round)

    def _round(self) -> None:
        self._flow = enact(self._me, self._site.region.rules(), self._here)
        self._step(None)

    def _step(self, reply: Reply | None) -> None:
        """Send the reply (None: to begin with), and see to what is asked for next."""
        assert self._flow is not None
        try:
            intent = next(self._flow) if reply is None else self._flow.send(reply)
        except StopIteration as stop:
            self._after(stop.value)
            return
        match intent:
            case Reach():
                self._reach(intent)
            case Pick(above):
                self._until(lambda: self._next(above) is not None, lambda: self._pick(above))
            case Prove():
                self._prove(intent, self._site.kernel.now, POLL_SECONDS[0])
            case _:
                self._client.call(intent, lambda answer: self._performed(intent, answer))

    def _pick(self, above: int) -> None:
        plan, now = self._next(above), self._site.kernel.now
        assert plan is not None
        if plan.generation <= above:  # a repair: the next one waits its time
            self._broken_since = now
            self._client.later(REPAIR_AFTER_SECONDS, self._news)
        self._step(Picked(plan, now))

    def _performed(self, intent: Intent, reply: Reply) -> None:
        if self._loses and isinstance(intent, MUTATIONS):
            self._loses = False
            lost = TimedOut(self._site.kernel.now + CALL_TIMEOUT_SECONDS)
            self._client.later(CALL_TIMEOUT_SECONDS, lambda: self._performed(intent, lost))
            return
        self._book.performed(intent, reply)
        self._tell()
        self._step(reply)

    def _prove(self, intent: Prove, began: float, pause: float) -> None:
        """Ask the authoritative server until it answers as it should."""
        site = self._site

        def answered() -> None:
            now = site.kernel.now
            seen = self._authoritative.served(intent.tree)
            if seen == intent.addresses:
                self._step(Proven(now))
            elif now - began > intent.deadline_seconds:
                self._step(Unproven(f"{list(seen)}", now))
            else:
                slower = min(pause * 1.5, POLL_SECONDS[1])
                self._client.later(pause, lambda: self._prove(intent, began, slower))

        self._client.later(site.draw(site.latencies.query), answered)

    def _reach(self, at: Reach) -> None:
        hold = self._book.arrive(at, self._holds, self._actors, self._newest())
        self._tell()
        if hold is None:
            self._step(Passed(self._site.kernel.now))
            return
        if hold.loses:
            self._loses = True
            self._let_go()
            return
        name, patience = hold.name, hold.deadline_seconds + HOLD_GRACE_SECONDS
        deadline = self._site.kernel.now + patience

        def free() -> bool:
            released = all(h.released for h in self._holds if h.name == name)
            return released or self._site.kernel.now >= deadline

        self._until(free, self._let_go)
        self._client.later(patience, self._news)

    def _let_go(self) -> None:
        self._book.let_go()
        self._tell()
        self._step(Passed(self._site.kernel.now))

    def _after(self, outcome: Round) -> None:
        self._book.ended(outcome)
        self._tell()
        self._here = outcome.then
        self._deferrals = self._deferrals + 1 if isinstance(outcome, Deferred) else 0
        if isinstance(outcome, Refused) and outcome.final:
            return
        site = self._site
        pauses = isinstance(outcome, Deferred | Refused | Frozen)
        chance = site.chance.random() if pauses else 0.0
        self._client.later(
            pause_seconds(site.region, outcome, self._deferrals, chance), self._begin
        )

    def _tell(self) -> None:
        """Write what there is to say, the latest only. Without holds nobody listens, but counts
        are told now and then in mode Jitter."""
        if not self._book.unsaid or self._telling:
            return
        view, site = self._book.tell(), self._site
        is_jitter = site.region.seed is not None
        if not (site.board.holds or is_jitter) or self._is_silent:
            return
        self._telling = True

        def written() -> None:
            site.board.report(view)
            self._teller.later(COUNTS_EVERY_SECONDS if is_jitter else 0.0, again)

        def again() -> None:
            self._telling = False
            self._tell()

        self._teller.later(site.draw(site.latencies.status), written)
