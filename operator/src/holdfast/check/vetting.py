"""A model as its author wrote it, looked at before and while it is explored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from holdfast.check.describing import by_kind
from holdfast.check.explorer import BUDGET_BITS, TooLarge
from holdfast.check.mistakes import ModelError, refuse_intent, refuse_object
from holdfast.check.model import Actor, Budgets, Model, Objects
from holdfast.check.watched import watched
from holdfast.core.intents import Intent

BUDGET_MAX = (1 << BUDGET_BITS) - 1
OBJECTS_MAX = 100
GOAL = "goal"
"""The invariant that the goal stays reachable, wherever names of invariants are asked for."""


def vetted(model: Model) -> Model:
    """The same model, whose mistakes raise ModelError, or add to an error whose it is."""
    _refuse_actors(model)
    _refuse_objects(model.objects)
    for f in fields(Budgets):
        n = getattr(model.budgets, f.name)
        if not isinstance(n, int) or not 0 <= n <= BUDGET_MAX:
            raise ModelError(f"the budget {f.name}={n!r} is not between 0 and {BUDGET_MAX}")
    actors = tuple(map(watched, model.actors))
    if model.symmetric:
        actors = tuple(replace(actors[0], name=a.name) for a in model.actors)
    return replace(
        model,
        actors=actors,
        environment=lambda objects: _environment(model, objects),
        broken=_of_a_size(_names(model.broken, "broken")),
        broken_step=_names(model.broken_step, "broken_step"),
        goal=None if model.goal is None else _named(model.goal, "goal"),
    )


def _refuse_actors(model: Model) -> None:
    names = [a.name for a in model.actors if isinstance(a, Actor)]
    if not names or len(names) < len(model.actors):
        raise ModelError(f"actors are Actor(name, flow), at least one: not {model.actors!r}")
    for name in names:
        if not name or "/" in name:
            raise ModelError(
                f"the name of an actor is {name!r}: it needs one without a slash, for its identity "
                f"is {name or 'name'}/<incarnation>"
            )
        if names.count(name) > 1:
            raise ModelError(f"two actors are called {name}")
    one = model.actors[0]
    alike = all(replace(a, name=one.name) == one for a in model.actors)
    if model.symmetric and not alike:
        raise ModelError("the model says symmetric, but its actors differ in more than the name")


def _refuse_objects(objects: Objects) -> None:
    if not isinstance(objects, Mapping):
        raise ModelError("`objects` is a mapping by kind and name: stored(an_object, another) is")
    for key, obj in objects.items():
        refuse_object(obj, "at the start")
        if key != (type(obj), obj.name):
            raise ModelError(f"at the start, {obj!r} stands under the key {key!r}")
        if obj.uid or obj.resource_version:
            raise ModelError(
                f"at the start, {obj!r} bears a uid or version: those are given when it is stored. "
                "What refers to the uid of another has to be created by a flow"
            )


def _environment(model: Model, objects: Objects) -> list[tuple[str, Intent]]:
    look = _named(lambda o: list(model.environment(o)), "environment")
    moves: list[tuple[str, Intent]] = look(objects)
    for move in moves:
        if not isinstance(move, tuple) or len(move) != 2 or not isinstance(move[0], str):
            raise ModelError(f"a move of the environment is a label and an intent, not {move!r}")
        refuse_intent(move[1], f"the environment ({move[0]}) asks for")
    again = look(objects)
    if again != moves:
        raise ModelError(f"the environment is not deterministic: {moves}, and then {again}")
    return moves


def _names(broken: Callable[..., Iterable[str]], what: str) -> Callable[..., Iterable[str]]:
    def names(*worlds: Objects) -> Iterable[str]:
        found = look(*worlds)
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise ModelError(
                f"`{what}` gave {found!r}: it gives the names of the invariants that are broken, "
                "as a list; `invariants(Name=predicate)` makes one of predicates"
            )
        listed = list(found)
        for name in listed:
            if not isinstance(name, str) or name == GOAL:
                raise ModelError(f"{name!r} is no name for an invariant")
        return listed

    look = _named(broken, what)
    return names


def _of_a_size(broken: Callable[[Objects], Iterable[str]]) -> Callable[[Objects], Iterable[str]]:
    """Worlds that grow without end would fill the memory long before there are many of them."""

    def names(objects: Objects) -> Iterable[str]:
        if len(objects) > OBJECTS_MAX:
            raise TooLarge(f"a world holds more than {OBJECTS_MAX} objects")
        return broken(objects)

    return names


def _named(judge: Callable[..., Any], what: str) -> Callable[..., Any]:
    """`judge`, whose exceptions say in which world they arose."""

    def look(*worlds: Objects) -> Any:
        try:
            return judge(*worlds)
        except Exception as error:
            told = "; ".join(f"{kind}: {objects}" for kind, objects in by_kind(worlds[-1]).items())
            error.add_note(f"in `{what}` of the model, asked about the world: {told or 'empty'}")
            raise

    return look
