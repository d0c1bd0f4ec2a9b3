"""The fake against a naive model of an API server, over random lives of objects."""

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_fake_model import KINDS, Model, Ticket, fields

from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Reach,
    Replace,
    Unpin,
)
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.replies import Listed, Picked, Read, Rejected, Reply, TimedOut, Written
from holdfast.fake import Cache, FakeApi, Lost

ages = st.sampled_from((0, 0, 0, 1, 2))
variants = st.integers(0, 2)
locks = st.sampled_from(("", "a 1.000"))
texts = st.sampled_from((None, "a-p1", "a-p2"))
times = st.sampled_from((0.0, 7.0))
losses = st.sampled_from((None,) * 6 + (Lost.REPLY,) * 2 + (Lost.REQUEST,))
kinds = st.sampled_from((*KINDS, Tree, Slice))
which = st.integers(0, 1)
zones = st.sampled_from(("us-east-1b/y", "us-east-1a/x"))


class Lives(RuleBasedStateMachine):
    """Each rule is one intent, addressed to few names, with identities of all ages."""

    def __init__(self) -> None:
        super().__init__()
        self.api, self.model = FakeApi(), Model()
        self.known: dict[tuple[type[Any], str], list[Stored]] = {}
        self.caches: list[tuple[Cache, int]] = [(Cache(self.api), 0)]

    def aged(self, kind: type[Any], name: str, age: int) -> tuple[str, str]:
        """Uid and version that an object of this name bore `age` changes ago, or never."""
        known = self.known.get((kind, name), [])
        obj = known[-1 - age] if age < len(known) else None
        return (obj.uid, obj.resource_version) if obj else ("uid of nobody", "999999")

    def thing(self, kind: type[Any], number: int, variant: int, age: int = 0) -> Stored:
        """A value of a kind: `number` says its name, `variant` its content, `age` its owner's."""
        if kind is Alias:
            return Alias(f"e{number}", f"a-p{variant}", variant)
        if kind is Tree:
            return Tree(f"a-p{number}", "a", variant)
        if kind is Slice:
            owner = f"a-p{variant % 2}"
            uid = self.aged(Tree, owner, age)[0]
            return Slice(f"a-p{number}-x", owner, uid, "IPv4", (f"10.0.0.{variant}",))
        if kind is Lease:
            return Lease(f"l{number}", "a", float(variant), 15.0)
        if kind is Plan:
            endpoint = EndpointPlan("a", (FrontEnd(f"10.0.0.{variant}", 100),))
            return Plan(number + 1, (endpoint,))
        return Ticket(f"t{number}", f"{variant}")

    def do(self, intent: Intent, now: float, lost: Lost | None) -> Reply:
        """Perform on both, compare reply, objects, versions and the list of effects."""
        api, model = self.api, self.model
        before = (dict(api.objects), api.version, len(api.changes), len(api.writes))
        reply = api.perform(intent, now, lost)
        assert reply.now == now
        if lost is Lost.REQUEST:
            assert reply == TimedOut(now)
            assert before == (api.objects, api.version, len(api.changes), len(api.writes))
            return reply
        name = model.step(intent)
        model.take_over(api, before[2])
        assert type(reply).__name__ == (name if lost is None else "TimedOut")
        assert (api.version != before[1]) == (len(api.changes) != before[2])
        assert api.version == model.version
        assert api.writes == model.effects
        assert {key: fields(obj) for key, obj in api.objects.items()} == model.rows
        for change in api.changes[before[2] :]:
            if change.obj is not None:
                self.known.setdefault(change.key, []).append(change.obj)
        if isinstance(reply, Read | Written):
            assert fields(reply.obj) == model.answer
        if isinstance(reply, Rejected):
            assert reply.reason == "FieldValueInvalid"
        return reply

    @initialize(numbers=st.sets(which), plans=st.sets(which))
    def begin(self, numbers: set[int], plans: set[int]) -> None:
        for number in sorted(numbers):
            self.enact(number, number)
            for kind in (Alias, Lease, Ticket):
                self.do(Create(self.thing(kind, number, 0)), 0.0, None)
        for number in sorted(plans):
            self.do(Create(self.thing(Plan, number, 0)), 0.0, None)

    @rule(number=which, variant=variants)
    def enact(self, number: int, variant: int) -> None:
        """A tree with two slices, or what is missing of it."""
        self.do(Create(self.thing(Tree, number, 0)), 0.0, None)
        uid = self.aged(Tree, f"a-p{number}", 0)[0]
        for name, last in (("y", 9), ("x", variant)):
            addresses = (f"10.0.0.{last}",)
            piece = Slice(f"a-p{number}-{name}", f"a-p{number}", uid, "IPv4", addresses)
            self.do(Create(piece), 0.0, None)

    @rule(
        kind=kinds,
        number=which,
        variant=variants,
        age=ages,
        version=st.sampled_from(("", "", "", "1")),
        now=times,
        lost=losses,
    )
    def create(
        self,
        kind: type[Any],
        number: int,
        variant: int,
        age: int,
        version: str,
        now: float,
        lost: Lost | None,
    ) -> None:
        obj: Any = self.thing(kind, number, variant, age)
        self.do(Create(replace(obj, resource_version=version)), now, lost)

    @rule(
        kind=kinds, number=which, variant=variants, uid=ages, version=ages, now=times, lost=losses
    )
    def put(
        self,
        kind: type[Any],
        number: int,
        variant: int,
        uid: int,
        version: int,
        now: float,
        lost: Lost | None,
    ) -> None:
        """`uid` and `version` are ages: mostly of one time, or of two."""
        obj: Any = self.thing(kind, number, variant)
        fence = (self.aged(kind, obj.name, uid)[0], self.aged(kind, obj.name, version)[1])
        if kind is Plan:
            fence = ("uid of a plan", "1")  # their values bear none, whatever the server keeps
        self.do(Replace(replace(obj, uid=fence[0], resource_version=fence[1])), now, lost)

    @rule(kind=kinds, number=which, variant=variants, age=ages, now=times, lost=losses)
    def put_blindly(
        self, kind: type[Any], number: int, variant: int, age: int, now: float, lost: Lost | None
    ) -> None:
        self.do(Overwrite(self.thing(kind, number, variant, age)), now, lost)

    @rule(number=which, expected=locks, lock=locks, flip=texts, rollback=texts, lost=losses)
    def patch(
        self,
        number: int,
        expected: str,
        lock: str,
        flip: str | None,
        rollback: str | None,
        lost: Lost | None,
    ) -> None:
        generation = None if flip is None else int(flip[-1])
        writer = None if rollback is None else "us-east-1a/x"
        patch = PatchAlias(f"e{number}", expected, lock, flip, generation, rollback, writer)
        self.do(patch, 0.0, lost)

    @rule(number=which, age=ages, holder=zones, put=st.booleans(), lost=losses)
    def pin(self, number: int, age: int, holder: str, put: bool, lost: Lost | None) -> None:
        tree = f"a-p{number}"
        uid = self.aged(Tree, tree, age)[0]
        self.do((Pin if put else Unpin)(tree, uid, holder), 0.0, lost)

    @rule(kind=kinds, number=which, uid=ages, version=ages, given=st.integers(0, 3), lost=losses)
    def delete(
        self, kind: type[Any], number: int, uid: int, version: int, given: int, lost: Lost | None
    ) -> None:
        """`given`: under nothing, under the uid, under the version, under both."""
        name = self.thing(kind, number, 0).name
        fence = (self.aged(kind, name, uid)[0], self.aged(kind, name, version)[1])
        conditions = (fence[0] if given & 1 else "", fence[1] if given & 2 else "")
        self.do(Delete(kind, name, *conditions), 0.0, lost)

    @rule(number=which, age=ages, lost=losses)
    def condemn(self, number: int, age: int, lost: Lost | None) -> None:
        """What a cleaner does to a tree that it has listed."""
        tree = f"a-p{number}"
        self.do(Delete(Tree, tree, *self.aged(Tree, tree, age)), 0.0, lost)

    @rule(number=which, variant=variants, age=st.integers(1, 2), lost=losses)
    def orphan(self, number: int, variant: int, age: int, lost: Lost | None) -> None:
        """A slice for a tree that was."""
        self.do(Create(self.thing(Slice, number, variant, age)), 0.0, lost)

    @rule(kind=kinds, number=which, now=times, lost=losses)
    def get(self, kind: type[Any], number: int, now: float, lost: Lost | None) -> None:
        self.do(Get(kind, self.thing(kind, number, 0).name), now, lost)

    @rule(kind=kinds, lost=losses)
    def listing(self, kind: type[Any], lost: Lost | None) -> None:
        reply = self.do(List(kind), 0.0, lost)
        rows = sorted((name, row) for (k, name), row in self.model.rows.items() if k is kind)
        if isinstance(reply, Listed):
            assert [fields(obj) for obj in reply.items] == [row for _, row in rows]

    @rule(above=st.integers(0, 2), lost=losses)
    def pick(self, above: int, lost: Lost | None) -> None:
        plans = [row for (kind, _), row in self.model.rows.items() if kind is Plan]
        newest = max(plans, key=lambda row: int(row["generation"]), default={"generation": 0})
        assert self.api.ready(Pick(above)) == (newest["generation"] > above)
        if newest["generation"] > above:
            reply = self.do(Pick(above), 0.0, lost)
            assert not isinstance(reply, Picked) or fields(reply.plan) == newest

    @rule(number=which, served=st.lists(variants, max_size=2))
    def prove(self, number: int, served: list[int]) -> None:
        tree, addresses = f"a-p{number}", tuple(f"10.0.0.{v}" for v in served)
        self.do(Prove(tree, addresses, 90.0), 0.0, None)
        self.do(Prove(tree, self.model.served(tree), 90.0), 0.0, None)
        self.do(Reach("turn"), 0.0, None)

    @rule()
    def watch(self) -> None:
        self.caches.append((Cache(self.api), len(self.model.past) - 1))

    @rule(number=st.integers(0, 3), changes=st.none() | st.integers(0, 3))
    def see(self, number: int, changes: int | None) -> None:
        """A client sees some of what it has missed: a state that was, never an earlier one."""
        number %= len(self.caches)
        cache, seen = self.caches[number]
        cache.see(changes)
        end = len(self.model.past) - 1
        self.caches[number] = (cache, end if changes is None else min(seen + changes, end))

    @invariant()
    def every_client_knows_one_past_state(self) -> None:
        for cache, seen in self.caches:
            snapshot = cache.snapshot()
            rows = {key: fields(obj) for key, obj in snapshot.objects.items()}
            assert rows == self.model.past[seen]
            assert cache.behind == len(self.model.past) - 1 - seen
            snapshot.objects.clear()  # what a reader does with its snapshot is its own affair


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True
)
