"""What a flow must not remember, store or ask for, told so that its author knows what to change.

The explorer relies on values: memories and objects that are equal when they say the same, and whose
uids and versions it can find (see `renaming`).
"""

from collections.abc import Generator
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import FunctionType, NoneType
from typing import Any

from holdfast.core.intents import Create, Delete, Get, Intent, List, Overwrite, Reach, Replace
from holdfast.core.objects import Plan

PLAIN = (str, bytes, int, float, complex, NoneType, Enum, type, FunctionType)
PLAIN += (date, time, timedelta, Decimal, Fraction)  # type: ignore[assignment]
CURE = "use strings, numbers, enums, tuples, frozensets and frozen dataclasses"


class ModelError(ValueError):
    """The model is none that can be explored."""


def refuse_value(value: Any, where: str) -> None:
    """ModelError unless `value` is a value: hashable, and equal to what says the same."""
    if isinstance(value, tuple | frozenset):
        for part in value:
            refuse_value(part, where)
    elif is_dataclass(value) and not isinstance(value, type):
        if not is_frozen(type(value)):
            raise ModelError(f"{where}: {type(value).__name__} is no frozen dataclass; {CURE}")
        for f in fields(value):
            refuse_value(getattr(value, f.name), f"{where}.{f.name}")
    elif not isinstance(value, PLAIN) and type(value) is not object:  # object() is a mere mark
        raise ModelError(f"{where} is a {type(value).__name__} ({value!r}); {CURE}")


def is_frozen(kind: type[Any]) -> bool:
    parameters = getattr(kind, "__dataclass_params__", None)
    return bool(parameters and parameters.frozen and parameters.eq)


def refuse_kind(kind: Any, where: str) -> None:
    if not isinstance(kind, type):
        raise ModelError(f"{where}: {kind!r} is no class")
    given = {f.name for f in fields(kind) if f.init} if is_dataclass(kind) else set()
    if kind is Plan:
        return
    if not is_frozen(kind) or not {"uid", "resource_version"} <= given or not _has_name(kind):
        raise ModelError(
            f"{where}: objects of kind {kind.__name__} cannot be stored: a kind is a frozen "
            'dataclass with the fields `name`, `uid: str = ""` and `resource_version: str = ""`'
        )


def _has_name(kind: type[Any]) -> bool:
    return "name" in {f.name for f in fields(kind)} or isinstance(
        getattr(kind, "name", None), property
    )


def refuse_object(obj: Any, where: str) -> None:
    """ModelError unless the fake API server can keep `obj`."""
    refuse_kind(type(obj), where)
    refuse_value(obj, f"{where}: {type(obj).__name__}")
    if not isinstance(obj.name, str) or not obj.name:
        raise ModelError(f"{where}: the name of {obj!r} is no text")


def refuse_intent(said: Any, where: str) -> None:
    """ModelError unless `said` is an intent that the fake API server can perform."""
    match said:
        case Create(obj) | Replace(obj) | Overwrite(obj):
            refuse_object(obj, f"{where} {type(said).__name__}")
        case Get(kind, name) | Delete(kind, name):
            refuse_kind(kind, f"{where} {type(said).__name__}")
            refuse_value(name, f"{where} {type(said).__name__}.name")
        case List(kind):
            refuse_kind(kind, f"{where} List")
        case Reach():
            refuse_value(said.memory, f"{where} Reach.memory")
        case _ if not isinstance(said, Intent):
            raise ModelError(f"{where} {_no_intent(said)}")


def _no_intent(said: Any) -> str:
    match said:
        case type():
            return f"the class {said.__name__}, not an intent: its arguments are missing"
        case Generator():
            return "another flow: `yield from` runs one inside another"
        case tuple() | list():
            return f"{said!r}: one intent at a time"
        case _:
            return f"{said!r}, which is no intent"
