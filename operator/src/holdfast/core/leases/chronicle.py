"""What an outsider sees of an arm's leases, and what follows: lost, back, by whom.

Evidence are the lease objects themselves, in the order of their watch; the managers' own figures
are told beside it, for what no outsider can see. Times `t` are seconds since the arm's first plan;
leases bear the epoch's, and `zero` leads from one to the other.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from holdfast.core.guards import LeaseGuards, Order, QueueAdmission
from holdfast.core.invariants import Invariant
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.instances import Instance
from holdfast.core.leases.launches import Launches
from holdfast.core.leases.lease import Lease
from holdfast.core.leases.metastability import Metastability
from holdfast.core.leases.rules import queue_bound, recovery_seconds

Json: TypeAlias = dict[str, Any]

SAMPLE_SECONDS = 1.0
TOUCHED_SHARE = 0.9
"""Below this share of its leases a fleet has been hit."""
BACK_SECONDS = 5.0
"""From the end of the last fault to the moment from which goodput is due: a Pod starts, a plan is
made, applied and served."""
COUNTS = ("started", "succeeded", "late", "failed", "conflicts", "theirs", "retried")
REFUSALS = ("dropped", "refused", "throttled", "deduped", "deniedRetries", "vain")


class Chronicle:
    """Of one arm. `zones` are the Region's."""

    def __init__(self, fleet: Fleet, guards: LeaseGuards, zones: tuple[str, ...]) -> None:
        self.fleet, self.guards, self.zones = fleet, guards, zones
        self.zero = 0.0
        self.broken: dict[Invariant, float] = {}
        self.fault_ended: float | None = None
        self.shed_at: float | None = None
        self.back_since: float | None = None
        self._leases: dict[str, Lease] = {}
        self._won: dict[str, float] = {}
        self._samples: list[tuple[float, int]] = []
        self._renewals: list[float] = []
        self._told: dict[tuple[str, str], Json] = {}
        self._ages: list[float] = []
        self._said = "nothing"
        self.was_whole = False
        """Whether all were held at some time: what was never held cannot be lost."""
        self.launches = Launches(zones)

    @property
    def total(self) -> int:
        return self.fleet.leases * len(self.zones)

    def held(self, t: float) -> int:
        now = self.zero + t
        return sum(lease.live(now) for lease in self._leases.values())

    @property
    def _bound(self) -> int:
        """Of all that waits: each line has its own, where there are two."""
        lines = 2 if self.guards.order is Order.RENEWALS_FIRST else 1
        return lines * queue_bound(self.fleet)

    @property
    def held_lately(self) -> int:
        """At the last sample: of ten thousand racks nobody counts ten times a second."""
        return self._samples[-1][1] if self._samples else 0

    @property
    def percent(self) -> float:
        return 100.0 * self.held_lately / self.total

    def seen(self, t: float, lease: Lease, gone: bool = False) -> None:
        """A lease object, as its watch shows it."""
        before = self._leases.get(lease.name)
        if gone:
            self._leases.pop(lease.name, None)
            return
        self._leases[lease.name] = lease
        if before is None or lease.renewed == before.renewed:
            return
        # A holder's claim may be older than what it replaces: a zombie's is.
        other = before.holder not in ("", lease.holder)
        if other and lease.acquired < before.expires:
            self.broken.setdefault(Invariant.SINGLE_HOLDER, t)
        if lease.renewed < before.renewed:
            return
        self._renewals.append(t)
        if self.fault_ended is not None and lease.acquired > self.zero + self.fault_ended:
            self._won.setdefault(lease.name, lease.acquired)

    def told(self, t: float, by_zone: Mapping[str, Any]) -> None:
        """What the managers report of themselves: of each zone the process that has spoken last."""
        for zone, raw in by_zone.items():
            self._told[zone, str(raw.get("process", ""))] = dict(raw)
            if raw.get("underWay", 0) > self.fleet.workers:
                self.broken.setdefault(Invariant.IN_FLIGHT_BOUNDED, t)
            bounds = self.guards.admission is QueueAdmission.QUEUE_BOUND
            if bounds and raw.get("queue", 0) > self._bound:
                self.broken.setdefault(Invariant.QUEUE_BOUNDED, t)
            if raw.get("vain", 0):
                self.broken.setdefault(Invariant.NO_EXPIRED_WORK_DONE, t)
            if "ageAtStartSeconds" in raw:
                self._ages.append(float(raw["ageAtStartSeconds"]))

    def to_launch(self) -> tuple[Instance, ...]:
        """What customers launch now: `launches.made` says that it is."""
        held = self._samples[-1][1] if self.was_whole else self.total
        return self.launches.due(is_dark=held <= self.total / 2)

    def instance(self, t: float, instance: Instance, gone: bool = False) -> None:
        """An instance, as its watch shows it."""
        self.launches.seen(t, instance, self.was_whole, gone)

    def fault(self, t: float) -> None:
        """Something was taken away or given back: the last of it ends the fault."""
        self.fault_ended = t
        self._won.clear()

    def shed(self, t: float) -> None:
        """A human has throttled or restarted the managers."""
        self.shed_at = t if self.shed_at is None else self.shed_at

    def look(self, t: float) -> None:
        """Once in a while; a sample each second."""
        if self._samples and t - self._samples[-1][0] < SAMPLE_SECONDS:
            return
        held = self.held(t)
        self._samples.append((t, held))
        self.was_whole = self.was_whole or held == self.total
        if self.fault_ended is None or t < self.fault_ended:
            return
        if held == self.total:
            self.back_since = t if self.back_since is None else self.back_since
        elif held < TOUCHED_SHARE * self.total:
            self.back_since = None
        now = self.zero + t
        for name in self._won:
            lease = self._leases.get(name)
            if lease is not None and not lease.live(now):
                self.broken.setdefault(Invariant.ESTABLISHED_NOT_LOST, t)

    def news(self) -> tuple[str, str]:
        """What is worth a line of the timeline now: the event and the sentence; ("", "") if nothing
        is."""
        held = self.held_lately
        if held == self.total and self._said != "whole":
            self._said = "whole"
            return "leasesHeld", f"all {self.total} leases are held"
        if not held and self._said in ("whole", "hit"):
            self._said = "gone"
            return "leasesLost", f"all {self.total} leases are lost"
        if held < TOUCHED_SHARE * self.total and self._said == "whole":
            self._said = "hit"
            return "leasesLost", f"{self.total - held} of {self.total} leases are lost"
        return "", ""

    def judge(self, end: float) -> None:
        """What only the end tells."""
        if self.launches.touched_at is not None:
            self.broken.setdefault(Invariant.STATIC_STABILITY, self.launches.touched_at)
        if self.fault_ended is None:
            return
        due = self.fault_ended + BACK_SECONDS
        for begin, renewals in self._windows(due, end):
            if not renewals:
                self.broken.setdefault(Invariant.GOODPUT, begin)
        if self.back_since is None:
            self.broken.setdefault(Invariant.ALL_RECOVER, end)

    def metastability(self) -> Metastability:
        """Of the system once the fault is over, at constant load."""
        lowest = min((held for _, held in self._after_whole()), default=self.total)
        if lowest >= TOUCHED_SHARE * self.total:
            return "Untouched"
        if self.back_since is None:
            return "Stuck"
        shed = self.shed_at is not None and self.shed_at < self.back_since
        return "NeededShedding" if shed else "RecoveredByItself"

    def _after_whole(self) -> list[tuple[float, int]]:
        """The samples since all were held for the first time."""
        for i, (_, held) in enumerate(self._samples):
            if held == self.total:
                return self._samples[i:]
        return []

    def _windows(self, begin: float, end: float) -> list[tuple[float, int]]:
        """Renewals in each whole period from `begin` on."""
        size = self.fleet.period
        count = max(0, int((end - begin) // size))
        found = [0] * count
        for t in self._renewals:
            if begin <= t < begin + count * size:
                found[int((t - begin) // size)] += 1
        return [(begin + i * size, n) for i, n in enumerate(found)]

    def count(self, name: str, zone: str = "") -> int:
        """Of all processes that there were; of all zones unless one is given."""
        told = [raw for (where, _), raw in self._told.items() if zone in ("", where)]
        return sum(int(raw.get(name, 0)) for raw in told)

    def document(self, end: float) -> Json:
        """`leases` of the result document."""
        fleet, counts = self.fleet, {name: self.count(name) for name in COUNTS}
        done = counts["succeeded"]
        formula = recovery_seconds(fleet)
        found: Json = {
            "leases": self.total,
            "mode": str(fleet.mode),
            "offered": {
                "heartbeatsPerSecond": round(fleet.units * len(self.zones) / fleet.period, 2),
                "renewLoad": round(fleet.units * fleet.renew / (fleet.workers * fleet.period), 4),
                "establishLoad": round(
                    fleet.units * fleet.establish / (fleet.workers * fleet.period), 4
                ),
                "queueBound": queue_bound(fleet),
                "deadlineSeconds": fleet.timeout,
            },
            "attempts": counts,
            "refusals": {name: self.count(name) for name in REFUSALS},
            "wastedShare": round(1 - done / counts["started"], 4) if counts["started"] else 0.0,
            "attemptsPerSuccess": round(counts["started"] / done, 2) if done else None,
            "ageAtStartSeconds": _quantiles(self._ages),
            "heldAtEnd": self.held(end),
            "heldLeast": min((h for _, h in self._after_whole()), default=0),
            "held": [[round(t, 1), held] for t, held in self._samples],
            "goodput": [[round(t, 1), n] for t, n in self._windows(0.0, end)],
            "windowSeconds": fleet.period,
            "metastability": self.metastability(),
            "instances": self.launches.document(),
        }
        if self.fault_ended is not None:
            found["faultEndedAt"] = round(self.fault_ended, 2)
            found["recoveryFormulaSeconds"] = None if formula is None else round(formula, 2)
        if self.fault_ended is not None and self.back_since is not None:
            found["recoverySeconds"] = round(max(0.0, self.back_since - self.fault_ended), 2)
        return found


def _quantiles(values: list[float]) -> Json:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "p50": round(ordered[len(ordered) // 2], 3),
        "max": round(ordered[-1], 3),
    }
