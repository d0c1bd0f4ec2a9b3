"""What came of exploring the hand-over of a lease, as people and results have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from holdfast.check.explorer import Exploration, Explorer
from holdfast.check.leases import CLOCK, DEFAULT, NAME, HandOverBounds, describe, hand_over_model
from holdfast.check.liveness import stuck
from holdfast.check.model import Model
from holdfast.check.trace import Row, trace
from holdfast.core.invariants import Invariant
from holdfast.core.scenario import Arm
from holdfast.core.verdict import Outcome, Verdict

Json: TypeAlias = dict[str, Any]

OF_LEASES = frozenset(
    {
        Invariant.IN_FLIGHT_BOUNDED,
        Invariant.QUEUE_BOUNDED,
        Invariant.NO_EXPIRED_WORK_DONE,
        Invariant.GOODPUT,
        Invariant.ESTABLISHED_NOT_LOST,
        Invariant.ALL_RECOVER,
        Invariant.STATIC_STABILITY,
    }
)
"""What load and time can break."""
NOT_LOOKED_AT = (
    "no interleaving leads to an outage of DNS; what queues of leases do under load is a matter of "
    "time, which `holdfast simulate` and `holdfast run` tell"
)


@dataclass(frozen=True, slots=True)
class HandOver:
    """What was found. `traces`: by broken invariant, a shortest way to it. `stuck`: states from
    which nobody can ever hold the lease again."""

    bounds: HandOverBounds
    found: Exploration = field(repr=False)
    traces: Mapping[str, tuple[Row, ...]]
    stuck: int

    @property
    def broken(self) -> frozenset[str]:
        return frozenset(self.traces)


def hand_over(model: Model | None = None, bounds: HandOverBounds = DEFAULT) -> HandOver:
    """Everything within the bounds, which are the model's. Deterministic; seconds."""
    explorer = Explorer(model or hand_over_model(bounds))
    found = explorer.explore()
    traces = {
        name: tuple(map(_told, trace(explorer, found, before, after, describe)))
        for name, (before, after) in found.broken.items()
    }
    return HandOver(bounds, found, traces, len(stuck(explorer, found)))


def with_hand_over(arm: Arm, document: Json, checked: HandOver) -> Json:
    """The result of an arm with a fleet, with what was found of its leases. What broke there fails
    the arm, for no guard is without it. What an arm expects of its leases besides is a matter of
    load and time, of which every interleaving says nothing: that is no Fail, and no Pass."""
    told = document | {"handOver": hand_over_document(checked)}
    if checked.broken:
        names = ", ".join(sorted(checked.broken))
        return told | {
            "invariantsBroken": sorted({*document["invariantsBroken"], *checked.broken}),
            "verdict": str(Verdict.FAIL),
            "message": f"{names} breaks when a lease is handed over",
        }
    if document["verdict"] != Verdict.PASS and _expects_of_leases(arm, document):
        return told | {"verdict": str(Verdict.INCONCLUSIVE), "message": NOT_LOOKED_AT}
    return told


def _expects_of_leases(arm: Arm, document: Json) -> bool:
    """Whether the arm expects an outage or a break that may be its leases', and has none of DNS."""
    return document["outcome"] == Outcome.PREVENTED and (
        arm.expect is Outcome.REPRODUCED or not OF_LEASES.isdisjoint(arm.breaks)
    )


def hand_over_document(checked: HandOver) -> Json:
    """As it stands in an arm's result. The word exhaustive never stands without its bounds."""
    b = checked.bounds
    return {
        "distinctStates": checked.found.states,
        "transitions": checked.found.transitions,
        "depth": checked.found.depth,
        "exhaustive": checked.found.exhaustive,
        "invariantsBroken": sorted(checked.broken),
        "bounds": {
            "managers": b.managers,
            "droplets": b.droplets,
            "ticks": b.ticks,
            "crashes": b.crashes,
            "lostReplies": b.lost_replies,
            "agentRestarts": b.agents,
        },
    }


def _told(row: Row) -> Row:
    """A row in the words of leases."""
    words = {"GET clock": "what time is it, and who answers", "GET kept": "GET the lease"}
    call = next((said for start, said in words.items() if row.call.startswith(start)), row.call)
    if row.call.startswith("PUT kept"):
        call = "PUT the lease" + row.call[row.call.rindex(",") :]
    if row.call.startswith("PUT clock"):
        call = ""
    reply = "" if row.reply.startswith((CLOCK, NAME)) else row.reply
    return replace(row, call=call, reply=reply)
