"""One lease between two managers: every interleaving of their checks, and what each rule is for."""

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holdfast.check.explorer import Explorer
from holdfast.check.hand_over import HandOver, hand_over, hand_over_document, with_hand_over
from holdfast.check.leases import DEFAULT, RACK, HandOverBounds, Kept, hand_over_model
from holdfast.check.model import Actor, Model
from holdfast.cli import main
from holdfast.core.guards import SAFE as SAFE_DNS
from holdfast.core.intents import Get, Intent, Overwrite
from holdfast.core.intents import Replace as Put
from holdfast.core.invariants import Invariant
from holdfast.core.leases.attempt import Attempt, attempt
from holdfast.core.leases.lease import Lease, RackLease, pack, unpack
from holdfast.core.replies import Read, Reply
from holdfast.core.scenario import Arm
from holdfast.core.verdict import Outcome

ROOT = Path(__file__).parents[2]
CALM = HandOverBounds(crashes=0, lost_replies=0)
"""Nothing fails, and time may pass at any moment: managers that stand still, and no other fault."""
SAFE = Arm("safe", SAFE_DNS, {}, Outcome.PREVENTED, ())


@pytest.fixture(scope="module")
def default() -> HandOver:
    return hand_over()


def test_within_the_default_bounds_a_lease_has_one_holder_and_nothing_late_counts(
    default: HandOver,
) -> None:
    found = default.found
    assert found.exhaustive
    assert (default.broken, default.stuck) == (frozenset(), 0)
    assert (found.states, found.worlds, found.transitions, found.depth) == (
        155760,
        65,
        636854,
        22,
    )


@pytest.mark.parametrize(
    ("bounds", "pinned"),
    [
        (CALM, (8392, 35, 20081, 18)),
        (replace(CALM, ticks=6), (36695, 63, 91904, 20)),
        (replace(CALM, crashes=1), (49858, 65, 151668, 20)),
        (replace(CALM, lost_replies=1), (30342, 35, 97734, 19)),
        (replace(CALM, agents=1), (56092, 100, 142051, 19)),
        (RACK, (409412, 270, 1283364, 30)),
        (replace(CALM, droplets=2, lost_replies=1), (252636, 140, 840172, 29)),
    ],
    ids=str,
)
def test_what_is_explored_is_pinned(bounds: HandOverBounds, pinned: tuple[int, ...]) -> None:
    checked = hand_over(hand_over_model(bounds), bounds)
    found = checked.found
    assert (checked.broken, checked.stuck, found.exhaustive) == (frozenset(), 0, True)
    assert (found.states, found.worlds, found.transitions, found.depth) == pinned


def test_a_lease_is_handed_over_and_back(default: HandOver) -> None:
    """What is explored is what it is for: each has held it, after the other too."""
    explorer = Explorer(hand_over_model(CALM))
    explorer.explore()
    seen = set()
    for world in explorer.worlds.all:
        for obj in world.objects.values():
            if isinstance(obj, Kept):
                seen.add((obj.lease.holder, obj.lease.renewed))
    assert {("", 0.0), ("a/0", 0.0), ("b/0", 2.0), ("a/0", 4.0)} <= seen
    assert ("b/0", 0.0) in seen
    assert default.found.worlds > len(seen)


def test_the_quick_successors_are_the_moves_told_in_full() -> None:
    explorer = Explorer(hand_over_model(replace(DEFAULT, ticks=2)))
    found = explorer.explore()
    for state in list(found.parents)[::97]:
        assert sorted(explorer.successors(state)) == sorted(m.state for m in explorer.moves(state))


# --- each rule left out


def spoilt(bounds: HandOverBounds, write: Callable[[Kept], Generator[Intent, Reply, Reply]]) -> Any:
    """The model, whose managers write otherwise."""

    def flow(of: Actor, identity: str, known: Kept | None) -> Any:
        asking = of.flow(identity, known)
        reply: Any = None
        while True:
            try:
                intent = asking.send(reply)
            except StopIteration as stop:
                return stop.value
            if isinstance(intent, Put) and isinstance(intent.obj, Kept):
                reply = yield from write(intent.obj)
            else:
                reply = yield intent

    model = hand_over_model(bounds)
    actors = tuple(
        replace(a, flow=lambda who, known, a=a: flow(a, who, known)) for a in model.actors
    )
    return replace(model, actors=actors)


