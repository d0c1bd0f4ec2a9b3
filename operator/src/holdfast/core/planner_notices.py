"""What people are to hear of a planner: the notices of its refusals and its other decisions."""

from collections.abc import Sequence

from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.names import GENERATION_ANNOTATION
from holdfast.core.objects import Plan
from holdfast.core.planner import HIGHEST, Unplanned
from holdfast.core.reasons import Notice, Reason
from holdfast.core.witness import LOUD_AT

_UNPLANNED = (
    ("is taken", Reason.GENERATION_TAKEN),
    (HIGHEST, Reason.OUT_OF_GENERATIONS),
    ("Overloaded", Reason.API_OVERLOADED),
    ("TimedOut", Reason.API_UNREACHABLE),
    ("", Reason.PLAN_REJECTED),
)
LASTING = (Reason.PLAN_REJECTED, Reason.OUT_OF_GENERATIONS, Reason.SECOND_REGION)
"""Those that last until somebody acts: states of the condition `Ready`."""
_PASSING = frozenset({Reason.API_OVERLOADED, Reason.API_UNREACHABLE})
WAY_DOWN = (
    "delete the plans of too high a number, and set the annotation "
    f"{GENERATION_ANNOTATION} of each alias to the number of the tree that it shall name"
)
"""From the highest generation there is."""


def unplanned(outcome: Unplanned, attempts: int) -> Notice | None:
    """Why nothing was appended, for the `attempts`-th time in a row. None where the namespace is on
    its way out: nobody is left to hear it."""
    if outcome.final:
        return None
    reason = next(r for words, r in _UNPLANNED if words in outcome.reason)
    times = f", {attempts} times in a row" if attempts > 1 else ""
    loud = reason not in _PASSING or attempts in LOUD_AT
    way_out = f"; {WAY_DOWN}" if reason is Reason.OUT_OF_GENERATIONS else ""
    told = f"no plan above {outcome.newest}{times}: {outcome.reason}{way_out}"
    return Notice(reason, told, loud=loud)


def withheld(newest: int, endpoints: Sequence[str]) -> Notice:
    """A plan without addresses was due, and not published."""
    told = f"no ready front end for {len(endpoints)} endpoint(s): plan {newest + 1} is withheld, "
    told += f"plan {newest} stays"
    return Notice(Reason.EMPTY_PLAN_WITHHELD, told, guard="dns.lastKnownGood=Enabled")


def published_empty(plan: Plan) -> Notice:
    told = f"no ready front end: plan {plan.generation} leaves {len(plan.endpoints)} endpoint(s) "
    return Notice(Reason.EMPTY_PLAN_PUBLISHED, told + "without addresses")


def overtaken(endpoint: str, generation: int, newest: int, appended: int) -> Notice:
    told = f"{endpoint}: its alias is at generation {generation}, above the newest plan {newest}: "
    return Notice(Reason.OVERTAKEN, told + f"plan {appended} was made above it", endpoint)


def second_region(name: str, first: str) -> Notice:
    told = f"Region {name} is not served: its namespace is that of Region {first}, which is older; "
    return Notice(Reason.SECOND_REGION, told + "delete one of them")


def frozen(freeze: Freeze) -> Notice:
    return Notice(Reason.FROZEN, f"frozen by {freeze_words(freeze)}")


def thawed(newest: int) -> Notice:
    return Notice(Reason.THAWED, f"automation goes on, above plan {newest}")


def freeze_words(freeze: Freeze) -> str:
    """Who, until when, why."""
    if freeze.until >= FOREVER:
        return f"{freeze.who} until it is thawed" + (f": {freeze.why}" if freeze.why else "")
    who, until, *why = freeze.text().split(" ", 2)
    return f"{who} until {until}" + (f": {why[0]}" if why else "")
