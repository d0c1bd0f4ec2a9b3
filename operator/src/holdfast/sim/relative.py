"""Worlds and memories relative to the newest plan, so that in a run of any length there are few.

A flow compares generations, uids, versions and locks; it never does anything else with them. So a
generation is kept as its distance from the newest, which always is `NEWEST`; a tree's uid and the
alias's version are symbols of "the present one", renamed to "a former one" in whatever an actor
remembers when they change; and a lock is its holder, the time being kept elsewhere. What no
decision reads (who wrote the alias, its rollback record) is left out.
"""

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from holdfast.core.objects import Alias, Plan, Slice, Stored, Tree
from holdfast.core.places import AtDelete
from holdfast.core.replies import Listed, Read, Reply, Unproven, Written

NEWEST = 500_000
"""Six digits, and so are all that may be remembered in a run: older by less than 400,000."""
VERSION, FORMER_VERSION = "rv-now", "rv-old"
LOCK_SECONDS, TAKEN_LATE = 1.0, 2.0
"""The tables know two times: 0, at which a lock holds, and 2, at which it has expired."""
_LOCK, _LATE_LOCK, _FORMER_LOCK = " 1.000", " 3.000", " gone"

_GENERATION = re.compile(r"([-_~]p)([0-9]{6})(?![0-9])")
_NUMBERS = frozenset({"generation", "above"})


def shifted(value: Any, by: int) -> Any:
    """`value` with every generation in it, number or part of a name, moved by `by`."""

    def text(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) + by}"

    return _mapped(value, lambda s: _GENERATION.sub(text, s), by)


def replaced(value: Any, former: str, now: str) -> Any:
    """`value` with one text replaced by another, inside longer ones too."""
    return _mapped(value, lambda s: s.replace(former, now), 0)


def _mapped(value: Any, text: Callable[[str], str], by: int) -> Any:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, tuple):
        return tuple(_mapped(v, text, by) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes: dict[str, Any] = {}
        for f in fields(value):
            old = getattr(value, f.name)
            new = old + by if f.name in _NUMBERS else _mapped(old, text, by)
            if new != old:
                changes[f.name] = new
        return replace(value, **changes) if changes else value
    return value


def uid_of(generation: int) -> str:
    """A present tree's uid: eight characters, for a slice's name bears that many."""
    return f"_p{generation}"


def former_uid(generation: int) -> str:
    return f"~p{generation}"


def canonical(obj: Stored) -> Stored:
    """An object as the tables keep it."""
    match obj:
        case Alias():
            lock = obj.lock.replace(_LATE_LOCK, _LOCK)
            return replace(
                obj, writer="", rollback="", lock=lock, uid="alias", resource_version=VERSION
            )
        case Tree():
            return replace(obj, uid=uid_of(obj.generation), resource_version="")
        case Slice():
            return replace(obj, uid="", resource_version="")
        case Plan():
            return obj
        case _:
            raise TypeError(f"{type(obj).__name__} is not known to the tables")


def heard(reply: Reply, fenced: bool) -> Reply:
    """A reply as an actor's memory keeps it. `fenced`: whether an alias's version is ever sent."""
    match reply:
        case Listed(items):
            return replace(reply, items=tuple(_nameless(canonical(o)) for o in items))
        case Unproven():
            return replace(reply, seen="")
        case Read(obj) | Written(obj):
            kept = canonical(obj)
            if isinstance(kept, Alias) and not fenced:
                kept = replace(kept, resource_version="")
            return replace(reply, obj=kept)
        case _:
            return reply


def remembered(place: Any) -> Any:
    """A place as an actor's memory keeps it."""
    if isinstance(place, AtDelete):
        return replace(place, victims=tuple(_nameless(t) for t in place.victims))
    return replaced(place, _LATE_LOCK, _LOCK)


def _nameless(obj: Any) -> Any:
    """Of what was listed nobody sends a uid or a version."""
    return replace(obj, uid="", resource_version="") if isinstance(obj, Alias | Tree) else obj


def former_lock(lock: str) -> str:
    """The text that stands for a lock which is no more: equal to none, and free."""
    return lock.replace(_LOCK, _FORMER_LOCK)
