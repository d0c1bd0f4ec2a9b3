"""What a Prometheus would have kept of one arm, and which alerts it would have raised, when.

An arm offers less than a whole installation does: of the probe what its /metrics says, of the
planner, the enactors and the lease managers the very numbers that they export, as the arm's own
watches know them.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, TypeAlias

from holdfast.core.alerts import ALERTS, SCRAPE_SECONDS, Key, Points, evaluate, series
from holdfast.core.leases.report import RESULTS
from holdfast.core.record import Record

Json: TypeAlias = dict[str, Any]


class Scrapes:
    """One arm's, on any one clock. `region` is its namespace, as metrics name it."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._samples: dict[Key, Points] = {}
        self._began: float | None = None

    def add(self, t: float, values: Mapping[Key, float], record: Record) -> None:
        """One scrape, and what the record knows by then."""
        self._began = t if self._began is None else self._began
        for key, value in {**values, **self._known(record)}.items():
            self._samples.setdefault(key, []).append((t, value))

    def _known(self, record: Record) -> dict[Key, float]:
        region = self._region
        stuck = sum(a.rollback_missing for a in record.actors.values())
        flips = len(record.ledger.live_generations)
        found = {
            series("holdfast_refusals_total", region=region, reason="RollbackMissing"): stuck,
            series("holdfast_writes_total", region=region, result="flipped"): flips,
        }
        if record.leases is not None:
            for zone, (result, name) in product(record.leases.zones, RESULTS.items()):
                labels = {"region": region, "zone": zone, "result": result}
                key = series("holdfast_lease_attempts_total", **labels)
                found[key] = record.leases.count(name, zone)
        if record.plans:
            for endpoint in record.endpoints:
                labels = {"region": region, "endpoint": endpoint, "stage": "proposed"}
                found[series("holdfast_plan_generation", **labels)] = record.newest
        return {key: float(value) for key, value in found.items()}

    def fired(self, zero: float, end: float, phase: float) -> dict[str, float]:
        """When each alert began to fire, in seconds after `zero`; absent if it did not. Rules are
        evaluated as often as is scraped, and `phase` (of 1) of that time later."""
        if self._began is None:
            return {}
        found = evaluate(self._samples, self._began + phase * SCRAPE_SECONDS, end)
        return {name: t - zero for name, t in found.items()}


def _first_empty(dns: Json) -> float | None:
    """When an authoritative server first answered with nothing, for any endpoint."""
    told = [dns, *(dns.get("endpoints") or {}).values()]
    seen = [(each.get("authoritative") or {}).get("firstEmptyAt") for each in told]
    return min((t for t in seen if t is not None), default=None)


def with_alerts(document: Json, fired: Mapping[str, float]) -> Json:
    """An arm's document with what it was told by alerts, in `dns` and in its timeline. How late an
    alert is counts from the first empty answer; where every answer had addresses, from the end of
    what was done to the leases."""
    first = _first_empty(document["dns"])
    ended = document.get("leases", {}).get("faultEndedAt")
    alerts = {}
    for alert in ALERTS:
        if alert.name not in fired:
            continue
        at = round(fired[alert.name], 2)
        alerts[alert.name] = {"firedAt": at}
        if first is not None and at >= first:
            alerts[alert.name]["afterFirstEmptySeconds"] = round(at - first, 2)
        elif first is None and ended is not None and at >= ended:
            alerts[alert.name]["afterFaultSeconds"] = round(at - ended, 2)
    lines = [
        {"t": alert["firedAt"], "event": "alert", "object": f"alert/{name}", "actor": "probe"}
        for name, alert in alerts.items()
    ]
    timeline = sorted([*document["timeline"], *lines], key=lambda line: line["t"])
    return {**document, "dns": {**document["dns"], "alerts": alerts}, "timeline": timeline}
