"""What a flow can ask for. Each intent is exactly one API call, one DNS proof or one wait.

Get, List, Create, Replace, Overwrite and Delete work on any `Stored` kind; the others know DNS.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from holdfast.core.objects import Stored

Step: TypeAlias = Literal["pick", "check", "tree", "turn", "read", "flip", "list", "delete"]
STEPS: tuple[Step, ...] = ("pick", "check", "tree", "turn", "read", "flip", "list", "delete")


@dataclass(frozen=True, slots=True)
class Get:
    """Read one object, at its latest version. Replies: Read, Absent."""

    kind: type[Any]
    name: str


@dataclass(frozen=True, slots=True)
class List:
    """Read all objects of a kind, at one version. Reply: Listed."""

    kind: type[Any]


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object; its name is the compare-and-swap. Replies: Written, Exists."""

    obj: Stored


@dataclass(frozen=True, slots=True)
class Replace:
    """PUT under the uid and resourceVersion that `obj` bears. Replies: Written, Conflict.

    Without the uid, a PUT of a Service that was deleted meanwhile would create it again.
    """

    obj: Stored

    def __post_init__(self) -> None:
        if not self.obj.uid or self.obj.resource_version in ("", "0"):
            raise ValueError(f"unfenced replace of {self.obj.name!r}: uid or version missing")


@dataclass(frozen=True, slots=True)
class Overwrite:
    """PUT without any precondition: what was there is lost, what was gone is created again.
    Replies: Written."""

    obj: Stored

    def __post_init__(self) -> None:
        if self.obj.uid or self.obj.resource_version:
            raise ValueError(f"overwrite of {self.obj.name!r} bears a precondition")


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
class Pin:
    """Put `holder`'s pin on a tree, if it still is the one of `uid`: a write to the tree itself, so
    that its version moves. Replies: Written, Missed, Absent."""

    tree: str
    uid: str
    holder: str


@dataclass(frozen=True, slots=True)
class Unpin:
    """Take `holder`'s own pin off a tree. Replies: Written, Missed, Absent."""

    tree: str
    uid: str
    holder: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object (a tree's slices follow by ownership), under the preconditions that are not
    empty. Replies: Deleted, Absent, and Conflict if there are any."""

    kind: type[Any]
    name: str
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """Wait until this actor's own watch has seen a plan newer than `above`, and take the newest.
    Where a hand has taken plans away, the newest that is left is taken, too. Reply: Picked.

    With `repairs` also until it has seen that something is not served as the newest plan has it
    (see `repair`); what is picked then is that plan, with those endpoints alone.
    """

    above: int = 0
    repairs: bool = False


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

    `victims` are the generations to be deleted, at step `delete` only. `memory` is all that the
    flow knows here: started again from it, it does the same as if it went on. The checker relies
    on that, and a test proves it.
    """

    step: Step
    generation: int = 0
    endpoint: str = ""
    victims: tuple[int, ...] = ()
    memory: object = field(default=None, compare=False, repr=False)


Intent: TypeAlias = (
    Get
    | List
    | Create
    | Replace
    | Overwrite
    | PatchAlias
    | Pin
    | Unpin
    | Delete
    | Pick
    | Prove
    | Reach
)
MUTATIONS = (Create, Replace, Overwrite, PatchAlias, Pin, Unpin, Delete)


def call_name(intent: Intent) -> str:
    """What a call is, as metrics and latencies name it: `CreateTree`, `PatchAlias`."""
    kind = getattr(intent, "kind", type(getattr(intent, "obj", None)))
    return type(intent).__name__ + ("" if kind is type(None) else kind.__name__)