def onto_what_is_there(wanted: Kept) -> Generator[Intent, Reply, Reply]:
    """Reads the version just before the write, and not what it says."""
    found = yield Get(Kept, wanted.name)
    if not isinstance(found, Read):
        return found
    there = found.obj
    return (yield Put(replace(wanted, uid=there.uid, resource_version=there.resource_version)))


def without_a_version(wanted: Kept) -> Generator[Intent, Reply, Reply]:
    return (yield Overwrite(replace(wanted, uid="", resource_version="")))


def takes_anybodys(me: str, lease: Lease, cost: float, queued: float, deadline: float) -> Attempt:
    """`may_take` ignored: whoever's it is, it is nobody's."""
    return attempt(me, replace(lease, holder=""), cost, queued, deadline)


def knows_no_deadline(
    me: str, lease: Lease, cost: float, queued: float, deadline: float
) -> Attempt:
    del deadline
    return attempt(me, lease, cost, queued, float("inf"))


def dates_it_later(me: str, lease: Lease, cost: float, queued: float, deadline: float) -> Attempt:
    """As if it had been queued when it was due to end."""
    return attempt(me, lease, cost, queued + 1.0, deadline)


def loses(model: Model, bounds: HandOverBounds = CALM) -> dict[str, int]:
    """What breaks, and the length of a shortest way to it."""
    return {name: len(rows) for name, rows in hand_over(model, bounds).traces.items()}


def test_a_write_that_is_not_fenced_takes_another_s_lease() -> None:
    """A zombie: it decided while the lease was nobody's, and writes when it is another's."""
    checked = hand_over(spoilt(CALM, onto_what_is_there), CALM)
    rows = checked.traces["SingleHolder"]
    assert {n: len(r) for n, r in checked.traces.items()} == {"SingleHolder": 10}
    assert [(r.actor, r.world[1]) for r in rows if r.call.startswith("PUT")] == [
        ("a", "a/0 until 2"),
        ("b", "b/0 until 2"),
    ]


def test_a_put_without_a_version_is_refused_by_the_server() -> None:
    """A custom resource is never replaced blindly: nobody ever holds anything."""
    checked = hand_over(spoilt(CALM, without_a_version), CALM)
    assert checked.broken == frozenset()
    assert checked.stuck == checked.found.states


def test_who_takes_anybody_s_lease() -> None:
    assert loses(hand_over_model(CALM, takes_anybodys)) == {"SingleHolder": 8}


def test_who_knows_no_deadline_has_a_late_effect() -> None:
    assert loses(hand_over_model(CALM, knows_no_deadline)) == {"NoExpiredWorkDone": 6}


def test_a_write_that_gives_more_than_its_check_was_queued_for() -> None:
    """And it is taken, too, as of when another still holds it."""
    broken = {"NoExpiredWorkDone": 4, "SingleHolder": 10}
    assert loses(hand_over_model(CALM, dates_it_later)) == broken


def answers_for_all(me: str, lease: Lease, cost: float, queued: float, deadline: float) -> Attempt:
    """Of a rack: whoever answers, all its droplets are renewed."""
    flow = attempt(me, lease, cost, queued, deadline)
    reply: Any = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if isinstance(step, Put) and isinstance(step.obj, RackLease):
            ages = unpack(step.obj.packed)
            youngest = min(age for age in ages if age is not None)
            step = Put(replace(step.obj, packed=pack([youngest] * len(ages))))
        reply = yield step


def test_a_droplet_of_a_rack_that_did_not_answer_is_not_renewed() -> None:
    bounds = replace(CALM, droplets=2)
    assert loses(hand_over_model(bounds, answers_for_all), bounds) == {"NoExpiredWorkDone": 5}


def test_a_clock_that_is_ahead_by_half_a_lease_is_no_holder_s_friend() -> None:
    """The fence is not enough there: the version is right, and the time is not. Clocks have to
    agree to well within a lease."""
    ahead = replace(CALM, ahead=1)
    assert loses(hand_over_model(ahead), ahead) == {"SingleHolder": 9}


