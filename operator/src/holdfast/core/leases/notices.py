"""What people are to hear of a lease manager: what has grown of its figures, told with numbers.

State checks are many, and each is a refusal or none: a look about once a second tells what has been
refused, was lost or won nothing since the one before. A reason is loud when it begins or when what
is behind it changes, every `LOUD_SECONDS` at most; while it goes on it is counted.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from holdfast.core.leases.attempt import Outcome, Why
from holdfast.core.leases.fleet import Mode
from holdfast.core.leases.manager import Figures, Manager, end_of
from holdfast.core.leases.rules import queue_bound
from holdfast.core.reasons import Notice, Reason

LOUD_SECONDS = 30.0
"""Between two loud notices of one reason."""
LULL_SECONDS = 10.0
"""What has not grown for so long has ended: it begins anew."""
CAUSE_SECONDS = 10.0
"""What keeps leases from being held is judged by the work of so many seconds."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a manager looks like, besides its figures. `units`: leases, or racks of them. `held`: of
    these. `admits`: the bound of the guard, `throttle`: that of a human, None for none.
    `last_failure`: `<lease>: <why>: <in words>` of the last attempt that won nothing."""

    zone: str
    noun: str
    held: int
    units: int
    queue: int
    under_way: int
    oldest: float
    admits: int
    throttle: int | None
    timeout: float
    period: float
    last_failure: str = ""

    @property
    def holds_all(self) -> bool:
        return self.held >= self.units


def sight_of(zone: str, manager: Manager, now: float, held: int, last_failure: str) -> Sight:
    fleet = manager.fleet
    return Sight(
        zone=zone,
        noun="racks" if fleet.mode is Mode.RACK else "leases",
        held=held,
        units=len(manager.names),
        queue=len(manager.queue),
        under_way=manager.under_way,
        oldest=manager.oldest(now),
        admits=queue_bound(fleet),
        throttle=fleet.admit_at_most,
        timeout=fleet.timeout,
        period=fleet.period,
        last_failure=last_failure,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that stands for so many of its kind."""

    notice: Notice
    times: int


@dataclass(frozen=True, slots=True)
class _Line:
    """How a figure is told. `gist`: what is behind it: where that changes it is loud again."""

    reason: Reason
    text: str
    guard: str = ""
    gist: str = ""


_DROPPER = "{dropper}"
_LINES: Mapping[str, _Line] = {
    "full": _Line(
        Reason.LEASE_QUEUE_FULL,
        "{checks} of {zone} not queued: {admits} are admitted, {queue} wait and {under_way} are "
        "under way now (leases.admission=QueueBound)",
        "leases.admission=QueueBound",
        "{admits}",
    ),
    "throttled": _Line(
        Reason.LEASE_THROTTLED,
        "{checks} of {zone} not queued: a human lets {throttle} wait or be under way, {queue} wait "
        "and {under_way} are under way now (spec.fleet.admitAtMost)",
        gist="{throttle}",
    ),
    "dropped": _Line(
        Reason.LEASE_WORK_DROPPED,
        "{checks} of {zone} dropped: {dropped_as}",
        _DROPPER,
        "{dropped_as}",
    ),
    "denied_retries": _Line(
        Reason.LEASE_RETRY_DENIED,
        "{checks} of {zone} not tried again: the budget of retries is spent "
        "(leases.retry=BudgetedJitter)",
        "leases.retry=BudgetedJitter",
    ),
    "deduped": _Line(
        Reason.LEASE_ALREADY_QUEUED,
        "{checks} of {zone} left out: the same lease's waits, or is under way, already "
        "(leases.dedupe=ByDroplet)",
        "leases.dedupe=ByDroplet",
    ),
    "failed": _Line(Reason.LEASE_ATTEMPT_FAILED, "{checks} of {zone} failed{last}", gist="{why}"),
    "late": _Line(
        Reason.LEASE_ATTEMPT_LATE,
        "{checks} of {zone} came too late for their {timeout:g} s: {queue} wait, the oldest for "
        "{oldest:.1f} s",
    ),
    "theirs": _Line(
        Reason.LEASE_OF_ANOTHER, "{checks} of {zone} found leases that another holds{last}"
    ),
    "conflicts": _Line(
        Reason.LEASE_WRITE_CONFLICT, "{checks} of {zone} lost the write to another (409){last}"
    ),
    "resets": _Line(
        Reason.LEASE_TIMERS_RESET,
        "{zone} has an answer again: {units} heartbeats begin anew, over {period:g} s, and what "
        "ran out meanwhile is renewed (leases.grace=ResetTimers)",
    ),
    "lost": _Line(
        Reason.LEASES_LOST, "{count} {noun} of {zone} lost: {held} of {units} are held{cause}"
    ),
}
"""By the names of `Figures`, in the order in which they are told."""

_CAUSES: Mapping[str, str] = {
    "failed": "failed",
    "late": "came too late",
    "theirs": "found leases that another holds",
    "conflicts": "lost the write to another",
}
_HINDRANCES: Mapping[str, str] = {
    "throttled": "were not queued, by a human's throttle",
    "full": "were not queued, by leases.admission",
    "dropped": "were dropped",
    "denied_retries": "were not tried again",
}
"""What keeps leases from being held when no attempt does."""


