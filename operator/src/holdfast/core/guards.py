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

_FIELDS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "fence": ("fence", Fence),
    "cleanup": ("cleanup", Cleanup),
    "rollback": ("rollback", Rollback),
    "admission": ("admission", Switch),
    "selfRepair": ("self_repair", Switch),
    "lastKnownGood": ("last_known_good", Switch),
}
"""The guards as a spec names them: our field, and the rungs."""


def dns_guards(spec: Mapping[str, Any]) -> DnsGuards:
    """The effective guards of `spec.guards`: a profile, with single rungs overriding it.

    Raises ValueError naming the field and the rungs there are.
    """
    name = spec.get("profile") or "aws-2025"
    if name not in PROFILES:
        raise ValueError(f"guards.profile: {name!r} is none of {', '.join(PROFILES)}")
    profile = PROFILES[name]
    chosen = {f.name: getattr(profile, f.name) for f in fields(profile)}
    for field, value in (spec.get("dns") or {}).items():
        if field not in _FIELDS:
            raise ValueError(f"guards.dns.{field}: no such guard, only {', '.join(_FIELDS)}")
        ours, ladder = _FIELDS[field]
        try:
            chosen[ours] = ladder(value)
        except ValueError:
            rungs = ", ".join(ladder)
            raise ValueError(f"guards.dns.{field}: {value!r} is none of {rungs}") from None
    return DnsGuards(**chosen)


def effective(guards: DnsGuards) -> dict[str, dict[str, str]]:
    """The guards as written into status and results, so that a lost field is seen."""
    return {"dns": {name: str(getattr(guards, ours)) for name, (ours, _) in _FIELDS.items()}}
