"""The ledger of a run: what an ordered watch of the Services of a namespace says that happened.

Aliases and trees are both Services, so one watch delivers them in one order, that of their
resourceVersions. The ledger keeps the world as of the last event, holds the invariants against it,
and writes the causal timeline.

Slices come by another watch, in no order with the first. A tree that has had none with an address
for `BARE_AFTER_SECONDS` answers with nothing, and counts as not there.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from holdfast.core.invariants import (
    Invariant,
    World,
    dangling_rollbacks,
    empty_aliases,
    goes_back,
    live_delete,
    overrides_a_freeze,
)
from holdfast.core.objects import Alias, Slice, Tree

RecoveredBy: TypeAlias = Literal["nobody", "nextPlan", "selfRepair", "operator"]

BARE_AFTER_SECONDS = 1.0
PARTIAL_AFTER_SECONDS = 1.0
"""Endpoints on different generations for so long make a plan partially applied. An ordinary round
takes its way through them in milliseconds."""
OPERATOR = "operator/"
REPAIR = " repair"


@dataclass(frozen=True, slots=True)
class AliasSeen:
    alias: Alias
    gone: bool = False


@dataclass(frozen=True, slots=True)
class TreeSeen:
    tree: Tree
    gone: bool = False


@dataclass(frozen=True, slots=True)
class SliceSeen:
    piece: Slice
    gone: bool = False


Seen: TypeAlias = AliasSeen | TreeSeen | SliceSeen


@dataclass(slots=True)
class Ledger:
    """Times `t` are seconds since the arm's first plan, on the observer's clock."""

    zero: float = 0.0
    """The wall clock at t = 0, in seconds of the epoch: a freeze may have an end."""
    aliases: dict[str, Alias] = field(default_factory=dict)
    trees: set[str] = field(default_factory=set)
    broken: dict[Invariant, float] = field(default_factory=dict)
    live_generations: list[tuple[float, str, int]] = field(default_factory=list)
    stale_writes_applied: int = 0
    emptied: list[tuple[float, str]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    bare: set[str] = field(default_factory=set)
    """Trees that have no address by their plan: they need no time to be known as such."""
    recovered: list[tuple[float, str, RecoveredBy]] = field(default_factory=list)
    """When an alias that named nothing did name a tree again, and by whose hand."""
    _empty_now: set[str] = field(default_factory=set)
    _deleted: dict[str, Alias] = field(default_factory=dict)
    _named_then: dict[str, tuple[str, int]] = field(default_factory=dict)
    _uids: dict[str, str] = field(default_factory=dict)
    _slices: dict[str, tuple[str, int]] = field(default_factory=dict)
    _bare_since: dict[str, float] = field(default_factory=dict)
    _apart_since: float | None = None
    _is_partial: bool = False

    def see(self, t: float, seen: Seen, whole: bool = True) -> None:
        """Book one event. The invariants are asked unless the world is not `whole` yet: the objects
        of a listing come one by one, in no order of time; `judge` is called after the last."""
        match seen:
            case AliasSeen(alias, gone=True):
                self.aliases.pop(alias.endpoint, None)
                self._deleted[alias.endpoint] = alias
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
                self._uids[tree.name] = tree.uid
                self._note_bare(t)
            case SliceSeen(piece, gone):
                self._slices.pop(piece.name, None)
                if not gone:
                    self._slices[piece.name] = piece.tree_uid, len(piece.addresses)
                self._note_bare(t)
        if whole:
            self.judge(t)

    def note(self, t: float, event: str, obj: str, actor: str = "", **more: Any) -> None:
        """Add a line to the timeline. The document leaves out what is empty."""
        line = {"t": round(t, 3), "event": event, "object": obj, "actor": actor, **more}
        self.timeline.append({k: v for k, v in line.items() if v != ""})

    def world(self, t: float) -> World:
        """What there is at `t`: trees that have been bare for long are not."""
        bare = {
            name
            for name, since in self._bare_since.items()
            if name in self.bare or t - since >= BARE_AFTER_SECONDS
        }
        return World(self.aliases, frozenset(self.trees - bare))

    @property
    def empty_now(self) -> frozenset[str]:
        """The endpoints whose alias names nothing."""
        return frozenset(self._empty_now)

    @property
    def recovered_by(self) -> RecoveredBy:
        """Whose hand ended the last emptiness; nobody while there is one."""
        if self._empty_now or not self.recovered:
            return "nobody"
        return self.recovered[-1][2]

    def _note_bare(self, t: float) -> None:
        """Since when each tree has been without an address."""
        served = {uid for uid, n in self._slices.values() if n}
        for name in self.trees:
            if self._uids[name] in served:
                self._bare_since.pop(name, None)
            else:
                self._bare_since.setdefault(name, t)

    def _alias(self, t: float, alias: Alias) -> None:
        before = self.aliases.get(alias.endpoint)
        self._deleted.pop(alias.endpoint, None)
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
        if overrides_a_freeze(before, alias, self.zero + t):
            self.broken.setdefault(Invariant.FROZEN_STAYS, t)
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
        self._bare_since.pop(tree.name, None)
        live = live_delete(World(self.aliases, frozenset(self.trees)), tree.name)
        if live:
            self.broken.setdefault(Invariant.NO_LIVE_DELETE, t)
        event = "liveTreeDeleted" if live else "treeDeleted"
        self.note(t, event, f"tree/{tree.name}")

    def judge(self, t: float) -> None:
        """Hold the world as it is now against the invariants."""
        world = self.world(t)
        empty = {*self._deleted, *empty_aliases(world)}
        for endpoint in sorted(empty - self._empty_now):
            self.emptied.append((round(t, 3), endpoint))
            alias = self.aliases.get(endpoint) or self._deleted[endpoint]
            self._named_then[endpoint] = alias.target, alias.generation
            self.broken.setdefault(Invariant.NON_EMPTY, t)
            self.note(t, "aliasNamesNothing", f"alias/{endpoint}")
        for endpoint in sorted(self._empty_now - empty):
            by = self._healer(endpoint)
            self.recovered.append((round(t, 3), endpoint, by))
            self.note(t, "aliasNamesATreeAgain", f"alias/{endpoint}", by)
        self._empty_now = empty
        if dangling_rollbacks(world):
            self.broken.setdefault(Invariant.ROLLBACK_NAMES_A_TREE, t)
        self._judge_apart(t)

    def _judge_apart(self, t: float) -> None:
        """Whether a plan has been live at some endpoints and not at others for long."""
        newest = max((a.generation for a in self.aliases.values()), default=0)
        if all(a.generation == newest for a in self.aliases.values()):
            if self._is_partial:
                self.note(t, "whole", f"plan/{newest}")
            self._apart_since, self._is_partial = None, False
            return
        if self._apart_since is None:
            self._apart_since = t
        if not self._is_partial and t - self._apart_since >= PARTIAL_AFTER_SECONDS:
            self._is_partial = True
            live = sorted((e, a.generation) for e, a in self.aliases.items())
            told = ", ".join(f"{e} {generation}" for e, generation in live)
            self.note(self._apart_since, "partial", f"plan/{newest}", message=told)

    def _healer(self, endpoint: str) -> RecoveredBy:
        """Whose write made the alias name a tree. Where it names what it named before, it or its
        tree was made anew."""
        alias = self.aliases[endpoint]
        if alias.writer.startswith(OPERATOR):
            return "operator"
        same = (alias.target, alias.generation) == self._named_then[endpoint]
        return "selfRepair" if same or alias.writer.endswith(REPAIR) else "nextPlan"
