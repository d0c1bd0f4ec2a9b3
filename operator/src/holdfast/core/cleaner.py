"""The record cleaner: keeps the last N trees. Runs in the enactor that has just finished a plan.

`ByAge` is the incident's rule: age relative to the enactor's *own* plan, with no look at what is
live. `list` and `delete` are apart, so the list may be long out of date when it is acted upon.
"""

from collections.abc import Generator

from holdfast.core.intents import Delete, Intent, List, Reach
from holdfast.core.names import tree_name
from holdfast.core.objects import Tree
from holdfast.core.replies import Absent, Deleted, Listed, Reply


def victims_by_age(trees: tuple[Tree, ...], generation: int, retention: int) -> tuple[Tree, ...]:
    """Trees more than `retention` generations older than `generation`, oldest first."""
    old = (t for t in trees if t.generation < generation - retention)
    return tuple(sorted(old, key=lambda t: (t.generation, t.endpoint)))


def clean(
    generation: int, retention: int
) -> Generator[Intent, Reply, tuple[tuple[int, ...], tuple[int, ...]]]:
    """list, then delete. Returns the generations deleted and those left behind (they are listed
    again after the next plan; a tree left behind costs memory, never an answer)."""
    yield Reach("list", generation)
    reply = yield List(Tree)
    trees = (
        tuple(t for t in reply.items if isinstance(t, Tree)) if isinstance(reply, Listed) else ()
    )
    victims = victims_by_age(trees, generation, retention)
    generations = tuple(sorted({t.generation for t in victims}))
    yield Reach("delete", generation, victims=generations)
    deleted: list[int] = []
    undeleted: list[int] = []
    for tree in victims:
        assert tree.name == tree_name(tree.endpoint, tree.generation), tree
        answer = yield Delete(Tree, tree.name)
        (deleted if isinstance(answer, Deleted | Absent) else undeleted).append(tree.generation)
    return tuple(deleted), tuple(undeleted)
