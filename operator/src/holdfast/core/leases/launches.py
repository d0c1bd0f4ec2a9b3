"""The instances of an arm, as an outsider sees them: who launches what, and what came of it.

Every arm with a fleet has a customer in each zone whose instance runs before anything happens: it
shows that a dead control loop leaves alone what runs. Once half of the leases are lost another
comes, late: it shows what cannot be had meanwhile. Times `t` are seconds since the first plan.
"""

from typing import Any, TypeAlias

from holdfast.core.leases.instances import INSUFFICIENT, Instance

Json: TypeAlias = dict[str, Any]


class Launches:
    """Of one arm, in these zones."""

    def __init__(self, zones: tuple[str, ...]) -> None:
        self.touched_at: float | None = None
        """When a running instance was first changed although it was to run."""
        self._due = {f"customer-{zone}": Instance(f"customer-{zone}", zone) for zone in zones}
        self._late = {f"late-{zone}": Instance(f"late-{zone}", zone) for zone in zones}
        self._seen: dict[str, Instance] = {}
        self._asked: dict[str, float] = {}
        self._launched: dict[str, float] = {}
        self._refused: set[str] = set()

    def due(self, is_dark: bool) -> tuple[Instance, ...]:
        """What customers launch now, until it is told as made. `is_dark`: half of the leases are
        lost, or more."""
        if is_dark:
            self._due |= self._late
            self._late = {}
        return tuple(self._due.values())

    def made(self, name: str) -> None:
        self._due.pop(name, None)

    def seen(self, t: float, instance: Instance, was_whole: bool, gone: bool = False) -> None:
        """An instance, as its watch shows it. `was_whole`: all leases were held once, so that
        launches asked for from now on tell of what was lost."""
        uid, status = instance.uid, instance.status
        if gone:
            self._seen.pop(uid, None)
            return
        before = self._seen.get(uid)
        self._seen[uid] = instance
        if before is None and was_whole:
            self._asked[uid] = t
        if uid in self._asked and status.says(INSUFFICIENT):
            self._refused.add(uid)
        if status.phase == "Running":
            self._launched.setdefault(uid, t)
        if before is None or before.status.phase != "Running":
            return
        was = before.status.phase, before.status.droplet
        is_to_run = before.action == instance.action == "Run"
        if is_to_run and was != (status.phase, status.droplet) and self.touched_at is None:
            self.touched_at = t

    def document(self) -> Json:
        """`leases.instances` of the result document."""
        found: Json = {
            "running": sum(i.status.phase == "Running" for i in self._seen.values()),
            "refused": len(self._refused),
        }
        took = [self._launched[uid] - t for uid, t in self._asked.items() if uid in self._launched]
        if took:
            found["launchedAfterSeconds"] = round(max(took), 2)
        return found
