"""Objects and worlds in few words, whatever their kinds."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any

from holdfast.check.model import Objects
from holdfast.core.objects import Stored

OWN = ("name", "uid", "resource_version")
"""Fields that every kind has: the name stands before the others, the rest says nothing."""


def by_kind(objects: Objects) -> Mapping[str, str]:
    """A world: for each kind its objects, in the order of their names."""
    told: dict[str, str] = {}
    for (kind, _), obj in sorted(
        objects.items(), key=lambda item: (item[0][0].__name__, item[0][1])
    ):
        before = told.get(kind.__name__)
        told[kind.__name__] = f"{before}, {brief(obj)}" if before else brief(obj)
    return told


def brief(obj: Stored) -> str:
    """An object: its name, and the fields that are not as they are by default."""
    said = ", ".join(said_fields(obj))
    return f"{obj.name} ({said})" if said else obj.name


def said_fields(obj: Any) -> list[str]:
    return [
        f"{f.name}={_value(getattr(obj, f.name))}"
        for f in fields(obj)
        if f.name not in OWN and getattr(obj, f.name) != _default(f)
    ]


def _default(f: Field[Any]) -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _value(value: Any) -> str:
    match value:
        case Enum():
            return value.name
        case str() if value and value.isprintable() and not set(value) & set(" ,()[]="):
            return value
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case frozenset():
            return f"[{', '.join(sorted(map(_value, value)))}]"
        case _ if is_dataclass(value) and not isinstance(value, type):
            return f"({', '.join(said_fields(value))})"
        case _:
            return repr(value)
