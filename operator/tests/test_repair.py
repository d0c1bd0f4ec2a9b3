"""What is broken, and that an enactor with `selfRepair` mends it without a newer plan."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from drive import A, B, Driven, plan, run

from holdfast.core.actor import Rules
from holdfast.core.enactor import enact
from holdfast.core.guards import LOCKS, SAFE, Cleanup, DnsGuards, Fence, Rollback, Switch
from holdfast.core.intents import Create, Delete, Intent, Overwrite, Pick, Replace
from holdfast.core.lock import Lock
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Slice, Stored, Tree
from holdfast.core.places import AtPick, Place
from holdfast.core.region import region_of
from holdfast.core.repair import broken_endpoints, only
from holdfast.core.replies import Exists, Read, Rejected, Reply
from holdfast.core.rounds import Applied, Deferred, Refused, Round
from holdfast.core.starts import LONG_SECONDS, THE_DEAD
from holdfast.fake import FakeApi, Lost
from holdfast.sim.board import Board
from holdfast.sim.dns import Authoritative
from holdfast.sim.enactor import REPAIR_AFTER_SECONDS, Enactor
from holdfast.sim.faults import NONE
from holdfast.sim.kernel import Kernel
from holdfast.sim.latency import MEASURED
from holdfast.sim.server import Server
from holdfast.sim.site import Site

ANSWER = ("10.0.0.1", "10.0.0.2")
PLAN = plan(5, addresses=ANSWER)
ALIAS = Alias("dynamodb", "dynamodb-p5", 5)
TREE = Tree("dynamodb-p5", "dynamodb", 5, uid="u-5")
PIECE = Slice("s", "dynamodb-p5", "u-5", "IPv4", ANSWER)
OLD_TREE = Tree("dynamodb-p4", "dynamodb", 4, uid="u-4")
OLD_PIECE = Slice("t", "dynamodb-p4", "u-4", "IPv4", ("10.0.0.9",))


@pytest.mark.parametrize(
    ("objects", "broken"),
    [
        ((ALIAS, TREE, PIECE), False),
        ((), True),
        ((TREE, PIECE), True),
        ((ALIAS,), True),
        ((ALIAS, TREE), True),
        ((ALIAS, TREE, replace(PIECE, tree_uid="a former one's")), True),
        ((ALIAS, TREE, replace(PIECE, addresses=())), True),
        ((ALIAS, TREE, replace(PIECE, addresses=("10.0.0.1",))), True),
        ((ALIAS, TREE, PIECE, replace(PIECE, name="more", addresses=("10.0.0.3",))), True),
        ((ALIAS, replace(TREE, name="dynamodb-p6"), PIECE), True),
        ((replace(ALIAS, target="dynamodb-p9"), TREE, PIECE), True),
        ((replace(ALIAS, target="", generation=0), TREE, PIECE), True),
        ((replace(ALIAS, target="dynamodb-p4", generation=4), OLD_TREE, OLD_PIECE), False),
        ((replace(ALIAS, target="dynamodb-p4", generation=4), OLD_TREE), True),
        ((replace(ALIAS, target="dynamodb-p4"), OLD_TREE, OLD_PIECE, TREE, PIECE), True),
        ((replace(ALIAS, target="dynamodb-p7", generation=7), TREE, PIECE), True),
    ],
    ids=[
        "healthy",
        "nothing at all",
        "no alias",
        "an alias that names nothing",
        "a tree without a slice",
        "a slice of a former tree",
        "a slice without addresses",
        "an address is missing",
        "an address too many",
        "the tree has another name",
        "the alias names another",
        "the alias names none",
        "late, and it answers",
        "late, and it does not",
        "of this generation, by an older tree",
        "of a plan that is no more, and it does not answer",
    ],
)
def test_what_is_broken(objects: tuple[Stored, ...], broken: bool) -> None:
    assert broken_endpoints(PLAN, objects) == (("dynamodb",) if broken else ())


def test_both_families_are_one_answer() -> None:
    both = plan(5, addresses=(*ANSWER, "2001:db8::1"))
    six = Slice("six", "dynamodb-p5", "u-5", "IPv6", ("2001:db8::1",))
    assert broken_endpoints(both, (ALIAS, TREE, PIECE)) == ("dynamodb",)
    assert broken_endpoints(both, (ALIAS, TREE, PIECE, six)) == ()


def test_what_the_plan_leaves_without_addresses_is_not_broken() -> None:
    assert broken_endpoints(plan(5, addresses=()), ()) == ()


def test_each_name_for_itself_and_in_the_plans_order() -> None:
    two = plan(5, "kinesis", "dynamodb", addresses=ANSWER)
    assert broken_endpoints(two, (ALIAS, TREE, PIECE)) == ("kinesis",)
    assert broken_endpoints(two, ()) == ("kinesis", "dynamodb")


def test_a_plan_as_far_as_some_names_go() -> None:
    two = replace(plan(5, "dynamodb", "kinesis"), uid="u", resource_version="3")
    assert only(two, ("kinesis",)) == replace(two, endpoints=two.endpoints[1:])
    assert only(two, ()).endpoints == ()


Harm: TypeAlias = Callable[[FakeApi], object]


def alias_of(api: FakeApi) -> Alias:
    found = api.alias("dynamodb")
    assert found is not None
    return found


def piece_of(api: FakeApi) -> Slice:
    tree = api.objects[Tree, alias_of(api).target]
    return next(o for o in api.objects.values() if isinstance(o, Slice) and o.tree_uid == tree.uid)


def renamed(api: FakeApi, target: str, generation: int) -> Reply:
    """A hand edits the alias, and leaves the other fields alone."""
    return api.perform(Replace(replace(alias_of(api), target=target, generation=generation)))


HARM: dict[str, Harm] = {
    "alias deleted": lambda api: api.perform(Delete(Alias, "dynamodb")),
    "alias names nothing": lambda api: renamed(api, "dynamodb-p4711", 3),
    "alias names what was": lambda api: [
        api.perform(Delete(Tree, "dynamodb-p1")),
        renamed(api, "dynamodb-p1", 1),
    ],
    "alias names the tree before": lambda api: renamed(api, "dynamodb-p2", 3),
    "alias emptied": lambda api: renamed(api, "", 0),
    "tree deleted": lambda api: api.perform(Delete(Tree, "dynamodb-p3")),
    "slice deleted": lambda api: api.perform(Delete(Slice, piece_of(api).name)),
    "slice emptied": lambda api: api.perform(Replace(replace(piece_of(api), addresses=()))),
    "other addresses": lambda api: api.perform(
        Replace(replace(piece_of(api), addresses=("192.0.2.99",)))
    ),
    "all trees deleted": lambda api: [
        api.perform(Delete(Tree, name)) for name in sorted(api.trees())
    ],
}


def healthy(guards: DnsGuards) -> FakeApi:
    """Three plans enacted, each with addresses of its own."""
    api = FakeApi()
    for generation in (1, 2, 3):
        api.perform(Create(plan(generation, addresses=(f"10.0.0.{generation}",))))
        Driven(enact(A, Rules(guards, 2, 10.0)), api).finish()
    return api


def repairs(fence: Fence, rollback: Rollback = Rollback.COUPLED) -> DnsGuards:
    return DnsGuards(fence, Cleanup.BY_AGE, rollback, self_repair=Switch.ENABLED)


EVERY = [*(repairs(f) for f in Fence), replace(SAFE, admission=Switch.DISABLED)]


def rounds(api: FakeApi, guards: DnsGuards, most: int = 5, now: float = 20.0) -> list[Round]:
    """What A does by itself from `pick` on, until there is nothing more to do."""
    here: Place = AtPick(3)
    done: list[Round] = []
    while api.ready(Pick(3, repairs=True)) or not isinstance(here, AtPick):
        assert len(done) < most, done
        outcome = Driven(enact(A, Rules(guards, 2, 10.0), here), api).finish(now)
        done.append(outcome)
        here = outcome.then
    return done


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("guards", EVERY, ids=lambda g: f"{g.fence}-{g.cleanup}")
def test_each_harm_is_mended_without_a_newer_plan(guards: DnsGuards, harm: str) -> None:
    api = healthy(guards)
    assert rounds(api, guards) == [], "nothing to do"
    HARM[harm](api)
    assert broken_endpoints(plan(3, addresses=("10.0.0.3",)), api.objects.values())
    assert rounds(api, guards) == [Applied(3)]
    assert api.answer("dynamodb") == ("10.0.0.3",)
    alias = alias_of(api)
    assert (alias.target, alias.generation) == ("dynamodb-p3", 3)
    assert alias.rollback in api.trees() | {""} or harm == "all trees deleted"
    writes = len(api.writes)
    assert rounds(api, guards) == []
    assert len(api.writes) == writes, "and then it rests"


@pytest.mark.parametrize("harm", HARM)
def test_without_it_nobody_looks(harm: str) -> None:
    guards = DnsGuards(Fence.CHECK_ONCE, Cleanup.BY_AGE, Rollback.COUPLED)
    api = healthy(guards)
    HARM[harm](api)
    assert Driven(enact(A, Rules(guards, 2, 10.0), AtPick(3)), api).to_intent(Pick).waits


@pytest.mark.parametrize("guards", EVERY, ids=lambda g: f"{g.fence}-{g.cleanup}")
def test_a_lock_of_the_dead_costs_its_time_at_most(guards: DnsGuards) -> None:
    """Eleven days, and the tree is gone. Only who needs the lock waits."""
    api = healthy(guards)
    dead = Lock(THE_DEAD, LONG_SECONDS).text()
    api.perform(Replace(replace(alias_of(api), lock=dead)))
    api.perform(Delete(Tree, "dynamodb-p3"))
    outcome = Driven(enact(A, Rules(guards, 2, 10.0), AtPick(3)), api).finish(20.0)
    if guards.fence in LOCKS:
        assert isinstance(outcome, Deferred)
        assert api.answer("dynamodb") == ("10.0.0.3",), "the tree is back all the same"
        outcome = Driven(enact(A, Rules(guards, 2, 10.0), outcome.then), api).finish(LONG_SECONDS)
    assert outcome == Applied(3)
    assert api.answer("dynamodb") == ("10.0.0.3",)


def test_who_mended_it_stands_in_the_alias() -> None:
    guards = repairs(Fence.GENERATION)
    api = healthy(guards)
    HARM["alias names nothing"](api)
    rounds(api, guards)
    assert alias_of(api).writer == f"{A.identity} repair"
    run(api, A, Rules(guards, 2, 10.0), 4)
    assert alias_of(api).writer == A.identity, "the next plan is ordinary work"


def test_the_newest_of_several_names_alone_is_enacted() -> None:
    guards = repairs(Fence.GENERATION)
    api, how = FakeApi(), Rules(guards, 2, 10.0)
    api.perform(Create(plan(1, "dynamodb", "kinesis", "sqs")))
    Driven(enact(A, how), api).finish()
    api.perform(Delete(Tree, "kinesis-p1"))
    writes = len(api.writes)
    assert Driven(enact(A, how, AtPick(1)), api).finish() == Applied(1)
    made = [w.obj.name for w in api.writes[writes:] if isinstance(w, Create)]
    assert [m.partition("-p1")[0] for m in made] == ["kinesis", "kinesis"]


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("guards", EVERY, ids=lambda g: f"{g.fence}-{g.cleanup}")
def test_several_that_mend_at_once_do_not_harm_each_other(guards: DnsGuards, harm: str) -> None:
    """Random interleavings, lost replies: the same end, and few writes."""
    for seed in range(6):
        chance, api, now = random.Random(seed), healthy(guards), 20.0
        how = Rules(guards, 2, 10.0)
        both = {me: Driven(enact(me, how, AtPick(3)), api) for me in (A, B)}
        HARM[harm](api)
        writes = len(api.writes)
        for _ in range(600):
            now += chance.expovariate(2.0)
            free = [m for m, d in both.items() if not d.waits]
            if not free:
                break
            me = chance.choice(free)
            intent, lost = both[me].pending, chance.random() < 0.05
            assert intent is not None
            is_write = not isinstance(intent, Pick)
            reply = api.perform(intent, now, Lost.REPLY) if lost and _writes(intent) else None
            assert is_write or reply is None
            both[me].advance(now, reply)
            outcome = both[me].outcome
            if outcome is not None:
                both[me] = Driven(enact(me, how, outcome.then), api)
        assert api.answer("dynamodb") == ("10.0.0.3",)
        assert all(d.waits for d in both.values()), "at rest"
        assert len(api.writes) - writes < 40


def _writes(intent: Intent) -> bool:
    return isinstance(intent, Create | Replace | Overwrite)


class TestBehindPolicies:
    """With `dns.admission` most harm cannot be done; what was done before can be mended but for
    wrong addresses, which the next plan mends."""

    def test_a_hand_is_refused(self) -> None:
        refused = {}
        for name, harm in HARM.items():
            api = healthy(SAFE)
            api.admission = True
            found = harm(api)
            replies = found if isinstance(found, list) else [found]
            refused[name] = isinstance(replies[-1], Rejected)
            assert api.answer("dynamodb") == ("10.0.0.3",)
        assert all(refused.values()), refused

    @pytest.mark.parametrize("harm", set(HARM) - {"other addresses", "slice emptied"})
    def test_what_was_done_before_is_mended(self, harm: str) -> None:
        api = healthy(SAFE)
        HARM[harm](api)
        api.admission = True
        assert rounds(api, SAFE) == [Applied(3)]
        assert api.answer("dynamodb") == ("10.0.0.3",)

    @pytest.mark.parametrize("harm", ["other addresses", "slice emptied"])
    def test_wrong_addresses_are_mended_by_the_next_plan(self, harm: str) -> None:
        api = healthy(SAFE)
        HARM[harm](api)
        api.admission = True
        outcome = Driven(enact(A, Rules(SAFE, 2, 10.0), AtPick(3)), api).finish(20.0)
        assert isinstance(outcome, Deferred)
        assert run(api, A, Rules(SAFE, 2, 10.0), 4, now=20.0) == Applied(4)
        assert api.answer("dynamodb") == ("10.0.0.1",)


def paced(
    guards: dict[str, str], harm: Harm, seconds: float, crashes: float | None = None
) -> tuple[FakeApi, Counter[str]]:
    """One simulated enactor in a Region that is harmed after two seconds; its calls by their kind,
    from then on. `crashes`: so many seconds after that."""
    spec = {"guards": {"profile": "safe", "dns": guards}}
    region, kernel, chance = region_of("ns", "us-east-1", spec), Kernel(), random.Random(1)
    server = Server(kernel, lambda: 0.005)
    site = Site(kernel, chance, MEASURED, NONE, region, server, Board(kernel, lambda: 0.005, ()))
    enactor = Enactor(site, "us-east-1a", Authoritative(server))
    enactor.start()
    server.perform(Create(plan(1, addresses=ANSWER)))
    kernel.run(until=2.0)
    assert server.api.answer("dynamodb") == ANSWER
    calls: Counter[str] = Counter()
    perform = server.api.perform

    def counted(intent: Intent, now: float = 0.0, lost: Lost | None = None) -> Reply:
        calls[type(intent).__name__] += 1
        return perform(intent, now, lost)

    def touch() -> None:
        """By hand, so that the watches hear of it."""
        harm(server.api)
        server.perform(Create(Tree("news-p1", "news", 1)))
        server.api.admission = guards.get("admission") != "Disabled"
        server.api.perform = counted  # type: ignore[method-assign]

    kernel.at(2.0, touch)
    if crashes is not None:
        kernel.at(2.0 + crashes, lambda: enactor.crash(0.0))
    kernel.run(until=2.0 + seconds)
    return server.api, calls


DISABLED = {"admission": "Disabled"}


def test_a_repair_takes_about_half_a_second() -> None:
    api, _ = paced(DISABLED, lambda api: api.perform(Delete(Tree, "dynamodb-p1")), 0.49)
    assert api.answer("dynamodb") == ()
    api, calls = paced(DISABLED, lambda api: api.perform(Delete(Tree, "dynamodb-p1")), 60.0)
    assert api.answer("dynamodb") == ANSWER
    assert sum(calls.values()) < 20, "and then it rests"


def test_what_was_broken_by_the_last_plan_need_not_be_by_the_next() -> None:
    """An older tree that answers is late by the newer plan: there is nothing to repair."""
    spec = {"guards": {"profile": "safe"}}
    region, kernel, chance = region_of("ns", "us-east-1", spec), Kernel(), random.Random(1)
    server = Server(kernel, lambda: 0.005)
    site = Site(kernel, chance, MEASURED, NONE, region, server, Board(kernel, lambda: 0.005, ()))
    enactor = Enactor(site, "us-east-1a", Authoritative(server))
    kernel.run(until=2.0)
    for obj in (ALIAS, TREE, replace(PIECE, addresses=("192.0.2.9",))):
        enactor._seen.objects[type(obj), obj.name] = obj
    enactor._broken_since = 0.0
    kernel.now = 2.0
    enactor._plans = {5: PLAN}
    assert enactor._next(5) == PLAN
    enactor._plans = {5: PLAN, 6: plan(6, addresses=ANSWER)}
    assert enactor._next(6) is None


def test_one_that_dies_while_a_repair_is_due_repairs_when_it_is_back() -> None:
    """No news come in between: its own timer died with it."""
    api, calls = paced(
        DISABLED, lambda api: api.perform(Delete(Tree, "dynamodb-p1")), 5.0, crashes=0.3
    )
    assert api.answer("dynamodb") == ANSWER
    assert sum(calls.values()) < 30


@pytest.mark.parametrize(
    "harm",
    [
        lambda api: api.perform(Replace(replace(piece_of(api), addresses=("192.0.2.9",)))),
        lambda api: renamed(api, "dynamodb-p4711", 4711),
        lambda api: (
            renamed(api, "dynamodb-p4711", 1),
            api.perform(Replace(replace(alias_of(api), frozen="somebody"))),
        ),
    ],
    ids=["a policy refuses it", "the alias is above all plans", "a human has frozen it"],
)
def test_what_cannot_be_mended_is_tried_twice_a_second_at_most(harm: Harm) -> None:
    api, calls = paced({}, harm, 60.0)
    assert api.answer("dynamodb") != ANSWER
    tries = 60 / REPAIR_AFTER_SECONDS
    assert 10 < sum(calls.values()) < 8 * tries, calls


def test_endpoints_of_a_plan_without_addresses_are_left_alone() -> None:
    """A plan that is bare in part: what it leaves is not repaired towards nothing."""
    guards = replace(repairs(Fence.GENERATION), last_known_good=Switch.ENABLED)
    api, how = FakeApi(), Rules(guards, 2, 10.0)
    api.perform(Create(plan(1, "dynamodb", "kinesis")))
    Driven(enact(A, how), api).finish()
    full, bare = plan(2, "dynamodb").endpoints[0], EndpointPlan("kinesis", ())
    api.perform(Create(Plan(2, (full, bare))))
    assert Driven(enact(A, how, AtPick(1)), api).finish() == Applied(2)
    assert api.answer("kinesis") == ("10.0.0.1",)
    assert Driven(enact(A, how, AtPick(2)), api).to_intent(Pick).waits
    assert FrontEnd("10.0.0.1", 100) in full.front_ends


def test_a_slice_of_a_former_tree_is_not_written_over() -> None:
    """The garbage collector takes it: what is written there goes with it."""
    api, how = FakeApi(), Rules(repairs(Fence.GENERATION), 2, 10.0)
    api.perform(Create(plan(1)))
    a = Driven(enact(A, how), api)
    while not (isinstance(a.pending, Create) and isinstance(a.pending.obj, Slice)):
        a.advance()
    piece = a.pending.obj
    a.advance(reply=Exists(0.0))
    a.advance(reply=Read(replace(piece, tree_uid="a former one's", addresses=("10.9.9.9",)), 0.0))
    assert isinstance(a.outcome, Refused)
    assert "foreign slice" in a.outcome.reason
