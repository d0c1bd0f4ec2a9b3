"""The scenario role's side of holds: which to release, and when an arm is over."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.core.holds import NOTHING_SEEN, ActorView, Hold, Names, is_met


def stale_attempts(holds: tuple[Hold, ...], actors: Mapping[str, ActorView]) -> int:
    """How many actors tried a stale write and did not get it through. Where a hold waits for
    somebody's try, only theirs count: others' ordinary lag is not the race."""
    awaited = {h.until.tried for h in holds if h.until.tried}
    if awaited:
        return sum(actors[z].tried in ("refused", "dropped") for z in awaited if z in actors)
    return sum(a.stale_refused + a.stale_dropped + a.policy_refused for a in actors.values())


@dataclass(slots=True)
class HoldWatch:
    """What became of each hold of an arm, by its name. Times in seconds of one clock."""

    caught: dict[str, float] = field(default_factory=dict)
    released: dict[str, float] = field(default_factory=dict)
    overdue: set[str] = field(default_factory=set)

    def see(self, now: float, actors: Mapping[str, ActorView]) -> tuple[str, ...]:
        """Note what the actors report; the holds that are newly caught."""
        new = tuple(
            name for actor in actors.values() for name in actor.caught if name not in self.caught
        )
        for name in new:
            self.caught[name] = now
        return new

    def due(
        self,
        now: float,
        holds: tuple[Hold, ...],
        actors: Mapping[str, ActorView],
        newest_plan: int,
        names: Names = NOTHING_SEEN,
    ) -> tuple[Hold, ...]:
        """The holds to release now: condition met, or deadline passed."""
        out: list[Hold] = []
        for hold in holds:
            if hold.name not in self.caught or hold.name in self.released:
                continue
            held = now - self.caught[hold.name]
            actor = actors.get(hold.actor, ActorView(hold.actor))  # a hand may have edited it
            if is_met(hold.until, actor, actors, newest_plan, held, names):
                out.append(hold)
            elif held > hold.deadline_seconds:
                self.overdue.add(hold.name)
                out.append(hold)
        return tuple(out)

    def uncaught(self, holds: tuple[Hold, ...]) -> tuple[str, ...]:
        return tuple(h.name for h in holds if h.name not in self.caught)

    def last(self, began: float, holds: tuple[Hold, ...]) -> float | None:
        """When the last hold was let go, `began` without any; None while there is one to come."""
        if any(h.name not in self.released for h in holds):
            return None
        return max([began, *self.released.values()])