# --- the document, and the command


def test_what_breaks_fails_the_arm() -> None:
    document = {"verdict": "Pass", "outcome": "OutagePrevented", "invariantsBroken": ["x"]}
    whole = with_hand_over(SAFE, document, hand_over(hand_over_model(CALM), CALM))
    assert (whole["verdict"], whole["invariantsBroken"]) == ("Pass", ["x"])
    found = hand_over(hand_over_model(CALM, takes_anybodys), CALM)
    broken = with_hand_over(SAFE, document, found)
    assert broken["verdict"] == "Fail"
    assert broken["message"] == "SingleHolder breaks when a lease is handed over"
    assert broken["invariantsBroken"] == ["SingleHolder", "x"]
    assert broken["handOver"]["invariantsBroken"] == ["SingleHolder"]


@pytest.mark.parametrize(
    ("expects", "outcome", "verdict", "after"),
    [
        ({"expect": Outcome.REPRODUCED}, "OutagePrevented", "Fail", "Inconclusive"),
        ({"breaks": (Invariant.GOODPUT,)}, "OutagePrevented", "Fail", "Inconclusive"),
        ({"breaks": (Invariant.MONOTONE,)}, "OutagePrevented", "Fail", "Fail"),
        ({}, "OutageReproduced", "Fail", "Fail"),
        ({"expect": Outcome.REPRODUCED}, "OutageReproduced", "Pass", "Pass"),
        ({}, "OutagePrevented", "Pass", "Pass"),
    ],
    ids=str,
)
def test_what_load_and_time_do_to_leases_is_not_looked_at(
    expects: dict[str, Any], outcome: str, verdict: str, after: str
) -> None:
    """That there is no outage of DNS says nothing of one of leases, which an arm may expect."""
    document = {"verdict": verdict, "outcome": outcome, "message": "", "invariantsBroken": []}
    arm = replace(SAFE, **expects)
    told = with_hand_over(arm, document, hand_over(hand_over_model(CALM), CALM))
    assert told["verdict"] == after
    assert ("a matter of time" in told["message"]) is (after == "Inconclusive")


def test_the_document_has_its_bounds_beside_it() -> None:
    assert hand_over_document(hand_over(hand_over_model(CALM), CALM)) == {
        "distinctStates": 8392,
        "transitions": 20081,
        "depth": 18,
        "exhaustive": True,
        "invariantsBroken": [],
        "bounds": {
            "managers": 2,
            "droplets": 1,
            "ticks": 4,
            "crashes": 0,
            "lostReplies": 0,
            "agentRestarts": 0,
        },
    }


SCENARIO = """\
apiVersion: holdfast.dev/v1alpha1
kind: Scenario
metadata: {name: leases}
spec:
  region: {REGION}
  check: {plans: 3}
  arms:
  - {name: fenced, guards: {dns: {fence: Generation}}, expect: OutagePrevented}
"""


def test_a_rack_is_explored_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "leases.yaml", tmp_path / "result.json"
    file.write_text(SCENARIO.replace("REGION", "fleet: {mode: Rack, droplets: 4}"))
    assert main(["check", str(file), "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    jsonschema.validate(document, json.loads((ROOT / "docs/result.schema.json").read_text()))
    assert document["arms"][0]["handOver"]["bounds"]["droplets"] == 2
    assert "hand-over of a lease, of a rack of 2 droplets" in capsys.readouterr().out


@pytest.mark.parametrize(("region", "told"), [("fleet: {droplets: 4}", True), ("", False)])
def test_an_arm_with_a_fleet_is_explored_for_its_leases_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], region: str, told: bool
) -> None:
    file, out = tmp_path / "leases.yaml", tmp_path / "result.json"
    file.write_text(SCENARIO.replace("REGION", region))
    assert main(["check", str(file), "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    jsonschema.validate(document, json.loads((ROOT / "docs/result.schema.json").read_text()))
    printed = capsys.readouterr().out
    assert ("handOver" in document["arms"][0]) is told
    assert ("hand-over of a lease" in printed) is told
    if told:
        assert document["arms"][0]["handOver"]["distinctStates"] == 155760
        assert "exhaustive within 2 managers, 2 leases' time, crashes 1, lost replies 1" in printed