@dataclass(slots=True)
class _Voice:
    """Of one reason. `untold`: since the last loud notice. `waits`: it is to be loud when it may.
    Times in seconds."""

    gist: str = ""
    untold: int = 0
    waits: bool = False
    grew: float = float("-inf")
    loud: float = float("-inf")

    def hear(self, now: float, times: int, gist: str) -> bool:
        """Whether to be loud."""
        self.waits |= now - self.grew > LULL_SECONDS or gist != self.gist
        self.untold += times
        self.grew, self.gist = now, gist
        return self.waits and now - self.loud >= LOUD_SECONDS

    def speak(self, now: float) -> int:
        """For how many a loud notice stands."""
        times, self.untold = self.untold, 0
        self.loud, self.waits = now, False
        return times


class LeaseWitness:
    """Of one manager's process. `grown`: by how much the figures have, at the last look."""

    def __init__(self) -> None:
        self.grown: Mapping[str, int] = {}
        self._before: Mapping[str, int] = asdict(Figures())
        self._voices: dict[Reason, _Voice] = {}
        self._failures: dict[str, tuple[str, str]] = {}
        self._recent: deque[tuple[float, Mapping[str, int]]] = deque()

    def look(self, now: float, figures: Figures, sight: Sight) -> list[Told]:
        """A notice for each figure that has grown since the last look; `times` is by how much, and
        a loud one's message counts from the last loud one. `now` in seconds of any clock that does
        not jump."""
        counts: Mapping[str, int] = asdict(figures)
        if any(counts[name] < self._before[name] for name in counts):
            self._before = dict.fromkeys(counts, 0)  # another manager, which counts from 0
        self.grown = {name: counts[name] - self._before[name] for name in counts}
        self._before = counts
        if sight.last_failure:
            figure, why = _behind(sight.last_failure)
            self._failures[figure] = why, sight.last_failure
        self._recent.append((now, self.grown))
        while self._recent[0][0] <= now - CAUSE_SECONDS:
            self._recent.popleft()
        return [self._told(now, name, sight) for name in _LINES if self.grown[name]]

    def state(self, sight: Sight) -> Notice:
        """Whether all leases are held, for a condition."""
        if sight.holds_all:
            told = f"all {sight.units} {sight.noun} of {sight.zone} are held"
            return Notice(Reason.ALL_HELD, told, blocks=False)
        told = f"{sight.held} of {sight.units} {sight.noun} of {sight.zone} are held"
        return Notice(Reason.LEASES_LOST, told + self._cause(), blocks=False)

    def _told(self, now: float, name: str, sight: Sight) -> Told:
        line, times = _LINES[name], self.grown[name]
        says = self._words(name, sight)
        voice = self._voices.setdefault(line.reason, _Voice())
        loud = voice.hear(now, times, line.gist.format(**says))
        count = voice.speak(now) if loud else times
        message = line.text.format(**says, count=count, checks=_checks(count))
        guard = line.guard.format(**says)
        return Told(Notice(line.reason, message, loud=loud, guard=guard, blocks=False), times)

    def _words(self, name: str, sight: Sight) -> dict[str, object]:
        why, last = self._failures.get(name, ("", ""))
        dropper, dropped_as = self._dropper(sight)
        return asdict(sight) | {
            "why": why,
            "last": f", at last {last}" if last else "",
            "cause": self._cause(),
            "dropper": dropper,
            "dropped_as": dropped_as,
        }

    def _dropper(self, sight: Sight) -> tuple[str, str]:
        """The guard that has dropped work, and how."""
        if self.grown["restarts"]:
            return "", "a human had the memory dropped (holdfast leases restart)"
        if self.grown["resets"]:
            guard = "leases.grace=ResetTimers"
            return guard, f"heartbeats begin anew ({guard})"
        guard = "leases.expired=Drop"
        return guard, f"too old to end within {sight.timeout:g} s of their queueing ({guard})"

    def _cause(self) -> str:
        """What mostly keeps leases from being held; "" if nothing does."""
        for words in (_CAUSES, _HINDRANCES):
            sums = {name: sum(grown[name] for _, grown in self._recent) for name in words}
            most = max(sums, key=lambda name: sums[name])
            if sums[most]:
                _, last = self._failures.get(most, ("", ""))
                said = f"; {_checks(sums[most])} of the last {CAUSE_SECONDS:.0f} s {words[most]}"
                return said + (f", at last {last}" if last else "")
        return ""


def _behind(last_failure: str) -> tuple[str, str]:
    """The figure that an attempt's failure is counted in, and the word for it."""
    parts = last_failure.split(": ")
    why: Why = parts[1] if len(parts) > 1 else parts[0]  # type: ignore[assignment]
    end = end_of(Outcome(why))
    return ("conflicts" if end == "conflict" else end), why


def _checks(count: int) -> str:
    return "1 state check" if count == 1 else f"{count} state checks"
