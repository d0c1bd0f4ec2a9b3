"""The queue of a lease manager: who may join, and who is next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lease_drive import INCIDENT, guards

from holdfast.core.leases.fleet import CostOf, Fleet
from holdfast.core.leases.queue import Queue, Work
from holdfast.core.leases.rules import backoff, cost, queue_bound


def work(unit: int, queued: float = 0.0, establishes: bool = False) -> Work:
    return Work(unit, establishes, queued)


def drained(queue: Queue) -> list[int]:
    found = []
    while (taken := queue.take()) is not None:
        found.append(taken.unit)
    return found


def test_as_aws_ran_it_everything_joins_and_waits_as_often_as_it_comes() -> None:
    queue = Queue(INCIDENT, guards())
    for unit in (3, 1, 3, 2, 3):
        assert queue.join(work(unit)) == ""
    assert queue.bound is None
    assert drained(queue) == [3, 1, 3, 2, 3]
    assert queue.take() is None


def test_by_droplet_a_unit_waits_once_and_may_come_again_after() -> None:
    queue = Queue(INCIDENT, guards(dedupe="ByDroplet"))
    assert [queue.join(work(u)) for u in (1, 2, 1)] == ["", "", "already"]
    assert queue.take() == work(1)
    assert queue.join(work(1, 5.0)) == ""
    assert drained(queue) == [2, 1]


def test_the_bound_is_three_quarters_of_what_can_be_done_within_the_deadline() -> None:
    """0.75 · 4 workers · 1 s / 0.5 s."""
    queue = Queue(INCIDENT, guards(admission="QueueBound"))
    assert queue.bound == queue_bound(INCIDENT) == 6
    assert [queue.join(work(u)) for u in range(8)] == [""] * 6 + ["full"] * 2
    assert len(queue) == 6


@pytest.mark.parametrize(
    ("fleet", "bound"),
    [
        (Fleet(workers=1, establish=2.0), 1),
        (Fleet(workers=8, timeout=2.0), 24),
        (Fleet(workers=5, timeout=1.0, establish=0.4), 9),
    ],
)
def test_the_bound_of_other_fleets(fleet: Fleet, bound: int) -> None:
    assert queue_bound(fleet) == bound


def test_what_is_under_way_counts_in_the_bound() -> None:
    """Whoever joins has to wait for it, too: six that wait behind four workers take 1.25 s."""
    queue = Queue(INCIDENT, guards(admission="QueueBound"))
    assert [queue.join(work(u), under_way=4) for u in range(3)] == ["", "", "full"]
    assert queue.join(work(3), under_way=3) == ""
    throttled = Queue(Fleet(admit_at_most=6), guards())
    assert [throttled.join(work(u), under_way=4) for u in range(3)] == ["", "", "throttled"]


def test_a_humans_throttle_goes_before_the_bound_and_is_told_apart() -> None:
    fleet = Fleet(admit_at_most=2)
    queue = Queue(fleet, guards(admission="QueueBound"))
    assert queue.bound == 2
    assert [queue.join(work(u)) for u in range(3)] == ["", "", "throttled"]
    queue.obey(INCIDENT, guards(admission="QueueBound"))
    assert queue.bound == 6
    assert [queue.join(work(u)) for u in range(5)] == [""] * 4 + ["full"]


def test_a_throttle_that_comes_late_drops_nothing_of_what_waits() -> None:
    queue = Queue(INCIDENT, guards())
    for unit in range(20):
        queue.join(work(unit))
    queue.obey(Fleet(admit_at_most=6), guards())
    assert (len(queue), queue.join(work(20))) == (20, "throttled")
    for _ in range(15):
        queue.take()
    assert (len(queue), queue.join(work(20))) == (5, "")


def test_a_throttle_of_nothing_admits_nothing() -> None:
    assert Queue(Fleet(admit_at_most=0), guards()).join(work(0)) == "throttled"


def test_what_is_held_goes_before_what_is_lost() -> None:
    line = [work(0, 0.0, True), work(1, 1.0), work(2, 2.0, True), work(3, 3.0)]
    fifo, first = Queue(INCIDENT, guards()), Queue(INCIDENT, guards(order="RenewalsFirst"))
    for each in line:
        fifo.join(each)
        first.join(each)
    assert (fifo.oldest(), first.oldest()) == (0.0, 0.0)
    assert drained(fifo) == [0, 1, 2, 3]
    assert drained(first) == [1, 3, 0, 2]
    assert first.oldest() is None


def test_clearing_says_how_many_and_forgets_who_waited() -> None:
    queue = Queue(INCIDENT, guards(dedupe="ByDroplet", order="RenewalsFirst"))
    queue.join(work(1))
    queue.join(work(2, establishes=True))
    assert (queue.clear(), len(queue), queue.take()) == (2, 0, None)
    assert queue.join(work(1)) == ""


@given(st.lists(st.one_of(st.integers(0, 5), st.none()), max_size=60), st.integers(0, 8))
def test_it_loses_and_invents_nothing(steps: list[int | None], most: int) -> None:
    """Whatever joins is taken, once, in the order of its kind; `None` takes."""
    queue = Queue(Fleet(admit_at_most=most), guards(order="RenewalsFirst"))
    joined: list[Work] = []
    taken: list[Work] = []
    for at, unit in enumerate(steps):
        if unit is None:
            found = queue.take()
            assert (found is None) == (len(joined) == len(taken))
            taken += [found] if found else []
        elif not queue.join(wanted := work(unit, float(at), unit > 2)):
            joined.append(wanted)
        assert len(queue) == len(joined) - len(taken) <= 2 * most, "each line has its own bound"
        assert queue.oldest() == min((w.queued for w in joined if w not in taken), default=None)
    while (found := queue.take()) is not None:
        taken.append(found)
    for kind in (True, False):
        assert [w for w in taken if w.establishes is kind] == [
            w for w in joined if w.establishes is kind
        ]


@pytest.mark.parametrize(
    ("cost_of", "renews", "establishes"),
    [
        (CostOf.CONSTANT, 0.05, 0.5),
        (CostOf.QUEUE_DEPTH, 0.05 * 1.5, 0.5 * 1.5),
        (CostOf.DOWNSTREAM, 0.05 * 1.04, 0.5 * 1.04),
    ],
)
def test_what_a_unit_of_work_costs(cost_of: CostOf, renews: float, establishes: float) -> None:
    """With 50 that wait, and 4 under way, on a scale of 100."""
    fleet = Fleet(cost_of=cost_of)
    assert cost(fleet, False, 50, 4) == pytest.approx(renews)
    assert cost(fleet, True, 50, 4) == pytest.approx(establishes)


def test_a_back_off_doubles_up_to_half_a_period() -> None:
    assert [backoff(INCIDENT, n, 0.5) for n in (1, 2, 3, 4, 99)] == [0.1, 0.2, 0.4, 0.75, 0.75]
    assert backoff(INCIDENT, 1, 0.0) == 0.0


def test_a_queue_full_of_the_lost_refuses_no_renewal() -> None:
    """It goes before them all: or what is held would be lost for what cannot be won yet."""
    queue = Queue(Fleet(), guards(admission="QueueBound", order="RenewalsFirst"))
    lost = [queue.join(work(unit, 0.0, True)) for unit in range(7)]
    assert lost == [""] * 6 + ["full"]
    held = [queue.join(work(unit, 0.0, False), under_way=4) for unit in range(10, 13)]
    assert held == ["", "", "full"], "behind four that are under way, and each other"
    fifo = Queue(Fleet(), guards(admission="QueueBound"))
    assert [fifo.join(work(unit, 0.0, unit < 6)) for unit in range(7)] == [""] * 6 + ["full"]
