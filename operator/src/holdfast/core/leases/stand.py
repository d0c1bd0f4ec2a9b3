"""Where a lease manager stands still: before the write of a state check, which is then decided.

A process that is stopped and goes on writes what was true before. Whether another has the lease by
then it cannot know; the resourceVersion that it has read can. While the manager stands, none of its
attempts writes and nothing is begun, as of a process that the kernel has stopped; its watches go
on, for a hold is let go by what they bring.
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.core.holds import ActorView, Hold, Names, catcher, reporter


class Stand:
    """Of one process. `view` is what it reports: it tells of itself once it is caught. A hold that
    has caught another process of the zone catches nobody else."""

    def __init__(self, zone: str) -> None:
        self.view = ActorView(reporter("leases", zone))

    @property
    def is_held(self) -> bool:
        return self.view.hold != ""

    def arrive(
        self,
        lease: str,
        holds: tuple[Hold, ...],
        actors: Mapping[str, ActorView],
        names: Names,
    ) -> Hold | None:
        """Come to the write of a lease: the hold that catches, if one does. `actors` as the
        Region's status has them, `names` what its managers tell of their leases."""
        if not any(h.actor == self.view.zone and not h.released for h in holds):
            return None
        told = actors.get(self.view.zone)
        others = tuple(h for h in told.caught if h not in self.view.caught) if told else ()
        self.view = replace(
            self.view, step="write", endpoint=lease, caught=(*self.view.caught, *others)
        )
        hold = catcher(holds, self.view, actors, 0, names)
        if hold is not None:
            self.view = replace(self.view, hold=hold.name, caught=(*self.view.caught, hold.name))
        return hold

    def let_go(self) -> None:
        self.view = replace(self.view, hold="", let_go=True)
