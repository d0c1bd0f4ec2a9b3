"""What a case is excused, and what not; and that every write of a plan's life has its name."""

from collections import Counter
from dataclasses import replace

import orjson
import pytest

from e2e.faults.cases import CASES, GENERATION, PIN_LIVE, Case
from e2e.faults.customer import Customer
from e2e.faults.harm import Harm
from e2e.faults.life import Outcome
from e2e.faults.lives import LATER
from e2e.faults.verdict import Reason, judge, reasons_of
from e2e.faults.write import write_of
from holdfast.core.intents import PatchAlias, Pin, Unpin
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Slice, Tree
from holdfast.live.wire import patch_operations, pin_operations, render

FACTS = {
    "alias dynamodb names": "tree dynamodb",
    "alias dynamodb generation": "+0",
    "alias dynamodb lock": "",
    "tree dynamodb addresses": "+0, store-1",
    "tree dynamodb pins": "",
}


def outcome(**after: str) -> Outcome:
    """A good one, but for these facts after the plan under test (`_` for a blank)."""
    customer = Customer("name", answered=100, generations=[9, 10, 11])
    facts = FACTS | {k.replace("_", " "): v for k, v in after.items()}
    return Outcome(
        struck=True,
        after=facts,
        end=FACTS,
        effects=Counter({"create tree": 1, "delete tree -2": 1}),
        sent=(),
        seconds=1.0,
        late_status=0,
        customer=customer,
        restarts=0,
    )


def case(guards: str, what: str, harm: Harm) -> Case:
    return next(
        c for c in CASES if (c.guards, c.life, c.what, c.harm) == (guards, LATER, what, harm)
    )


FLIP = case(GENERATION, "flip", Harm.LOST_REPLY)
CLEAN = case(GENERATION, "delete tree -2", Harm.OVERLOADED)
CRASH = case(PIN_LIVE, "flip", Harm.CRASH_AFTER)
OLD_TREE = {"tree_dynamodb_-2_addresses": "-2, store-1", "tree_dynamodb_-2_pins": ""}


def test_the_same_end_passes() -> None:
    assert judge(FLIP, outcome(), outcome()).failures == ()


def test_a_difference_without_a_reason_fails() -> None:
    (failure,) = judge(FLIP, outcome(), outcome(alias_dynamodb_lock="held by enactor-a")).failures
    assert failure == "differs: after: alias dynamodb lock:  -> held by enactor-a"


def test_a_reason_excuses_its_own_case_only() -> None:
    left = outcome(**OLD_TREE)
    assert judge(CLEAN, outcome(), left).failures == ()
    assert judge(CLEAN, outcome(), left).reasons == (Reason.LATER,)
    assert len(judge(FLIP, outcome(), left).failures) == 2


def test_a_reason_that_is_granted_and_not_needed_fails() -> None:
    assert judge(CLEAN, outcome(), outcome()).failures == ("granted and not needed: cleaned later",)


def test_a_tree_too_many_is_excused_by_a_pin_of_the_dead_and_by_no_other() -> None:
    dead = outcome(**OLD_TREE | {"tree_dynamodb_-2_pins": "dead enactor-a"})
    assert judge(CRASH, outcome(), dead).failures == ()
    living = outcome(**OLD_TREE | {"tree_dynamodb_-2_pins": "enactor-a"})
    assert any("differs" in f for f in judge(CRASH, outcome(), living).failures)


def test_a_create_too_many_fails() -> None:
    again = replace(outcome(), effects=Counter({"create tree": 2, "delete tree -2": 1}))
    assert judge(FLIP, outcome(), again).failures == ("differs: effects: create tree: 1 -> 2",)


@pytest.mark.parametrize(
    ("customer", "failure"),
    [
        (Customer("n", answered=100, lapses=[1.0]), "1 empty answers"),
        (Customer("n", answered=100, generations=[9, 10, 9]), "answers went back: [9, 10, 9]"),
        (Customer("n", answered=100, missing=50), "blind: 100 answers were seen, 50 never came"),
        (Customer("n"), "blind: 0 answers were seen, 0 never came"),
    ],
)
def test_what_a_customer_must_never_see_fails(customer: Customer, failure: str) -> None:
    seen = replace(outcome(), customer=customer)
    assert judge(FLIP, outcome(), seen).failures == (failure,)


def test_a_fault_that_never_struck_fails() -> None:
    seen = replace(outcome(), struck=False)
    assert judge(FLIP, outcome(), seen).failures == ("the fault never struck",)


def test_most_cases_are_excused_nothing() -> None:
    excused = [c for c in CASES if reasons_of(c)]
    assert len(excused) < len(CASES) / 4


SPACE = "/line/api/v1/namespaces/ns/services"
TREE, ALIAS = Tree("dynamodb-p8", "dynamodb", 8), Alias("dynamodb", "dynamodb-p10", 10)


def named(method: str, path: str, body: object) -> str:
    found = write_of(method, path, orjson.dumps(body))
    assert found is not None
    return found.seen_from(10)


def test_every_write_has_its_name() -> None:
    plan = Plan(10, (EndpointPlan("dynamodb", (FrontEnd("10.0.0.1", 1),)),))
    piece = Slice("dynamodb-p10-x-v4", "dynamodb-p10", "x", "IPv4", ("10.0.0.1",))
    plans, slices = (
        SPACE.replace("services", "dnsplans"),
        SPACE.replace("services", "endpointslices"),
    )

    def body(obj: Plan | Slice | Tree | Alias) -> object:
        return render(obj, "ns", "us-east-1")

    def patch(**more: object) -> object:
        found = PatchAlias("dynamodb", **({"expect_lock": "a", "lock": ""} | more))  # type: ignore[arg-type]
        return patch_operations(found, "ns", "us-east-1")

    flip = patch(target="dynamodb-p10", generation=10, rollback="", writer="me")
    for method, path, sent, name in (
        ("POST", plans, body(plan), "create plan"),
        ("DELETE", f"{plans}/plan-0000000006", {}, "delete plan -4"),
        ("POST", SPACE, body(TREE), "create tree -2"),
        ("POST", slices, body(piece), "create slice"),
        ("POST", SPACE, body(ALIAS), "create alias"),
        ("PUT", f"{SPACE}/dynamodb", body(ALIAS), "flip"),
        ("PATCH", f"{SPACE}/dynamodb", flip, "flip"),
        ("PATCH", f"{SPACE}/dynamodb", patch(lock="me 5.0"), "take lock"),
        ("PATCH", f"{SPACE}/dynamodb", patch(), "release lock"),
        ("PATCH", f"{SPACE}/{TREE.name}", pin_operations(Pin(TREE.name, "u", "a/b")), "pin -2"),
        ("PATCH", f"{SPACE}/{TREE.name}", pin_operations(Unpin(TREE.name, "u", "a/b")), "unpin -2"),
        ("DELETE", f"{SPACE}/{TREE.name}", {}, "delete tree -2"),
    ):
        assert named(method, path, sent) == name
    assert write_of("GET", SPACE, b"") is None


def test_a_write_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="an unknown write"):
        write_of("PATCH", SPACE.replace("services", "secrets"), b"{}")
