"""The benchmark's pieces that need no cluster: what is counted as what, and when a goal is met."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rrset
import pytest

from e2e.bench.customer import Crowd, Customer, NoAnswer, crowd
from e2e.bench.figures import Goal, spread
from e2e.bench.kills import FENCES, flip_goals, mid_apply_goals
from e2e.bench.rollout import goals as rollout_goals
from e2e.bench.safety import Variant, _ratios
from holdfast.live.resolver import Server

NAME = "dynamodb.us-east-1.cloud.test"


@contextmanager
def answering(kinds: list[str]) -> Iterator[Server]:
    """A server that answers each question as the next of `kinds` says, the last for ever."""
    there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    there.bind(("127.0.0.1", 0))
    there.settimeout(0.05)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                packet, who = there.recvfrom(512)
            except TimeoutError:
                continue
            kind = kinds.pop(0) if len(kinds) > 1 else kinds[0]
            if kind != "missing":
                there.sendto(_answer(packet, kind), who)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Server("127.0.0.1", there.getsockname()[1])
    finally:
        stop.set()
        thread.join()
        there.close()


def _answer(packet: bytes, kind: str) -> bytes:
    reply = dns.message.make_response(dns.message.from_wire(packet))
    if kind != "empty":
        tree = f"{kind}.ns.svc.us-east-1.cloud.test."
        reply.answer = [
            dns.rrset.from_text(f"{NAME}.", 5, "IN", "CNAME", tree),
            dns.rrset.from_text(tree, 5, "IN", "A", "10.0.0.1"),
        ]
    return reply.to_wire()


def test_a_crowd_counts_good_empty_and_missing_answers_apart() -> None:
    with answering(
        ["dynamodb-p1"] * 5 + ["empty"] * 2 + ["missing"] * 3 + ["dynamodb-p2"]
    ) as server:
        crowd = Crowd(server, NAME)
        while crowd.asked < 50:
            crowd.ask()
            time.sleep(0.001)
        told = crowd.told()
    assert (told["good"], told["empty"], told["missing"]) == (told["queries"] - 5, 2, 3)
    assert len(told["firstEmptyAtSeconds"]) == 2


def test_a_crowd_asks_in_a_process_of_its_own_and_at_its_rate() -> None:
    with answering(["dynamodb-p1"]) as server, crowd(server, NAME) as seen:
        time.sleep(1.0)
    assert seen["queries"] == seen["good"] + seen["missing"]
    assert seen["queriesPerSecond"] == pytest.approx(1250, rel=0.2)


def test_a_customer_waits_for_the_tree_and_no_longer_than_its_patience() -> None:
    with answering(["dynamodb-p1"] * 3 + ["dynamodb-p2"]) as server:
        customer = Customer(server, NAME)
        customer.until(b"dynamodb-p2")
        with pytest.raises(NoAnswer):
            customer.until(b"dynamodb-p3", patience_seconds=0.05)


def test_a_spread_is_in_milliseconds_and_its_tail_is_the_worst() -> None:
    found = spread([n / 1000 for n in range(1, 101)])
    assert (found.samples, found.p50_ms, found.p90_ms, found.max_ms) == (100, 50.5, 91.0, 100.0)
    assert found.p99_ms == 100.0


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("empty", 0, at_most=0), True),
        (Goal("empty", 1, at_most=0), False),
        (Goal("rate", 0.95, at_least=0.95), True),
        (Goal("rate", 0.949, at_least=0.95), False),
    ],
)
def test_a_goal_is_met_at_its_bound_and_not_beyond(goal: Goal, met: bool) -> None:
    assert goal.is_met is met
    assert goal.document()["met"] is met


def test_a_ratio_of_rates_is_the_median_of_its_runs() -> None:
    slow, quick = ({"None": [2.0] * 6}, {"Generation": [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]})
    variants = [
        Variant(None, None, name, applies=times)  # type: ignore[arg-type]
        for name, times in (slow | quick).items()
    ]
    found = _ratios(variants, "Generation", "None", 2)
    assert found == {"ofEachRun": [2.0, 1.0, 0.5], "median": 1.0}


def test_the_goals_are_those_of_the_issue() -> None:
    died = {"killOrEndOfLockToAnswer": {"max_ms": 1600.0}}
    told = flip_goals({"flips": 9, "prober": {"empty": 0, "queriesPerSecond": 1250}})
    told += mid_apply_goals(dict.fromkeys(FENCES, died))
    assert [(g.at_most, g.at_least, g.is_met) for g in told] == [
        (0, None, True),
        (None, 1000, True),
        (1.5, None, False),
        (1.5, None, False),
    ]
    rolled = rollout_goals(
        {
            "endpoints": 1000,
            "lanes": 4,
            "medianRatioTo": {"bareInSeries": 0.81, "bareInLanes": 0.5},
            "processes": {
                "holdfast-planner": {"coreShare": 0.011},
                "authoritative": {"coreShare": 0.5},
            },
        }
    )
    assert [(g.value, g.document().get("met")) for g in rolled] == [
        (0.81, True),
        (0.5, None),
        (1.1, False),
    ]
