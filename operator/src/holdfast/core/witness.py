"""What people are to hear of an enactor: a notice for every refusal, made of what it asked and got.

Ordinary work makes none. An enactor that finds its plan old by the check right after `pick` is late
and no more; a 409 against an alias that turns out to name its own tree already is redundancy.
"""

import re
from collections.abc import Iterable

from holdfast.core.guards import DnsGuards
from holdfast.core.intents import Delete, Get, Intent, Pick, Replace
from holdfast.core.objects import Alias, Plan
from holdfast.core.places import AtDelete, AtList, AtPick, AtReread, AtUnpin, Place
from holdfast.core.reasons import Notice, Reason
from holdfast.core.replies import (
    ADMISSION_POLICY,
    NAMESPACE_TERMINATING,
    Conflict,
    Picked,
    Read,
    Rejected,
    Reply,
)
from holdfast.core.rounds import Applied, Deferred, Frozen, Refused, Round, Stale

LOUD_AT = frozenset({5, 50, 500, 5_000, 50_000})
"""Of deferrals in a row: one is nothing, five are worth a word."""

_REFUSED = (
    (ADMISSION_POLICY, Reason.POLICY_REFUSED),
    ("no rollback record", Reason.ROLLBACK_MISSING),
    ("foreign slice", Reason.FOREIGN_SLICE),
    ("", Reason.WRITE_REJECTED),
)
_DEFERRED = (
    ("is not served", Reason.TREE_NOT_SERVED),
    ("was deleted|was changed|unexpected", Reason.TREE_LOST),
    ("no answer from the API server", Reason.API_UNREACHABLE),
    ("is overloaded", Reason.API_OVERLOADED),
    ("the lock", Reason.LOCK_LOST),
    ("leader|was elected", Reason.NOT_LEADING),
    ("conflict|another enactor created", Reason.WRITE_CONFLICT),
)
_AT_ONCE = frozenset({Reason.TREE_NOT_SERVED, Reason.TREE_LOST})


def reason_of(deferred: str) -> Reason | None:
    """The reason behind a deferral's own words; None for one that refuses nothing."""
    return next((reason for words, reason in _DEFERRED if re.search(words, deferred)), None)


