"""Random lives of a few objects of every kind, from a seed.

What is chosen depends on the seed and on which replies came with an object, so that two servers
that agree are asked the same.
"""

import random
from dataclasses import replace
from typing import Any, TypeAlias

from e2e.conformance_matrix import KINDS, NOBODY, Identity
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
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Lease, Plan, Slice, Stored, Tree
from holdfast.core.replies import Listed, Read, Written

LENGTH = 30
_FIRST = (Tree, Alias, Slice)
_HOLDERS = ("us-east-1a/x", "us-east-1b/y")
_LOCKS = ("", "a 1.000")
_FIRST_PLAN = 1_000_000
_ACTS = ("get", "list", "patch", "pin") + ("create", "replace") * 2 + ("overwrite", "delete")

Known: TypeAlias = dict[tuple[type[Any], str], list[Identity]]


class Life:
    """One sequence. `word` is in the names of all its objects, and of no other's."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = random.Random(f"{seed} {number}")
        self._number, self._word = number, f"r{number:04d}"
        self._known: Known = {}
        self.names = tuple(self._value(k, i, 0).name for k in KINDS for i in range(2))

    async def play(self, teller: Teller) -> None:
        for step in range(LENGTH):
            kind = _FIRST[step] if step < len(_FIRST) else None
            intent = Create(self._value(kind, 0, 0)) if kind else self._intent()
            reply = await teller.do(intent)
            found = reply.items if isinstance(reply, Listed) else ()
            if isinstance(reply, Read | Written):
                found = (reply.obj,)
            for obj in found:
                if obj.name in self.names:
                    self._learn(obj)

    def _learn(self, obj: Stored) -> None:
        known = self._known.setdefault((type(obj), obj.name), [])
        if (obj.uid, obj.resource_version) not in known:
            known.append((obj.uid, obj.resource_version))

    def _aged(self, kind: type[Any], name: str) -> Identity:
        """An identity that the object bore: mostly the last that anybody saw."""
        known = self._known.get((kind, name), [])
        age = self._random.choice((0, 0, 0, 0, 0, 1, 2))
        return NOBODY if kind is Plan or age >= len(known) else known[-1 - age]

    def _value(self, kind: type[Any], index: int, variant: int) -> Stored:
        tree = f"{self._word}-p{index + 1}"
        if kind is Alias:
            return Alias(f"{self._word}-{index}", f"{self._word}-p{variant + 1}", variant)
        if kind is Tree:
            return Tree(tree, self._word, index + 1, _HOLDERS[:variant])
        if kind is Slice:
            owner = self._aged(Tree, tree)[0]
            return Slice(f"{tree}-x", tree, owner, "IPv4", (f"10.0.0.{variant + 1}",))
        if kind is Lease:
            return Lease(f"{self._word}-{index}", "a", 1000.0 + variant, 15.0)
        if kind is Plan:
            generation = _FIRST_PLAN + 2 * self._number + index
            return Plan(generation, (EndpointPlan("a", (FrontEnd("10.0.0.1", 100),)),))
        return Ticket(f"{self._word}-{index}", f"{variant}")

    def _intent(self) -> Intent:
        pick = self._random.choice
        kind, index = pick((*KINDS, Alias, Tree, Slice)), pick((0, 0, 0, 1))
        value: Any = self._value(kind, index, pick((0, 1, 2)))
        uid = self._aged(kind, value.name)[0]
        same_age = pick((True, True, False))
        one = self._aged(kind, value.name)
        uid, version = one if same_age else (uid, one[1])
        match pick(_ACTS):
            case "get":
                return Get(kind, value.name)
            case "list":
                return List(kind)
            case "patch":
                return self._patch(f"{self._word}-{index}")
            case "pin":
                tree = f"{self._word}-p{index + 1}"
                do = pick((Pin, Pin, Unpin))
                return do(tree, self._aged(Tree, tree)[0], pick(_HOLDERS))
            case "create":
                return Create(value)
            case "replace":
                return Replace(replace(value, uid=uid, resource_version=version))
            case "overwrite":
                return Overwrite(value)
            case _:
                return Delete(kind, value.name, pick((uid, "")), pick((version, "")))

    def _patch(self, endpoint: str) -> PatchAlias:
        pick = self._random.choice
        generation = pick((None, 5))
        target = None if generation is None else f"{self._word}-p{generation}"
        return PatchAlias(endpoint, pick(_LOCKS), pick(_LOCKS), target, generation)
