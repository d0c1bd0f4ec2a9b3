"""A case against a run of the same life without a fault: what differs, and whether it may.

Nothing is excused for a whole case. A reason excuses single differences by their shape, is granted
to single cases, and one that is granted and not needed is a failure too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from e2e.faults.cases import ENACTED, FIRST_ENACTED, PIN_LIVE, Case
from e2e.faults.harm import Harm, WatchHarm
from e2e.faults.life import Outcome
from e2e.faults.lives import EDITED, FIRST, OVERTAKEN, PAIR
from e2e.faults.state import Facts

When: TypeAlias = Literal["after", "end", "effects"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` names generations as seen from the plan under test: `tree dynamodb -2 pins`. `without`
    and `seen` are None where there is nothing of the kind."""

    when: When
    what: str
    without: str | None
    seen: str | None

    def __str__(self) -> str:
        return f"{self.when}: {self.what}: {self.without} -> {self.seen}"


class Reason(StrEnum):
    """Why a case may differ from a life without its fault."""

    LEAKED = "leaked pin"
    SOONER = "deleted sooner"
    LATER = "cleaned later"
    UNTRIMMED = "trimmed later"
    EXPIRED = "expired lock"
    REMADE = "made again"
    SKIPPED = "plan skipped"
    UNPLANNED = "change missed"
    BLIND = "server missed"


