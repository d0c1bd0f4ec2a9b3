"""The ledger of a run: what an ordered watch of the Services of a namespace says that happened.

Aliases and trees are both Services, so one watch delivers them in one order, that of their
resourceVersions. The ledger keeps the world as of the last event, holds the invariants against it,
and writes the causal timeline.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from holdfast.core.invariants import (
    Invariant,
    World,
    dangling_rollbacks,
    empty_aliases,
    goes_back,
    live_delete,
)
from holdfast.core.objects import Alias, Tree


@dataclass(frozen=True, slots=True)
class AliasSeen:
    alias: Alias
    gone: bool = False


@dataclass(frozen=True, slots=True)
class TreeSeen:
    tree: Tree
    gone: bool = False


Seen: TypeAlias = AliasSeen | TreeSeen


@dataclass(slots=True)
class Ledger:
    """Times `t` are seconds since the arm's first plan, on the observer's clock."""

    aliases: dict[str, Alias] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)
    broken: dict[Invariant, float] = field(default_factory=dict)
    live_generations: list[tuple[float, str, int]] = field(default_factory=list)
    stale_writes_applied: int = 0
    emptied: list[tuple[float, str]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    _empty_now: set[str] = field(default_factory=set)

    def see(self, t: float, seen: Seen, whole: bool = True) -> None:
        """Book one event. The invariants are asked unless the world is not `whole` yet: the objects
        of a listing come one by one, in no order of time; `judge` is called after the last."""
        match seen:
            case AliasSeen(alias, gone=True):
                self.aliases.pop(alias.endpoint, None)
                self.broken.setdefault(Invariant.NON_EMPTY, t)  # nobody gets an answer now
                self.note(t, "aliasDeleted", f"alias/{alias.endpoint}")
            case AliasSeen(alias):
                self._alias(t, alias)
            case TreeSeen(tree, gone=True):
                self._tree_gone(t, tree)
            case TreeSeen(tree):
                if tree.name not in self.trees:
                    self.trees.add(tree.name)
                    self.note(t, "treeCreated", f"tree/{tree.name}")
        if whole:
            self.judge(t)

    def note(self, t: float, event: str, obj: str, actor: str = "", **more: Any) -> None:
        """Add a line to the timeline. The document leaves out what is empty."""
        line = {"t": round(t, 3), "event": event, "object": obj, "actor": actor, **more}
        self.timeline.append({k: v for k, v in line.items() if v != ""})

    def world(self) -> World:
        return World(self.aliases, frozenset(self.trees))

    def empty_at_the_end(self) -> bool:
        return bool(self._empty_now)

    def _alias(self, t: float, alias: Alias) -> None:
        before = self.aliases.get(alias.endpoint)
        self.aliases[alias.endpoint] = alias
        if before is not None and (before.target, before.generation) == (
            alias.target,
            alias.generation,
        ):
            return  # the lock was taken or released
        stale = goes_back(before, alias)
        if stale:
            self.stale_writes_applied += 1
            self.broken.setdefault(Invariant.MONOTONE, t)
        self.live_generations.append((round(t, 3), alias.endpoint, alias.generation))
        self.note(
            t,
            "staleFlip" if stale else "flip",
            f"alias/{alias.endpoint}",
            "enactor",
            zone=alias.writer.partition("/")[0],
            step="flip",
            fromGeneration=before.generation if before else 0,
            toGeneration=alias.generation,
            resourceVersionBefore=before.resource_version if before else "",
            resourceVersionAfter=alias.resource_version,
        )

    def _tree_gone(self, t: float, tree: Tree) -> None:
        self.trees.discard(tree.name)
        live = live_delete(World(self.aliases, frozenset(self.trees)), tree.name)
        if live:
            self.broken.setdefault(Invariant.NO_LIVE_DELETE, t)
        event = "liveTreeDeleted" if live else "treeDeleted"
        self.note(t, event, f"tree/{tree.name}")

    def judge(self, t: float) -> None:
        """Hold the world as it is now against the invariants."""
        world = self.world()
        empty = set(empty_aliases(world))
        for endpoint in sorted(empty - self._empty_now):
            self.emptied.append((round(t, 3), endpoint))
            self.broken.setdefault(Invariant.NON_EMPTY, t)
            self.note(t, "aliasNamesNothing", f"alias/{endpoint}")
        for endpoint in sorted(self._empty_now - empty):
            self.note(t, "aliasNamesATreeAgain", f"alias/{endpoint}")
        self._empty_now = empty
        if dangling_rollbacks(world):
            self.broken.setdefault(Invariant.ROLLBACK_NAMES_A_TREE, t)
