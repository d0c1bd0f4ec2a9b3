"""What a hand did to the objects of an endpoint: how it reads, and what the flows make of it."""

from dataclasses import replace
from typing import Any

import pytest
from drive import A, Driven, plan, rules, run, safe

from holdfast.core.enactor import enact
from holdfast.core.guards import Fence, Switch
from holdfast.core.holds import hold_of
from holdfast.core.intents import Create, PatchAlias, Pick
from holdfast.core.lock import NO_RECORD, NO_RECORDS, is_free
from holdfast.core.names import (
    ENDPOINT_LABEL,
    FROZEN_ANNOTATION,
    GENERATION_MAX,
    KIND_LABEL,
    LOCK_ANNOTATION,
    MANAGED_LABEL,
)
from holdfast.core.objects import Alias, Object, Plan, Tree
from holdfast.core.places import AtPick
from holdfast.core.planner import Unplanned, append
from holdfast.core.planner_notices import unplanned
from holdfast.core.reasons import Reason
from holdfast.core.record import Record
from holdfast.core.repair import broken_endpoints
from holdfast.core.replies import Picked
from holdfast.core.rounds import Applied, Frozen, Stale
from holdfast.core.scenario import scenario_of
from holdfast.core.verdict import Evidence, Expected, Outcome, Verdict, judge
from holdfast.fake import FakeApi
from holdfast.live.scenario_role import _causes
from holdfast.live.wire import parse, patch_operations, render

ALIAS = Alias("dynamodb", "dynamodb-p7", 7, "dynamodb-p6", "a/x 1.000", "a/x", "u-1", "7")
TREE = Tree("dynamodb-p7", "dynamodb", 7, ("us-east-1a/x",), "u-1", "7")
REPAIRS = {"self_repair": Switch.ENABLED}
LOCKED = [Fence.CHECK_ONCE, Fence.CHECK_IN_LOCK]


def stored(obj: Object) -> dict[str, Any]:
    raw = render(obj, "ns", "us-east-1")
    raw["metadata"] |= {"uid": "u-1", "resourceVersion": "7"}
    return raw


def read(raw: dict[str, Any]) -> Alias:
    alias = parse(Alias, raw)
    assert isinstance(alias, Alias)
    return alias


# --- how it reads


@pytest.mark.parametrize("left", [{}, None, "no such key"])
def test_an_alias_without_annotations_reads_as_one_without_records(left: Any) -> None:
    raw = stored(ALIAS)
    raw["metadata"]["annotations"] = left
    if left == "no such key":
        del raw["metadata"]["annotations"]
    alias = read(raw)
    assert (alias.generation, alias.rollback, alias.frozen) == (0, "", "")
    assert alias.lock == NO_RECORDS
    assert is_free(alias.lock, "us-east-1a/x", 0.0)


def test_an_alias_that_has_lost_its_lock_alone_is_told_from_it() -> None:
    raw = stored(ALIAS)
    del raw["metadata"]["annotations"][LOCK_ANNOTATION]
    assert read(raw).lock == NO_RECORD


def test_a_lock_is_put_into_a_map_that_is_not_there() -> None:
    """A JSON patch cannot even test for the absence of a key in it."""
    patch = PatchAlias("dynamodb", expect_lock=NO_RECORDS, lock="new")
    assert patch_operations(patch, "ns", "us-east-1") == [
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {LOCK_ANNOTATION: "new"}},
    ]


@pytest.mark.parametrize("absent", [NO_RECORD, NO_RECORDS])
def test_an_absent_record_is_written_as_a_free_one(absent: str) -> None:
    """Written as it reads, it would be a lock whose text no patch ever finds absent."""
    written = render(replace(ALIAS, lock=absent), "ns", "us-east-1")
    assert written["metadata"]["annotations"][LOCK_ANNOTATION] == ""


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("labels", MANAGED_LABEL, None),
        ("labels", MANAGED_LABEL, "True"),
        ("labels", KIND_LABEL, "tree"),
        ("labels", ENDPOINT_LABEL, None),
    ],
)
@pytest.mark.parametrize("obj", [ALIAS, TREE], ids=lambda o: type(o).__name__)
def test_what_has_not_all_its_labels_is_not_intact(
    obj: Object, where: str, key: str, value: str | None
) -> None:
    raw = stored(obj)
    labels = raw["metadata"][where]
    if isinstance(obj, Tree) and value == "tree":
        value = "alias"
    labels.pop(key)
    if value is not None:
        labels[key] = value
    found: Any = parse(type(obj), raw)
    assert not found.intact
    raw["metadata"]["labels"] = None
    none: Any = parse(type(obj), raw)
    assert not none.intact
    whole: Any = parse(type(obj), stored(obj))
    assert whole.intact


