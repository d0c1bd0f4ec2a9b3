"""Intents and replies in few words, as a table of a trace says them."""

from typing import Any

from holdfast.check.describing import brief
from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Replace,
    Unpin,
)
from holdfast.core.lock import parse_lock
from holdfast.core.objects import Alias, Object, Plan, Slice
from holdfast.core.replies import (
    Absent,
    Conflict,
    Deleted,
    Exists,
    Listed,
    Missed,
    Picked,
    Proven,
    Read,
    Rejected,
    Reply,
    TimedOut,
    Unproven,
    Written,
)


def call(intent: Intent) -> str:  # noqa: C901 - a table
    """What is asked for: a verb and an object."""
    match intent:
        case Get(kind, name):
            return f"GET {kind.__name__.lower()} {name}"
        case List(kind):
            return f"LIST {kind.__name__.lower()}"
        case Create(obj):
            return f"POST {_named(obj)}"
        case Replace(obj):
            return f"PUT {_named(obj)}{_target(obj)}, if unchanged since it was read"
        case Overwrite(obj):
            return f"PUT {_named(obj)}{_target(obj)}, unconditionally"
        case PatchAlias(endpoint, _, "", None):
            return f"PATCH alias {endpoint}: release the lock"
        case PatchAlias(endpoint, _, _, None):
            return f"PATCH alias {endpoint}: take the lock"
        case PatchAlias(endpoint, target=target):
            return f"PATCH alias {endpoint} → {target}, if the lock is still mine"
        case Pin(tree):
            return f"PATCH tree {tree}: pin it"
        case Unpin(tree):
            return f"PATCH tree {tree}: remove my pin"
        case Delete(kind, name, uid=uid):
            return f"DELETE {kind.__name__.lower()} {name}" + (", if unchanged" if uid else "")
        case Pick():
            return "take the newest plan"
        case Prove(tree):
            return f"DNS query for {tree}"
        case _:
            return type(intent).__name__


def answer(reply: Reply) -> str:  # noqa: C901 - a table
    """What came back."""
    match reply:
        case Read(obj):
            return _seen(obj)
        case Listed(items):
            return ", ".join(_seen(i) for i in items) or "none"
        case Picked(plan):
            return f"plan {plan.generation}"
        case Written():
            return "done"
        case Deleted():
            return "deleted"
        case Absent():
            return "404 not found"
        case Exists():
            return "409 already exists"
        case Conflict():
            return "409 conflict"
        case Missed():
            return "422 test failed"
        case Proven():
            return "its addresses"
        case Unproven():
            return "not its addresses"
        case TimedOut():
            return "no answer"
        case Rejected(reason):
            return f"refused: {reason}"
        case _:
            return type(reply).__name__


def _named(obj: Any) -> str:
    match obj:
        case Slice(tree=tree):
            return f"slice of {tree}"  # its own name bears a symbol for the uid
        case Plan(generation):
            return f"plan {generation}"
        case _:
            name = obj.name if isinstance(obj, Object) else brief(obj)
            return f"{type(obj).__name__.lower()} {name}"


def _target(obj: Any) -> str:
    return f" → {obj.target}" if isinstance(obj, Alias) else ""


def _seen(obj: Any) -> str:
    match obj:
        case Alias(target=target, lock=text):
            lock = parse_lock(text)
            return f"→ {target}" + (f", locked by {lock.holder}" if lock else "")
        case Plan(generation):
            return f"plan {generation}"
        case _ if isinstance(obj, Object):
            return obj.name
        case _:
            return brief(obj)
