"""The guards, as ladders, worst rung first: wrong fixes teach as much as right ones."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Fence(StrEnum):
    """What keeps an enactor from replacing a newer plan by an older one."""

    NONE = "None"
    """No check, no lock, a blind write."""
    CHECK_ONCE = "CheckOnce"
    """As AWS ran it: one check when the plan is picked, then a lock that says who writes."""
    CHECK_EACH = "CheckEach"
    """Checks again before every turn, outside the lock: a smaller window, and a window."""
    LEADER_ONLY = "LeaderOnly"
    """Asks whether it holds the leader Lease, then writes blindly. Leadership is no fence: it can
    end between the question and the write."""
    RESOURCE_VERSION = "ResourceVersion"
    """Reads the version just before the write, and not what it says: looks fenced, is not."""
    CHECK_IN_LOCK = "CheckInLock"
    """AWS's own lock, with the check moved inside it."""
    GENERATION = "Generation"
    """Read, refuse unless newer, write with the uid and resourceVersion of that very read."""


class Cleanup(StrEnum):
    """How the cleaner chooses the trees to delete."""

    BY_AGE = "ByAge"
    """More than `retention` generations older than the enactor's own plan, live or not."""
    SKIP_LIVE_WHEN_LISTING = "SkipLiveWhenListing"
    """By age, without what is live when the list is made. It may go live after."""
    REREAD_BEFORE_DELETE = "RereadBeforeDelete"
    """Reads the alias before each delete, which bears the tree's uid and resourceVersion. Alias
    and tree are two objects: a flip does not move the tree's version."""
    PIN_LIVE = "PinLive"
    """An enactor pins its tree, a write to the tree itself, before it flips. The cleaner deletes
    what nobody pins and no alias names, at the version that it listed."""


class Rollback(StrEnum):
    """What happens when the tree that an alias names no longer exists."""

    COUPLED = "Coupled"
    """The rollback record cannot be written, so the apply fails: for every plan, for ever."""
    DECOUPLED = "Decoupled"
    """The rollback record stays empty and the apply goes on: the next plan heals the name."""


class Switch(StrEnum):
    """A guard that is there or is not. Never spelt on and off: YAML reads these as booleans."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"


class QueueAdmission(StrEnum):
    """What may join a lease manager's queue."""

    UNLIMITED = "Unlimited"
    QUEUE_BOUND = "QueueBound"
    """While the queue is shorter than what can be done within the deadline (see `queue_bound`)."""


class Expired(StrEnum):
    """What a worker does with work whose deadline has passed, or will have when it is done."""

    DO_ANYWAY = "DoAnyway"
    DROP = "Drop"


class Dedupe(StrEnum):
    """Whether a droplet may wait in the queue more than once."""

    QUEUE = "Queue"
    BY_DROPLET = "ByDroplet"


class Retry(StrEnum):
    """What happens with work that failed or came too late."""

    IMMEDIATE = "Immediate"
    """Queued again, at once, on top of the heartbeats."""
    BUDGETED_JITTER = "BudgetedJitter"
    """After a back-off with full jitter, while the budget of retries lasts; else at the next
    heartbeat."""


class Order(StrEnum):
    FIFO = "Fifo"
    RENEWALS_FIRST = "RenewalsFirst"
    """What is held is kept before what is lost is won back."""


class Concurrency(StrEnum):
    FIXED = "Fixed"
    ADAPTIVE = "Adaptive"
    """As many workers as come in time: one more after a round of successes, half after a miss."""


class Grace(StrEnum):
    NONE = "None"
    RESET_TIMERS = "ResetTimers"
    """When a dependency that was gone for all is back, heartbeats begin anew, spread over a period,
    and what ran out meanwhile is renewed, not established."""


class OnStart(StrEnum):
    """What a manager that starts puts into its queue."""

    RELIST_ALL = "RelistAll"
    """Everything at once: a controller's habit."""
    SPREAD = "Spread"
    """Everything once, spread over a period."""


@dataclass(frozen=True, slots=True)
class DnsGuards:
    """`admission`: policies of the API server, for whichever client writes: the live generation
    never goes down, a pinned tree is never deleted (see `policy`). `self_repair`: what is not
    served as the newest plan has it is enacted anew without a newer plan, and a missing tree of the
    alias is no reason to fail. `last_known_good`: an endpoint that a plan leaves without addresses
    keeps its last answer."""

    fence: Fence
    cleanup: Cleanup
    rollback: Rollback
    admission: Switch = Switch.DISABLED
    self_repair: Switch = Switch.DISABLED
    last_known_good: Switch = Switch.DISABLED

    @property
    def pins(self) -> bool:
        """Whether enactors pin the trees that they flip to: the cleaner, or a policy, asks."""
        return self.cleanup is Cleanup.PIN_LIVE or self.admission is Switch.ENABLED

    @property
    def repairs(self) -> bool:
        return self.self_repair is Switch.ENABLED

    @property
    def keeps_last_good(self) -> bool:
        return self.last_known_good is Switch.ENABLED


