"""What an outsider makes of an arm: when it is over, whether it converged, and its evidence."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from holdfast.core.acts import Act, Order, Scale
from holdfast.core.document import arm_document, evidence_of
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import AWS_2025, SAFE, effective
from holdfast.core.holds import Condition
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import AliasSeen, SliceSeen, TreeSeen
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.record import CONVERGED_WITHIN_SECONDS, Record
from holdfast.core.scenario import Arm
from holdfast.core.starts import Start
from holdfast.core.verdict import Outcome

A = "us-east-1a"
OVERRIDE = Act("act-2", Order("override", "dynamodb"), Condition(empty="dynamodb"), 5.0)
DOWN = Act("act-1", Scale("store", 0), Condition(after_seconds=3.0))
HOLD = {"name": "hold-1", "zone": A, "at": "turn", "until": {"afterSeconds": 1}}
LOSES = {"name": "hold-2", "zone": A, "at": "flip", "losesReply": True}


def arm(**given: Any) -> Arm:
    plain = Arm("any", AWS_2025, {}, Outcome.PREVENTED, ())
    return replace(plain, **given)


def live(
    record: Record, t: float, generation: int, endpoint: str = "dynamodb", **given: Any
) -> None:
    """A tree with an address, and the alias that names it."""
    name, uid = f"{endpoint}-p{generation}", f"u-{endpoint}-{generation}"
    record.see(t, TreeSeen(Tree(name, endpoint, generation, (), uid)))
    record.see(t, SliceSeen(Slice(f"{name}-v4", name, uid, "IPv4", ("10.0.0.1",))))
    alias = Alias(endpoint, name, generation, writer=f"{A}/pod")
    record.see(t, AliasSeen(replace(alias, **given)))


def lost(record: Record, t: float, generation: int) -> None:
    name = f"dynamodb-p{generation}"
    record.see(t, TreeSeen(Tree(name, "dynamodb", generation), gone=True))


def begun(chosen: Arm, *endpoints: str) -> Record:
    """Plan 1 is live from 0.1 on."""
    record = Record(chosen, endpoints or ("dynamodb",))
    record.planned(0.0, 1)
    live(record, 0.1, 1)
    return record


def test_an_arm_is_over_when_it_has_settled_after_the_last_that_happened() -> None:
    record = begun(arm(holds=(HOLD,), acts=(DOWN,)))
    assert not record.is_over(99.0, 20.0), "a hold and an act are to come"
    record.released(10.0, "hold-1")
    assert not record.is_over(99.0, 20.0)
    record.acted(15.0, DOWN)
    assert not record.is_over(34.9, 20.0)
    assert record.is_over(35.0, 20.0)


def test_an_arm_without_any_settles_from_its_first_live_plan_on() -> None:
    record = begun(arm())
    assert not record.is_over(20.0, 20.0)
    assert record.is_over(20.1, 20.0)
    assert not Record(arm(), ("dynamodb",)).is_over(99.0, 1.0), "no plan yet"


def test_an_act_begins_once_its_condition_is_true_and_the_reaction_has_passed() -> None:
    record = begun(arm(acts=(DOWN, OVERRIDE)))
    assert record.acts_due(2.9) == ()
    assert record.acts_due(3.0) == (DOWN,)
    assert record.acts_due(3.1) == (), "once"
    lost(record, 4.0, 1)
    assert record.acts_due(4.1) == ()
    live(record, 6.0, 2)
    assert record.acts_due(9.0) == ()
    assert record.acts_due(9.1) == (OVERRIDE,), "a reaction that has begun is not called off"


def test_nothing_begins_before_there_is_a_plan() -> None:
    assert Record(arm(acts=(DOWN,)), ("dynamodb",)).acts_due(99.0) == ()


def test_what_came_of_acts_is_told_with_who_did_it() -> None:
    record = begun(arm(acts=(DOWN, OVERRIDE)))
    record.acted(3.0, DOWN, "store of us-east-1a: 0")
    record.acted(9.0, OVERRIDE, failed="no plan has addresses")
    told = [line for line in record.ledger.timeline if line["object"].startswith("act/")]
    assert told == [
        {
            "t": 3.0,
            "event": "acted",
            "object": "act/act-1",
            "actor": "scenario",
            "message": "store of us-east-1a: 0",
        },
        {
            "t": 9.0,
            "event": "actFailed",
            "object": "act/act-2",
            "actor": "operator",
            "message": "no plan has addresses",
        },
    ]
    found = evidence_of(record, {})
    assert found.failed_acts == ("act-2: no plan has addresses",)
    assert found.undone_acts == ()


def test_what_struck_counts_and_what_did_not_come_to_pass_is_missing() -> None:
    record = begun(arm(acts=(DOWN, OVERRIDE), holds=(HOLD, LOSES)))
    assert evidence_of(record, {}).faults == 0
    assert evidence_of(record, {}).undone_acts == ("act-1", "act-2")
    record.acted(3.0, DOWN)
    record.told(4.0, {"actors": {A: {"caught": ["hold-1", "hold-2"]}}})
    record.due(4.0)
    found = evidence_of(record, {})
    assert found.faults == 2, "an act and a lost reply; a hold is none"
    assert found.undone_acts == ("act-2",)
    assert evidence_of(begun(arm(start=Start.DEAD_LOCK)), {}).faults == 1


def test_a_plan_must_be_live_everywhere_once_it_has_had_its_time() -> None:
    record = begun(arm(), "dynamodb", "kinesis")
    live(record, 0.2, 1, "kinesis")
    record.planned(10.0, 2)
    live(record, 10.2, 2)
    assert record.converged(10.0 + CONVERGED_WITHIN_SECONDS - 0.1), "it still has time"
    assert not record.converged(10.0 + CONVERGED_WITHIN_SECONDS)
    live(record, 15.0, 2, "kinesis")
    assert record.converged(15.0)


def test_a_name_that_names_nothing_has_not_converged_whatever_its_generation() -> None:
    record = begun(arm())
    assert record.converged(20.0)
    lost(record, 10.0, 1)
    assert not record.converged(20.0)


def test_an_endpoint_that_a_plan_leaves_bare_need_not_follow_where_the_last_good_is_kept() -> None:
    for guards, converged in ((SAFE, True), (AWS_2025, False)):
        record = begun(arm(guards=guards), "dynamodb", "kinesis")
        live(record, 0.2, 1, "kinesis")
        record.planned(2.0, 2, bare=("kinesis",))
        live(record, 2.2, 2)
        assert record.converged(20.0) is converged
    record.planned(21.0, 3)
    assert not record.converged(30.0), "the next plan has addresses again"


def test_a_plan_that_is_bare_altogether_is_nobodys_goal() -> None:
    record = begun(arm(guards=SAFE))
    record.planned(2.0, 2, bare=("dynamodb",))
    record.planned(3.0, 3, bare=("dynamodb",))
    assert record.converged(20.0)
    never = Record(arm(guards=SAFE), ("dynamodb",))
    never.planned(0.0, 1, bare=("dynamodb",))
    assert not never.converged(20.0), "a name that was never born has not converged"


def test_what_a_human_has_frozen_need_not_follow_while_it_is() -> None:
    record = begun(arm())
    record.ledger.zero = 1_000_000.0
    record.planned(5.0, 2)
    assert not record.converged(20.0)
    live(record, 6.0, 1, frozen=Freeze("alice", FOREVER, "").text())
    assert record.converged(20.0)
    live(record, 7.0, 1, frozen=Freeze("alice", 1_000_015.0, "").text())
    assert record.converged(14.9)
    assert not record.converged(15.0)


def probe(**server: Any) -> dict[str, Any]:
    seen: Mapping[str, Any] = {
        "queries": 100,
        "ok": 100,
        "stale": 0,
        "empty": 0,
        "beganAt": 0.5,
        **server,
    }
    return {
        "name": "dynamodb.us-east-1.cloud.test",
        "families": ["IPv4"],
        "intervalSeconds": 0.1,
        "servers": {"authoritative": dict(seen)},
        "endedAt": 10.0,
    }


def test_who_gave_the_name_back_is_asked_only_where_it_was_gone() -> None:
    record = begun(arm())
    assert evidence_of(record, probe()).recovered_by is None
    assert evidence_of(record, probe(empty=3)).recovered_by == "nobody", "customers saw it"
    lost(record, 5.0, 1)
    assert evidence_of(record, probe()).recovered_by == "nobody"
    record.planned(5.5, 2)
    live(record, 6.0, 2)
    assert evidence_of(record, probe()).recovered_by == "nextPlan"


@pytest.mark.parametrize(
    ("by", "healed"), [("nextPlan", True), ("selfRepair", True), ("operator", False)]
)
def test_the_document_says_who_and_whether_it_healed_by_itself(by: str, healed: bool) -> None:
    record = begun(arm(expect=None, recovered_by=by))
    record.guards_in_force = effective(AWS_2025)
    lost(record, 5.0, 1)
    record.planned(5.5, 2)
    writer = {"selfRepair": f"{A}/pod repair", "operator": "operator/alice"}.get(by, f"{A}/pod")
    live(record, 6.0, 2, writer=writer)
    document = arm_document(record, probe(empty=10, ok=90, beganAt=0.1), 9.0)
    assert (document["dns"]["recoveredBy"], document["dns"]["healedByItself"]) == (by, healed)
    assert document["expect"] == "Either"
    assert (document["verdict"], document["message"]) == ("Pass", "as expected")
    other = replace(record.arm, recovered_by="nobody")
    record.arm = other
    assert arm_document(record, probe(empty=10, ok=90, beganAt=0.1), 9.0)["verdict"] == "Fail"


def test_an_arm_whose_plan_never_went_live_breaks_converges() -> None:
    record = begun(arm())
    record.planned(2.0, 2)
    document = arm_document(record, probe(), 20.0)
    assert Invariant.CONVERGES in document["invariantsBroken"]
