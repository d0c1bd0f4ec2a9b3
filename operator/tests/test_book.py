"""What an enactor reports of itself, by values."""

import pytest

from holdfast.core.book import Book, Did
from holdfast.core.holds import ActorView, Condition, Hold
from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    Overwrite,
    PatchAlias,
    Reach,
    Replace,
)
from holdfast.core.objects import Alias, Lease, Tree
from holdfast.core.places import AtPick
from holdfast.core.replies import (
    ADMISSION_POLICY,
    Absent,
    Conflict,
    Deleted,
    Exists,
    Missed,
    Rejected,
    Reply,
    TimedOut,
    Written,
)
from holdfast.core.rounds import Applied, Deferred, Refused, Round, Stale

A, B = "us-east-1a", "us-east-1b"
ALIAS = Alias("dynamodb", "dynamodb-p2", 2, uid="u", resource_version="7")
NEW = Alias("dynamodb", "dynamodb-p2", 2)
LOCK = PatchAlias("dynamodb", expect_lock="", lock="me 10")
FLIP = PatchAlias("dynamodb", "me 10", "", target="dynamodb-p2", generation=2)
WRITTEN = Written(ALIAS, 0.0)


def hold(name: str = "hold-1", at: str = "turn", when: Condition = Condition()) -> Hold:  # noqa: B008
    return Hold(name, A, at, when, Condition(after_seconds=1), 60)  # type: ignore[arg-type]


def book(**view: object) -> Book:
    return Book(ActorView(A, **view))  # type: ignore[arg-type]


def test_a_hold_catches_once_and_both_ends_are_told() -> None:
    mine = book()
    assert mine.arrive(Reach("check", 2), (hold(),), {}, 2) is None
    assert not mine.unsaid, "an ordinary step is told to nobody"
    assert mine.arrive(Reach("turn", 2, "dynamodb"), (hold(),), {}, 2) == hold()
    assert mine.unsaid
    stands = ActorView(A, "turn", 2, hold="hold-1", caught=("hold-1",), endpoint="dynamodb")
    assert mine.tell() == stands
    assert not mine.unsaid
    mine.let_go()
    assert mine.unsaid
    assert (mine.tell().hold, mine.view.let_go) == ("", True)
    assert mine.arrive(Reach("turn", 2, "dynamodb"), (hold(),), {}, 2) is None


def test_a_hold_that_waits_for_its_when_lets_earlier_arrivals_pass() -> None:
    mine, late = book(), hold(when=Condition(plans_behind=3))
    assert mine.arrive(Reach("turn", 2), (late,), {}, 4) is None
    assert mine.arrive(Reach("turn", 2), (late,), {}, 5) == late


def test_a_hold_is_asked_with_what_the_others_report() -> None:
    mine = book()
    doomed = hold(when=Condition(condemned=A))
    cleaner = {B: ActorView(B, "delete", 5, victims=(2,))}
    assert mine.arrive(Reach("turn", 2), (doomed,), {}, 5) is None
    assert mine.arrive(Reach("turn", 2), (doomed,), cleaner, 5) == doomed


def test_victims_are_told_where_holds_may_wait_for_them_and_forgotten_at_the_next_step() -> None:
    mine = book()
    mine.arrive(Reach("delete", 5, victims=(1, 2)), (), {}, 5)
    assert not mine.unsaid, "no holds, no listeners"
    mine.arrive(Reach("delete", 5, victims=(1, 2)), (hold(),), {}, 5)
    assert mine.unsaid
    assert mine.tell().victims == (1, 2)
    mine.arrive(Reach("pick"), (hold(),), {}, 5)
    assert mine.view.victims == ()


@pytest.mark.parametrize("write", [Create(NEW), Replace(ALIAS), Overwrite(NEW), FLIP])
def test_a_write_of_an_alias_that_a_policy_refuses_is_counted(write: Intent) -> None:
    mine = book(let_go=True)
    assert mine.performed(write, Rejected(ADMISSION_POLICY, "no", 0.0)) == "policy"
    refused = {"policy_refused": 1, "tried": "refused", "tried_generation": 2}
    assert mine.tell() == ActorView(A, let_go=True, **refused)  # type: ignore[arg-type]
    assert mine.performed(write, Rejected("Forbidden", "no", 0.0)) == ""
    assert not mine.unsaid


def test_no_more_than_a_hundred_victims_are_told() -> None:
    mine = book()
    mine.arrive(Reach("delete", 500, victims=tuple(range(1, 400))), (hold(),), {}, 500)
    assert mine.view.victims == tuple(range(1, 101))


