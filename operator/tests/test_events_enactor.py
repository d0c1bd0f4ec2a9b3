"""What people hear of an enactor: each refusal by its reason, with its numbers; of ordinary work
nothing."""

import ast
from pathlib import Path
from typing import Any

from drive import A, B, Driven, plan, rules, run, safe

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import START, enact
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.guards import Fence, Rollback, Switch
from holdfast.core.intents import Create, Delete, Intent, Overwrite, Prove, Replace, Step
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan, Slice, Tree
from holdfast.core.override import freeze
from holdfast.core.places import AtPick, AtTurn, Place
from holdfast.core.reasons import MEANINGS, Notice, Reason
from holdfast.core.region import region_of
from holdfast.core.replies import (
    ADMISSION_POLICY,
    NAMESPACE_TERMINATING,
    Rejected,
    Reply,
    Unproven,
)
from holdfast.core.rounds import Applied, Deferred, Refused, Round, Withheld
from holdfast.core.witness import LOUD_AT, Witness, reason_of
from holdfast.fake import FakeApi
from holdfast.live.metrics import PREVENTED, REFUSALS
from holdfast.live.notices import EnactorNotices

CORE = Path(__file__).resolve().parents[1] / "src/holdfast/core"


class Told:
    """An enactor's flow, and a witness beside it."""

    def __init__(
        self, api: FakeApi, how: Rules, here: Place = START, who: Actor = A, now: float = 0.0
    ) -> None:
        self.api, self.how, self.now = api, how, now
        self.witness = Witness()
        self.notices: list[Notice] = []
        self.flow = Driven(enact(who, how, here), api)

    def to(self, step: Step) -> "Told":
        self._drive(lambda i: getattr(i, "step", "") == step)
        return self

    def to_intent(self, kind: type[Intent]) -> "Told":
        self._drive(lambda i: isinstance(i, kind))
        return self

    def answer(self, reply: Reply) -> "Told":
        """Give the pending intent this reply."""
        pending = self.flow.pending
        assert pending is not None
        self._note(self.witness.performed(self.how.guards, pending, reply))
        self.flow.advance(self.now, reply)
        return self

    def finish(self) -> Round:
        self._drive(lambda _: False)
        outcome = self.flow.outcome
        assert outcome is not None
        if isinstance(outcome, Deferred):
            self._note(self.witness.deferred(outcome, 1))
        self._note(self.witness.ended(self.how.guards, outcome))
        return outcome

    def _drive(self, stops: Any) -> None:
        while self.flow.pending is not None and not stops(self.flow.pending):
            self.answer(self.api.perform(self.flow.pending, self.now))

    def _note(self, notice: Notice | None) -> None:
        self.notices += [notice] if notice is not None else []

    def only(self) -> Notice:
        (notice,) = self.notices
        return notice


def test_ordinary_flips_are_not_worth_a_word() -> None:
    for how in (rules(), rules(Fence.GENERATION), safe()):
        api = FakeApi()
        for generation in range(1, 9):
            api.perform(Create(plan(generation)))
            for who in (A, B):
                told = Told(api, how, AtPick(generation - 1), who)
                assert told.finish() == Applied(generation)
                assert told.notices == []


def overtaken(fence: Fence, at: Step) -> Told:
    """A stands at a step with plan 2 while B goes on to 4."""
    api, how = FakeApi(), rules(fence, retention=9)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    told = Told(api, how).to(at)
    for generation in (3, 4):
        run(api, B, how, generation)
    told.finish()
    return told


def live_at(told: Told) -> str:
    alias = told.api.alias("dynamodb")
    assert alias is not None
    return alias.resource_version


def test_a_plan_dropped_by_its_own_read_says_what_is_live_and_by_whom() -> None:
    told = overtaken(Fence.GENERATION, "turn")
    notice = told.only()
    assert notice.reason is Reason.STALE_PLAN_DROPPED
    assert notice.message == (
        "dynamodb: plan 2 dropped at read: plan 4 is live at resourceVersion "
        f"{live_at(told)}, written by us-east-1b/b"
    )
    assert (notice.endpoint, notice.guard) == ("dynamodb", "dns.fence=Generation")
    assert (notice.loud, notice.blocks) == (True, True)


