"""`explore` on controllers that are not ours: what is found, told and judged."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest

from holdfast.check import (
    Absent,
    Actor,
    Budgets,
    Create,
    Delete,
    Explorer,
    Flow,
    Get,
    List,
    Model,
    Objects,
    Overwrite,
    Read,
    Rejected,
    Replace,
    TooLarge,
    Written,
    all_of,
    explore,
    invariants,
    remember,
    stored,
)
from holdfast.check.trace import trace


@dataclass(frozen=True)
class Counter:
    name: str
    value: int = 0
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True)
class Owner:
    name: str
    number: int = 0
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True)
class Owned:
    name: str
    owner: str = ""
    uid: str = ""
    resource_version: str = ""


def value(objects: Objects) -> int:
    return sum(counter.value for counter in all_of(objects, Counter))


def add(fenced: bool) -> Any:
    """Adds one, under the version that it has read, or whatever there is."""

    def flow(_identity: str, _memory: None) -> Flow:
        match (yield Get(Counter, "hits")):
            case Read(Counter() as read) if fenced:
                yield Replace(replace(read, value=read.value + 1))
            case Read(Counter() as read):
                yield Delete(Counter, "hits")
                yield Create(Counter("hits", read.value + 1))

    return flow


def counting(fenced: bool, **more: Any) -> Model:
    flow = add(fenced)
    return Model(
        actors=(Actor("ann", flow), Actor("ben", flow)),
        objects=stored(Counter("hits")),
        broken_step=invariants(NeverLess=lambda before, after: value(before) <= value(after)),
        **more,
    )


def test_two_who_add_under_a_version_never_lose_a_count() -> None:
    findings = explore(counting(fenced=True))
    assert findings.exhaustive
    assert findings.broken == frozenset()
    assert findings.stuck is None
    assert findings.check() is findings
    assert str(findings) == findings.summary()


def test_one_that_is_refused_does_not_come_back_to_the_goal() -> None:
    model = counting(True, goal=lambda objects: value(objects) == 2)
    findings = explore(model)
    assert findings.broken == {"goal"}
    assert findings.stuck
    # As soon as both have read the same version, one of them will be refused.
    assert [row.call for row in findings.trace("goal")] == ["GET counter hits"] * 2
    assert explore(model, liveness=False).broken == frozenset()


def test_all_that_findings_say() -> None:
    findings = explore(counting(fenced=False, budgets=Budgets(crashes=1)))
    assert findings.broken == {"NeverLess"}
    assert findings.bounds == Budgets(crashes=1)
    assert findings.columns == ("Counter",)
    assert findings.start == ("hits",)
    assert findings.states > findings.worlds > 1
    first, *_, last = findings.trace("NeverLess")
    assert (first.number, first.actor, first.call) == (1, "ann", "GET counter hits")
    assert (first.reply, first.world) == ("hits", ("hits",))
    assert last.call == "DELETE counter hits"
    assert "exhaustive within crashes 1, lost replies 0" in str(findings)
    with pytest.raises(KeyError, match="Typo is not among what broke: NeverLess"):
        findings.trace("Typo")


def test_check_raises_with_the_shortest_trace_as_a_table() -> None:
    findings = explore(counting(fenced=False))
    with pytest.raises(AssertionError) as caught:
        findings.check()
    assert str(caught.value).startswith("NeverLess breaks; ")
    assert findings.table("NeverLess") in str(caught.value)
    assert findings.check(breaks="NeverLess") is findings
    with pytest.raises(AssertionError, match="NeverMore should break, and held"):
        findings.check(breaks=["NeverLess", "NeverMore"])


def test_two_worlds_break_two_invariants_and_the_nearer_is_told() -> None:
    model = counting(
        True,
        broken=invariants(
            BelowOne=lambda objects: value(objects) < 1,
            BelowTwo=lambda objects: value(objects) < 2,
        ),
    )
    findings = explore(model)
    assert findings.broken == {"BelowOne", "BelowTwo"}
    assert [len(findings.trace(n)) for n in ("BelowOne", "BelowTwo")] == [2, 4]
    with pytest.raises(AssertionError, match=r"^BelowOne breaks; 2 moves"):
        findings.check()
    assert explore(model, stop=True).broken == {"BelowOne"}
    assert not explore(model, stop=True).exhaustive
    assert explore(model, stop="BelowTwo").broken == {"BelowOne", "BelowTwo"}
    assert explore(model, stop=["Other"]).exhaustive


def test_a_world_that_is_broken_at_the_start() -> None:
    model = replace(counting(True), broken=invariants(Some=lambda objects: value(objects) > 0))
    findings = explore(model)
    assert findings.trace("Some") == ()
    assert "0  the start  hits" in findings.table("Some")


def endless(_identity: str, number: int) -> Flow:
    yield Create(Counter(f"c{number}", 1))
    return number + 1


def test_what_grows_without_end_is_told_and_what_broke_before_is_kept() -> None:
    model = Model(actors=(Actor("endless", endless, 0, remember),))
    with pytest.raises(TooLarge, match=r"more than 50 states.*endless 51.*grows without end"):
        explore(model, max_states=50)
    three = replace(model, broken=invariants(AtMostTwo=lambda objects: value(objects) <= 2))
    findings = explore(three, max_states=50)
    assert findings.broken == {"AtMostTwo"}
    assert not findings.exhaustive
    assert "NOT exhaustive (more than 50 states) within crashes 0" in str(findings)
    assert "NOT exhaustive (a world holds more than 100 objects)" in str(explore(three))
    assert "NOT exhaustive (stopped at what broke)" in str(explore(three, stop=True))


def forever(_identity: str, _memory: None) -> Flow:
    while True:
        yield List(Counter)


def hoarder(_identity: str, seen: tuple[object, ...]) -> Flow:
    return (*seen, (yield List(Counter)))


@pytest.mark.parametrize(
    ("actor", "message"),
    [
        (Actor("ctl", endless, 0, remember), "a world holds more than 100 objects. Local states"),
        (Actor("ctl", forever), "ctl asks more than 200 times in one round: a flow is one round"),
        (Actor("ctl", hoarder, (), remember), r"what ctl remembers grows: \(Listed\("),
    ],
    ids=lambda value: value.flow.__name__ if isinstance(value, Actor) else "",
)
def test_what_grows_is_stopped_before_the_memory_is_full(actor: Actor, message: str) -> None:
    with pytest.raises(TooLarge, match=message):
        explore(Model(actors=(actor,)))


@pytest.mark.parametrize("budgets", [Budgets(), Budgets(crashes=15)], ids=["rounds", "crashes"])
def test_more_local_states_than_there_are_numbers(
    budgets: Budgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.check.explorer._LOCAL_MASK", 7)
    model = Model(actors=(Actor("endless", endless, 0, remember),), budgets=budgets)
    with pytest.raises(TooLarge, match="more than 7 local states"):
        explore(model)


def test_a_world_in_words_of_ones_own() -> None:
    findings = explore(counting(False), describe=lambda objects: {"sum": str(value(objects))})
    assert findings.columns == ("sum",)
    assert findings.trace("NeverLess")[-1].world == ("0",)


def test_the_environment_moves_too() -> None:
    def users(objects: Objects) -> Iterable[tuple[str, Create]]:
        if not objects:
            yield "user", Create(Counter("hits", 1))

    model = Model(
        actors=(Actor("ann", add(True)),),
        environment=users,
        goal=lambda objects: value(objects) == 2,
    )
    findings = explore(model)
    first = findings.trace("goal")[0]
    assert (first.actor, first.reply) == ("ann", "404 not found")
    created = explore(replace(model, broken=invariants(Empty=lambda objects: not objects)))
    assert created.start == ("-",)
    assert [row.actor for row in created.trace("Empty")] == ["user"]


def test_kinds_of_ones_own_behave_as_custom_resources() -> None:
    told: list[object] = []

    def flow(_identity: str, _memory: None) -> Flow:
        told.append((yield Overwrite(Counter("hits"))))
        yield Create(Counter("hits"))
        told.append((yield Overwrite(Counter("hits", 2))))

    explore(Model(actors=(Actor("ann", flow),)))
    assert {type(reply) for reply in told} == {Absent, Rejected}


def replaced_owner(_identity: str, _memory: None) -> Flow:
    """An owner, something that it owns, and another owner of the same name."""
    match (yield Create(Owner("o", 1))):
        case Written(Owner(uid=uid)):
            yield Create(Owned("thing", uid))
            yield Delete(Owner, "o")
            yield Create(Owner("o", 2))


def test_what_another_object_says_of_a_uid_gets_stale_with_it() -> None:
    def no_foster(objects: Objects) -> bool:
        owners = {o.uid for o in all_of(objects, Owner) if o.number == 2}
        return not any(thing.owner in owners for thing in all_of(objects, Owned))

    def own(objects: Objects) -> bool:
        owners = {o.uid for o in all_of(objects, Owner)}
        return not any(thing.owner in owners for thing in all_of(objects, Owned))

    model = Model(
        actors=(Actor("user", replaced_owner),),
        broken=invariants(NoFoster=no_foster, NeverOwned=own),
        broken_step=invariants(Stays=lambda a, b: len(all_of(a, Owner)) <= len(all_of(b, Owner))),
    )
    findings = explore(model)
    assert findings.broken == {"NeverOwned", "Stays"}
    assert findings.trace("NeverOwned")[-1].world[1] == "thing (owner=<uid of o>)"
    assert findings.trace("Stays")[-1].world[1] == "thing (owner=<stale: o>)"


def test_an_object_that_notes_its_own_version_notes_the_former() -> None:
    def flow(_identity: str, _memory: None) -> Flow:
        match (yield Create(Owned("thing"))):
            case Written(Owned() as thing):
                written = yield Replace(replace(thing, owner=thing.resource_version))
                assert isinstance(written, Written)
                assert isinstance(written.obj, Owned)
                assert written.obj.owner != written.obj.resource_version

    findings = explore(
        Model(
            actors=(Actor("ann", flow),),
            broken=invariants(
                NotOwn=lambda objects: all(
                    o.owner != o.resource_version for o in all_of(objects, Owned)
                )
            ),
        )
    )
    assert findings.broken == frozenset()


def test_a_name_with_a_uid_that_is_gone_is_refused() -> None:
    def flow(_identity: str, _memory: None) -> Flow:
        match (yield Create(Owner("o"))):
            case Written(Owner(uid=uid)):
                yield Create(Owned(f"of-{uid}"))
                yield Delete(Owner, "o")

    with pytest.raises(ValueError, match="bears in its name the uid"):
        explore(Model(actors=(Actor("ann", flow),)))


class Seen(NamedTuple):
    version: str = ""
    rounds: int = 0


def test_a_named_tuple_stays_one_when_what_it_holds_gets_stale() -> None:
    def watch(_identity: str, seen: Seen) -> Flow:
        match (yield Get(Counter, "hits")):
            case Read(Counter() as read):
                assert seen.rounds < 2
                return Seen(read.resource_version, 1)
        return seen

    model = Model(
        actors=(Actor("watch", watch, Seen(), remember), Actor("ann", add(True))),
        objects=stored(Counter("hits")),
    )
    assert explore(model).exhaustive


def test_a_cache_that_lags_is_told_and_that_it_catches_up() -> None:
    def flow(_identity: str, _memory: None) -> Flow:
        yield List(Counter)

    model = Model(
        actors=(Actor("reader", flow), Actor("ann", add(True))),
        objects=stored(Counter("hits")),
        budgets=Budgets(stale_reads=1),
    )
    explorer = Explorer(model)
    found = explorer.explore()
    told = set()
    for state in found.parents:
        for move in explorer.moves(state):
            if move.who == 0:
                row = trace(explorer, found, state, move.state, lambda _: ())[-1]
                told.add((row.call, row.reply))
    assert told == {
        ("", "its cache lags from now on"),
        ("", "its cache catches up"),
        ("LIST counter", "hits"),
        ("LIST counter", "hits (value=1)"),
        ("LIST counter", "hits, says its lagging cache"),
        ("LIST counter", "hits (value=1), says its lagging cache"),
    }


def test_a_value_of_every_sort_is_told() -> None:
    @dataclass(frozen=True)
    class Spec:
        size: int = 0

    @dataclass(frozen=True)
    class Thing:
        name: str
        tags: tuple[str, ...] = ()
        marks: frozenset[int] = frozenset()
        spec: Spec = Spec()
        note: str = ""
        uid: str = ""
        resource_version: str = ""

    thing = Thing("t", ("a", "b c"), frozenset({2, 1}), Spec(3), "x")
    model = Model(actors=(Actor("ann", add(True)),), objects=stored(thing))
    assert explore(model).start == ("t (tags=[a, 'b c'], marks=[1, 2], spec=(size=3), note=x)",)


def test_the_start_has_one_object_of_a_name() -> None:
    with pytest.raises(ValueError, match="two objects of one kind and name"):
        stored(Counter("a"), Counter("a", 1))
