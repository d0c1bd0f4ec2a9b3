"""Bad starts: what a Region may find in its namespace when its loops begin."""

from enum import StrEnum

from holdfast.core.lock import Lock
from holdfast.core.names import slice_name, tree_name
from holdfast.core.objects import Alias, Slice, Stored, Tree

THE_DEAD = "us-east-1z/00000000-0000-0000-0000-000000000000"
LONG_SECONDS = 1_000_000.0
BAD_START_SECONDS = 3.0
"""How long a bad start stands before the loops begin, so that customers see it. An arm with one
counts its time from it, not from its first plan."""
ADDRESS = "192.0.2.1"
"""Of nobody (RFC 5737)."""


class Start(StrEnum):
    NAMES_NOTHING = "AliasNamesNothing"
    """An alias, and no tree of the name that it names."""
    NO_ADDRESSES = "TreeWithoutAddresses"
    """An alias, its tree, and no slice of it."""
    DEAD_LOCK = "LockOfTheDead"
    """A healthy name, locked by a process that is no more, for the next eleven days."""


def tree_of(endpoint: str) -> Tree:
    return Tree(tree_name(endpoint, 1), endpoint, 1)


def slice_of(endpoint: str, tree_uid: str) -> Slice:
    name = tree_name(endpoint, 1)
    return Slice(slice_name(name, tree_uid, "IPv4"), name, tree_uid, "IPv4", (ADDRESS,))


def alias_of(start: Start, endpoint: str, now: float) -> Alias:
    lock = Lock(THE_DEAD, now + LONG_SECONDS).text() if start is Start.DEAD_LOCK else ""
    return Alias(endpoint, tree_name(endpoint, 1), 1, lock=lock)


def kinds_of(start: Start) -> tuple[type[Stored], ...]:
    """What stands before the alias, in the order in which it is made."""
    match start:
        case Start.NAMES_NOTHING:
            return ()
        case Start.NO_ADDRESSES:
            return (Tree,)
        case Start.DEAD_LOCK:
            return (Tree, Slice)
