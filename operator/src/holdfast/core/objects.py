"""The objects that flows read and write, as frozen values.

`uid` and `resource_version` are empty in a value that has not been stored yet. A fenced write
sends both back as its precondition.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from holdfast.core.names import plan_name

Family: TypeAlias = Literal["IPv4", "IPv6"]


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """One address of an endpoint. `weight` is its capacity, in requests per second."""

    address: str
    weight: int


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """What one endpoint's name shall answer."""

    endpoint: str
    front_ends: tuple[FrontEnd, ...]

    def addresses(self) -> tuple[str, ...]:
        return tuple(sorted(f.address for f in self.front_ends))


@dataclass(frozen=True, slots=True)
class Plan:
    """A regional plan: immutable, ordered by `generation`, covering every endpoint."""

    generation: int
    endpoints: tuple[EndpointPlan, ...]
    uid: str = ""
    resource_version: str = ""

    @property
    def name(self) -> str:
        return plan_name(self.generation)

    def of(self, endpoint: str) -> EndpointPlan | None:
        return next((e for e in self.endpoints if e.endpoint == endpoint), None)


@dataclass(frozen=True, slots=True)
class Alias:
    """The root alias of an endpoint, with the records that change together with it or not at all.

    `target` and `rollback` are names of trees ("" for none). `lock` is "" when free, never absent:
    a JSON patch cannot test a key that is not there. `frozen` is a human's freeze, "" for none.
    `writer` is a note for people: `<zone>/<pod uid>`, with ` repair` after it if the write healed
    an alias that named nothing, or `operator/<who>`. Not `intact`: a hand took its labels off or
    changed its type, so servers or listings do not find it; any write of ours mends that.
    """

    endpoint: str
    target: str
    generation: int
    rollback: str = ""
    lock: str = ""
    writer: str = ""
    uid: str = ""
    resource_version: str = ""
    frozen: str = ""
    intact: bool = True

    @property
    def name(self) -> str:
        return self.endpoint


@dataclass(frozen=True, slots=True)
class Tree:
    """The record tree of one endpoint of one plan. It exists exactly as long as its Service.

    `pins` are the identities of the processes that want it kept, in order. `intact` as of an alias;
    a pin mends nothing.
    """

    name: str
    endpoint: str
    generation: int
    pins: tuple[str, ...] = ()
    uid: str = ""
    resource_version: str = ""
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Slice:
    """A tree's addresses of one family, owned by the tree with exactly `tree_uid`."""

    name: str
    tree: str
    tree_uid: str
    family: Family
    addresses: tuple[str, ...]
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads. Times in seconds of the holder's wall clock."""

    name: str
    holder: str
    renewed: float
    seconds: float
    uid: str = ""
    resource_version: str = ""

    @property
    def expires(self) -> float:
        return self.renewed + self.seconds


class Stored(Protocol):
    """What an API server stores: anything with a name, a uid and a version. The fake and the
    explorer take any frozen dataclass of this shape, not ours alone."""

    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


Object: TypeAlias = Alias | Tree | Slice | Plan | Lease


def family_of(address: str) -> Family:
    return "IPv6" if ":" in address else "IPv4"