class Witness:
    """Of one enactor: it remembers what a notice has to tell of the calls before."""

    def __init__(self) -> None:
        self._read: dict[str, Alias] = {}
        self._refused_at: dict[str, str] = {}
        self._frozen: dict[str, str] = {}
        self._repairs: dict[int, tuple[str, ...]] = {}
        self._withheld = 0

    def performed(self, guards: DnsGuards, intent: Intent, reply: Reply) -> Notice | None:
        """What came of one intent."""
        match intent, reply:
            case Pick(above), Picked(plan):
                return self._picked(guards, above, plan)
            case Get(), Read(Alias() as alias):
                self._read[alias.endpoint] = alias
            case Replace(Alias() as alias), Conflict():
                self._refused_at[alias.endpoint] = alias.resource_version
            case Delete(name=name), Rejected(reason, message) if reason == ADMISSION_POLICY:
                told = f"the delete of {name} was refused (403): {message}"
                return Notice(Reason.POLICY_REFUSED, told, blocks=False, guard=_ADMISSION)
        return None

    def _picked(self, guards: DnsGuards, above: int, plan: Plan) -> Notice | None:
        bare = [e.endpoint for e in plan.endpoints if not e.front_ends]
        if plan.generation == above:
            self._repairs = {plan.generation: tuple(e.endpoint for e in plan.endpoints)}
            told = f"{_names(self._repairs[plan.generation])} not served as plan "
            told += f"{plan.generation} has it: enacted anew"
            return Notice(Reason.REPAIRING, told, blocks=False)
        if not (bare and guards.keeps_last_good and plan.generation > self._withheld):
            return None
        self._withheld = plan.generation
        told = f"plan {plan.generation} leaves {len(bare)} of {len(plan.endpoints)} endpoint(s) "
        told += f"without addresses, and their last good answers stay: {_names(bare)}"
        return Notice(Reason.PLAN_WITHHELD, told, guard="dns.lastKnownGood=Enabled")

    def ended(self, guards: DnsGuards, outcome: Round) -> Notice | None:
        """What came of a round. Its deferrals are told one by one (see `deferred`)."""
        match outcome:
            case Applied(generation):
                self._frozen.clear()
                repaired = self._repairs.pop(generation, ())
                if repaired:
                    told = f"{_names(repaired)} served as plan {generation} has it"
                    return Notice(Reason.SELF_REPAIRED, told, blocks=False)
            case Stale(endpoint=str(endpoint)) if endpoint:
                return self._stale(guards, outcome)
            case Refused(final=False):
                return self._refused(outcome)
            case Frozen(generation, endpoint, by):
                loud, self._frozen[endpoint] = self._frozen.get(endpoint) != by, by
                told = f"{endpoint}: plan {generation} waits: frozen by {by}"
                return Notice(Reason.FROZEN, told, endpoint, loud)
        return None

    def deferred(self, outcome: Deferred, attempts: int) -> Notice | None:
        """What keeps a plan waiting, for the `attempts`-th time in a row."""
        reason = reason_of(outcome.reason)
        if reason is None:
            return None
        generation, endpoint = _plan_at(outcome.then)
        where = f"{endpoint}: " if endpoint else ""
        times = f", {attempts} times in a row" if attempts > 1 else ""
        told = f"{where}plan {generation} waits{times}: {outcome.reason}"
        return Notice(reason, told, endpoint, reason in _AT_ONCE or attempts in LOUD_AT)

    def _stale(self, guards: DnsGuards, outcome: Stale) -> Notice:
        endpoint = outcome.endpoint
        alias = self._read.get(endpoint)
        live = f"plan {outcome.live} is live"
        if alias is not None:
            live += f" at resourceVersion {alias.resource_version}, written by {alias.writer}"
        guard = f"dns.fence={guards.fence}"
        if outcome.conflicted:
            bore = self._refused_at.pop(endpoint, "unknown")
            told = f"{endpoint}: the write of plan {outcome.generation} at resourceVersion {bore} "
            told += f"was refused (409): {live}"
            return Notice(Reason.STALE_WRITE_REFUSED, told, endpoint, guard=guard)
        told = f"{endpoint}: plan {outcome.generation} dropped at {outcome.at}: {live}"
        return Notice(Reason.STALE_PLAN_DROPPED, told, endpoint, guard=guard)

    def _refused(self, outcome: Refused) -> Notice | None:
        if outcome.reason.startswith(NAMESPACE_TERMINATING):
            return None
        reason = next(r for words, r in _REFUSED if outcome.reason.startswith(words))
        alias = self._read.get(outcome.endpoint)
        live = f"; plan {alias.generation} is live" if alias is not None else ""
        told = f"{outcome.endpoint}: plan {outcome.generation} refused: {outcome.reason}{live}"
        guard = _ADMISSION if reason is Reason.POLICY_REFUSED else ""
        return Notice(reason, told, outcome.endpoint, guard=guard)


_ADMISSION = "dns.admission=Enabled"
_NAMES_TOLD = 5


def _names(endpoints: Iterable[str]) -> str:
    every = list(endpoints)
    more = f" and {len(every) - _NAMES_TOLD} more" if len(every) > _NAMES_TOLD else ""
    return ", ".join(every[:_NAMES_TOLD]) + more


def _plan_at(here: Place) -> tuple[int, str]:
    """Generation and endpoint of what waits there."""
    match here:
        case AtPick(above):
            return above + 1, ""
        case AtList(generation) | AtUnpin(generation) | AtReread(generation) | AtDelete(generation):
            return generation, ""
        case _:
            return here.plan.generation, here.endpoint
