"""A drill: what a person on call did about an empty name, judged from what others can see.

The steps are the runbook's. A step is judged by what it leaves behind (a freeze, a plan, a guard),
never by what was typed, so whoever has only kubectl does as well. That somebody has looked leaves
nothing behind: it is said to be not observable, and neither done nor missed.

Times are seconds of the epoch on the observer's clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from holdfast.core.freeze import Freeze, is_frozen
from holdfast.core.guards import DnsGuards, effective
from holdfast.core.invariants import Invariant
from holdfast.core.ledger import OPERATOR
from holdfast.core.objects import Alias
from holdfast.core.verdict import HOLDS

Server: TypeAlias = Literal["authoritative", "resolver"]
SERVERS: tuple[Server, ...] = ("authoritative", "resolver")


class Step(StrEnum):
    LOOK = "look"
    FREEZE = "freeze"
    OVERRIDE = "override"
    VERIFY = "verify"
    """Both servers answer, before anything is given back."""
    GUARD = "guard"
    """One that would have held is on, before the thaw lets the same happen again."""
    THAW = "thaw"
    CONVERGE = "converge"
    """Automation has put a newer plan in the place of the person's."""


class Done(StrEnum):
    DONE = "done"
    MISSED = "missed"
    OUT_OF_ORDER = "outOfOrder"
    NOT_OBSERVABLE = "notObservable"


# --- what is seen, in the order in which it was --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """`good`: with addresses. No answer at all says nothing of the name, and is no sight."""

    t: float
    server: Server
    good: bool


@dataclass(frozen=True, slots=True)
class RegionNow:
    t: float
    freeze: Freeze | None
    guards: DnsGuards


@dataclass(frozen=True, slots=True)
class AliasNow:
    t: float
    alias: Alias


@dataclass(frozen=True, slots=True)
class PlanMade:
    t: float
    generation: int


Sight: TypeAlias = Answered | RegionNow | AliasNow | PlanMade


# --- what is said of it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepDone:
    """`seconds` since the first empty answer; None if it was not done."""

    step: Step
    done: Done
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`empty_at` None: the name was never empty. `recovered`: seconds since the first empty answer
    until the server answered for good. `is_over`: there is nothing left to do."""

    empty_at: float | None
    recovered: Mapping[Server, float | None]
    steps: tuple[StepDone, ...]
    is_over: bool

    def of(self, done: Done) -> tuple[Step, ...]:
        return tuple(s.step for s in self.steps if s.done is done)

    @property
    def passed(self) -> bool:
        return self.is_over and not self.of(Done.MISSED) and not self.of(Done.OUT_OF_ORDER)


@dataclass(slots=True)
class _Story:
    """The sights so far. Times None: not yet, or not any more."""

    empty_at: float | None = None
    good_since: dict[Server, float | None] = field(default_factory=dict)
    frozen_at: float | None = None
    region_frozen_at: float | None = None
    thawed_at: float | None = None
    override_at: float | None = None
    override: int = 0
    guard_at: float | None = None
    converged_at: float | None = None
    newest: int = 0
    region: RegionNow | None = None
    aliases: dict[str, Alias] = field(default_factory=dict)

    def see(self, sight: Sight) -> None:
        match sight:
            case Answered(t, server, good):
                self._answered(t, server, good)
            case PlanMade(_, generation):
                self.newest = max(self.newest, generation)
            case RegionNow(t, _, guards):
                self.region = sight
                if not would_hold(guards):
                    self.guard_at = None
                elif self.guard_at is None:
                    self.guard_at = t
            case AliasNow(t, alias):
                self._overridden(t, alias)
                self.aliases[alias.endpoint] = alias
        self.pass_by(sight.t)

    def _answered(self, t: float, server: Server, good: bool) -> None:
        if not good:
            if server == "authoritative" and self.good_since.get(server) is not None:
                self.empty_at = self.empty_at or t
            self.good_since[server] = None
        elif self.good_since.get(server) is None:
            self.good_since[server] = t

    def _overridden(self, t: float, alias: Alias) -> None:
        """By the name that the writer leaves; or the alias was frozen, which stops all others."""
        before = self.aliases.get(alias.endpoint)
        if before is None or before.target == alias.target or self.empty_at is None:
            return
        if alias.writer.startswith(OPERATOR) or is_frozen(before.frozen, t):
            self.override_at, self.override = t, alias.generation

    def pass_by(self, now: float) -> None:
        """What time alone may change: a freeze passes."""
        if self.empty_at is None:
            return
        aliases = [is_frozen(a.frozen, now) for a in self.aliases.values()]
        if self.region_frozen(now):
            self.region_frozen_at = self.region_frozen_at or now
        if aliases and all(aliases):
            self.frozen_at = self.frozen_at or now
            self.thawed_at = None
        elif any(aliases) or self.region_frozen(now):
            self.thawed_at = None
        elif self.frozen_at is not None or self.region_frozen_at is not None:
            self.thawed_at = self.thawed_at or now
        self._converge(now)

    def region_frozen(self, now: float) -> bool:
        freeze = self.region.freeze if self.region else None
        return freeze is not None and freeze.until > now

    def is_frozen(self, now: float) -> bool:
        return self.region_frozen(now) or any(
            is_frozen(a.frozen, now) for a in self.aliases.values()
        )

    def _converge(self, now: float) -> None:
        """On the newest plan there is, which is not the person's any more."""
        done = (
            self.good_since.get("authoritative") is not None
            and not self.is_frozen(now)
            and bool(self.aliases)
            and all(a.generation >= self.newest > self.override for a in self.aliases.values())
        )
        if done and self.converged_at is None:
            self.converged_at = now
        elif self.is_frozen(now) or self.good_since.get("authoritative") is None:
            self.converged_at = None

    def recovered_at(self, server: Server) -> float | None:
        """A resolver that still had a good answer when it was lost never lost it."""
        since = self.good_since.get(server)
        return None if since is None or self.empty_at is None else max(since, self.empty_at)


