"""What one enactor of one Region reports of itself: where it stands, and what came of what it did.

Every engine drives one Book next to each flow. It decides whether a hold catches, and counts; how
long a hold lasts, and who is told, is the engine's affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from holdfast.core.holds import ActorView, Hold, Tried, catcher
from holdfast.core.intents import (
    Create,
    Delete,
    Intent,
    Overwrite,
    PatchAlias,
    Reach,
    Replace,
)
from holdfast.core.objects import Alias
from holdfast.core.replies import (
    ADMISSION_POLICY,
    Conflict,
    Deleted,
    Missed,
    Rejected,
    Reply,
    Written,
)
from holdfast.core.rounds import Applied, Deferred, Frozen, Refused, Round, Stale, Withheld

VICTIMS_TOLD = 100

Write: TypeAlias = Literal["", "flipped", "conflict", "lock_lost", "policy", "delete_policy"]
"""What came of a write to an alias, or of the delete of a tree that a policy refused; "" if there
is nothing to count."""
End: TypeAlias = Literal[
    "", "dropped_stale", "conflict_newer", "rollback_missing", "frozen", "withheld"
]
"""Why a round ended without an apply, where that is worth a count."""


@dataclass(frozen=True, slots=True)
class Did:
    """What one round did: endpoints whose alias it moved (or gave birth to) and trees it deleted,
    in order, and how it ended."""

    flips: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    end: End = ""


class Book:
    """`view` is the report as it stands. `unsaid` is true while something in it is worth telling
    and `tell` has not been called since."""

    def __init__(self, view: ActorView) -> None:
        self.view = view
        self.unsaid = False
        self._did = Did()

    def tell(self) -> ActorView:
        """The report, taken for told."""
        self.unsaid = False
        return self.view

    def arrive(
        self,
        at: Reach,
        holds: tuple[Hold, ...],
        actors: Mapping[str, ActorView],
        newest: int,
    ) -> Hold | None:
        """Stand at a step: the hold that catches, if one does. `actors` is what all of the Region
        report, `newest` the newest plan generation seen.

        Without holds nobody listens, and steps are not worth telling but for the victims that some
        hold may wait for.
        """
        self.view = replace(
            self.view,
            step=at.step,
            generation=at.generation,
            victims=at.victims[:VICTIMS_TOLD],
            endpoint=at.endpoint,
        )
        if not holds:
            return None
        hold = catcher(holds, self.view, actors, newest)
        if hold is not None:
            self._say(hold=hold.name, caught=(*self.view.caught, hold.name))
        elif at.victims:
            self._say()
        return hold

    def let_go(self) -> None:
        """The hold has let go. From now on `tried` and `cleaned` count, once each."""
        self._say(hold="", let_go=True)

    def performed(self, intent: Intent, reply: Reply) -> Write:
        """Note what came of an intent."""
        match intent, reply:
            case Delete(name=tree), Deleted():
                self._did = replace(self._did, deletes=(*self._did.deletes, tree))
            case Create(Alias(endpoint)), Written():
                self._did = replace(self._did, flips=(*self._did.flips, endpoint))
            case (Replace(Alias(endpoint, _, generation)), Written()) | (
                Overwrite(Alias(endpoint, _, generation)),
                Written(),
            ):
                return self._flipped(endpoint, generation)
            case PatchAlias(endpoint, generation=int(generation)), Written():
                return self._flipped(endpoint, generation)
            case Replace(Alias()), Conflict():
                return "conflict"
            case PatchAlias(), Missed():
                return "lock_lost"
            case Delete(), Rejected(reason=reason) if reason == ADMISSION_POLICY:
                return "delete_policy"
            case (
                (
                    Create(Alias(generation=generation))
                    | Replace(Alias(generation=generation))
                    | Overwrite(Alias(generation=generation))
                    | PatchAlias(generation=int(generation))
                ),
                Rejected(reason=reason),
            ) if reason == ADMISSION_POLICY:
                self._say(policy_refused=self.view.policy_refused + 1)
                self._tried("refused", generation)
                return "policy"
        return ""

    def ended(self, outcome: Round) -> Did:
        """Note what came of a round; what it did. The next call of `performed` begins a new one."""
        end: End = ""
        match outcome:
            case Applied():
                if self.view.let_go and not self.view.cleaned:
                    self._say(cleaned=True)
            case Stale():
                end = self._dropped(outcome)
            case Refused(generation, _, reason):
                if reason.startswith("no rollback record"):
                    end = "rollback_missing"
                    self._say(rollback_missing=self.view.rollback_missing + 1)
                self._tried("failed", generation)
            case Frozen():
                end = "frozen"
            case Withheld():
                end = "withheld"
            case Deferred():
                pass
        did, self._did = replace(self._did, end=end), Did()
        return did

    def _dropped(self, outcome: Stale) -> End:
        """A plan found stale by the check after `pick` is ordinary lag. One found stale later, by
        `read` or by the check of a turn, is the race, noticed in time."""
        if not outcome.endpoint:
            return ""
        if outcome.conflicted:
            self._say(stale_refused=self.view.stale_refused + 1)
            self._tried("refused", outcome.generation)
            return "conflict_newer"
        self._say(stale_dropped=self.view.stale_dropped + 1)
        self._tried("dropped", outcome.generation)
        return "dropped_stale"

    def _flipped(self, endpoint: str, generation: int) -> Write:
        self._did = replace(self._did, flips=(*self._did.flips, endpoint))
        self._tried("flipped", generation)
        return "flipped"

    def _tried(self, how: Tried, generation: int) -> None:
        if self.view.let_go and not self.view.tried:
            self._say(tried=how, tried_generation=generation)

    def _say(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        self.unsaid = True
