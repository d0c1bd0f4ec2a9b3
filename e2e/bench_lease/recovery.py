"""How long a zone needs to win its leases back once the store is back, and how long one that has
collapsed wins none: the Scenario lease-collapse, its best arm and its worst."""

from collections.abc import Mapping
from typing import Any

from e2e.bench.figures import Goal
from e2e.bench_lease.scenes import scene
from holdfast.cli.files import read_scenario
from holdfast.core.leases.fleet import Fleet, fleet_of

SCENARIO = "lease-collapse"
SAFE, WORST = "safe", "aws-2025"
AFTER = 10
"""Times the least that recovery needs: from then on what is in vain is so for good."""
WINDOWS = 10
"""Of goodput that are looked at from then on."""
PATIENCE_SECONDS = 1200.0


def backlog_seconds(fleet: Fleet) -> float:
    """What a zone's workers need for all of its leases, if they win each back and do nothing else:
    N·c_e/k."""
    return fleet.units * fleet.establish / fleet.workers


def shortened() -> tuple[dict[str, Any], Fleet]:
    """The Scenario with two of its arms, watched for long enough; and its fleet."""
    document = read_scenario(SCENARIO)
    spec = document["spec"]
    fleet = fleet_of(spec["region"]["fleet"])
    assert fleet is not None
    settle = int(AFTER * backlog_seconds(fleet) + WINDOWS * fleet.period) + 1
    arms = [arm for arm in spec["arms"] if arm["name"] in (SAFE, WORST)]
    found = {
        **document,
        "metadata": {"name": "bench-recovery"},
        "spec": {**spec, "arms": arms, "settleSeconds": settle, "deadlineSeconds": settle + 120},
    }
    return found, fleet


async def recovery(runs: int) -> dict[str, Any]:
    document, fleet = shortened()
    backlog = backlog_seconds(fleet)
    found: list[dict[str, Any]] = []
    for _ in range(runs):
        async with scene(document) as there:
            result = await there.result(PATIENCE_SECONDS)
        arms = {arm["name"]: arm for arm in result["arms"]}
        found.append(
            {
                "verdict": result["verdict"],
                SAFE: _recovered(arms[SAFE]["leases"], backlog),
                WORST: _won_late(arms[WORST]["leases"], AFTER * backlog),
            }
        )
    return {"backlogSeconds": backlog, "runs": found}


def _recovered(leases: Mapping[str, Any], backlog: float) -> dict[str, Any]:
    """Of an arm whose fault is over: how long it took, as a multiple of the backlog's work."""
    took = leases.get("recoverySeconds")
    keys = ("leases", "heldLeast", "heldAtEnd", "metastability", "recoverySeconds", "faultEndedAt")
    ratio = None if took is None else round(took / backlog, 2)
    return {**{key: leases.get(key) for key in keys}, "overBacklog": ratio}


def _won_late(leases: Mapping[str, Any], after: float) -> dict[str, Any]:
    """What was renewed in whole windows from `after` seconds past the fault's end on, as a share of
    the heartbeats of that time."""
    ended, size = leases.get("faultEndedAt"), leases["windowSeconds"]
    begin = float("inf") if ended is None else float(ended) + after
    windows = [renewals for t, renewals in leases["goodput"] if t >= begin]
    beats = len(windows) * size * leases["offered"]["heartbeatsPerSecond"]
    keys = ("leases", "heldLeast", "heldAtEnd", "metastability", "faultEndedAt")
    return {
        **{key: leases.get(key) for key in keys},
        "windows": windows,
        "renewals": sum(windows),
        "heartbeats": round(beats),
        "share": round(sum(windows) / beats, 4) if beats else None,
    }


def goals(found: Mapping[str, Any]) -> list[Goal]:
    """The worst of the runs, and how many have shown nothing: on a machine that is busy otherwise
    leases are lost before the store goes."""
    pairs = [(r[SAFE]["overBacklog"], r[WORST]["share"]) for r in found["runs"]]
    seen = [(took, share) for took, share in pairs if took is not None and share is not None]
    blind = Goal("runs without a recovery or a collapse", len(pairs) - len(seen), at_most=0)
    if not seen:
        return [blind]
    recovers = f"{SAFE}: recovery / N·c_e/k ({found['backlogSeconds']:g} s)"
    collapsed = f"{WORST}: renewals / heartbeats, {AFTER} times that later"
    most, late = max(took for took, _ in seen), round(100 * max(share for _, share in seen), 2)
    return [
        Goal(recovers, most, at_most=1.5, unit="×"),
        Goal(collapsed, late, at_most=5, unit="%"),
        blind,
    ]