def would_hold(guards: DnsGuards) -> bool:
    """Whether a guard is on that would have kept the name from being emptied."""
    on = {f"dns.{name}={rung}" for name, rung in effective(guards)["dns"].items()}
    return not on.isdisjoint(HOLDS[Invariant.NON_EMPTY])


def judge(sights: Iterable[Sight], now: float) -> Report:
    """What was done, when, and what was not, as of `now`."""
    story = _Story()
    for sight in sights:
        story.see(sight)
    story.pass_by(now)
    zero = story.empty_at
    recovered = {s: story.recovered_at(s) for s in SERVERS}
    verified = _latest(list(recovered.values()))
    steps = (
        StepDone(Step.LOOK, Done.NOT_OBSERVABLE, note="looking leaves nothing behind"),
        _step(zero, Step.FREEZE, story.frozen_at, story.override_at, "override", _partly(story)),
        _step(zero, Step.OVERRIDE, story.override_at, None, ""),
        _step(zero, Step.VERIFY, verified, story.thawed_at, "thaw", _unverified(recovered)),
        _step(zero, Step.GUARD, story.guard_at, story.thawed_at, "thaw"),
        _step(zero, Step.THAW, story.thawed_at, None, "", _unthawed(story, now)),
        _step(zero, Step.CONVERGE, story.converged_at, None, ""),
    )
    over = (
        verified is not None
        and not story.is_frozen(now)
        and story.guard_at is not None
        and story.converged_at is not None
    )
    seconds = {s: _since(zero, t) for s, t in recovered.items()}
    return Report(zero, seconds, steps, over)


def _step(
    zero: float | None,
    step: Step,
    at: float | None,
    before: float | None,
    what: str,
    note: str = "",
) -> StepDone:
    """`before`: when that was done which this step comes before."""
    if at is None:
        return StepDone(step, Done.MISSED, None, note)
    if before is not None and at > before:
        return StepDone(step, Done.OUT_OF_ORDER, _since(zero, at), f"after the {what}")
    return StepDone(step, Done.DONE, _since(zero, at))


def _since(zero: float | None, at: float | None) -> float | None:
    return None if zero is None or at is None else round(at - zero, 2)


def _latest(times: Sequence[float | None]) -> float | None:
    known = [t for t in times if t is not None]
    return max(known) if len(known) == len(times) else None


def _partly(story: _Story) -> str:
    return "the Region was, an alias was not" if story.region_frozen_at is not None else ""


def _unverified(recovered: Mapping[Server, float | None]) -> str:
    silent = [s for s, t in recovered.items() if t is None]
    return f"no answer with addresses yet: {', '.join(silent)}" if silent else ""


def _unthawed(story: _Story, now: float) -> str:
    return "it is frozen still" if story.is_frozen(now) else "nothing was ever frozen"
