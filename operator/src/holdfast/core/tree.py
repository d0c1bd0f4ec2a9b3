"""The step `tree`: create a record tree and prove by a DNS query that it is served.

A tree is two kinds of objects, a Service and its slices. The slices bear their Service's uid in
name and ownership, so that a tree deleted and made anew never counts the dying slices of its former
self as its own.
"""

from collections.abc import Generator

from holdfast.core.intents import Create, Get, Intent, Prove, Reach
from holdfast.core.names import slice_name, tree_name
from holdfast.core.objects import EndpointPlan, Slice, Tree, family_of
from holdfast.core.replies import Absent, Exists, Proven, Read, Reply, Unproven, Written
from holdfast.core.rounds import Carried, Deferred, Refused, Stop, unexpected

PROOF_DEADLINE_SECONDS = 90.0
"""After an outage of the API server CoreDNS's two watches come back up to a minute apart."""


def build(here: Carried, wanted: EndpointPlan) -> Generator[Intent, Reply, None]:
    """Create the tree, its slices, and prove that it is served. The Service's uid must be the same
    before and after: a tree deleted and made anew in between has lost its slices."""
    plan = here.plan
    yield Reach("tree", plan.generation, wanted.endpoint)
    tree = Tree(tree_name(wanted.endpoint, plan.generation), wanted.endpoint, plan.generation)
    uid = yield from _create_tree(here, tree)
    addresses = wanted.addresses()
    for family in sorted({family_of(a) for a in addresses}):
        piece = Slice(
            name=slice_name(tree.name, uid, family),
            tree=tree.name,
            tree_uid=uid,
            family=family,
            addresses=tuple(a for a in addresses if family_of(a) == family),
        )
        yield from _create_slice(here, piece)
    match (yield Prove(tree.name, addresses, PROOF_DEADLINE_SECONDS)):
        case Unproven(seen):
            raise Stop(Deferred(here, f"{tree.name} is not served: {seen}"))
        case Proven():
            pass
        case other:
            raise unexpected(here, other)
    match (yield Get(Tree, tree.name)):
        case Read(Tree(uid=found)) if found == uid:
            return
        case Read() | Absent():
            raise Stop(Deferred(here, f"{tree.name} was deleted while it was tested"))
        case other:
            raise unexpected(here, other)


def _create_tree(here: Carried, tree: Tree) -> Generator[Intent, Reply, str]:
    reply = yield Create(tree)
    if isinstance(reply, Exists):
        reply = yield Get(Tree, tree.name)
    match reply:
        case Written(Tree(uid=uid)) | Read(Tree(uid=uid)):
            return uid
        case Absent():
            raise Stop(Deferred(here, f"{tree.name} was deleted while it was looked up"))
        case _:
            raise unexpected(here, reply)


def _create_slice(here: Carried, piece: Slice) -> Generator[Intent, Reply, None]:
    reply = yield Create(piece)
    if isinstance(reply, Exists):
        reply = yield Get(Slice, piece.name)
    match reply:
        case Written():
            return
        case Read(Slice(tree_uid=owner, addresses=found)):
            if owner != piece.tree_uid or tuple(sorted(found)) != piece.addresses:
                raise Stop(
                    Refused(here.plan.generation, here.endpoint, f"foreign slice {piece.name}")
                )
        case Absent():
            raise Stop(Deferred(here, f"slice {piece.name} vanished"))
        case _:
            raise unexpected(here, reply)