def test_a_write_refused_by_its_resource_version_says_both_of_them() -> None:
    told = overtaken(Fence.GENERATION, "flip")
    notice = told.only()
    (bore,) = [i.obj.resource_version for i in told.flow.intents if isinstance(i, Replace)]
    assert bore != live_at(told)
    assert notice.reason is Reason.STALE_WRITE_REFUSED
    assert notice.message == (
        f"dynamodb: the write of plan 2 at resourceVersion {bore} was refused (409): plan 4 is "
        f"live at resourceVersion {live_at(told)}, written by us-east-1b/b"
    )
    assert notice.guard == "dns.fence=Generation"


def test_a_plan_found_old_right_after_it_was_picked_is_lag() -> None:
    assert overtaken(Fence.CHECK_ONCE, "check").notices == []


def test_a_409_of_a_colleague_with_the_same_plan_is_redundancy() -> None:
    api, how = FakeApi(), rules(Fence.GENERATION)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    told = Told(api, how).to("flip")
    run(api, B, how, 2)
    assert told.finish() == Applied(2)
    assert told.notices == []


def test_a_missing_rollback_record_says_which_tree() -> None:
    api, how = FakeApi(), rules(rollback=Rollback.COUPLED)
    run(api, B, how, 1)
    api.perform(Delete(Tree, "dynamodb-p1"))
    api.perform(Create(plan(2)))
    told = Told(api, how)
    told.finish()
    assert told.only().reason is Reason.ROLLBACK_MISSING
    assert told.only().message == (
        "dynamodb: plan 2 refused: no rollback record: dynamodb-p1 does not exist; plan 1 is live"
    )


def test_a_refusal_by_policy_is_told_of_writes_and_of_deletes() -> None:
    api, how = FakeApi(), rules(Fence.NONE, retention=1)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    told = Told(api, how).to_intent(Overwrite)
    told.answer(Rejected(ADMISSION_POLICY, "the live generation never goes down", 0.0))
    assert isinstance(told.finish(), Refused)
    assert told.only().reason is Reason.POLICY_REFUSED
    assert "dynamodb: plan 2 refused" in told.only().message
    assert "the live generation never goes down; plan 1 is live" in told.only().message
    assert told.only().guard == "dns.admission=Enabled"

    run(api, B, rules(Fence.NONE, retention=9), 3)
    told = Told(api, how, AtPick(2)).to_intent(Delete)
    told.answer(Rejected(ADMISSION_POLICY, "a pinned tree is never deleted", 0.0))
    assert told.finish() == Applied(3)
    assert told.only().message == (
        "the delete of dynamodb-p1 was refused (403): a pinned tree is never deleted"
    )
    assert not told.only().blocks, "the plan is live all the same"


def test_other_rejections_and_a_namespace_on_its_way_out() -> None:
    api, how = FakeApi(), rules()
    api.perform(Create(plan(1)))
    told = Told(api, how).to_intent(Create).answer(Rejected("Forbidden", "quota", 0.0))
    told.finish()
    assert told.only().reason is Reason.WRITE_REJECTED
    told = Told(api, how).to_intent(Create).answer(Rejected(NAMESPACE_TERMINATING, "", 0.0))
    told.finish()
    assert told.notices == [], "there is nobody left to tell, and nowhere to"


def test_a_foreign_slice_is_named() -> None:
    api, how = FakeApi(), rules()
    api.perform(Create(plan(1)))
    told = Told(api, how).to_intent(Prove)
    (piece,) = [o for o in api.objects.values() if isinstance(o, Slice)]
    api.perform(Delete(Slice, piece.name))
    other = Slice(piece.name, piece.tree, piece.tree_uid, "IPv4", ("10.9.9.9",))
    api.perform(Create(other))
    told = Told(api, how)
    told.finish()
    assert told.only().reason is Reason.FOREIGN_SLICE
    assert piece.name in told.only().message


