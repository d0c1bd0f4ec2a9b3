"""The step `tree`: create a record tree and prove by a DNS query that it is served.

A tree is two kinds of objects, a Service and its slices. The slices bear their Service's uid in
name and ownership, so that a tree deleted and made anew never counts the dying slices of its former
self as its own.
"""

from collections.abc import Generator
from dataclasses import replace

from holdfast.core.intents import Create, Get, Intent, Pin, Prove, Replace
from holdfast.core.names import slice_name, tree_name
from holdfast.core.objects import Plan, Slice, Tree, family_of
from holdfast.core.places import AtPick
from holdfast.core.replies import (
    Absent,
    Exists,
    Missed,
    Proven,
    Read,
    Reply,
    Unproven,
    Written,
)
from holdfast.core.rounds import Deferred, Refused, Stop, refusal

PROOF_DEADLINE_SECONDS = 90.0
"""After an outage of the API server CoreDNS's two watches come back up to a minute apart."""
PROOF_SLICE_SECONDS = 5.0
"""How long to wait for answers before looking whether the tree still stands."""


def build(
    plan: Plan, endpoint: str, pin_holder: str = "", *, mends: bool = False, proves: bool = True
) -> Generator[Intent, Reply, None]:
    """Create the tree, its slices, and prove that it is served. The Service's uid must be the same
    before and after: a tree deleted and made anew in between has lost its slices. With a
    `pin_holder` its pin is put on the tree at last. `mends`: a tree without its labels, or a slice
    of it that says something else, was edited by hand, and is written over. `proves` is for a human
    who cannot reach the servers.

    Whatever fails here starts over at `pick`, with the plan that is newest then.
    """
    wanted = plan.of(endpoint)
    assert wanted is not None, endpoint
    tree = Tree(tree_name(wanted.endpoint, plan.generation), wanted.endpoint, plan.generation)
    uid = yield from _create_tree(tree, mends)
    addresses = wanted.addresses()
    for family in sorted({family_of(a) for a in addresses}):
        piece = Slice(
            name=slice_name(tree.name, uid, family),
            tree=tree.name,
            tree_uid=uid,
            family=family,
            addresses=tuple(a for a in addresses if family_of(a) == family),
        )
        yield from _create_slice(tree, piece, mends)
    if proves:
        yield from _prove(tree, uid, addresses)
    if pin_holder:
        yield from _pin(tree, uid, pin_holder)


def _pin(tree: Tree, uid: str, holder: str) -> Generator[Intent, Reply, None]:
    reply = yield Pin(tree.name, uid, holder)
    match reply:
        case Written():
            return
        case Missed() | Absent():
            raise _again(tree, f"{tree.name} was deleted before it was pinned")
        case _:
            raise _failed(tree, reply)


def _prove(tree: Tree, uid: str, addresses: tuple[str, ...]) -> Generator[Intent, Reply, None]:
    waited, seen = 0.0, ""
    while waited < PROOF_DEADLINE_SECONDS:
        proof = yield Prove(tree.name, addresses, PROOF_SLICE_SECONDS)
        match (yield Get(Tree, tree.name)):
            case Read(Tree(uid=found)) if found == uid:
                pass
            case Read() | Absent():
                raise _again(tree, f"{tree.name} was deleted while it was tested")
            case other:
                raise _failed(tree, other)
        if isinstance(proof, Proven):
            return
        waited += PROOF_SLICE_SECONDS
        seen = proof.seen if isinstance(proof, Unproven) else ""
    raise _again(tree, f"{tree.name} is not served: {seen}")


def _create_tree(tree: Tree, mends: bool) -> Generator[Intent, Reply, str]:
    reply = yield Create(tree)
    if isinstance(reply, Exists):
        reply = yield Get(Tree, tree.name)
    match reply:
        case Read(Tree(intact=False) as there) if mends:
            reply = yield Replace(replace(there, endpoint=tree.endpoint, intact=True))
            if not isinstance(reply, Written):
                raise _again(tree, f"{tree.name} was changed while it was mended")
            return there.uid
        case Written(Tree(uid=uid)) | Read(Tree(uid=uid)):
            return uid
        case _:
            raise _failed(tree, reply)


def _create_slice(tree: Tree, piece: Slice, mends: bool) -> Generator[Intent, Reply, None]:
    reply = yield Create(piece)
    if isinstance(reply, Exists):
        reply = yield Get(Slice, piece.name)
    match reply:
        case Written():
            return
        case Read(Slice(tree_uid=owner, addresses=found) as there):
            if owner == piece.tree_uid and tuple(sorted(found)) == piece.addresses:
                return
            if owner != piece.tree_uid or not mends:
                raise Stop(Refused(tree.generation, tree.endpoint, f"foreign slice {piece.name}"))
            reply = yield Replace(replace(there, addresses=piece.addresses))
            if not isinstance(reply, Written):
                raise _again(tree, f"{piece.name} was changed while it was mended")
        case _:
            raise _failed(tree, reply)


def _again(tree: Tree, why: str) -> Stop:
    return Stop(Deferred(AtPick(tree.generation - 1), why))


def _failed(tree: Tree, reply: Reply) -> Stop:
    return Stop(refusal(tree.generation, tree.endpoint, None, reply))
