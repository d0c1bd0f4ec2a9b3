"""What the simulated day came to, beside what is known of the real one, and beside the formulas.

`set`: put in. `fitted`: came out as it does because one parameter was chosen for it, so it is no
evidence. `predicted`: neither; it comes of the rules alone.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from holdfast.core.leases import sizing
from holdfast.core.leases.rules import queue_bound
from holdfast.sim import fleet_day as day_of
from holdfast.sim.fleet_day import HOUR, MINUTE, ZONES, Curve, Day

MARGIN = 0.25
"""Within which a prediction counts as right."""


class Label(StrEnum):
    SET = "set"
    FITTED = "fitted"
    PREDICTED = "predicted"


@dataclass(frozen=True, slots=True)
class Row:
    """`known`: of AWS's timeline, or what a formula says; None where there is neither. `source`:
    which, or why it was set so. A simulated value may be NaN: it never came."""

    name: str
    says: str
    label: Label
    simulated: float
    known: float | None
    unit: str
    source: str

    @property
    def ratio(self) -> float | None:
        if self.known is None or self.label is Label.SET:
            return None
        if self.known == 0:
            return 1.0 if self.simulated == 0 else math.inf
        return self.simulated / self.known

    @property
    def is_right(self) -> bool:
        return self.ratio is not None and abs(self.ratio - 1) <= MARGIN


def rows(day: Day) -> tuple[Row, ...]:
    return (*_set(day), *_fitted(day), *_decay(day), *_collapse(day), *_recovery(day))


def _set(day: Day) -> tuple[Row, ...]:
    assumed, known = "assumed", "AWS's timeline"
    fleet, hours = day.fleet, 1 / HOUR

    def row(name: str, says: str, value: float, unit: str, source: str) -> Row:
        return Row(name, says, Label.SET, value, None, unit, source)

    return (
        row("droplets", f"leases, in {ZONES} zones", day.droplets, "", "published estimates: 10^6"),
        row(
            "period", "heartbeat P", fleet.period / MINUTE, "min", f'{assumed}: "every few minutes"'
        ),
        row("lease", "lease L", fleet.duration / MINUTE, "min", f"{assumed}: they ran out slowly"),
        row("timeout", "timeout T", fleet.timeout, "s", assumed),
        row("load", "load of the renewals ρ", sizing.load(fleet), "", assumed),
        row("renew", "a renewal c_r", fleet.renew, "s", f"{assumed}; only c_e/c_r matters"),
        row(
            "dnsGone", "the name is empty for", day_of.DNS_BACK * hours, "h", f"{known}: 2 h 37 min"
        ),
        row(
            "cachesOver",
            "caches forget at",
            day_of.CACHES_OVER * hours,
            "h",
            f"{known}: 2 h 52 min",
        ),
        row(
            "peopleAct",
            "throttle and restart at",
            day_of.PEOPLE_ACT * hours,
            "h",
            f"{known}: 4:14 AM",
        ),
        row(
            "throttle",
            "the throttle, a zone",
            queue_bound(fleet),
            "checks",
            "the runbook: 0.75·kT/c_e",
        ),
    )


def _fitted(day: Day) -> tuple[Row, ...]:
    back = _whole(day.people, day.droplets, day_of.PEOPLE_ACT) / MINUTE
    known = (day_of.ALL_BACK - day_of.PEOPLE_ACT) / MINUTE
    cost = day.fleet.establish
    by = f"fitted by it: c_e = {cost:.3g} s"
    return (
        Row(
            "establish",
            "an establishment c_e",
            Label.FITTED,
            cost,
            None,
            "s",
            "to the 74 min below",
        ),
        Row("recovery", "restart to all back", Label.FITTED, back, known, "min", f"AWS; {by}"),
    )


def _decay(day: Day) -> tuple[Row, ...]:
    """Uniform phases: held(t) falls from all to none between L − P and L, in a straight line."""
    n, fleet, people = day.droplets, day.fleet, day.people
    p, lease = fleet.period, fleet.duration
    found = {share: people.falls_to(share * n) for share in (0.9, 0.75, 0.5, 0.25, 0.1)}
    return (
        *(
            Row(
                f"lost{round(100 * (1 - share))}",
                f"{round(100 * (1 - share))} % of the leases gone after",
                Label.PREDICTED,
                found[share] / MINUTE,
                (lease - share * p) / MINUTE,
                "min",
                f"formula: L − {share:g}·P",
            )
            for share in (0.75, 0.5, 0.25)
        ),
        Row(
            "decay",
            "from 90 % held to 10 %",
            Label.PREDICTED,
            (found[0.1] - found[0.9]) / MINUTE,
            0.8 * p / MINUTE,
            "min",
            "formula: a line, 0.8·P",
        ),
    )


def _collapse(day: Day) -> tuple[Row, ...]:
    people, fleet = day.people, day.fleet
    act = people.at(day_of.PEOPLE_ACT)
    dark = slice(people.at(day_of.CACHES_OVER) + 1, act + 1)
    wins = people.good > 0
    first = people.times[people.at(day_of.DNS_BACK) :][wins[people.at(day_of.DNS_BACK) :]]
    waited = float(first[0]) - day_of.DNS_BACK if len(first) else math.nan
    return (
        Row(
            "goodput",
            "checks that count, in the collapse",
            Label.PREDICTED,
            float(people.good[dark].mean()),
            0.0,
            "1/s",
            "formula: none, for the queue > μT",
        ),
        Row(
            "vain",
            "checks in vain, in the collapse",
            Label.PREDICTED,
            float(people.vain[dark].mean()),
            ZONES * fleet.workers / fleet.establish,
            "1/s",
            "formula: k/c_e of each zone",
        ),
        Row(
            "queue",
            "waiting when people act, a lease",
            Label.PREDICTED,
            float(people.waiting[act]) / day.droplets,
            day_of.PEOPLE_ACT / fleet.period,
            "checks",
            "formula: a heartbeat a period, t/P",
        ),
        Row(
            "stuck",
            "DNS back to the first lease",
            Label.PREDICTED,
            waited / MINUTE,
            (day_of.PEOPLE_ACT - day_of.DNS_BACK) / MINUTE,
            "min",
            "AWS: 2:25 to 4:14 AM; it waits for people",
        ),
        Row(
            "nobody",
            "held after 14.5 h if nobody acts",
            Label.PREDICTED,
            float(day.nobody.held[-1]),
            0.0,
            "",
            "formula: metastable",
        ),
        Row(
            "restartOnly",
            "held after 14.5 h, restart alone",
            Label.PREDICTED,
            float(day.restart_only.held[-1]),
            0.0,
            "",
            "formula: relisting all takes N·c_e/k > T",
        ),
    )


def _recovery(day: Day) -> tuple[Row, ...]:
    fleet, people = day.fleet, day.people
    one = fleet.leases
    after = slice(people.at(day_of.ALL_BACK + HOUR), None)
    return (
        Row(
            "recoveryByFormula",
            "restart to all back",
            Label.PREDICTED,
            _whole(people, day.droplets, day_of.PEOPLE_ACT) / MINUTE,
            sizing.throttled_recovery_seconds(fleet) / MINUTE,
            "min",
            "formula: throttled; AWS's only by the fit",
        ),
        Row(
            "renewalsFirst",
            "back with renewals first, no people",
            Label.PREDICTED,
            _whole(day.renewals_first, one, day_of.CACHES_OVER) / MINUTE,
            sizing.recovery_seconds(fleet) / MINUTE,
            "min",
            "formula: −(P·c_e/c_r)·ln(1 − ρ)",
        ),
        Row(
            "safe",
            "back with profile safe, no people",
            Label.PREDICTED,
            _whole(day.safe, one, day_of.CACHES_OVER) / MINUTE,
            fleet.period / MINUTE,
            "min",
            "formula: timers reset, one period",
        ),
        Row(
            "busyAfter",
            "workers busy when all is back",
            Label.PREDICTED,
            float(people.busy[after].mean()) / ZONES,
            sizing.load(fleet),
            "",
            "formula: ρ",
        ),
    )


def _whole(curve: Curve, leases: int, since: float) -> float:
    return curve.rises_to(leases, since) - since