def test_a_tree_that_is_not_served_says_what_was_seen_instead() -> None:
    api, how = FakeApi(), rules()
    api.perform(Create(plan(1)))
    told = Told(api, how)
    while told.flow.outcome is None:
        told.to_intent(Prove)
        if told.flow.pending is not None:
            told.answer(Unproven("10.96.0.9 says NXDOMAIN []", 0.0))
    told.finish()
    assert told.only().reason is Reason.TREE_NOT_SERVED
    assert "plan 1 waits: dynamodb-p1 is not served: 10.96.0.9 says NXDOMAIN" in told.only().message
    assert told.only().loud, "it has taken 90 s: once is enough"


def test_a_frozen_alias_is_told_once_for_each_freeze() -> None:
    api, how = FakeApi(), rules(Fence.GENERATION)
    run(api, B, how, 1)
    api.perform(Create(plan(2)))
    Driven(freeze(Freeze("alice", FOREVER, "looking")), api).finish()
    told = Told(api, how)
    for _ in range(3):
        told.flow = Driven(enact(A, how), api)
        told.finish()
    assert {n.reason for n in told.notices} == {Reason.FROZEN}
    assert [n.loud for n in told.notices] == [True, False, False]
    assert "dynamodb: plan 2 waits: frozen by alice 9999" in told.notices[0].message


def keeps() -> Rules:
    return rules(Fence.GENERATION, last_known_good=Switch.ENABLED)


def test_a_plan_without_addresses_is_told_once_and_how_many_endpoints_it_leaves() -> None:
    api, how = FakeApi(), keeps()
    run(api, B, how, 1)
    api.perform(Create(Plan(2, (EndpointPlan("dynamodb", ()),))))
    told = Told(api, how, AtPick(1))
    assert told.finish() == Withheld(2)
    assert told.only().reason is Reason.PLAN_WITHHELD
    assert "plan 2 leaves 1 of 1 endpoint(s) without addresses" in told.only().message
    assert told.only().guard == "dns.lastKnownGood=Enabled"
    told.flow = Driven(enact(A, how, AtPick(1)), api)
    told.finish()
    assert len(told.notices) == 1


def test_a_plan_that_is_withheld_in_part_names_the_part() -> None:
    api, how = FakeApi(), keeps()
    good = EndpointPlan("s3", (FrontEnd("10.0.0.1", 1),))
    api.perform(Create(Plan(1, (EndpointPlan("dynamodb", ()), good))))
    told = Told(api, how)
    assert told.finish() == Applied(1)
    assert told.only().message.endswith(
        "leaves 1 of 2 endpoint(s) without addresses, and their last good answers stay: dynamodb"
    )


def test_a_repair_is_told_when_it_begins_and_when_it_is_done() -> None:
    api, how = FakeApi(), safe()
    run(api, B, how, 1)
    api.perform(Delete(Tree, "dynamodb-p1"))
    told = Told(api, how, AtPick(1))
    assert isinstance(told.flow.pending, object)
    assert told.finish() == Applied(1)
    assert [n.reason for n in told.notices] == [Reason.REPAIRING, Reason.SELF_REPAIRED]
    assert told.notices[0].message == "dynamodb not served as plan 1 has it: enacted anew"
    assert not any(n.blocks for n in told.notices)


def test_deferrals_are_told_when_they_pile_up() -> None:
    waits = Deferred(AtTurn(plan(7), "dynamodb"), "the lock is held: us-east-1c/c 99.0")
    witness = Witness()
    told = [witness.deferred(waits, n) for n in range(1, 60)]
    assert all(n is not None and n.reason is Reason.LOCK_LOST for n in told)
    assert [n for n, t in enumerate(told, 1) if t is not None and t.loud] == [5, 50]
    assert {5, 50, 500} <= LOUD_AT
    fifth = told[4]
    assert fifth is not None
    assert fifth.message == (
        "dynamodb: plan 7 waits, 5 times in a row: the lock is held: us-east-1c/c 99.0"
    )


