"""Acts of a Scenario's timeline: what the scenario role does while an arm runs.

An operator on call with a reaction time, who enters a command of ours; and processes that are
scaled away, doubled and given back. Each happens once, when its condition has been true for as long
as the reaction takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from holdfast.core.holds import ActorView, Condition, Names, condition_of, is_met

Command: TypeAlias = Literal["override", "freeze", "thaw", "throttle", "restart"]
Role: TypeAlias = Literal["planner", "enactor", "store", "rack", "leases"]
OF_LEASES = frozenset({"throttle", "restart"})
LEASE_ROLES = frozenset({"rack", "leases"})
"""What there is in a Region with a fleet alone."""
NOBODY = ActorView("")


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator enters. `plan` 0: the newest; `addresses` instead of a plan's. Of leases: a
    throttle of 0 lifts it; a restart of no zone is of all."""

    command: Command
    endpoint: str = ""
    plan: int = 0
    addresses: tuple[str, ...] = ()
    freeze: bool = True
    admit_at_most: int = 0
    zone: str = ""

    @property
    def group(self) -> str:
        """Of the commands of `holdfast`."""
        return "leases" if self.command in OF_LEASES else "dns"

    def words(self) -> list[str]:
        """The command line after `holdfast dns` or `holdfast leases`."""
        if self.command == "throttle":
            return ["throttle", f"--at-most={self.admit_at_most}"]
        if self.command == "restart":
            return ["restart", *([f"--zone={self.zone}"] if self.zone else [])]
        if self.command != "override":
            return [self.command, f"--why=scripted {self.command}"]
        words = ["override", self.endpoint, "--why=scripted override", "--no-wait"]
        if self.addresses:
            words.append(f"--addresses={','.join(self.addresses)}")
        elif self.plan:
            words.append(f"--plan={self.plan}")
        else:
            words.append("--plan=newest")
        return words if self.freeze else [*words, "--no-freeze"]


@dataclass(frozen=True, slots=True)
class Scale:
    """So many processes of a role; of all zones if none is named."""

    role: Role
    replicas: int
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    does: Order | Scale
    when: Condition
    reaction_seconds: float = 0.0


def act_of(name: str, raw: Mapping[str, Any]) -> Act:
    """From an entry of a timeline that is no hold."""
    does: Order | Scale
    if "operator" in raw:
        told = raw["operator"]
        does = Order(
            command=told["command"],
            endpoint=str(told.get("endpoint", "")),
            plan=int(told.get("plan", 0)),
            addresses=tuple(told.get("addresses") or ()),
            freeze=bool(told.get("freeze", True)),
            admit_at_most=int(told.get("admitAtMost", 0)),
            zone=str(told.get("zone", "")),
        )
    else:
        told = raw["scale"]
        does = Scale(told["role"], int(told["replicas"]), str(told.get("zone", "")))
    return Act(name, does, condition_of(raw.get("when")), float(raw.get("reactionSeconds", 0)))


@dataclass(slots=True)
class ActWatch:
    """What became of each act of an arm, by its name. Times in seconds since its first plan."""

    met: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def due(
        self,
        now: float,
        acts: tuple[Act, ...],
        actors: Mapping[str, ActorView],
        newest_plan: int,
        names: Names,
    ) -> tuple[Act, ...]:
        """The acts to begin now. A condition that was true once starts the reaction."""
        out = []
        for act in acts:
            if act.name in self.begun:
                continue
            if act.name not in self.met and is_met(
                act.when, NOBODY, actors, newest_plan, now, names
            ):
                self.met[act.name] = now
            if act.name in self.met and now - self.met[act.name] >= act.reaction_seconds:
                self.begun[act.name] = now
                out.append(act)
        return tuple(out)

    def last(self, began: float, acts: tuple[Act, ...]) -> float | None:
        """When the last act was done, `began` without any; None while there is one to come."""
        if any(a.name not in self.done for a in acts):
            return None
        return max([began, *self.done.values()])

    def undone(self, acts: tuple[Act, ...]) -> tuple[str, ...]:
        return tuple(a.name for a in acts if a.name not in self.done)