FLIPS: list[Intent] = [FLIP, Replace(ALIAS), Overwrite(NEW)]


@pytest.mark.parametrize("flip", FLIPS, ids=lambda i: type(i).__name__)
def test_the_first_flip_after_a_hold_is_what_the_actor_tried(flip: Intent) -> None:
    mine = book()
    assert mine.performed(flip, WRITTEN) == "flipped"
    assert mine.view.tried == "", "before a hold let it go it is ordinary work"
    mine.let_go()
    mine.tell()
    assert mine.performed(flip, WRITTEN) == "flipped"
    assert (mine.view.tried, mine.view.tried_generation) == ("flipped", 2)
    assert mine.unsaid
    mine.tell()
    mine.ended(Stale(9, 10, "read", "dynamodb"))
    assert mine.view.tried == "flipped", "only the first counts"


OTHERS: list[tuple[Intent, Reply, str]] = [
    (LOCK, WRITTEN, ""),
    (LOCK, Missed(0.0), "lock_lost"),
    (FLIP, Missed(0.0), "lock_lost"),
    (FLIP, TimedOut(0.0), ""),
    (FLIP, Absent(0.0), ""),
    (Replace(ALIAS), Conflict(0.0), "conflict"),
    (Replace(Lease("l", "me", 0.0, 2.0, "u", "3")), Conflict(0.0), ""),
    (Replace(Lease("l", "me", 0.0, 2.0, "u", "3")), Written(Lease("l", "me", 0.0, 2.0), 0.0), ""),
    (Overwrite(NEW), TimedOut(0.0), ""),
    (Create(NEW), WRITTEN, ""),
    (Create(NEW), Exists(0.0), ""),
    (Get(Alias, "dynamodb"), Absent(0.0), ""),
]


@pytest.mark.parametrize(("intent", "reply", "write"), OTHERS)
def test_what_is_no_flip_is_no_try(intent: Intent, reply: Reply, write: str) -> None:
    mine = book(let_go=True)
    assert mine.performed(intent, reply) == write
    assert (mine.view.tried, mine.unsaid) == ("", False)


ENDS: list[tuple[Round, str, dict[str, object]]] = [
    (Stale(2, 5, "check"), "", {}),
    (
        Stale(2, 5, "check", "dynamodb"),
        "dropped_stale",
        {"tried": "dropped", "tried_generation": 2, "stale_dropped": 1},
    ),
    (
        Stale(2, 5, "read", "dynamodb"),
        "dropped_stale",
        {"tried": "dropped", "tried_generation": 2, "stale_dropped": 1},
    ),
    (
        Stale(2, 5, "read", "dynamodb", conflicted=True),
        "conflict_newer",
        {"tried": "refused", "tried_generation": 2, "stale_refused": 1},
    ),
    (
        Refused(6, "dynamodb", "no rollback record: dynamodb-p2 does not exist"),
        "rollback_missing",
        {"tried": "failed", "tried_generation": 6, "rollback_missing": 1},
    ),
    (Refused(6, "dynamodb", "Forbidden: no"), "", {"tried": "failed", "tried_generation": 6}),
    (Deferred(AtPick(), "the lock is held"), "", {}),
    (Applied(5), "", {"cleaned": True}),
]


@pytest.mark.parametrize(("outcome", "end", "changed"), ENDS)
def test_how_a_round_ends_is_counted(outcome: Round, end: str, changed: dict[str, object]) -> None:
    mine = book(let_go=True)
    assert mine.ended(outcome) == Did(end=end)  # type: ignore[arg-type]
    assert mine.view == ActorView(A, let_go=True, **changed)  # type: ignore[arg-type]
    assert mine.unsaid == bool(changed)


def test_before_a_hold_has_let_go_counts_move_and_nothing_was_tried_or_cleaned() -> None:
    mine = book()
    for outcome, _, _ in ENDS:
        mine.ended(outcome)
    assert mine.view == ActorView(A, stale_dropped=2, stale_refused=1, rollback_missing=1)


def test_a_round_did_what_it_flipped_and_deleted_and_the_next_begins_anew() -> None:
    mine = book()
    mine.performed(Create(NEW), WRITTEN)
    mine.performed(FLIP, WRITTEN)
    mine.performed(Delete(Tree, "dynamodb-p1"), Deleted(0.0))
    mine.performed(Delete(Tree, "dynamodb-p0"), Absent(0.0))
    assert mine.ended(Applied(2)) == Did(("dynamodb", "dynamodb"), ("dynamodb-p1",))
    assert mine.ended(Applied(2)) == Did()
