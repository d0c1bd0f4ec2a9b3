"""What an outsider makes of lease objects: lost, back, by whom."""

from dataclasses import replace
from typing import Any

from holdfast.core.guards import AWS_LEASES, SAFE_LEASES, LeaseGuards
from holdfast.core.invariants import Invariant
from holdfast.core.leases.chronicle import BACK_SECONDS, Chronicle
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.lease import DropletLease

ZERO = 1_000_000.0
FLEET = Fleet(racks=1, droplets=2, duration=9.0, period=3.0)
NAMES = FLEET.names("a")


def chronicle(guards: LeaseGuards = AWS_LEASES) -> Chronicle:
    found = Chronicle(FLEET, guards, ("a",))
    found.zero = ZERO
    return found


def lease(name: str, renewed: float, holder: str = "a/1", acquired: float = 0.0) -> DropletLease:
    at = ZERO + renewed
    return DropletLease(
        name, "a", 1, 9.0, holder, "agent", ZERO + acquired, at, 1, f"uid-{name}", f"{renewed:.0f}"
    )


def renew(seen: Chronicle, t: float, names: tuple[str, ...] = NAMES, **more: Any) -> None:
    for name in names:
        seen.seen(t, lease(name, t, **more))


def run(seen: Chronicle, begin: int, end: int, renews: bool = True, **more: Any) -> None:
    """Second by second; a renewal every period."""
    for t in range(begin, end):
        if renews and t % 3 == 0:
            renew(seen, float(t), **more)
        seen.look(float(t))


def test_a_fleet_that_was_never_hit_is_untouched() -> None:
    seen = chronicle()
    run(seen, 0, 60)
    seen.fault(30.0)
    run(seen, 60, 90)
    seen.judge(90.0)
    assert (seen.metastability(), seen.broken) == ("Untouched", {})
    assert seen.document(90.0)["recoverySeconds"] == 30.0, "the first look after the fault"


def test_what_does_not_come_back_is_stuck_and_breaks_both() -> None:
    seen = chronicle()
    run(seen, 0, 20)
    seen.fault(20.0)
    seen.fault(40.0)
    run(seen, 20, 90, renews=False)
    seen.judge(90.0)
    assert seen.metastability() == "Stuck"
    assert seen.broken == {Invariant.GOODPUT: 40 + BACK_SECONDS, Invariant.ALL_RECOVER: 90.0}
    document = seen.document(90.0)
    assert (document["heldAtEnd"], document["heldLeast"]) == (0, 0)
    assert "recoverySeconds" not in document


def test_what_comes_back_has_its_time_told() -> None:
    seen = chronicle(SAFE_LEASES)
    run(seen, 0, 20)
    run(seen, 20, 40, renews=False)
    seen.fault(40.0)
    run(seen, 41, 90, acquired=42.0)
    seen.judge(90.0)
    assert (seen.metastability(), seen.broken) == ("RecoveredByItself", {})
    assert seen.document(90.0)["recoverySeconds"] == 2.0


def test_a_human_who_shed_work_before_is_named() -> None:
    seen = chronicle()
    run(seen, 0, 20)
    run(seen, 20, 40, renews=False)
    seen.fault(40.0)
    seen.shed(41.0)
    run(seen, 41, 90, acquired=42.0)
    assert seen.metastability() == "NeededShedding"
    later = chronicle()
    run(later, 0, 20)
    run(later, 20, 40, renews=False)
    later.fault(40.0)
    run(later, 41, 60, acquired=42.0)
    later.shed(60.0)
    run(later, 60, 90, acquired=42.0)
    assert later.metastability() == "RecoveredByItself", "it had come back before"


def test_a_lease_that_is_taken_before_its_time_breaks_single_holder() -> None:
    seen = chronicle()
    renew(seen, 3.0)
    seen.seen(6.0, lease(NAMES[0], 6.0, holder="a/2", acquired=6.0))
    assert seen.broken == {Invariant.SINGLE_HOLDER: 6.0}
    after = chronicle()
    renew(after, 3.0)
    after.seen(13.0, lease(NAMES[0], 13.0, holder="a/2", acquired=13.0))
    assert after.broken == {}, "3 + 9 was over"


def test_what_was_won_back_and_lost_again_is_told() -> None:
    seen = chronicle()
    run(seen, 0, 20)
    run(seen, 20, 40, renews=False)
    seen.fault(40.0)
    run(seen, 41, 50, acquired=42.0)
    run(seen, 50, 70, renews=False)
    assert Invariant.ESTABLISHED_NOT_LOST in seen.broken


def test_a_period_without_a_renewal_breaks_goodput() -> None:
    seen = chronicle()
    run(seen, 0, 40)
    seen.fault(40.0)
    run(seen, 40, 60)
    run(seen, 60, 70, renews=False)
    run(seen, 70, 90)
    seen.judge(90.0)
    assert Invariant.GOODPUT in seen.broken
    assert Invariant.ALL_RECOVER not in seen.broken


def told(**raw: int) -> dict[str, dict[str, Any]]:
    return {"a": {"process": "a/1", "started": 1, **raw}}


def test_what_managers_say_of_themselves_is_held_against_the_bounds() -> None:
    seen = chronicle(SAFE_LEASES)
    seen.told(1.0, told(underWay=4, queue=6, vain=0))
    assert seen.broken == {}
    seen.told(1.5, told(queue=12))
    assert seen.broken == {}, "two lines, each with its own bound"
    seen.told(2.0, told(underWay=5, queue=13, vain=1))
    assert set(seen.broken) == {
        Invariant.IN_FLIGHT_BOUNDED,
        Invariant.QUEUE_BOUNDED,
        Invariant.NO_EXPIRED_WORK_DONE,
    }
    unbounded = chronicle(replace(SAFE_LEASES, admission=AWS_LEASES.admission))
    unbounded.told(2.0, told(queue=700))
    assert unbounded.broken == {}


def test_counts_are_of_every_process_that_there_was() -> None:
    seen = chronicle()
    seen.told(1.0, {"a": {"process": "a/1", "started": 5}})
    seen.told(2.0, {"a": {"process": "a/1", "started": 7}})
    seen.told(3.0, {"a": {"process": "a/2", "started": 2}})
    assert seen.count("started") == 9


def test_a_lease_that_is_deleted_is_not_held() -> None:
    seen = chronicle()
    renew(seen, 3.0)
    assert seen.held(4.0) == 2
    seen.seen(4.0, lease(NAMES[0], 3.0), gone=True)
    seen.look(4.0)
    assert (seen.held(4.0), seen.percent) == (1, 50.0)


def test_the_story_is_told_once() -> None:
    seen = chronicle()
    said = []
    for t in range(60):
        if (t < 20 and t % 3 == 0) or (t >= 45 and t % 3 == 0):
            renew(seen, float(t))
        seen.look(float(t))
        said.append(seen.news())
    events = [event for event, _ in said if event]
    assert events == ["leasesHeld", "leasesLost", "leasesHeld"], "both at once: all are lost"