@dataclass(frozen=True, slots=True)
class LeaseGuards:
    """The guards of the lease managers: each has its ladder above."""

    admission: QueueAdmission
    expired: Expired
    dedupe: Dedupe
    retry: Retry
    order: Order
    concurrency: Concurrency
    grace: Grace
    on_start: OnStart


LOCKS = frozenset({Fence.CHECK_ONCE, Fence.CHECK_EACH, Fence.CHECK_IN_LOCK})
"""The fences that write under AWS's lock."""

AWS_2025 = DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED)
SAFE = DnsGuards(
    Fence.GENERATION,
    Cleanup.PIN_LIVE,
    Rollback.DECOUPLED,
    Switch.ENABLED,
    Switch.ENABLED,
    Switch.ENABLED,
)
PROFILES: Mapping[str, DnsGuards] = {"aws-2025": AWS_2025, "safe": SAFE}
LEASE_PROFILES: Mapping[str, LeaseGuards] = {
    "aws-2025": LeaseGuards(
        QueueAdmission.UNLIMITED,
        Expired.DO_ANYWAY,
        Dedupe.QUEUE,
        Retry.IMMEDIATE,
        Order.FIFO,
        Concurrency.FIXED,
        Grace.NONE,
        OnStart.RELIST_ALL,
    ),
    "safe": LeaseGuards(
        QueueAdmission.QUEUE_BOUND,
        Expired.DROP,
        Dedupe.BY_DROPLET,
        Retry.BUDGETED_JITTER,
        Order.RENEWALS_FIRST,
        Concurrency.ADAPTIVE,
        Grace.RESET_TIMERS,
        OnStart.SPREAD,
    ),
}
AWS_LEASES, SAFE_LEASES = LEASE_PROFILES["aws-2025"], LEASE_PROFILES["safe"]

_FIELDS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "fence": ("fence", Fence),
    "cleanup": ("cleanup", Cleanup),
    "rollback": ("rollback", Rollback),
    "admission": ("admission", Switch),
    "selfRepair": ("self_repair", Switch),
    "lastKnownGood": ("last_known_good", Switch),
}
"""The guards as a spec names them: our field, and the rungs."""


_LEASE_FIELDS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "admission": ("admission", QueueAdmission),
    "expired": ("expired", Expired),
    "dedupe": ("dedupe", Dedupe),
    "retry": ("retry", Retry),
    "order": ("order", Order),
    "concurrency": ("concurrency", Concurrency),
    "grace": ("grace", Grace),
    "onStart": ("on_start", OnStart),
}


def dns_guards(spec: Mapping[str, Any]) -> DnsGuards:
    """The effective guards of `spec.guards`: a profile, with single rungs overriding it.

    Raises ValueError naming the field and the rungs there are.
    """
    profile = PROFILES[_profile(spec.get("profile"), "guards")]
    return DnsGuards(**_chosen(profile, "dns", _FIELDS, spec.get("dns") or {}))


def lease_guards(spec: Mapping[str, Any]) -> LeaseGuards:
    """As `dns_guards`, of the lease managers; `leases.profile` goes before `profile`.

    Raises ValueError naming the field and the rungs there are.
    """
    own = dict(spec.get("leases") or {})
    name = own.pop("profile", None)
    where = "guards.leases" if name else "guards"
    profile = LEASE_PROFILES[_profile(name or spec.get("profile"), where)]
    return LeaseGuards(**_chosen(profile, "leases", _LEASE_FIELDS, own))


def _profile(name: Any, where: str) -> str:
    name = name or "aws-2025"
    if name not in PROFILES:
        raise ValueError(f"{where}.profile: {name!r} is none of {', '.join(PROFILES)}")
    return str(name)


def _chosen(
    profile: DnsGuards | LeaseGuards,
    group: str,
    ladders: Mapping[str, tuple[str, type[StrEnum]]],
    rungs: Mapping[str, Any],
) -> dict[str, Any]:
    """The fields of a profile, with these rungs instead."""
    chosen = {f.name: getattr(profile, f.name) for f in fields(profile)}
    for field, value in rungs.items():
        if field not in ladders:
            raise ValueError(f"guards.{group}.{field}: no such guard, only {', '.join(ladders)}")
        ours, ladder = ladders[field]
        try:
            chosen[ours] = ladder(value)
        except ValueError:
            there = ", ".join(ladder)
            raise ValueError(f"guards.{group}.{field}: {value!r} is none of {there}") from None
    return chosen


def effective(guards: DnsGuards, leases: LeaseGuards | None = None) -> dict[str, dict[str, str]]:
    """The guards as written into status and results, so that a lost field is seen. `leases`: of a
    Region that has a fleet."""
    found = {"dns": {name: str(getattr(guards, ours)) for name, (ours, _) in _FIELDS.items()}}
    if leases is not None:
        found["leases"] = {
            name: str(getattr(leases, ours)) for name, (ours, _) in _LEASE_FIELDS.items()
        }
    return found
