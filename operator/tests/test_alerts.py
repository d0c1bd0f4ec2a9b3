"""The alerts over hand-made series: each fires when it must, and rests when it may."""

from collections.abc import Callable

import pytest

from holdfast.core.alerts import (
    ALERTS,
    EMPTY_ANSWER,
    LEASE_COLLAPSE,
    REGRESSION,
    Alert,
    Key,
    Points,
    evaluate,
    series,
)
from holdfast.core.scrapes import with_alerts
from holdfast.live.scrape import samples as parsed

END = 180
EVERY = range(0, END + 1, 5)
REGION = "dns-race-aws-2025"
Curve = Callable[[int], float]


def answers(server: str, answer: str) -> Key:
    return series("holdfast_answers_total", server=server, answer=answer)


def generation(stage: str) -> Key:
    return series("holdfast_plan_generation", region=REGION, endpoint="dynamodb", stage=stage)


def attempts(zone: str, result: str) -> Key:
    return series("holdfast_lease_attempts_total", region=REGION, zone=zone, result=result)


STUCK = series("holdfast_refusals_total", region=REGION, reason="RollbackMissing")
FLIPPED = series("holdfast_writes_total", region=REGION, result="flipped")
CONFLICT = series("holdfast_refusals_total", region=REGION, reason="StaleWriteRefused")
RACE = 60
"""When the name is emptied, or the store is gone."""
BACK = 90
"""When the store is back."""


def points(curve: Curve) -> Points:
    return [(float(t), float(curve(t))) for t in EVERY]


def rising(per_second: float, begins: int = 0, ends: int = END) -> Curve:
    return lambda t: per_second * max(0, min(t, ends) - begins)


def ordinary() -> dict[Key, Points]:
    """A plan a second, all of them served; the resolver a little behind, one write refused; leases
    renewed in both zones, one of them late once."""
    return {
        answers("authoritative", "ok"): points(rising(10)),
        answers("authoritative", "stale"): points(rising(0)),
        answers("authoritative", "empty"): points(rising(0)),
        answers("resolver", "ok"): points(rising(10)),
        answers("resolver", "empty"): points(rising(0)),
        generation("proposed"): points(lambda t: 1 + t),
        generation("served"): points(lambda t: max(1, t)),
        STUCK: points(rising(0)),
        CONFLICT: points(lambda t: t > RACE),
        FLIPPED: points(rising(1)),
        attempts("us-east-1a", "held"): points(rising(13)),
        attempts("us-east-1b", "held"): points(rising(13)),
        attempts("us-east-1b", "late"): points(lambda t: t > RACE),
    }


def incident() -> dict[Key, Points]:
    """As AWS ran it: back to an old plan, then nothing, while plans keep coming."""
    return ordinary() | {
        answers("authoritative", "ok"): points(rising(10, ends=RACE)),
        answers("authoritative", "empty"): points(rising(10, begins=RACE)),
        answers("resolver", "ok"): points(rising(10, ends=RACE + 5)),
        answers("resolver", "empty"): points(rising(10, begins=RACE + 5)),
        generation("served"): points(lambda t: t if t < RACE else RACE - 10),
        STUCK: points(rising(3, begins=RACE)),
        FLIPPED: points(rising(1, ends=RACE)),
    }


def collapse() -> dict[Key, Points]:
    """The store is gone for half a minute: checks fail, and after it all of one zone are late."""
    zone = "us-east-1a"
    return ordinary() | {
        attempts(zone, "held"): points(rising(13, ends=RACE)),
        attempts(zone, "failed"): points(rising(3, begins=RACE, ends=BACK)),
        attempts(zone, "late"): points(rising(8, begins=BACK)),
    }


def test_nothing_fires_in_an_ordinary_run() -> None:
    assert evaluate(ordinary(), 0, END) == {}


def test_a_collapse_is_told_of_its_zone_once_the_store_is_back() -> None:
    firing = list(LEASE_COLLAPSE.firing(collapse(), 0, END))
    (told,) = {group for _, groups in firing for group in groups}
    assert dict(told) == {"region": REGION, "zone": "us-east-1a"}
    assert next(t for t, groups in firing if groups) == BACK + 5 + 20
    assert set(evaluate(collapse(), 0, END)) == {"HoldfastLeaseCollapse"}


def test_leases_that_are_renewed_beside_late_ones_have_not_collapsed() -> None:
    some = collapse() | {attempts("us-east-1a", "held"): points(rising(0.1))}
    assert evaluate(some, 0, END) == {}


def test_a_store_that_is_gone_is_no_collapse_nor_is_one_check_that_was_late() -> None:
    gone = collapse() | {attempts("us-east-1a", "late"): points(lambda t: t >= BACK)}
    assert evaluate(gone, 0, END) == {}


def test_in_the_incident_all_four_fire() -> None:
    fired = evaluate(incident(), 0, END)
    assert fired == {
        "HoldfastEmptyAnswer": RACE + 5,  # a scrape at the very moment has seen nothing yet
        "HoldfastRegression": RACE,
        "HoldfastPlanLag": RACE + 20,
        "HoldfastStuckApply": RACE + 35,
    }


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5, 4.9])
@pytest.mark.parametrize("first_empty", [60.0, 61.7, 64.9])
def test_from_the_first_empty_answer_to_its_alert_are_never_fifteen_seconds(
    phase: float, first_empty: float
) -> None:
    """However scrapes, rules and the outage lie to each other: goal, not luck."""
    empty = [(t, max(0.0, t - first_empty) * 10) for t, _ in points(rising(0))]
    fired = evaluate({answers("authoritative", "empty"): empty}, phase, END)
    assert 0 < fired["HoldfastEmptyAnswer"] - first_empty <= 10


