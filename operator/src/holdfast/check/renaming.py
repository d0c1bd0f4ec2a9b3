"""Symbols for uids and versions, so that a world that looks the same is the same.

A uid or resourceVersion is only ever compared for equality, and never recurs. So all that matters
of one that an actor holds is whether it still is the object's current one. In every world the
current ones are the same symbols, and what an actor holds is renamed to the stale symbol when the
object changes. Symbols have eight characters, for names that bear the first eight of a uid.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any

UNVERSIONED = "@------@"
"""The version of a kind whose versions nobody sends."""


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
        return tuple(rename(v, names) for v in value)
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
