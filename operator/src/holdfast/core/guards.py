"""The guards, as ladders: wrong fixes teach as much as right ones.

Only rungs that work are listed here and in the CRD; the design names the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Fence(StrEnum):
    """What keeps an enactor from replacing a newer plan by an older one."""

    CHECK_ONCE = "CheckOnce"
    """As AWS ran it: one check when the plan is picked, then a lock that says who writes."""
    GENERATION = "Generation"
    """Read, refuse unless newer, write with the uid and resourceVersion of that very read."""


class Cleanup(StrEnum):
    """How the cleaner chooses the trees to delete."""

    BY_AGE = "ByAge"
    """More than `retention` generations older than the enactor's own plan, live or not."""


class Rollback(StrEnum):
    """What happens when the tree that an alias names no longer exists."""

    COUPLED = "Coupled"
    """The rollback record cannot be written, so the apply fails: for every plan, for ever."""
    DECOUPLED = "Decoupled"
    """The rollback record stays empty and the apply goes on: the next plan heals the name."""


@dataclass(frozen=True, slots=True)
class DnsGuards:
    fence: Fence
    cleanup: Cleanup
    rollback: Rollback


AWS_2025 = DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED)
PROFILES: Mapping[str, DnsGuards] = {"aws-2025": AWS_2025}

_RUNGS: Mapping[str, type[StrEnum]] = {"fence": Fence, "cleanup": Cleanup, "rollback": Rollback}


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
        if field not in _RUNGS:
            raise ValueError(f"guards.dns.{field}: no such guard, only {', '.join(_RUNGS)}")
        try:
            chosen[field] = _RUNGS[field](value)
        except ValueError:
            rungs = ", ".join(_RUNGS[field])
            raise ValueError(f"guards.dns.{field}: {value!r} is none of {rungs}") from None
    return DnsGuards(**chosen)


def effective(guards: DnsGuards) -> dict[str, dict[str, str]]:
    """The guards as written into status and results, so that a lost field is seen."""
    return {"dns": {f.name: str(getattr(guards, f.name)) for f in fields(guards)}}
