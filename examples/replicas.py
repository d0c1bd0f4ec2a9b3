"""A controller that keeps two pods running: it lists them, and creates what is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdfast.check import (
    Actor,
    Budgets,
    Create,
    Flow,
    List,
    Listed,
    Model,
    Objects,
    all_of,
    explore,
    invariants,
    remember,
    stored,
)

WANTED = 2


@dataclass(frozen=True)
class Pod:
    name: str
    uid: str = ""
    resource_version: str = ""


def naive(identity: str, made: int) -> Flow:
    """One round: list the pods, create the missing. `made`: how many names were used up."""
    pods = yield List(Pod)
    if isinstance(pods, Listed):
        for _ in range(WANTED - len(pods.items)):
            made += 1
            yield Create(Pod(generated_name(identity, made)))
    return made


def generated_name(identity: str, made: int) -> str:
    """As `generateName` does: a name that nobody has had, even if the process starts again."""
    incarnation = identity.partition("/")[2]
    return f"web-{incarnation}-{made}"


def never_too_many(objects: Objects) -> bool:
    return len(all_of(objects, Pod)) <= WANTED


def enough(objects: Objects) -> bool:
    return len(all_of(objects, Pod)) >= WANTED


def model(flow: Callable[[str, Any], Flow], start: Any, budgets: Budgets, *names: str) -> Model:
    return Model(
        actors=tuple(Actor(name, flow, start, remember) for name in names or ["controller"]),
        objects=stored(Pod("web-0")),
        broken=invariants(NeverTooMany=never_too_many),
        goal=enough,
        budgets=budgets,
    )


if __name__ == "__main__":
    print(explore(model(naive, 0, Budgets(stale_reads=1))))
