"""How near a run came to the race: how many plans behind each enactor was when it wrote.

Where nobody is held, nobody says what an enactor waited for. The order of events tells it: at each
flip, which zone wrote it, and how many generations there were above it. Plans and aliases come to
an outsider by two watches, so a plan may be heard of a moment after it was written to an alias: it
counts from then on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
FLIPS = ("flip", "staleFlip")


def contention(timeline: Iterable[Mapping[str, Any]], struck: bool) -> Json:
    """`dns.contention` of the result document. `timeline` in the order in which it was seen;
    `struck`: whether an alias ever named nothing."""
    newest, plans, stale = 0, 0, 0
    behind: dict[str, Counter[int]] = {}
    for line in timeline:
        if line["event"] == "planned":
            plans += 1
            newest = max(newest, int(line["object"].rpartition("/")[2]))
        elif line["event"] in FLIPS:
            newest = max(newest, line["toGeneration"])
            zone = line.get("zone", "nobody")
            behind.setdefault(zone, Counter())[newest - line["toGeneration"]] += 1
            stale += line["event"] == "staleFlip"
    return {
        "plans": plans,
        "flips": sum(c.total() for c in behind.values()),
        "staleFlips": stale,
        "struck": struck,
        "byZone": {zone: _figures(behind[zone]) for zone in sorted(behind)},
    }


def _figures(behind: Counter[int]) -> Json:
    writes = behind.total()
    mean = sum(n * times for n, times in behind.items()) / writes
    return {
        "writes": writes,
        "behindMean": round(mean, 4),
        "behindMax": max(behind),
        "behind": {str(n): behind[n] for n in sorted(behind)},
    }
