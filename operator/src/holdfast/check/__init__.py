"""The checker: every interleaving of flows over the fake API server, within stated bounds.

All that a controller of one's own needs is here: the intents that its flow asks for, the replies
that it gets, the model, and `explore`. See docs/your-own-controller.md.
"""

from holdfast.check.explorer import Exploration, Explorer, TooLarge
from holdfast.check.findings import Findings, explore
from holdfast.check.mistakes import ModelError
from holdfast.check.model import DONE, Actor, Budgets, Flow, Model, Objects
from holdfast.check.shorthand import all_of, invariants, remember, stored
from holdfast.check.trace import Row
from holdfast.core.intents import Create, Delete, Get, Intent, List, Overwrite, Replace
from holdfast.core.objects import Stored
from holdfast.core.replies import (
    Absent,
    Conflict,
    Deleted,
    Exists,
    Listed,
    Read,
    Rejected,
    Reply,
    TimedOut,
    Written,
)

__all__ = [
    "DONE",
    "Absent",
    "Actor",
    "Budgets",
    "Conflict",
    "Create",
    "Delete",
    "Deleted",
    "Exists",
    "Exploration",
    "Explorer",
    "Findings",
    "Flow",
    "Get",
    "Intent",
    "List",
    "Listed",
    "Model",
    "ModelError",
    "Objects",
    "Overwrite",
    "Read",
    "Rejected",
    "Replace",
    "Reply",
    "Row",
    "Stored",
    "TimedOut",
    "TooLarge",
    "Written",
    "all_of",
    "explore",
    "invariants",
    "remember",
    "stored",
]
