"""What `dns.admission` has the API server refuse, whichever client writes.

On a cluster these are ValidatingAdmissionPolicies of the chart; here the same rules stand for the
API server in memory, and a test on the cluster holds the two against each other. A policy sees one
object, before and after, and not what else there is: that is why a tree must bear its pin, and why
a slice's name is a rule, for a second slice of one tree and family finds its name taken.

What no value of ours has (labels, the rest of a target's name, who asks) is for the chart alone.
"""

from holdfast.core.names import slice_name, tree_name
from holdfast.core.objects import Alias, Slice, Stored, Tree

LEAP_MAX = 100_000
"""The most generations that an alias may go up at once: a hand's slip to the highest number there
is could never be gone above."""


def denied(before: Stored | None, after: Stored | None) -> str:
    """Why the change is refused; "" if it is not. None stands for an object that is not there."""
    match before, after:
        case Alias(), None:
            return "an alias is never deleted while its namespace stays"
        case _, Alias(endpoint=endpoint, target=target, generation=generation):
            if isinstance(before, Alias) and (why := _moved(before.generation, generation)):
                return why
            if isinstance(before, Alias) and _named(before) == (generation, target):
                return ""  # what was wrong before may be locked, frozen, and mended
            if target != tree_name(endpoint, generation):
                return "an alias names the tree of its own generation"
        case Tree(pins=pins), None if pins:
            return "a pinned tree is never deleted"
        case Slice(), None:
            return "the addresses of a tree go with their tree"
        case _, Slice(tree=tree, tree_uid=uid, family=family) as new:
            if new.name != slice_name(tree, uid, family):
                return "an EndpointSlice is named and owned by its tree"
            if isinstance(before, Slice) and _answer(before) != _answer(new):
                return "the addresses of a tree never change"
    return ""


def _moved(before: int, after: int) -> str:
    if after < before:
        return "the live generation never goes down"
    if after > before + LEAP_MAX:
        return f"the live generation goes up by {LEAP_MAX} at most"
    return ""


def _named(alias: Alias) -> tuple[int, str]:
    return alias.generation, alias.target


def _answer(piece: Slice) -> tuple[str, str, tuple[str, ...]]:
    return piece.tree_uid, piece.family, piece.addresses
