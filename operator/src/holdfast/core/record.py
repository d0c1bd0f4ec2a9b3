"""What an outsider knows of one arm while it runs, and what follows from it.

The engine brings what its watches see, in their order; the record keeps it, says which holds are to
be let go, and when the arm is over. Nothing in it is an enactor's opinion but what no outsider can
see: plans dropped, writes refused. Times `t` are seconds since the arm's first plan on one clock.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.core.acts import OF_LEASES, Act, ActWatch, Order
from holdfast.core.answers import PROBED_MAX
from holdfast.core.freeze import is_frozen
from holdfast.core.holds import ActorView, Hold, Names, actor_of, hold_of
from holdfast.core.leases.chronicle import Chronicle
from holdfast.core.ledger import Ledger, Seen
from holdfast.core.names import tree_name
from holdfast.core.objects import Family, Plan, family_of
from holdfast.core.scenario import Arm
from holdfast.core.timeline import HoldWatch

CONVERGED_WITHIN_SECONDS = 5.0
"""A plan older than this at the end of an arm must be live, or the arm has not converged."""


class Record:
    """One arm's. `endpoints` are the Region's; `jitter`: nobody is held, and the arm lasts its time
    from the first plan on."""

    def __init__(
        self,
        arm: Arm,
        endpoints: tuple[str, ...],
        jitter: bool = False,
        zones: tuple[str, ...] = (),
    ) -> None:
        self.arm, self.endpoints, self.jitter = arm, endpoints, jitter
        self.ledger = Ledger()
        self.holds: tuple[Hold, ...] = tuple(hold_of(h) for h in arm.holds)
        self.hold_watch = HoldWatch()
        self.act_watch = ActWatch()
        self.published_bare = False
        self.withheld: dict[int, tuple[str, ...]] = {}
        """Endpoints that a plan leaves without addresses, and whose last answer is to be kept."""
        self.actors: dict[str, ActorView] = {}
        self.plans: dict[int, float] = {}
        self.said: dict[str, tuple[str, ...]] = {}
        """What plans say that each tree of an endpoint that is probed answers with."""
        self.gaps = 0
        self.cut_off = False
        self.guards_in_force: dict[str, Any] = {}
        self.leases = Chronicle(arm.fleet, arm.lease_guards, zones) if arm.fleet else None

    @property
    def newest(self) -> int:
        return max(self.plans, default=0)

    @property
    def guards_as_asked(self) -> bool:
        return self.guards_in_force == self.arm.effective

    @property
    def names(self) -> Names:
        empty = self.ledger.empty_now
        recovered = frozenset(e for _, e, _ in self.ledger.recovered) - empty
        if self.leases is None or not self.leases.was_whole:
            return Names(empty, recovered)
        return Names(empty, recovered, self.leases.percent, has_leases=True)

    @property
    def acts(self) -> tuple[Act, ...]:
        return self.arm.acts

    def planned(
        self, t: float, generation: int, bare: tuple[str, ...] = (), plan: Plan | None = None
    ) -> None:
        """A plan was appended; `bare` are the endpoints that it leaves without addresses. `plan`:
        what it says, so that answers can be held against it."""
        self.plans[generation] = t
        for wanted in plan.endpoints if plan else ():
            if wanted.endpoint in self.endpoints[:PROBED_MAX]:
                self.said[tree_name(wanted.endpoint, generation)] = wanted.addresses()
        if bare and self.arm.guards.keeps_last_good:
            self.withheld[generation] = bare
        self.published_bare = self.published_bare or bool(bare)
        self.ledger.bare.update(tree_name(e, generation) for e in bare)
        self.ledger.note(t, "planned", f"plan/{generation}", "planner")

    def see(self, t: float, seen: Seen, whole: bool = True) -> None:
        """A change of an alias or a tree; not `whole` while a listing is being read."""
        self.ledger.see(t, seen, whole)

    def synced(self, t: float, relisted: bool) -> None:
        """The end of a listing; `relisted` if it was one after a lost watch."""
        self.gaps += relisted
        self.ledger.judge(t)

    def told(self, t: float, status: Mapping[str, Any]) -> None:
        """The Region's status: what its enactors report, and the guards in force."""
        before = self.actors
        self.actors = {z: actor_of(z, raw) for z, raw in (status.get("actors") or {}).items()}
        self.guards_in_force = status.get("guards") or self.guards_in_force
        if self.leases is not None:
            self.leases.told(t, status.get("leases") or {})
        for zone, actor in self.actors.items():
            self._note_actor(t, before.get(zone) or ActorView(zone), actor)

    def due(self, t: float) -> tuple[Hold, ...]:
        """The holds to let go now: condition met, or deadline passed. Notes those newly caught, and
        what time alone makes true."""
        if self.plans or self.arm.start:
            self.ledger.judge(t)
        if self.leases is not None and self.plans:
            self.leases.zero = self.ledger.zero
            self.leases.look(t)
            event, told = self.leases.news()
            if event:
                self.ledger.note(t, event, "leases", "scenario", message=told)
        for name in self.hold_watch.see(t, self.actors):
            self._note_hold(t, name, "held")
        return self.hold_watch.due(t, self.holds, self.actors, self.newest, self.names)

    def acts_due(self, t: float) -> tuple[Act, ...]:
        """The acts to begin now."""
        if not self.plans:
            return ()
        return self.act_watch.due(t, self.acts, self.actors, self.newest, self.names)

    def acted(self, t: float, act: Act, said: str = "", failed: str = "") -> None:
        """An act is done, or could not be."""
        self.act_watch.done[act.name] = t
        if failed:
            self.act_watch.failed[act.name] = failed
        if self.leases is not None:
            sheds = isinstance(act.does, Order) and act.does.command in OF_LEASES
            (self.leases.shed if sheds else self.leases.fault)(t)
        event = "actFailed" if failed else "acted"
        who = "operator" if isinstance(act.does, Order) else "scenario"
        self.ledger.note(t, event, f"act/{act.name}", who, message=failed or said)

    def released(self, t: float, name: str) -> None:
        """The engine has let a hold go."""
        self.hold_watch.released[name] = t
        self._note_hold(t, name, "overdue" if name in self.hold_watch.overdue else "released")

    def is_over(self, t: float, settle_seconds: float) -> bool:
        """Whether every hold has come and gone, and the time to settle has passed since."""
        if self.jitter:
            return bool(self.plans) and t >= settle_seconds
        live = self.ledger.live_generations
        began = live[0][0] if live else t
        last_hold = self.hold_watch.last(began, self.holds)
        last_act = self.act_watch.last(began, self.acts)
        if not self.plans or last_hold is None or last_act is None:
            return False
        return t - max(last_hold, last_act) >= settle_seconds

    def converged(self, end: float) -> bool:
        """Whether every plan that had its time by `end` is live at every endpoint, or a human has
        it frozen there."""
        due = [g for g, t in self.plans.items() if t <= end - CONVERGED_WITHIN_SECONDS]
        aliases, now = self.ledger.aliases, self.ledger.zero + end
        return not self.ledger.empty_now and all(
            (a := aliases.get(e)) is not None
            and (a.generation >= self._wanted(e, due) or is_frozen(a.frozen, now))
            for e in self.endpoints
        )

    @property
    def families(self) -> frozenset[Family]:
        """Those that plans have addresses of."""
        return frozenset(family_of(a) for said in self.said.values() for a in said)

    def _wanted(self, endpoint: str, due: list[int]) -> int:
        """The newest of these plans that has an answer for the endpoint."""
        return max((g for g in due if endpoint not in self.withheld.get(g, ())), default=0)

    def story(self, t: float) -> str:
        """Where the arm stands, in a line for people."""
        held = [f"{a.zone} held at {a.step}" for a in self.actors.values() if a.hold]
        live = ", ".join(
            f"{e} {'names nothing' if a.target not in self.ledger.trees else a.target}"
            for e, a in sorted(self.ledger.aliases.items())
        )
        if self.leases is not None:
            held.append(f"{self.leases.held_lately} of {self.leases.total} leases held")
        return "; ".join([f"{t:.0f} s: plan {self.newest}", live or "no alias yet", *held])

    def _note_hold(self, t: float, name: str, event: str) -> None:
        hold = next((h for h in self.holds if h.name == name), None)
        if hold is None:
            return  # a hand has written it into the status
        actor = self.actors.get(hold.actor, ActorView(hold.actor))
        more: dict[str, Any] = {"generation": actor.generation} if actor.generation else {}
        if actor.victims:
            more["victims"] = list(actor.victims)
        where = {"zone": hold.zone, "step": hold.at}
        self.ledger.note(t, event, f"hold/{name}", hold.role, **where, **more)

    def _note_actor(self, t: float, old: ActorView, new: ActorView) -> None:
        """What one enactor has newly reported of itself."""

        def note(event: str, step: str, generation: int) -> None:
            where = {"zone": new.zone, "step": step}
            self.ledger.note(t, event, f"plan/{generation}", "enactor", **where)

        if new.tried and not old.tried:
            note(new.tried, "flip", new.tried_generation)
        if new.cleaned and not old.cleaned and self._is_held_at_delete(new.zone):
            note("cleaned", "delete", new.generation)
        if new.rollback_missing and not old.rollback_missing:
            note("stuck", "read", new.generation)

    def _is_held_at_delete(self, zone: str) -> bool:
        return any(h.zone == zone and h.at == "delete" for h in self.holds)