def deferral_words() -> set[str]:
    """Every literal that a deferral in core bears, a `…` where something is put in."""
    found = set()
    for path in CORE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            places = {"Deferred": (1,), "_again": (1,), "_patch": (3,)}.get(node.func.id, ())
            found |= {_words(node.args[i]) for i in places if i < len(node.args)}
    return {w for w in found if w.strip("…")}


def _words(node: ast.expr) -> str:
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(parts):
            return "".join(p.value if isinstance(p, ast.Constant) else "…" for p in parts)
        case _:
            return ""


def test_every_deferral_of_the_core_has_a_reason() -> None:
    words = deferral_words()
    assert {"the lock was lost", "conflict upon conflict", "… is not served: …"} <= words
    assert [w for w in sorted(words) if reason_of(w) is None] == []
    for leader in ("the leader is us-east-1b/b", "another enactor was elected"):
        assert reason_of(leader) is Reason.NOT_LEADING


# --- notices become counters, events and a condition ----------------------------------------------


class Collected(EnactorNotices):
    """Keeps what it would post."""

    def __init__(self, space: str = "told") -> None:
        region = region_of(space, "us-east-1", {})
        super().__init__(None, region, "us-east-1a", "us-east-1a/a")  # type: ignore[arg-type]
        self.said: list[Notice] = []
        self._events.say = self.said.append  # type: ignore[method-assign]

    def state(self) -> tuple[bool, Reason, str]:
        condition = self.conditions.of("us-east-1a.holdfast.dev/Applied")
        assert condition is not None
        return condition.is_true, condition.reason, condition.message


GUARDS = rules(Fence.GENERATION).guards
STUCK = Refused(3, "dynamodb", "no rollback record: dynamodb-p1 does not exist")


def count(counter: Any, *labels: str) -> float:
    return float(counter.labels(*labels)._value.get())


def test_a_refusal_makes_a_counter_an_event_and_a_false_condition_with_how_often() -> None:
    notices = Collected()
    before = count(REFUSALS, "told", "RollbackMissing")
    for _ in range(3):
        notices.ended(GUARDS, STUCK)
    assert count(REFUSALS, "told", "RollbackMissing") == before + 3
    assert [n.reason for n in notices.said] == [Reason.ROLLBACK_MISSING] * 3
    is_good, reason, message = notices.state()
    assert (is_good, reason) == (False, Reason.ROLLBACK_MISSING)
    assert message.endswith("dynamodb-p1 does not exist (3 times)")
    notices.ended(GUARDS, Applied(9))
    is_good, reason, message = notices.state()
    assert (is_good, reason) == (True, Reason.APPLIED)
    assert message.startswith("plans are applied, since plan 9; before it RollbackMissing, 3 times")


def test_ordinary_flips_leave_the_condition_as_it_is() -> None:
    notices = Collected()
    notices.ended(GUARDS, Applied(1))
    first = notices.state()
    for generation in range(2, 50):
        notices.ended(GUARDS, Applied(generation))
    assert notices.state() == first
    assert notices.said == []


def test_a_guard_that_kept_a_stale_plan_from_going_live_is_counted() -> None:
    told = overtaken(Fence.GENERATION, "flip")
    notices = Collected("prevented")
    for notice in told.notices:
        notices.tell(notice)
    assert count(PREVENTED, "prevented", "dns.fence=Generation") == 1


def test_quiet_deferrals_are_counted_and_no_more() -> None:
    notices = Collected("quiet")
    waits = Deferred(AtTurn(plan(7), "dynamodb"), "the lock is held: us-east-1c/c 99.0")
    for attempts in range(1, 5):
        notices.deferred(waits, attempts)
    assert count(REFUSALS, "quiet", "LockLost") == 4
    assert notices.said == []
    notices.deferred(waits, 5)
    assert [n.reason for n in notices.said] == [Reason.LOCK_LOST]
    assert notices.state()[:2] == (False, Reason.LOCK_LOST)


def test_every_reason_of_an_enactor_can_be_told() -> None:
    """Each that its page lists has a way into the world from here."""
    source = (CORE / "witness.py").read_text()
    for reason, meaning in MEANINGS.items():
        if "enactor" in meaning.who and meaning.is_said:
            assert f"Reason.{reason.name}" in source, reason
