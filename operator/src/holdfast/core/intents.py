"""What a flow can ask for. Each intent is exactly one API call, one DNS proof or one wait."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holdfast.core.objects import Alias, Object, Plan, Slice, Tree

Step: TypeAlias = Literal["pick", "check", "tree", "turn", "read", "flip", "list", "delete"]
STEPS: tuple[Step, ...] = ("pick", "check", "tree", "turn", "read", "flip", "list", "delete")


@dataclass(frozen=True, slots=True)
class Get:
    """Read one object, at its latest version. Replies: Read, Absent."""

    kind: type[Alias] | type[Tree] | type[Slice]
    name: str


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of a kind, at one version. Reply: Listed."""

    kind: type[Alias] | type[Tree] | type[Plan]


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object; its name is the compare-and-swap. Replies: Written, Exists."""

    obj: Object


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace an alias under the uid and resourceVersion it bears. Replies: Written, Conflict.

    Without the uid, a PUT of a Service that was deleted meanwhile would create it again.
    """

    alias: Alias

    def __post_init__(self) -> None:
        if not self.alias.uid or self.alias.resource_version in ("", "0"):
            raise ValueError(
                f"unfenced replace of alias {self.alias.name!r}: uid or version missing"
            )


@dataclass(frozen=True, slots=True)
class PatchAlias:
    """JSON patch guarded by the lock's exact value alone. Replies: Written, Missed, Absent.

    `target`, `generation`, `rollback` and `writer` of None are left as they are.
    """

    endpoint: str
    expect_lock: str
    lock: str
    target: str | None = None
    generation: int | None = None
    rollback: str | None = None
    writer: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a tree (its slices follow by ownership), or a plan. Replies: Deleted, Absent."""

    kind: type[Tree] | type[Plan]
    name: str


@dataclass(frozen=True, slots=True)
class Pick:
    """The newest plan that this actor's own watch has seen. Reply: Picked."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Wait until every ready authoritative server answers the tree's own name with exactly these
    addresses. Replies: Proven, Unproven (after `deadline_seconds`)."""

    tree: str
    addresses: tuple[str, ...]
    deadline_seconds: float


@dataclass(frozen=True, slots=True)
class Reach:
    """Stand at a step of the protocol: where a Scenario may hold this actor. Reply: Passed.

    `victims` are the generations to be deleted, at step `delete` only.
    """

    step: Step
    generation: int = 0
    endpoint: str = ""
    victims: tuple[int, ...] = ()


Intent: TypeAlias = Get | List | Create | Replace | PatchAlias | Delete | Pick | Prove | Reach
