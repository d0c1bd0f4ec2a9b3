"""What is explored twice, and what both must find."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from holdfast.core.guards import LOCKS, Fence, Rollback

INVARIANTS = ("NonEmpty", "RollbackNamesATree", "Monotone", "NoLiveDelete")
"""Those that the specification states too."""

FENCES = (Fence.CHECK_ONCE, Fence.RESOURCE_VERSION, Fence.CHECK_IN_LOCK, Fence.GENERATION)
"""The rungs that the specification covers, with cleanup `ByAge` and one endpoint."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rung, and how far to look."""

    fence: Fence
    plans: int
    enactors: int = 2
    expiries: int = 0
    crashes: int = 0
    rollback: Rollback = Rollback.COUPLED
    retention: int = 1

    @property
    def nameless(self) -> bool:
        """Whether no enactor's name reaches the world. Then who is who is left out of a view."""
        return self.fence not in LOCKS


@dataclass(frozen=True)
class Found:
    """`moves`: from view to view, or to the same one, in the notation of `view`. `broken`: the
    invariants that do not hold, with the number of steps after which each breaks first."""

    moves: frozenset[tuple[str, str]]
    broken: Mapping[str, int]
    states: int
    seconds: float

    @cached_property
    def views(self) -> frozenset[str]:
        return frozenset(view for move in self.moves for view in move)

    @cached_property
    def worlds(self) -> frozenset[str]:
        return frozenset(view.partition(_BAR)[0] for view in self.views)

    @property
    def digest(self) -> str:
        """Of all moves, the same wherever they come from."""
        lines = sorted(f"{before} -> {after}\n" for before, after in self.moves)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


_BAR = " | "


def view(case: Case, world: str, calls: list[str]) -> str:
    """The world, then the call that each enactor is about to make."""
    return _BAR.join([world, *(sorted(calls) if case.nameless else calls)])


def cases() -> tuple[Case, ...]:
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for fence in FENCES:
        # A lock expires only where there is one.
        budgets = (0, 1) if fence in LOCKS else (0,)
        for plans in (3, 4):
            for expiries in budgets:
                yield Case(fence, plans, expiries=expiries)
        for expiries in budgets:
            yield Case(fence, 3, expiries=expiries, crashes=1)
        yield Case(fence, 4, rollback=Rollback.DECOUPLED)
        yield Case(fence, 4, retention=2)
    yield Case(Fence.GENERATION, 3, enactors=3)