def only(key: Key, curve: Curve) -> dict[Key, Points]:
    return ordinary() | {key: points(curve)}


def test_one_empty_answer_is_enough() -> None:
    fired = evaluate(only(answers("resolver", "empty"), lambda t: t >= 100), 0, END)
    assert fired == {"HoldfastEmptyAnswer": 100}


def test_a_counter_that_begins_anew_with_its_process_has_not_risen() -> None:
    fired = evaluate(only(answers("resolver", "empty"), lambda t: 7 if t < 90 else 0), 0, END)
    assert fired == {}


def test_plans_that_wait_their_ordinary_time_are_no_lag() -> None:
    assert evaluate(only(generation("served"), lambda t: max(1, t - 15)), 0, END) == {}
    late = evaluate(only(generation("served"), lambda t: max(1, t - 25)), 0, END)
    assert set(late) == {"HoldfastPlanLag"}


def test_a_region_that_nobody_probes_has_no_lag() -> None:
    found = ordinary()
    del found[generation("served")]
    assert evaluate(found, 0, END) == {}


def test_one_refused_apply_is_not_stuck_nor_are_many_while_others_get_through() -> None:
    once = only(STUCK, lambda t: t >= 50) | {FLIPPED: points(rising(0))}
    assert evaluate(once, 0, END) == {}
    assert evaluate(only(STUCK, rising(3)), 0, END) == {}


def test_a_regression_that_is_over_is_told_while_it_is_recent_and_no_longer() -> None:
    back = ordinary() | {generation("served"): points(lambda t: t - 20 * (90 <= t < 100))}
    back[generation("proposed")] = points(lambda t: t - 60)
    firing = [t for t, groups in REGRESSION.firing(back, 0, END) if groups]
    assert firing == [90, 95]


def test_it_fires_for_the_group_that_it_holds_for() -> None:
    (told,) = {g for t, groups in EMPTY_ANSWER.firing(incident(), 0, RACE + 5) for g in groups}
    assert dict(told) == {"server": "authoritative"}


@pytest.mark.parametrize("alert", ALERTS)
def test_no_range_depends_on_whether_it_includes_its_left_end(alert: Alert) -> None:
    """Prometheus 2 and 3 differ in that: no range is a multiple of the scrape interval."""
    seconds = [int(w.split("s")[0]) for w in alert.expression.promql().split("[")[1:]]
    assert all(s % 5 for s in seconds)


def test_an_arms_document_says_how_long_after_the_first_empty_answer() -> None:
    document = {
        "dns": {"authoritative": {"firstEmptyAt": 4.0}},
        "timeline": [{"t": 1.0, "event": "planned", "object": "plan/1"}],
    }
    fired = {"HoldfastEmptyAnswer": 9.125, "HoldfastRegression": 3.0}
    told = with_alerts(document, fired)
    assert told["dns"]["alerts"] == {
        "HoldfastEmptyAnswer": {"firedAt": 9.12, "afterFirstEmptySeconds": 5.12},
        "HoldfastRegression": {"firedAt": 3.0},
    }
    assert [(line["t"], line["event"]) for line in told["timeline"]] == [
        (1.0, "planned"),
        (3.0, "alert"),
        (9.12, "alert"),
    ]
    assert with_alerts(document, {})["dns"]["alerts"] == {}


def test_where_no_answer_was_empty_it_says_how_long_after_the_fault_of_the_leases() -> None:
    leases = {"faultEndedAt": 40.0}
    fired = {"HoldfastLeaseCollapse": 68.5, "HoldfastPlanLag": 30.0}
    told = with_alerts({"dns": {}, "leases": leases, "timeline": []}, fired)
    assert told["dns"]["alerts"] == {
        "HoldfastPlanLag": {"firedAt": 30.0},
        "HoldfastLeaseCollapse": {"firedAt": 68.5, "afterFaultSeconds": 28.5},
    }
    emptied = {"authoritative": {"firstEmptyAt": 20.0}}
    told = with_alerts({"dns": emptied, "leases": leases, "timeline": []}, fired)
    assert told["dns"]["alerts"]["HoldfastLeaseCollapse"] == {
        "firedAt": 68.5,
        "afterFirstEmptySeconds": 48.5,
    }


def test_the_first_empty_answer_is_that_of_any_endpoint() -> None:
    server = {"authoritative": {"firstEmptyAt": 2.0}}
    document = {"dns": {"endpoints": {"s3": server}}, "timeline": []}
    told = with_alerts(document, {"HoldfastEmptyAnswer": 8.0})
    assert told["dns"]["alerts"]["HoldfastEmptyAnswer"]["afterFirstEmptySeconds"] == 6.0


def test_a_page_of_metrics_is_read_as_prometheus_reads_it() -> None:
    page = """# TYPE holdfast_answers_total counter
holdfast_answers_total{answer="empty",server="resolver"} 3.0
# TYPE holdfast_answers_created gauge
holdfast_answers_created{answer="empty",server="resolver"} 1.7e+09
# TYPE holdfast_plan_generation gauge
holdfast_plan_generation{endpoint="s3",region="r",stage="served"} 7.0
# TYPE process_open_fds gauge
process_open_fds 9.0
"""
    assert parsed(page) == {
        answers("resolver", "empty"): 3.0,
        series("holdfast_plan_generation", region="r", endpoint="s3", stage="served"): 7.0,
    }
    with pytest.raises(ValueError):
        parsed("no metrics\n")
