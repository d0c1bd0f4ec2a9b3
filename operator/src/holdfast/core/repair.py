"""What is not served as the newest plan has it: what `dns.selfRepair` acts upon.

An alias that is missing, or that names no tree; a tree without its addresses, or with others; what
a hand has taken the labels off. An alias that names a healthy tree of another generation is not
broken: it is late, or a human's.
"""

from collections.abc import Iterable

from holdfast.core.objects import Alias, Plan, Slice, Stored, Tree


def broken_endpoints(plan: Plan, objects: Iterable[Stored]) -> tuple[str, ...]:
    """The endpoints of `plan` that nothing answers for, in the plan's order. `objects` is all that
    the Region's namespace holds, as somebody has seen it."""
    stored = tuple(objects)
    aliases = {o.endpoint: o for o in stored if isinstance(o, Alias) and o.intact}
    trees = {o.name: o for o in stored if isinstance(o, Tree) and o.intact}
    served: dict[str, list[str]] = {}
    for piece in stored:
        if isinstance(piece, Slice):
            served.setdefault(piece.tree_uid, []).extend(piece.addresses)
    broken = []
    for wanted in plan.endpoints:
        if not wanted.front_ends:
            continue
        alias = aliases.get(wanted.endpoint)
        tree = trees.get(alias.target) if alias else None
        answer = tuple(sorted(served.get(tree.uid, ()))) if tree else ()
        is_newest = alias is not None and alias.generation == plan.generation
        if not answer or (is_newest and answer != wanted.addresses()):
            broken.append(wanted.endpoint)
    return tuple(broken)


def only(plan: Plan, endpoints: Iterable[str]) -> Plan:
    """The plan as far as these endpoints go."""
    chosen = frozenset(endpoints)
    kept = tuple(e for e in plan.endpoints if e.endpoint in chosen)
    return Plan(plan.generation, kept, plan.uid, plan.resource_version)
