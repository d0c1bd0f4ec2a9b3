"""What a manager tells of itself: its entry in `Region.status.leases`, by zone."""

from collections.abc import Mapping
from typing import Any

from holdfast.core.holds import Names
from holdfast.core.leases.manager import Manager

RESULTS: Mapping[str, str] = {
    "held": "succeeded",
    "late": "late",
    "failed": "failed",
    "conflict": "conflicts",
    "theirs": "theirs",
}
"""What came of attempts, as the metric has it, by the counts of a report."""


def report(manager: Manager, now: float, process: str, last_failure: str = "") -> dict[str, Any]:
    """Every field present: a merge patch then replaces the entry whole. Times in seconds."""
    figures = manager.figures
    return {
        "process": process,
        "units": len(manager.names),
        "held": manager.held(now),
        "lost": figures.lost,
        "queue": len(manager.queue),
        "bound": manager.queue.bound,
        "underWay": manager.under_way,
        "limit": round(manager.limit, 1),
        "oldestSeconds": round(manager.oldest(now), 2),
        "ageAtStartSeconds": round(manager.oldest_begun(), 3),
        "started": figures.started,
        "succeeded": figures.succeeded,
        "late": figures.late,
        "failed": figures.failed,
        "conflicts": figures.conflicts,
        "theirs": figures.theirs,
        "vain": figures.vain,
        "retried": figures.retried,
        "deniedRetries": figures.denied_retries,
        "dropped": figures.dropped,
        "refused": figures.full,
        "throttled": figures.throttled,
        "deduped": figures.deduped,
        "resets": figures.resets,
        "restarts": figures.restarts,
        "lastFailure": last_failure,
    }


def names_of(by_zone: Mapping[str, Mapping[str, Any]], units: int) -> Names:
    """What the managers of a Region tell together: a zone that tells nothing holds nothing. `units`
    of all zones."""
    held = sum(int(said.get("held", 0)) for said in by_zone.values())
    return Names(held_percent=100.0 * held / units, has_leases=True)
