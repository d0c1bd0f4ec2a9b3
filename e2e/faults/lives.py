"""The lives of a plan in which faults are tried."""

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What has the planner append."""

    FRONT_END = "a front end"
    REGION = "the Region"
    SERVERS = "the DNS servers' slice, and a front end"


@dataclass(frozen=True, slots=True)
class Life:
    """`first` is the generation of the first plan, `calm` how many are applied before the one under
    test, `overtaking` how many while a late write of it is still on its way."""

    name: str
    first: int = 7
    calm: int = 3
    enactors: int = 1
    change: Change = Change.FRONT_END
    overtaking: int = 0

    @property
    def under_test(self) -> int:
        return self.first + self.calm


LATER = Life("a later plan")
"""Plan 10, so that the planner trims its history, too."""
FIRST = Life("the first plan", first=1, calm=0)
OVERTAKEN = Life("overtaken", overtaking=3)
PAIR = Life("two enactors", enactors=2)
EDITED = Life("the Region edited", change=Change.REGION)
MOVED = Life("the DNS servers moved", change=Change.SERVERS)
LIVES = (LATER, FIRST, OVERTAKEN, PAIR, EDITED, MOVED)
