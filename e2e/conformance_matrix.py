"""Every intent on every kind of object in every state that an actor may find it in.

A case is a life of its own: it brings its object into a state, performs one intent with the
identity that an actor of that state would hold, and looks at what is there afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from e2e.conformance_told import Teller
from e2e.conformance_worlds import Ticket
from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pin,
    Replace,
    Unpin,
)
from holdfast.core.lock import NO_RECORD
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.replies import Written

KINDS: tuple[type[Any], ...] = (Alias, Tree, Slice, Lease, Plan, Ticket)
Identity: TypeAlias = tuple[str, str]
_HOLDERS = ("us-east-1b/y", "us-east-1c/z")
NOBODY: Identity = ("6b1e0000-0000-4000-8000-000000000000", "999999999")


class State(StrEnum):
    NEVER = "never was"
    DELETED = "deleted"
    CURRENT = "known as it is"
    STALE = "known in an older version"
    OTHER = "known by another's uid"
    RECREATED = "known as it was before it was deleted and created again"


class Act(StrEnum):
    GET = "get"
    LIST = "list"
    CREATE = "create"
    CREATE_KNOWN = "create with an identity"
    REPLACE = "replace"
    REPLACE_SAME = "replace by the same"
    OVERWRITE = "overwrite"
    OVERWRITE_SAME = "overwrite by the same"
    DELETE = "delete"
    DELETE_UID = "delete under uid"
    DELETE_VERSION = "delete under version"
    DELETE_BOTH = "delete under both"
    PATCH = "patch under the right lock"
    PATCH_SAME = "patch that changes nothing"
    PATCH_MISSED = "patch under a wrong lock"
    PATCH_NO_RECORD = "patch that expects no record"
    PIN = "pin"
    PIN_TWICE = "pin twice"
    PIN_BESIDE = "pin beside another"
    UNPIN = "unpin"
    UNPIN_NOTHING = "unpin what was never pinned"


_FOR_ALIASES = {a for a in Act if a.startswith("patch")}
_FOR_TREES = {a for a in Act if "pin" in a}
BLIND = (Act.OVERWRITE, Act.OVERWRITE_SAME)


@dataclass(frozen=True, slots=True)
class Case:
    """`suite` is a letter and `number` an ordinal: no two cases share a name."""

    suite: str
    number: int
    kind: type[Any]
    state: State
    act: Act

    def __str__(self) -> str:
        return f"{self.kind.__name__}, {self.state}: {self.act}"

    @property
    def word(self) -> str:
        return f"{self.suite}{self.number:04d}"

    @property
    def name(self) -> str:
        return self.value(0, "").name

    def value(self, variant: int, owner: str) -> Stored:
        """A content of the case's object; the owner is the uid of the slice's tree."""
        tree = f"{self.word}-p1"
        if self.kind is Alias:
            return Alias(self.word, f"{self.word}-p{variant + 1}", variant + 1, writer="a")
        if self.kind is Tree:
            return Tree(tree, self.word, 1, _HOLDERS[:variant])
        if self.kind is Slice:
            return Slice(f"{tree}-x", tree, owner, "IPv4", (f"10.0.0.{variant + 1}",))
        if self.kind is Lease:
            return Lease(self.word, "a", 1000.0 + variant, 15.0)
        if self.kind is Plan:
            # A plan is immutable, and named by its generation.
            return Plan(
                1000 * ord(self.suite) + self.number,
                (EndpointPlan("a", (FrontEnd("10.0.0.1", 100),)),),
            )
        return Ticket(self.word, f"{variant}")


def cases(suite: str) -> Iterator[Case]:
    number = 0
    for kind in KINDS:
        for state in State:
            if kind is Plan and state is State.STALE:
                continue
            for act in Act:
                if act in _FOR_ALIASES and kind is not Alias:
                    continue
                if act in _FOR_TREES and kind is not Tree:
                    continue
                number += 1
                yield Case(suite, number, kind, state, act)


async def play(case: Case, teller: Teller) -> None:
    """The whole life: the state, the act, and what is there afterwards."""
    owner = ""
    if case.kind is Slice:
        made = await teller.do(Create(Tree(f"{case.word}-p1", case.word, 1)))
        assert isinstance(made, Written)
        owner = made.obj.uid
    identity = await _bring_about(case, teller, owner)
    for intent in _intents(case, owner, identity):
        await teller.do(intent)
    await teller.do(Get(case.kind, case.name))
    await teller.do(List(case.kind))


async def _bring_about(case: Case, teller: Teller, owner: str) -> Identity:
    if case.state is State.NEVER:
        return NOBODY
    value = case.value(0, owner)
    first = await teller.do(Create(value))
    assert isinstance(first, Written), (case, first)
    identity = (first.obj.uid, first.obj.resource_version)
    if case.state in (State.DELETED, State.RECREATED):
        await teller.do(Delete(case.kind, case.name))
    if case.state is State.RECREATED:
        await teller.do(Create(value))
    if case.state is State.STALE:
        known: Any = case.value(1, owner)
        await teller.do(Replace(replace(known, uid=identity[0], resource_version=identity[1])))
    if case.state is State.OTHER:
        identity = (NOBODY[0], identity[1])
    return NOBODY if case.kind is Plan else identity


def _intents(case: Case, owner: str, identity: Identity) -> Iterator[Intent]:
    kind, name, act = case.kind, case.name, case.act
    uid, version = identity
    stale = case.state is State.STALE
    same: Any = case.value(1 if stale else 0, owner)
    other: Any = case.value(2 if stale else 1, owner)
    if act is Act.GET:
        yield Get(kind, name)
    elif act is Act.LIST:
        yield List(kind)
    elif act is Act.CREATE:
        yield Create(other)
    elif act is Act.CREATE_KNOWN:
        yield Create(replace(other, uid=uid, resource_version=version))
    elif act in (Act.REPLACE, Act.REPLACE_SAME):
        value = other if act is Act.REPLACE else same
        yield Replace(replace(value, uid=uid, resource_version=version))
    elif act in BLIND:
        yield Overwrite(other if act is Act.OVERWRITE else same)
    elif act in _FOR_ALIASES:
        yield _patch(name, act)
    elif act in _FOR_TREES:
        yield from _pins(name, uid, act)
    else:
        under_uid = act in (Act.DELETE_UID, Act.DELETE_BOTH)
        under_version = act in (Act.DELETE_VERSION, Act.DELETE_BOTH)
        yield Delete(kind, name, uid * under_uid, version * under_version)


def _patch(name: str, act: Act) -> PatchAlias:
    match act:
        case Act.PATCH:
            return PatchAlias(name, "", "", f"{name}-p9", 9, f"{name}-p1", "b")
        case Act.PATCH_SAME:
            return PatchAlias(name, "", "")
        case Act.PATCH_MISSED:
            return PatchAlias(name, "somebody 1.000", "b 2.000", f"{name}-p9")
        case _:
            return PatchAlias(name, NO_RECORD, "b 2.000")


def _pins(tree: str, uid: str, act: Act) -> Iterator[Intent]:
    me, another = "us-east-1a/x", "us-east-1c/z"
    if act is Act.UNPIN_NOTHING:
        yield Unpin(tree, uid, me)
        return
    if act is Act.PIN_BESIDE:
        yield Pin(tree, uid, another)
    yield Pin(tree, uid, me)
    if act is Act.PIN_TWICE:
        yield Pin(tree, uid, me)
    if act is Act.UNPIN:
        yield Unpin(tree, uid, me)
