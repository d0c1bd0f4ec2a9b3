"""The end state of a case as facts that can be compared: generations as seen from the plan under
test, and who wrote by role, not by Pod."""

import time
from collections.abc import Mapping
from typing import Any, TypeAlias

from e2e.faults.site import REGION, Site
from holdfast.core.lock import parse_lock
from holdfast.core.names import KIND_LABEL, MANAGED_LABEL, tree_generation
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.live.wire import GROUP_PATH, parse, path_of, plan_of

Facts: TypeAlias = Mapping[str, str]
"""`tree dynamodb -1 addresses` → `-1, store-1`, and so on."""

Names: TypeAlias = Mapping[str, str]
"""Identities of processes → `enactor-a`, or `dead enactor-a` for those that crashed. Addresses of
front ends that never change → their names."""


class Reader:
    """Reads one namespace. `plan` is the generation under test."""

    def __init__(self, site: Site, space: str, plan: int, names: Names) -> None:
        self._site, self._space, self._plan, self._names = site, space, plan, names

    async def facts(self) -> Facts:
        """Everything that the namespace's records say now."""
        api, space = self._site.api, self._space
        managed = {"labelSelector": f"{MANAGED_LABEL}=true"}
        services = await api.need("GET", path_of(Tree, space), **managed)
        slices = await api.need("GET", path_of(Slice, space), **managed)
        plans = await api.need("GET", f"{GROUP_PATH}/namespaces/{space}/dnsplans")
        region = await api.need("GET", f"{GROUP_PATH}/namespaces/{space}/regions/{REGION}")
        pieces = [parse(Slice, raw) for raw in slices["items"]]
        found = self._reported(region.get("status") or {})
        for raw in services["items"]:
            if raw["metadata"]["labels"][KIND_LABEL] == "alias":
                alias = parse(Alias, raw)
                assert isinstance(alias, Alias)
                found |= self._alias(alias)
            else:
                tree = parse(Tree, raw)
                assert isinstance(tree, Tree)
                own = [p for p in pieces if isinstance(p, Slice) and p.tree_uid == tree.uid]
                found |= self._of_tree(tree, own)
        for raw in plans["items"]:
            plan = plan_of(raw["spec"])
            found[f"plan{self._apart(plan.generation)}"] = "; ".join(
                f"{e.endpoint}: {self._said(e.addresses())}" for e in plan.endpoints
            )
        return found

    def _alias(self, alias: Alias) -> dict[str, str]:
        of = f"alias {alias.endpoint}"
        lock = parse_lock(alias.lock)
        held = ""
        if lock is not None:
            word = "held by" if lock.expires > time.time() else "expired, of"
            held = f"{word} {self._names.get(lock.holder, lock.holder)}"
        writer = self._names.get(alias.writer, alias.writer)
        return {
            f"{of} names": self._tree(alias.target),
            f"{of} generation": f"{alias.generation - self._plan:+d}",
            f"{of} rollback": self._tree(alias.rollback),
            f"{of} lock": held,
            f"{of} written by": writer.removeprefix("dead "),
        }

    def _of_tree(self, tree: Tree, pieces: list[Slice]) -> dict[str, str]:
        of = self._tree(tree.name)
        pins = sorted(self._names.get(p, p) for p in tree.pins)
        addresses = tuple(a for p in pieces for a in p.addresses)
        return {f"{of} addresses": self._said(addresses), f"{of} pins": ", ".join(pins)}

    def _reported(self, status: Mapping[str, Any]) -> dict[str, str]:
        """Without its conditions, which are for people and come at a pace of their own."""
        return {
            "region newest plan": f"{int(status.get('newestPlan', 0)) - self._plan:+d}",
            "region observed": str(status.get("observedGeneration", "")),
            "region guards": str(status.get("guards", "")),
        }

    def _tree(self, name: str) -> str:
        """`tree dynamodb -1`; "" for none."""
        generation = tree_generation(name)
        if generation is None:
            return name
        return f"tree {name.rpartition('-p')[0]}{self._apart(generation)}"

    def _apart(self, generation: int) -> str:
        return f" {generation - self._plan:+d}" if generation != self._plan else ""

    def _said(self, addresses: tuple[str, ...]) -> str:
        """Addresses by the plan with which they came."""
        return ", ".join(
            sorted(
                self._names.get(a) or f"{int(a.rpartition('.')[2]) - self._plan:+d}"
                for a in addresses
            )
        )