def test_a_service_of_another_type_is_not_intact() -> None:
    raw = stored(ALIAS)
    raw["spec"] = {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": [{"port": 80}]}
    alias = read(raw)
    assert (alias.target, alias.intact) == ("", False)
    tree = stored(TREE)
    tree["spec"] = {"type": "ExternalName", "externalName": "a.b"}
    found = parse(Tree, tree)
    assert isinstance(found, Tree)
    assert not found.intact


def test_a_flip_says_all_that_makes_an_alias() -> None:
    """A patch leaves what it does not name: labels and type have to be in it."""
    patch = PatchAlias("dynamodb", "l", "", "dynamodb-p7", 7, "", "a/x")
    said = {o["path"]: o["value"] for o in patch_operations(patch, "ns", "us-east-1")[2:]}
    whole = render(ALIAS, "ns", "us-east-1")
    assert said["/metadata/labels"] == whole["metadata"]["labels"]
    assert said["/spec/type"] == whole["spec"]["type"]
    assert said["/spec/externalName"] == whole["spec"]["externalName"]


# --- what the flows make of it


def live(api: FakeApi) -> Alias:
    alias = api.alias("dynamodb")
    assert alias is not None
    return alias


def edit(api: FakeApi, obj: Any) -> None:
    """As a hand does: another content under the next version."""
    api.version += 1
    api.objects[type(obj), obj.name] = replace(obj, resource_version=str(api.version))


@pytest.mark.parametrize("fence", list(Fence))
def test_an_alias_without_its_labels_is_made_whole_by_a_repair(fence: Fence) -> None:
    api = FakeApi()
    how = rules(fence, **REPAIRS)
    run(api, A, how, 1)
    edit(api, replace(live(api), intact=False))
    assert api.answer("dynamodb") == ()
    assert broken_endpoints(plan(1), api.objects.values()) == ("dynamodb",)
    assert Driven(enact(A, how, AtPick(1)), api).finish() == Applied(1)
    assert live(api).intact
    assert api.answer("dynamodb") == ("10.0.0.1",)


@pytest.mark.parametrize("fence", list(Fence))
def test_without_repairs_the_next_plan_makes_it_whole(fence: Fence) -> None:
    api = FakeApi()
    run(api, A, rules(fence), 1)
    edit(api, replace(live(api), intact=False))
    run(api, A, rules(fence), 2)
    assert live(api).intact
    assert live(api).generation == 2


@pytest.mark.parametrize("fence", list(Fence))
def test_an_enactor_that_begins_does_not_take_it_for_applied(fence: Fence) -> None:
    api = FakeApi()
    run(api, A, rules(fence), 1)
    edit(api, replace(live(api), intact=False))
    assert Driven(enact(A, rules(fence)), api).finish() == Applied(1)
    assert live(api).intact


@pytest.mark.parametrize("fence", list(Fence))
def test_a_tree_without_its_labels_is_made_whole_by_a_repair(fence: Fence) -> None:
    api = FakeApi()
    how = rules(fence, **REPAIRS)
    run(api, A, how, 1)
    tree = api.objects[Tree, "dynamodb-p1"]
    edit(api, replace(tree, endpoint="", intact=False))  # type: ignore[type-var]
    assert api.answer("dynamodb") == ()
    assert Driven(enact(A, how, AtPick(1)), api).finish() == Applied(1)
    assert api.answer("dynamodb") == ("10.0.0.1",)
    mended = api.objects[Tree, "dynamodb-p1"]
    assert mended.uid == tree.uid, "its slices stay its own"


@pytest.mark.parametrize("fence", LOCKED)
@pytest.mark.parametrize("lock", ["garbage", NO_RECORD, NO_RECORDS, "x/y -1", "x/y 0", "x/y nan"])
def test_a_lock_that_says_nothing_is_taken(fence: Fence, lock: str) -> None:
    api = FakeApi()
    run(api, A, rules(fence), 1)
    edit(api, replace(live(api), lock=lock))
    assert run(api, A, rules(fence), 2, now=1.0) == Applied(2)


def test_a_freeze_that_cannot_be_read_holds_until_it_is_taken_away() -> None:
    api = FakeApi()
    run(api, A, safe(), 1)
    edit(api, replace(live(api), frozen="%$#"))
    assert run(api, A, safe(), 2, now=1e11) == Frozen(2, "dynamodb", "%$#")
    raw = stored(replace(ALIAS, frozen="%$#"))
    assert raw["metadata"]["annotations"][FROZEN_ANNOTATION] == "%$#"


@pytest.mark.parametrize("how", [rules(), safe()], ids=["aws-2025", "safe"])
def test_the_newest_plan_that_is_left_is_looked_at_as_any(how: Any) -> None:
    """An enactor is done with plan 2147483646 when a hand takes that plan away."""
    api = FakeApi()
    run(api, A, how, 1)
    api.perform(Create(plan(2)))
    round_ = Driven(enact(A, how, AtPick(GENERATION_MAX - 1)), api).to_intent(Pick)
    round_.advance(reply=Picked(plan(2), 0.0))
    assert round_.finish() == Applied(2)
    older = Driven(enact(A, how, AtPick(GENERATION_MAX - 1)), api).to_intent(Pick)
    older.advance(reply=Picked(plan(1), 0.0))
    assert older.finish() == Stale(1, 2, "check"), "what is live is newer"


# --- numbers that run out


def test_above_the_highest_generation_no_plan_is_tried_and_the_way_out_is_told() -> None:
    flow = append(plan(1).endpoints, GENERATION_MAX)
    with pytest.raises(StopIteration) as stop:
        next(flow)
    outcome = stop.value.value
    assert isinstance(outcome, Unplanned)
    assert not outcome.final
    notice = unplanned(outcome, 1)
    assert notice is not None
    assert notice.reason is Reason.OUT_OF_GENERATIONS
    assert notice.loud
    assert "no plan above 2147483647" in notice.message
    assert "holdfast.dev/plan-generation" in notice.message
    below = append(plan(1).endpoints, GENERATION_MAX - 1)
    assert next(below) == Create(Plan(GENERATION_MAX, plan(1).endpoints))


# --- a status edited by hand, while an arm runs


def record() -> Record:
    hold = {"role": "enactor", "zone": "us-east-1a", "at": "turn"}
    spec = {
        "deadlineSeconds": 60,
        "settleSeconds": 1,
        "arms": [{"name": "one", "expect": "OutagePrevented"}],
        "timeline": [{"hold": hold, "until": {"afterSeconds": 1}}],
    }
    scenario = scenario_of("s", "uid", spec)
    return Record(scenario.arms[0], ("dynamodb",))


GARBAGE: list[dict[str, Any]] = [
    {},
    {"mars": {"step": "nonsense", "hold": "nobody's", "caught": ["nobody's"]}},
    {"us-east-1a": {"tried": "nonsense", "victims": [-1], "generation": -5}},
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_status_edited_by_hand_breaks_no_arm(garbage: dict[str, Any]) -> None:
    found = record()
    (hold,) = (hold_of(h) for h in found.arm.holds)
    found.planned(0.0, 1)
    found.told(0.1, {"actors": garbage})
    assert found.due(0.2) == (), "it was never caught"
    found.told(1.0, {"actors": {hold.zone: {"step": "turn", "caught": [hold.name]}}})
    assert found.due(1.1) == ()
    found.told(1.2, {"actors": garbage})
    assert [h.name for h in found.due(3.0)] == [hold.name]
    found.released(3.0, hold.name)
    assert found.story(3.0)


def evidence(**changes: Any) -> Evidence:
    return Evidence(
        broken=frozenset(),
        empty_answers=0,
        coverage=changes.pop("coverage", 1.0),
        uncaught_holds=(),
        overdue_holds=(),
        attempts=1,
        healthy_at_first=changes.pop("healthy_at_first", True),
        cut_off=False,
        watch_gaps=0,
        guards_as_asked=True,
        **changes,
    )


def test_a_probe_that_was_deleted_is_told_from_a_name_that_never_answered() -> None:
    expected = Expected(Outcome.PREVENTED)
    assert judge(expected, evidence()) == (Verdict.PASS, "as expected")
    gone = evidence(probe_told=False, healthy_at_first=False, coverage=0.0)
    verdict, why = judge(expected, gone)
    assert verdict is Verdict.INCONCLUSIVE
    assert why == "the probe told nothing: its Pod is gone, or does not answer"
    verdict, why = judge(expected, evidence(healthy_at_first=False))
    assert "never answered" in why


def test_all_that_went_wrong_with_a_scenario_is_told() -> None:
    inner = ExceptionGroup("unhandled errors in a TaskGroup", [KeyError("a"), ValueError("b")])
    assert _causes(ExceptionGroup("", [inner, OSError("c")])) == (
        "KeyError: 'a'; ValueError: b; OSError: c"
    )
