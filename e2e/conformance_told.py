"""A story is told by what a server replied, in words that do not depend on which server it was."""

from dataclasses import fields, replace
from typing import Any

from e2e.conformance_worlds import World
from holdfast.core.intents import Intent
from holdfast.core.objects import Plan, Slice, Stored
from holdfast.core.replies import Listed, Read, Rejected, Reply, Written


class Symbols:
    """Uids and versions by the order in which they were first seen."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {"": ""}

    def of(self, sign: str, value: str) -> str:
        return self._known.setdefault(value, f"{sign}{len(self._known)}")

    def obj(self, obj: Stored) -> Stored:
        """The object with symbols for what the server gave it. Plans bear neither."""
        if isinstance(obj, Plan):
            return obj
        if isinstance(obj, Slice):
            obj = replace(obj, tree_uid=self.of("uid", obj.tree_uid))
        known: Any = obj
        version = self.of("version", obj.resource_version)
        named: Stored = replace(known, uid=self.of("uid", obj.uid), resource_version=version)
        return named


class Teller:
    """Performs intents in a world and writes down what came of each. Of a listing, only the objects
    whose names begin so: there are other stories in the same namespace."""

    def __init__(self, world: World, names: tuple[str, ...]) -> None:
        self._world, self._names = world, names
        self.lines: list[str] = []
        self._symbols = Symbols()

    async def do(self, intent: Intent) -> Reply:
        reply = await self._world(intent)
        self.lines.append(f"{self._intent(intent)} -> {self._reply(reply)}")
        return reply

    def _intent(self, intent: Intent) -> str:
        said = []
        for f in fields(intent):
            value = getattr(intent, f.name)
            if f.name in ("uid", "resource_version"):
                value = self._symbols.of(f.name.removeprefix("resource_"), value)
            elif f.name == "obj":
                value = self._symbols.obj(value)
            elif isinstance(value, type):
                value = value.__name__
            said.append(f"{value}")
        return f"{type(intent).__name__}({', '.join(said)})"

    def _reply(self, reply: Reply) -> str:
        name = type(reply).__name__
        match reply:
            case Read(obj) | Written(obj):
                return f"{name} {self._symbols.obj(obj)}"
            case Listed(items):
                mine = [self._symbols.obj(o) for o in items if o.name.startswith(self._names)]
                return f"{name} {mine}"
            case Rejected(reason):
                return f"{name} {reason}"
            case _:
                return name
