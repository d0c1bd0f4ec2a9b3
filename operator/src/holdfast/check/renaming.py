"""Symbols for uids and versions, so that a world that looks the same is the same.

A uid or resourceVersion is only ever compared for equality, and never recurs. So all that matters
of one that an actor holds is whether it still is the object's current one. In every world the
current ones are the same symbols, and what an actor holds is renamed to the stale symbol when the
object changes. Symbols have eight characters, for names that bear the first eight of a uid.
"""

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from holdfast.core.objects import Plan, Stored

UNVERSIONED = "@------@"
"""The version of a kind whose versions nobody sends."""
SYMBOL = re.compile(r"@(\d{5,})([uvx])@")
"""Any symbol: the number of the object, and what the symbol stands for."""


def uid(number: int) -> str:
    return f"@{number:05d}u@"


def version(number: int) -> str:
    return f"@{number:05d}v@"


def stale(number: int) -> str:
    """Of what changed, its former uid or version: equal to no current one."""
    return f"@{number:05d}x@"


def rename(value: Any, names: dict[str, str]) -> Any:
    """`value` with every occurrence of a symbol replaced, inside longer strings too."""
    if isinstance(value, str):
        if "@" in value:
            for old, new in names.items():
                value = value.replace(old, new)
        return value
    if isinstance(value, tuple):
        renamed = (rename(v, names) for v in value)
        return type(value)(*renamed) if hasattr(value, "_fields") else tuple(renamed)
    if isinstance(value, frozenset):
        return frozenset(rename(v, names) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {}
        for f in fields(value):
            old = getattr(value, f.name)
            new = rename(old, names)
            if new is not old and new != old:
                changes[f.name] = new
        return replace(value, **changes) if changes else value
    return value


def rename_within(obj: Stored, names: dict[str, str]) -> Stored:
    """`obj` renamed but for its own uid and version, which are current."""
    renamed: Stored = rename(obj, names)
    if renamed is obj or isinstance(obj, Plan):
        return obj
    own: Stored = replace(  # type: ignore[type-var]
        renamed, uid=obj.uid, resource_version=obj.resource_version
    )
    return own


def borne(obj: Stored) -> set[str]:
    """The symbols that an object bears besides its own uid and version."""
    if isinstance(obj, Plan):
        return set()
    others: Stored = replace(obj, uid="", resource_version="")  # type: ignore[type-var]
    return {found.group() for found in SYMBOL.finditer(repr(others))}
