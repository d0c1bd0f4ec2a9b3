"""What a stranger gets wrong, and what is said about it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from holdfast.check import (
    Actor,
    Budgets,
    Create,
    Get,
    List,
    Listed,
    Model,
    ModelError,
    Objects,
    Replace,
    explore,
    invariants,
    remember,
    stored,
)
from holdfast.core.intents import Reach


@dataclass(frozen=True)
class Pod:
    name: str
    labels: Any = ()
    uid: str = ""
    resource_version: str = ""


@dataclass
class Thawed:
    name: str = "t"
    uid: str = ""
    resource_version: str = ""


class Plain:
    name, uid, resource_version = "p", "", ""


@dataclass(frozen=True)
class Bare:
    name: str


def asks(said: Any) -> Callable[[str, Any], Any]:
    def flow(_identity: str, _memory: Any) -> Any:
        yield said

    return flow


def of(flow: Any, start: Any = None, **more: Any) -> Model:
    return Model(actors=(Actor("ctl", flow, start),), **more)


A_POD = stored(Pod("a"))
DICT = {"a": 1}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("pods", "ctl yields 'pods', which is no intent"),
        (None, "ctl yields None, which is no intent"),
        (List, "ctl yields the class List, not an intent: its arguments are missing"),
        (asks(1)("", None), "ctl yields another flow: `yield from`"),
        ((List(Pod), List(Pod)), "one intent at a time"),
        (Create(Thawed()), "objects of kind Thawed cannot be stored: a kind is a frozen dataclass"),
        (Create(Plain()), "objects of kind Plain cannot be stored"),
        (Create(Bare("b")), "objects of kind Bare cannot be stored"),  # type: ignore[arg-type]
        (List(Bare), "objects of kind Bare cannot be stored"),
        (Get("Pod", "a"), "ctl yields Get: 'Pod' is no class"),  # type: ignore[arg-type]
        (Create(Pod("a", DICT)), r"ctl yields Create: Pod.labels is a dict .*use strings"),
        (Create(Pod("a", ("x", [1]))), "Pod.labels is a list"),
        (Create(Pod("")), "the name of .* is no text"),
        (Reach("read", memory=[1]), "Reach.memory is a list"),
    ],
    ids=str,
)
def test_what_is_no_intent(said: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        explore(of(asks(said)))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (DICT, r"what ctl remembers at the start is a dict \({'a': 1}\); use strings"),
        ((1, [2]), "is a list"),
        (Plain(), "is a Plain"),
        (Thawed(), "Thawed is no frozen dataclass"),
        (Pod("a", set()), r"at the start\.labels is a set"),
    ],
    ids=str,
)
def test_what_cannot_be_remembered(start: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        explore(of(asks(List(Pod)), start))
    later = Model(actors=(Actor("ctl", asks(List(Pod)), None, lambda _: start),))
    with pytest.raises(ModelError, match="what ctl remembers"):
        explore(later)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model(actors=()), "at least one"),
        (Model(actors=(asks(1),)), "actors are Actor"),  # type: ignore[arg-type]
        (Model(actors=(Actor("a/b", asks(1)),)), "'a/b': it needs one without a slash"),
        (Model(actors=(Actor("", asks(1)),)), "the name of an actor is ''"),
        (Model(actors=(Actor("a", asks(1)), Actor("a", asks(1)))), "two actors are called a"),
        (
            Model(actors=(Actor("a", asks(1)), Actor("b", asks(1))), symmetric=True),
            "its actors differ in more than the name",
        ),
        (of(asks(1), budgets=Budgets(crashes=16)), "crashes=16 is not between 0 and 15"),
        (of(asks(1), budgets=Budgets(stale_reads=-1)), "stale_reads=-1 is not between 0 and 15"),
        (of(asks(1), objects=[Pod("a")]), "stored"),
        (of(asks(1), objects={"a": Pod("a")}), "stands under the key 'a'"),
        (of(asks(1), objects=stored(Pod("a", uid="1"))), "bears a uid or version"),
        (of(asks(1), objects=stored(Bare("a"))), "kind Bare"),  # type: ignore[arg-type]
        (of(asks(List(Pod)), broken=lambda _: "Name"), "`broken` gave 'Name'"),
        (of(asks(List(Pod)), broken=lambda _: True), "gave True"),
        (of(asks(List(Pod)), broken=lambda _: ["goal"]), "'goal' is no name"),
        (of(asks(List(Pod)), environment=lambda _: [List(Pod)]), "a label and an intent"),
        (of(asks(List(Pod)), environment=lambda _: [("user", "x")]), r"\(user\) asks for 'x'"),
    ],
)
def test_a_model_that_is_none(model: Model, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        explore(model)


def test_a_limit_below_one() -> None:
    with pytest.raises(ModelError, match="max_states=0"):
        explore(of(asks(List(Pod))), max_states=0)


def test_a_predicate_gives_a_bool() -> None:
    with pytest.raises(TypeError, match="the invariant Forgot gave None"):
        explore(of(asks(List(Pod)), broken=invariants(Forgot=lambda _: None)))


def test_an_exception_in_an_invariant_says_in_which_world() -> None:
    with pytest.raises(KeyError) as caught:
        explore(of(asks(List(Pod)), objects=A_POD, broken=lambda objects: objects["a"]))
    assert "in `broken` of the model, asked about the world: Pod: a" in caught.value.__notes__


def test_an_exception_in_a_flow_says_in_which_round() -> None:
    def flow(_identity: str, _memory: Any) -> Any:
        pods: Any = yield List(Pod)
        return pods.items[3]

    with pytest.raises(IndexError) as caught:
        explore(of(flow, "m", objects=A_POD))
    (note,) = caught.value.__notes__
    assert note == "in the flow of ctl, with the memory 'm', after the replies: Listed (a)"


def test_a_reply_that_a_flow_does_not_expect_is_named() -> None:
    def flow(_identity: str, _memory: Any) -> Any:
        pods: Any = yield List(Pod)
        yield Create(Pod(f"p{len(pods.items)}"))

    assert explore(of(flow)).exhaustive
    with pytest.raises(AttributeError) as caught:
        explore(of(flow, budgets=Budgets(lost_replies=1)))
    assert "after the replies: TimedOut (no answer)" in caught.value.__notes__[0]


def test_an_unfenced_replace_is_told() -> None:
    def flow(_identity: str, _memory: Any) -> Any:
        yield Replace(Pod("a"))

    with pytest.raises(ValueError, match="unfenced replace of 'a'") as caught:
        explore(of(flow, objects=A_POD))
    assert "in the flow of ctl" in caught.value.__notes__[0]


def test_a_flow_is_a_generator_of_two_arguments() -> None:
    with pytest.raises(ModelError, match="the flow of ctl gave None: a flow is a function with"):
        explore(of(lambda _identity, _memory: None))
    with pytest.raises(TypeError) as caught:
        explore(of(lambda _identity: None))
    assert "is called with an identity and a memory" in caught.value.__notes__[0]


def test_a_flow_that_asks_for_nothing_for_ever() -> None:
    def flow(_identity: str, _memory: Any) -> Any:
        if _memory:
            yield List(Pod)

    with pytest.raises(RuntimeError, match="ends 100 rounds without asking"):
        explore(Model(actors=(Actor("ctl", flow, 0, remember),)))


def test_chance_in_what_is_asked_for() -> None:
    numbers = itertools.count()

    def flow(_identity: str, _memory: Any) -> Any:
        yield List(Pod)
        yield Create(Pod("a", (f"run-{next(numbers)}",)))

    with pytest.raises(ModelError) as caught:
        explore(of(flow))
    told = str(caught.value)
    assert told.startswith("ctl is not deterministic: with the same past it said")
    assert "which differ in Create.obj.labels: ('run-0',) and ('run-1',)" in told
    assert "after the replies: Listed (none)" in told
    assert "no clock, no chance" in told


def test_a_variable_that_outlives_the_round() -> None:
    """A controller as an object with a cache in it: the usual way to be wrong."""
    seen: set[str] = set()

    def flow(_identity: str, _memory: Any) -> Any:
        if "a" not in seen:
            pods = yield List(Pod)
            assert isinstance(pods, Listed)
            seen.update(pod.name for pod in pods.items)
        yield Create(Pod("b"))

    with pytest.raises(ModelError, match="ctl is not deterministic"):
        explore(of(flow, objects=A_POD))


def test_chance_in_what_is_remembered() -> None:
    numbers = itertools.count()

    def flow(_identity: str, _memory: Any) -> Any:
        yield List(Pod)
        return next(numbers)

    with pytest.raises(ModelError, match=r"differ in Ended\.memory: 0 and 1"):
        explore(Model(actors=(Actor("ctl", flow, None, remember),)))


def test_chance_in_whether_it_ends() -> None:
    numbers = itertools.count()

    def flow(_identity: str, _memory: Any) -> Any:
        yield List(Pod)
        if next(numbers):
            yield List(Pod)

    with pytest.raises(ModelError, match="ctl is not deterministic"):
        explore(of(flow))


def test_chance_in_the_environment() -> None:
    numbers = itertools.count()
    model = of(asks(List(Pod)), environment=lambda _: [("user", Create(Pod(f"p{next(numbers)}")))])
    with pytest.raises(ModelError, match="the environment is not deterministic"):
        explore(model)


def test_a_name_in_a_symmetric_model() -> None:
    def flow(identity: str, _memory: Any) -> Any:
        yield Create(Pod(f"of-{identity}"))

    model = Model(actors=(Actor("ann", flow), Actor("ben", flow)))
    assert explore(model).exhaustive
    with pytest.raises(ValueError, match="a name has reached the world"):
        explore(replace(model, symmetric=True))


def test_a_symmetric_model_finds_the_same_in_fewer_states() -> None:
    def flow(_identity: str, _memory: Any) -> Any:
        pods = yield List(Pod)
        assert isinstance(pods, Listed)
        yield Create(Pod(f"p{len(pods.items)}"))

    def at_most_one(objects: Objects) -> bool:
        return len(objects) < 2

    names = ("ann", "ben", "cid")
    one = Model(
        actors=tuple(Actor(name, flow) for name in names), broken=invariants(One=at_most_one)
    )
    full, fewer = explore(one), explore(replace(one, symmetric=True))
    assert (full.broken, full.worlds) == (fewer.broken, fewer.worlds)
    assert len(full.trace("One")) == len(fewer.trace("One"))
    assert full.states > fewer.states
