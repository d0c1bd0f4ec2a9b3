"""What a model of one's own is written with: objects at the start and by kind, invariants."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from holdfast.check.model import Objects
from holdfast.core.objects import Stored

R = TypeVar("R")
S = TypeVar("S")


def stored(*objects: Stored) -> Objects:
    """What the API server holds at the start. ValueError if two have one kind and name."""
    found = {(type(obj), obj.name): obj for obj in objects}
    if len(found) < len(objects):
        raise ValueError("two objects of one kind and name at the start")
    return found


def all_of(objects: Objects, kind: type[S]) -> tuple[S, ...]:
    """The objects of a kind, in the order of their names."""
    found = sorted((name, obj) for (k, name), obj in objects.items() if k is kind)
    return tuple(obj for _, obj in found if isinstance(obj, kind))


def invariants(**holds: Callable[..., bool]) -> Callable[..., Iterable[str]]:
    """For `Model.broken` (predicates of a world) or `Model.broken_step` (of a world and the one
    after it): the names of those predicates that do not hold. TypeError if one gives no bool."""

    def broken(*worlds: Objects) -> list[str]:
        names = []
        for name, predicate in holds.items():
            verdict = predicate(*worlds)
            if not isinstance(verdict, bool):
                raise TypeError(f"the invariant {name} gave {verdict!r}: neither True nor False")
            if not verdict:
                names.append(name)
        return names

    return broken


def remember(outcome: R) -> R:
    """For `Actor.then`: the next round starts with what this one returned."""
    return outcome
