"""Every case of the sweep: a static list, so that the table in docs can be held against it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from e2e.faults.harm import AnyFault, ClockFault, Fault, Harm, Jump, WatchFault, WatchHarm
from e2e.faults.lives import EDITED, FIRST, LATER, MOVED, OVERTAKEN, PAIR, Life

_DECOUPLED = {"rollback": "Decoupled"}
GUARDS: Mapping[str, Mapping[str, str]] = {
    "CheckOnce, ByAge": {"fence": "CheckOnce", "cleanup": "ByAge", **_DECOUPLED},
    "Generation, ByAge": {"fence": "Generation", "cleanup": "ByAge", **_DECOUPLED},
    "Generation, PinLive": {"fence": "Generation", "cleanup": "PinLive", **_DECOUPLED},
}
CHECK_ONCE, GENERATION, PIN_LIVE = GUARDS

PLANNER = "planner"
ENACTOR = "enactor-a"

PLANNED = ("create plan", "delete plan -4", "report")
ENACTED: Mapping[str, tuple[str, ...]] = {
    CHECK_ONCE: ("create tree", "create slice", "take lock", "flip", "delete tree -2"),
    GENERATION: ("create tree", "create slice", "flip", "delete tree -2"),
    PIN_LIVE: ("create tree", "create slice", "pin", "flip", "unpin -2", "delete tree -3"),
}
"""The effective writes of a later plan's life, in order. A run without faults must show these."""

FIRST_PLANNED = ("create plan", "report")
FIRST_ENACTED = ("create tree", "create slice", "pin", "create alias")
"""With `PinLive`. The alias is born with the first plan, in all rungs alike."""

WATCHES = (
    (PLANNER, "pods", LATER),
    (PLANNER, "regions", EDITED),
    (ENACTOR, "regions", EDITED),
    (ENACTOR, "dnsplans", LATER),
    (ENACTOR, "endpointslices", MOVED),
)
"""Who watches what, and the life in which it has news."""

AMONG_TWO = (Harm.CRASH_AFTER, Harm.LOST_REPLY, Harm.DELAY)
STEPS = ("pick", "check", "tree", "turn", "read", "flip", "list", "delete")


@dataclass(frozen=True, slots=True)
class Case:
    """`what` is the write that is struck, the watch (`process: resource`), or the step at which the
    clock jumps."""

    guards: str
    life: Life
    what: str
    harm: Harm | WatchHarm | Jump

    @property
    def name(self) -> str:
        return f"{self.guards}: {self.life.name}: {self.what}: {self.harm}"

    @property
    def fault(self) -> AnyFault:
        if isinstance(self.harm, Jump):
            return ClockFault(self.what, self.harm, ENACTOR)
        if isinstance(self.harm, WatchHarm):
            process, _, resource = self.what.partition(": ")
            return WatchFault(resource, process, self.harm)
        process = ENACTOR if self.life is PAIR else ""
        return Fault(self.what, self.harm, process=process, alone=self.life is PAIR)

    @property
    def is_long(self) -> bool:
        return self.harm is Harm.DELAY


def _cases() -> Iterator[Case]:
    for guards in GUARDS:
        writes = PLANNED + ENACTED[guards]
        for what in writes:
            yield from (Case(guards, LATER, what, harm) for harm in Harm)
        yield from (Case(guards, OVERTAKEN, what, Harm.DELAY) for what in writes)
        for what in ENACTED[guards]:
            if not what.startswith("unpin"):  # whether the one that is struck has a pin is chance
                yield from (Case(guards, PAIR, what, harm) for harm in AMONG_TWO)
        for process, resource, life in WATCHES:
            what = f"{process}: {resource}"
            yield from (Case(guards, life, what, harm) for harm in WatchHarm)
        for step in STEPS:
            yield from (Case(guards, PAIR, step, jump) for jump in Jump)
    for what in FIRST_PLANNED + FIRST_ENACTED:
        yield from (Case(PIN_LIVE, FIRST, what, harm) for harm in Harm)


CASES = tuple(_cases())
