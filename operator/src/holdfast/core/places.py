"""Places: where an enactor stands between two steps, and all that it knows there.

A round is a walk from place to place. What a place does not hold is forgotten: a plan picked long
ago is in it, the answer of a check is not. That makes a step repeatable from its place alone, keeps
the states of the checker few, and shows in one look what survives a wait.
"""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from holdfast.core.intents import Reach, Step
from holdfast.core.objects import Alias, Plan, Tree


@dataclass(frozen=True, slots=True)
class AtPick:
    """Waiting for a plan newer than `above`."""

    above: int = 0
    step: ClassVar[Step] = "pick"


@dataclass(frozen=True, slots=True)
class AtCheck:
    """About to ask what is live: of the whole Region, or of one endpoint (`CheckEach`)."""

    plan: Plan
    endpoint: str = ""
    step: ClassVar[Step] = "check"


@dataclass(frozen=True, slots=True)
class AtTree:
    plan: Plan
    endpoint: str
    step: ClassVar[Step] = "tree"


@dataclass(frozen=True, slots=True)
class AtTurn:
    """The tree is proved. A plan that had to wait is carried here, never to `tree`: it is not given
    its deleted tree back."""

    plan: Plan
    endpoint: str
    step: ClassVar[Step] = "turn"


@dataclass(frozen=True, slots=True)
class AtRead:
    """`lock` is what we wrote into the alias's lock, if the rung has one."""

    plan: Plan
    endpoint: str
    lock: str = ""
    conflicted: bool = False
    step: ClassVar[Step] = "read"


@dataclass(frozen=True, slots=True)
class AtFlip:
    """`alias` is what was read, where the write is fenced by it. `repairs`: it named nothing."""

    plan: Plan
    endpoint: str
    rollback: str
    lock: str = ""
    alias: Alias | None = None
    conflicted: bool = False
    repairs: bool = False
    step: ClassVar[Step] = "flip"


@dataclass(frozen=True, slots=True)
class AtList:
    generation: int
    step: ClassVar[Step] = "list"


@dataclass(frozen=True, slots=True)
class AtUnpin:
    """About to take our own pin off the first of `pinned` (`PinLive`)."""

    generation: int
    pinned: tuple[Tree, ...]
    victims: tuple[Tree, ...]
    step: ClassVar[Step] = "list"


@dataclass(frozen=True, slots=True)
class AtReread:
    """About to ask once more whether the first victim is live (`RereadBeforeDelete`)."""

    generation: int
    victims: tuple[Tree, ...]
    step: ClassVar[Step] = "list"


@dataclass(frozen=True, slots=True)
class AtDelete:
    """About to delete the first victim; the others follow."""

    generation: int
    victims: tuple[Tree, ...]
    step: ClassVar[Step] = "delete"


Place: TypeAlias = (
    AtPick | AtCheck | AtTree | AtTurn | AtRead | AtFlip | AtList | AtUnpin | AtReread | AtDelete
)
PLACES = (
    AtPick,
    AtCheck,
    AtTree,
    AtTurn,
    AtRead,
    AtFlip,
    AtList,
    AtUnpin,
    AtReread,
    AtDelete,
)
CARRYING = (AtCheck, AtTree, AtTurn, AtRead, AtFlip)
"""Those that hold a plan."""


def arrival(here: Place) -> Reach:
    """The intent with which a flow announces that it stands here."""
    match here:
        case AtPick():
            return Reach("pick", memory=here)
        case AtList(generation) | AtUnpin(generation) | AtReread(generation):
            return Reach("list", generation, memory=here)
        case AtDelete(generation, victims):
            generations = tuple(sorted({t.generation for t in victims}))
            return Reach("delete", generation, victims=generations, memory=here)
        case _:
            return Reach(here.step, here.plan.generation, here.endpoint, memory=here)
