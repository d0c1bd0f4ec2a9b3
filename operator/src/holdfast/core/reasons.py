"""Reasons: every refusal and notable decision, in the word of events, conditions and counters.

The page docs/reference/events.md is made from this table, and a test fails when it is stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Who: TypeAlias = Literal["planner", "enactor", "planner, enactor", "human"]
Kind: TypeAlias = Literal["Normal", "Warning"]


class Reason(StrEnum):
    # --- of the enactor: what was live is newer
    STALE_PLAN_DROPPED = "StalePlanDropped"
    STALE_WRITE_REFUSED = "StaleWriteRefused"
    POLICY_REFUSED = "PolicyRefused"
    # --- of the enactor: the apply failed, and nothing was written
    ROLLBACK_MISSING = "RollbackMissing"
    FOREIGN_SLICE = "ForeignSlice"
    TREE_NOT_SERVED = "TreeNotServed"
    TREE_LOST = "TreeLost"
    WRITE_REJECTED = "WriteRejected"
    # --- of the enactor: it has to wait
    LOCK_LOST = "LockLost"
    NOT_LEADING = "NotLeading"
    WRITE_CONFLICT = "WriteConflict"
    PLAN_WITHHELD = "PlanWithheld"
    # --- of the enactor: it mends
    REPAIRING = "Repairing"
    SELF_REPAIRED = "SelfRepaired"
    # --- of the planner
    EMPTY_PLAN_WITHHELD = "EmptyPlanWithheld"
    EMPTY_PLAN_PUBLISHED = "EmptyPlanPublished"
    GENERATION_TAKEN = "GenerationTaken"
    OVERTAKEN = "Overtaken"
    PLAN_REJECTED = "PlanRejected"
    OUT_OF_GENERATIONS = "OutOfGenerations"
    SECOND_REGION = "SecondRegion"
    THAWED = "Thawed"
    # --- of both
    FROZEN = "Frozen"
    API_UNREACHABLE = "ApiUnreachable"
    API_OVERLOADED = "ApiOverloaded"
    # --- of a human, by `holdfast dns`
    OPERATOR_FROZE = "OperatorFroze"
    OPERATOR_THAWED = "OperatorThawed"
    OPERATOR_OVERRODE = "OperatorOverrode"
    # --- of conditions alone: all is well
    APPLIED = "Applied"
    PLANNED = "Planned"
    NOT_FROZEN = "NotFrozen"


@dataclass(frozen=True, slots=True)
class Meaning:
    """`refuses`: counted in `holdfast_refusals_total`; else it is notable and no refusal.
    `is_said`: it makes an event; the others are states of a condition."""

    who: Who
    kind: Kind
    sentence: str
    refuses: bool = True
    is_said: bool = True


_WARNING: Kind = "Warning"

MEANINGS: Mapping[Reason, Meaning] = {
    Reason.STALE_PLAN_DROPPED: Meaning(
        "enactor",
        _WARNING,
        "An enactor was about to write a plan older than what is live, noticed it by its own read, "
        "and dropped the plan.",
    ),
    Reason.STALE_WRITE_REFUSED: Meaning(
        "enactor",
        _WARNING,
        "The API server refused the write of a plan older than what is live, by the "
        "resourceVersion that the write bore (409).",
    ),
    Reason.POLICY_REFUSED: Meaning(
        "enactor",
        _WARNING,
        "An admission policy of the API server refused a write or a delete (403).",
    ),
    Reason.ROLLBACK_MISSING: Meaning(
        "enactor",
        _WARNING,
        "The alias names a tree that does not exist, so the rollback record cannot be written, and "
        "with dns.rollback=Coupled every apply fails.",
    ),
    Reason.FOREIGN_SLICE: Meaning(
        "enactor",
        _WARNING,
        "An EndpointSlice of the tree's name says something else than the plan: it was edited by "
        "hand, or belongs to another Service.",
    ),
    Reason.TREE_NOT_SERVED: Meaning(
        "enactor",
        _WARNING,
        "A new tree was not answered with the plan's addresses by every ready authoritative server "
        "within 90 s: the alias stays where it is.",
    ),
    Reason.TREE_LOST: Meaning(
        "enactor",
        _WARNING,
        "A tree vanished or changed while it was built or tested, or an alias while it was locked: "
        "the newest plan is picked anew.",
    ),
    Reason.WRITE_REJECTED: Meaning(
        "enactor",
        _WARNING,
        "The API server refuses the write for what it says or who says it: schema, rights, quota.",
    ),
    Reason.LOCK_LOST: Meaning(
        "enactor",
        _WARNING,
        "The alias's lock is held by another, was lost to another, or ran out. Said when it has "
        "happened 5, 50 or 500 times in a row.",
    ),
    Reason.NOT_LEADING: Meaning(
        "enactor",
        "Normal",
        "Another enactor has the leader's Lease (dns.fence=LeaderOnly). Said when it has happened "
        "5, 50 or 500 times in a row.",
    ),
    Reason.WRITE_CONFLICT: Meaning(
        "enactor",
        _WARNING,
        "The write lost its resourceVersion (409) to one that is not newer than the plan: a lock, "
        "a hand, another enactor. Said when it has happened 5, 50 or 500 times in a row.",
    ),
    Reason.PLAN_WITHHELD: Meaning(
        "enactor",
        _WARNING,
        "A plan leaves endpoints without addresses: their last good answers stay "
        "(dns.lastKnownGood=Enabled).",
    ),
    Reason.REPAIRING: Meaning(
        "enactor",
        _WARNING,
        "What is answered is not what the newest plan says: the plan is enacted anew "
        "(dns.selfRepair=Enabled).",
        refuses=False,
    ),
    Reason.SELF_REPAIRED: Meaning(
        "enactor", "Normal", "A repair has come to its end: the names are served.", refuses=False
    ),
    Reason.EMPTY_PLAN_WITHHELD: Meaning(
        "planner",
        _WARNING,
        "There is no ready front end: no plan is published, the last good one stays "
        "(dns.lastKnownGood=Enabled).",
    ),
    Reason.EMPTY_PLAN_PUBLISHED: Meaning(
        "planner",
        _WARNING,
        "There is no ready front end, and a plan without addresses was published "
        "(dns.lastKnownGood=Disabled).",
        refuses=False,
    ),
    Reason.GENERATION_TAKEN: Meaning(
        "planner",
        _WARNING,
        "The next generation's plan was there already: somebody else made it. The planner looks, "
        "and decides anew.",
    ),
    Reason.OVERTAKEN: Meaning(
        "planner",
        _WARNING,
        "An alias is above the newest plan, by an override or a hand: a plan above it was made "
        "(dns.selfRepair=Enabled).",
        refuses=False,
    ),
    Reason.PLAN_REJECTED: Meaning(
        "planner",
        _WARNING,
        "The API server refuses the plan for what it says or who says it: schema, rights, quota.",
    ),
    Reason.OUT_OF_GENERATIONS: Meaning(
        "planner",
        _WARNING,
        "A plan or an alias is at the highest generation there is, by a hand: no plan can be above "
        "it, and answers stay as they are until the hand takes it back.",
    ),
    Reason.SECOND_REGION: Meaning(
        "planner",
        _WARNING,
        "The namespace has an older Region already: this one is not served while it has.",
    ),
    Reason.THAWED: Meaning(
        "planner",
        "Normal",
        "The Region's freeze was taken away, or its time has passed: automation goes on.",
        refuses=False,
    ),
    Reason.FROZEN: Meaning(
        "planner, enactor",
        "Normal",
        "A human has the Region or an alias frozen: nothing is written.",
    ),
    Reason.API_UNREACHABLE: Meaning(
        "planner, enactor",
        _WARNING,
        "The API server gave no answer. Said when it has happened 5, 50 or 500 times in a row, "
        "and then posted when it answers again.",
    ),
    Reason.API_OVERLOADED: Meaning(
        "planner, enactor",
        _WARNING,
        "The API server refused for now (429, 5xx). Said when it has happened 5, 50 or 500 times "
        "in a row.",
    ),
    Reason.OPERATOR_FROZE: Meaning(
        "human",
        "Normal",
        "A human has frozen the Region (`holdfast dns freeze`): who, until when, why.",
        refuses=False,
    ),
    Reason.OPERATOR_THAWED: Meaning(
        "human",
        "Normal",
        "A human has thawed the Region (`holdfast dns thaw`).",
        refuses=False,
    ),
    Reason.OPERATOR_OVERRODE: Meaning(
        "human",
        "Normal",
        "A human has turned a name by hand (`holdfast dns override`): to which plan, whose lock "
        "was taken over, why.",
        refuses=False,
    ),
    Reason.APPLIED: Meaning(
        "enactor",
        "Normal",
        "The plan is live at every endpoint, and nothing has been refused since.",
        refuses=False,
        is_said=False,
    ),
    Reason.PLANNED: Meaning(
        "planner",
        "Normal",
        "There is a plan, made of the front ends that are ready.",
        refuses=False,
        is_said=False,
    ),
    Reason.NOT_FROZEN: Meaning(
        "planner",
        "Normal",
        "No human has the Region's automation off.",
        refuses=False,
        is_said=False,
    ),
}
"""The meaning of each reason: all of them, in the order in which they are documented."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for people: a reason with its numbers.

    `endpoint` tells repeated notices of one reason apart. Not `loud`: counted, and no more. `guard`
    (`dns.fence=Generation`) is what kept a stale or empty plan from going live; "" if nothing had
    to. `blocks`: the plan at hand did not go live.
    """

    reason: Reason
    message: str
    endpoint: str = ""
    loud: bool = True
    guard: str = ""
    blocks: bool = True
