"""Reasons: every refusal and notable decision, in the word of events, conditions and counters.

The page docs/reference/events.md is made from this table, and a test fails when it is stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Who: TypeAlias = Literal["planner", "enactor", "planner, enactor", "lease manager", "human"]
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
    # --- of the lease manager: work that it did not take on, or gave up
    LEASE_QUEUE_FULL = "LeaseQueueFull"
    LEASE_THROTTLED = "LeaseThrottled"
    LEASE_WORK_DROPPED = "LeaseWorkDropped"
    LEASE_RETRY_DENIED = "LeaseRetryDenied"
    LEASE_ALREADY_QUEUED = "LeaseAlreadyQueued"
    # --- of the lease manager: work that won nothing
    LEASE_ATTEMPT_FAILED = "LeaseAttemptFailed"
    LEASE_ATTEMPT_LATE = "LeaseAttemptLate"
    LEASE_OF_ANOTHER = "LeaseOfAnother"
    LEASE_WRITE_CONFLICT = "LeaseWriteConflict"
    # --- of the lease manager: what became of its leases
    LEASE_EDITED = "LeaseEdited"
    LEASE_DELETED = "LeaseDeleted"
    LEASE_TIMERS_RESET = "LeaseTimersReset"
    LEASES_LOST = "LeasesLost"
    # --- of a human, by `holdfast dns` and `holdfast leases`
    OPERATOR_FROZE = "OperatorFroze"
    OPERATOR_THAWED = "OperatorThawed"
    OPERATOR_OVERRODE = "OperatorOverrode"
    OPERATOR_THROTTLED = "OperatorThrottled"
    OPERATOR_RESTARTED = "OperatorRestarted"
    # --- of conditions alone: all is well
    APPLIED = "Applied"
    PLANNED = "Planned"
    NOT_FROZEN = "NotFrozen"
    ALL_HELD = "AllHeld"


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
    Reason.LEASE_QUEUE_FULL: Meaning(
        "lease manager",
        _WARNING,
        "State checks were not queued: as much waits as can be done within the deadline "
        "(leases.admission=QueueBound). Their leases ask again at the next heartbeat.",
    ),
    Reason.LEASE_THROTTLED: Meaning(
        "lease manager",
        _WARNING,
        "State checks were not queued: a human lets no more wait (`holdfast leases throttle`).",
    ),
    Reason.LEASE_WORK_DROPPED: Meaning(
        "lease manager",
        _WARNING,
        "State checks that waited were dropped: too old to end within their deadline "
        "(leases.expired=Drop), or the queue was cleared by a restart or by leases.grace.",
    ),
    Reason.LEASE_RETRY_DENIED: Meaning(
        "lease manager",
        _WARNING,
        "State checks that won nothing were not tried again: the budget of retries is spent "
        "(leases.retry=BudgetedJitter). Their leases ask again at the next heartbeat.",
    ),
    Reason.LEASE_ALREADY_QUEUED: Meaning(
        "lease manager",
        _WARNING,
        "State checks were not queued, or not begun: one of the same lease waited, or was under "
        "way, already (leases.dedupe=ByDroplet).",
    ),
    Reason.LEASE_ATTEMPT_FAILED: Meaning(
        "lease manager",
        _WARNING,
        "State checks were not answered: the store's name, the store, the rack's agent or the API "
        "server.",
        refuses=False,
    ),
    Reason.LEASE_ATTEMPT_LATE: Meaning(
        "lease manager",
        _WARNING,
        "State checks were answered past their deadline, which runs from when they were queued: "
        "whatever they found is void.",
    ),
    Reason.LEASE_OF_ANOTHER: Meaning(
        "lease manager",
        _WARNING,
        "State checks found leases that another process holds, and left them alone.",
    ),
    Reason.LEASE_WRITE_CONFLICT: Meaning(
        "lease manager",
        _WARNING,
        "Writes of leases lost their resourceVersion (409), or the lease was not there: another "
        "process, or a hand, was quicker.",
    ),
    Reason.LEASE_EDITED: Meaning(
        "lease manager",
        _WARNING,
        "A hand has changed a lease of ours: it is written as it was, under the version found.",
        refuses=False,
    ),
    Reason.LEASE_DELETED: Meaning(
        "lease manager",
        _WARNING,
        "A hand has deleted a lease of ours: it is made anew.",
        refuses=False,
    ),
    Reason.LEASE_TIMERS_RESET: Meaning(
        "lease manager",
        "Normal",
        "What was gone for all leases is back: what ran out meanwhile is renewed and not "
        "established, spread over a period (leases.grace=ResetTimers).",
        refuses=False,
    ),
    Reason.LEASES_LOST: Meaning(
        "lease manager",
        _WARNING,
        "Leases ran out, or were taken away: not all of the zone are held. The message says how "
        "many are, and what mostly keeps the others from being won back.",
        refuses=False,
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
    Reason.OPERATOR_THROTTLED: Meaning(
        "human",
        "Normal",
        "A human has bound the lease managers' queues, or lifted the bound (`holdfast leases "
        "throttle`).",
        refuses=False,
    ),
    Reason.OPERATOR_RESTARTED: Meaning(
        "human",
        "Normal",
        "A human has had lease managers drop what they had in memory (`holdfast leases restart`).",
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
    Reason.ALL_HELD: Meaning(
        "lease manager",
        "Normal",
        "Every lease of the zone is held.",
        refuses=False,
        is_said=False,
    ),
}
"""The meaning of each reason: all of them, in the order in which they are documented."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for people: a reason with its numbers.

    `endpoint` tells repeated notices of one reason apart. Not `loud`: counted, and no more. `guard`
    (`dns.fence=Generation`) is what kept a stale or empty plan from going live, or a state check
    from being made; "" if nothing had to. `blocks`: the plan at hand did not go live.
    """

    reason: Reason
    message: str
    endpoint: str = ""
    loud: bool = True
    guard: str = ""
    blocks: bool = True