MEANINGS: Mapping[Reason, str] = {
    Reason.LEAKED: "A Pod died with pins on trees. Nobody else takes them off, so those trees stay "
    "until a human's word: a leaked pin costs a tree, never an answer.",
    Reason.SOONER: "The Pod died while it cleaned. Its successor finds the plan live and cleans "
    "once more, which deletes now what the next plan would have deleted. At the end nothing "
    "differs.",
    Reason.LATER: "A pin that could not be taken off, or a tree that could not be deleted, is not "
    "tried again at once: it is listed again after the next plan. At the end nothing differs.",
    Reason.UNTRIMMED: "The planner trims its history with every tenth plan, and that trim was "
    "lost: a plan too many stays until the next one.",
    Reason.EXPIRED: "A late write takes the lock with an expiry that has passed: it hinders "
    "nobody, and the next flip releases it. At the end nothing differs.",
    Reason.REMADE: "A create has no precondition but its name, and that name is free again: the "
    "late write makes what was deleted a minute ago, an empty tree or an orphaned slice. Nothing "
    "names it, and the next plan or the garbage collector takes it away. One create and one delete "
    "more.",
    Reason.SKIPPED: "The enactor was never told of this plan, and goes on with the next: a plan is "
    "skipped, as whenever two come quickly. One tree fewer made and deleted.",
    Reason.UNPLANNED: "The planner was never told of this change, and nothing can tell it but the "
    "next news of that object or a new list: the change comes with the next plan, and one plan "
    "fewer is made. A real API server drops no event of a watch that goes on.",
    Reason.BLIND: "The enactor was never told of the server that replaced the one it knew, so no "
    "tree can be proved and the last answer stays, until the next news of that slice. A real API "
    "server drops no event of a watch that goes on.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failures` is empty if the case did as it may."""

    reasons: tuple[Reason, ...]
    failures: tuple[str, ...]
    extra_writes: int


def judge(case: Case, without: Outcome, seen: Outcome) -> Verdict:
    differences = tuple(_differences(case, without, seen))
    granted = reasons_of(case)
    reasons = {d: [r for r in granted if _EXCUSES[r](d, without, seen)] for d in differences}
    used = sorted({r for found in reasons.values() for r in found})
    failures = [f"differs: {d}" for d, found in reasons.items() if not found]
    if case.life not in (PAIR, EDITED):
        # Who of two had pinned what is chance; and so is whether a condition is written to the
        # Region soon after it was edited, which tells of the edit as well.
        failures += [f"granted and not needed: {r}" for r in granted if r not in used]
    if not seen.struck:
        failures.append("the fault never struck")
    failures += _of_customers(seen)
    return Verdict(tuple(used), tuple(failures), _writes(seen) - _writes(without))


def _writes(outcome: Outcome) -> int:
    return sum(s.had_effect and not s.write.is_told for s in outcome.sent)


def _of_customers(seen: Outcome) -> Iterator[str]:
    """What every customer must have seen, whatever else differs."""
    customer = seen.customer
    if customer.lapses:
        yield f"{len(customer.lapses)} empty answers"
    if customer.answered < 20 or customer.missing > customer.answered / 10:
        yield f"blind: {customer.answered} answers were seen, {customer.missing} never came"
    if customer.generations != sorted(customer.generations):
        yield f"answers went back: {customer.generations}"


def reasons_of(case: Case) -> tuple[Reason, ...]:
    """What is inherent in a case."""
    match case.harm:
        case Harm():
            return tuple(_of_a_write(case))
        case WatchHarm.DROP | WatchHarm.REORDER:
            return tuple(_of_a_watch(case))
        case _:
            return ()


_CRASHES = (Harm.CRASH_AFTER, Harm.CRASH_BEFORE)
_NO_EFFECT = (Harm.OVERLOADED, Harm.ERROR, Harm.RESET)
_UNTRIMMED = (
    *(("create plan", h) for h in (Harm.CRASH_AFTER, Harm.LOST_REPLY, Harm.RESET_AFTER)),
    *(("delete plan -4", h) for h in (Harm.CRASH_BEFORE, *_NO_EFFECT)),
)


def _of_a_write(case: Case) -> Iterator[Reason]:
    by_enactor = case.what in (*ENACTED[case.guards], *FIRST_ENACTED)
    cleans = case.what.startswith(("unpin", "delete tree"))
    if by_enactor and case.harm in _CRASHES and case.guards == PIN_LIVE and _had_pins(case):
        yield Reason.LEAKED
        if cleans and (case.what, case.harm) != ("unpin -2", Harm.CRASH_BEFORE):
            yield Reason.SOONER
    if cleans and case.harm in _NO_EFFECT:
        yield Reason.LATER
    if (case.what, case.harm) in _UNTRIMMED and case.life is not FIRST:
        yield Reason.UNTRIMMED
    if case.harm is Harm.DELAY and case.what == "take lock":
        yield Reason.EXPIRED
    if case.life is OVERTAKEN and case.what in ("create tree", "create slice"):
        yield Reason.REMADE


def _had_pins(case: Case) -> bool:
    """Whether the Pod that dies has put a pin on anything."""
    pinned = case.what == "create alias" or (case.what, case.harm) == ("pin", Harm.CRASH_AFTER)
    return case.life is not FIRST or pinned


def _of_a_watch(case: Case) -> Iterator[Reason]:
    match case.what.partition(": "), case.harm:
        case ("planner", _, _), _:
            yield Reason.UNPLANNED
        case (_, _, "dnsplans"), WatchHarm.DROP:
            yield Reason.SKIPPED
        case (_, _, "endpointslices"), WatchHarm.DROP:
            yield Reason.BLIND


Excuse: TypeAlias = Callable[[Difference, Outcome, Outcome], bool]


def _is_leaked(d: Difference, _: Outcome, seen: Outcome) -> bool:
    """A tree bears a pin of the dead; one that should be gone is there for no other reason."""
    facts = seen.after if d.when == "after" else seen.end
    what, field = d.what.rpartition(" ")[::2]
    if d.when == "effects":
        what = d.what.removeprefix("delete ").replace("tree", "tree dynamodb")
    is_dead = "dead" in (facts.get(f"{what} pins") or "")
    return is_dead and (field == "pins" or (d.seen if d.when == "effects" else d.without) is None)


def _is_sooner(d: Difference, without: Outcome, _: Outcome) -> bool:
    """An unpinned tree, older than the one before, is gone now and not a plan later."""
    found = re.fullmatch(r"(tree dynamodb -[2-9]) (pins|addresses)", d.what)
    return (
        d.when == "after"
        and found is not None
        and d.seen is None
        and without.after[f"{found[1]} pins"] == ""
    )


def _is_later(d: Difference, _: Outcome, __: Outcome) -> bool:
    """An old tree, or our own pin on it, is still there."""
    older = re.fullmatch(r"tree dynamodb -[2-9] (pins|addresses)", d.what)
    return d.when == "after" and older is not None and d.seen is not None


def _is_untrimmed(d: Difference, _: Outcome, __: Outcome) -> bool:
    if d.when == "effects":
        return (d.what, d.without, d.seen) == ("delete plan -4", "1", None)
    return d.what == "plan -4" and d.without is None


def _is_expired(d: Difference, _: Outcome, __: Outcome) -> bool:
    is_lock = d.when == "after" and d.what == "alias dynamodb lock"
    return is_lock and not d.without and (d.seen or "").startswith("expired")


def _is_remade(d: Difference, _: Outcome, __: Outcome) -> bool:
    if d.when == "effects":
        again = d.what in ("create tree", "delete tree", "create slice")
        return again and (d.without, d.seen) == ("1", "2")
    orphan = d.when == "after" and d.what in ("tree dynamodb addresses", "tree dynamodb pins")
    return orphan and d.without is None and d.seen == ""


def _is_skipped(d: Difference, _: Outcome, seen: Outcome) -> bool:
    """Afterwards the plan before is live; at the end the plans after it, and this one was never
    enacted."""
    if d.when == "effects":
        never = ("create tree", "create slice", "delete tree", "delete tree -1")
        return d.what in never and d.seen is None
    if d.when == "after":
        return _rests_on_the_plan_before(seen.after)
    return d.what.startswith(("tree dynamodb ", "alias dynamodb rollback"))


def _is_unplanned(d: Difference, without: Outcome, seen: Outcome) -> bool:
    """Afterwards the plan before is live; at the end the same answers, and of all plans that were
    made only the one with this change is missing."""
    if d.when == "after":
        return _rests_on_the_plan_before(seen.after)
    made = _plans(without.end)
    del made["plan"]
    same = list(made.values()) == list(_plans(seen.end).values())
    return same and _answers(seen.end) == _answers(without.end)


def _plans(facts: Facts) -> dict[str, str]:
    """The content of each plan, in order."""
    found = {what: said for what, said in facts.items() if what.partition(" ")[0] == "plan"}
    return dict(sorted(found.items(), key=lambda plan: int(plan[0].partition(" ")[2] or 0)))


def _is_blind(d: Difference, _: Outcome, seen: Outcome) -> bool:
    return d.when == "after" and _rests_on_the_plan_before(seen.after)


def _rests_on_the_plan_before(facts: Facts) -> bool:
    return facts["alias dynamodb generation"] == "-1" and facts["alias dynamodb lock"] == ""


def _answers(facts: Facts) -> Mapping[str, str]:
    """What each alias's name answers."""
    names = {k.split()[1]: v for k, v in facts.items() if k.endswith(" names")}
    return {endpoint: facts[f"{tree} addresses"] for endpoint, tree in names.items()}


_EXCUSES: Mapping[Reason, Excuse] = {
    Reason.LEAKED: _is_leaked,
    Reason.SOONER: _is_sooner,
    Reason.LATER: _is_later,
    Reason.UNTRIMMED: _is_untrimmed,
    Reason.EXPIRED: _is_expired,
    Reason.REMADE: _is_remade,
    Reason.SKIPPED: _is_skipped,
    Reason.UNPLANNED: _is_unplanned,
    Reason.BLIND: _is_blind,
}


def _differences(case: Case, without: Outcome, seen: Outcome) -> Iterator[Difference]:
    pairs: tuple[tuple[When, Mapping[str, str], Mapping[str, str]], ...] = (
        ("after", without.after, seen.after),
        ("end", without.end, seen.end),
        ("effects", _counted(without), _counted(seen)),
    )
    for when, one, other in pairs:
        for what in sorted({*one, *other}):
            chance = _is_by_chance(case, when, what)
            if one.get(what) != other.get(what) and not chance:
                yield Difference(when, what, one.get(what), other.get(what))


def _counted(outcome: Outcome) -> Mapping[str, str]:
    return {what: str(times) for what, times in outcome.effects.items()}


_OLDEST = {"after": "tree dynamodb -2 ", "end": "tree dynamodb ", "effects": "delete tree"}


def _is_by_chance(case: Case, when: When, what: str) -> bool:
    """Which of two enactors did it, and whether the other had pinned the tree as well: then both
    must have taken their pins off before it is deleted, at this plan or the next."""
    if case.life is not PAIR:
        return False
    oldest = re.fullmatch(f"{_OLDEST[when]}(addresses|pins|)", what)
    is_old = case.guards == PIN_LIVE and oldest is not None
    return is_old or what.endswith((" written by", " pins"))
