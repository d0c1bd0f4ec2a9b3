"""Drives flows over the fake: to the end, to a step, or to a cut after any reply."""

from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

from holdfast.core.actor import Actor, Rules
from holdfast.core.enactor import enact
from holdfast.core.guards import SAFE, Cleanup, DnsGuards, Fence, Rollback, Switch
from holdfast.core.intents import (
    Create,
    Delete,
    Intent,
    Overwrite,
    PatchAlias,
    Reach,
    Replace,
    Step,
)
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Tree
from holdfast.core.replies import Reply
from holdfast.core.rounds import Round
from holdfast.fake import FakeApi

R = TypeVar("R")
A, B = Actor("us-east-1a", "us-east-1a/a"), Actor("us-east-1b", "us-east-1b/b")


def plan(generation: int, *endpoints: str, addresses: tuple[str, ...] = ("10.0.0.1",)) -> Plan:
    fleet = tuple(FrontEnd(a, 100) for a in addresses)
    return Plan(generation, tuple(EndpointPlan(e, fleet) for e in endpoints or ("dynamodb",)))


def rules(
    fence: Fence = Fence.CHECK_ONCE,
    rollback: Rollback = Rollback.COUPLED,
    retention: int = 2,
    cleanup: Cleanup = Cleanup.BY_AGE,
    **switches: Switch,
) -> Rules:
    """`switches`: the guards that are there or are not, by the names of their fields."""
    return Rules(DnsGuards(fence, cleanup, rollback, **switches), retention, lock_seconds=10.0)


def safe(retention: int = 2) -> Rules:
    return Rules(SAFE, retention, lock_seconds=10.0)


class Driven(Generic[R]):
    """A flow somewhere between two yields. `outcome` is set once it has ended."""

    def __init__(self, flow: Generator[Intent, Reply, R], api: FakeApi) -> None:
        self.flow, self.api = flow, api
        self.outcome: R | None = None
        self.intents: list[Intent] = []
        self.pending: Intent | None = next(flow)

    @property
    def waits(self) -> bool:
        """It stands at a Pick, and there is no plan for it."""
        return self.pending is not None and not self.api.ready(self.pending)

    def advance(self, now: float = 0.0, reply: Reply | None = None) -> None:
        """Perform the pending intent (or answer it with `reply`) and go on to the next."""
        assert self.pending is not None
        assert reply is not None or not self.waits, "it waits for a plan"
        self.intents.append(self.pending)
        answer = self.api.perform(self.pending, now) if reply is None else reply
        try:
            self.pending = self.flow.send(answer)
        except StopIteration as stop:
            self.outcome, self.pending = stop.value, None

    def to(self, step: Step, now: float = 0.0) -> "Driven[R]":
        """Go on until the flow stands at `step`."""
        while not (isinstance(self.pending, Reach) and self.pending.step == step):
            assert self.pending is not None, f"ended before {step}: {self.outcome}"
            self.advance(now)
        return self

    def to_intent(self, kind: type[Intent], now: float = 0.0) -> "Driven[R]":
        """Go on until the flow is about to ask for an intent of this kind."""
        while not isinstance(self.pending, kind):
            assert self.pending is not None, f"ended before {kind.__name__}: {self.outcome}"
            self.advance(now)
        return self

    def finish(self, now: float = 0.0) -> R:
        while self.pending is not None:
            self.advance(now)
        assert self.outcome is not None
        return self.outcome


def run(api: FakeApi, who: Actor, how: Rules, generation: int, now: float = 0.0) -> Round:
    """Publish plan `generation` if it is new and let `who` enact whatever is newest."""
    api.perform(Create(plan(generation)))
    return Driven(enact(who, how), api).finish(now)


def flips(writes: Iterable[Intent]) -> list[tuple[str, int]]:
    """Endpoint and generation of every write that moved an alias or gave birth to it, in order."""
    found: list[tuple[str, int]] = []
    for write in writes:
        match write:
            case Create(Alias() as alias) | Replace(Alias() as alias) | Overwrite(Alias() as alias):
                found.append((alias.endpoint, alias.generation))
            case PatchAlias(endpoint, generation=int(generation)):
                found.append((endpoint, generation))
    return found


def deletes(writes: Iterable[Intent]) -> list[str]:
    """The trees that were deleted, in order."""
    return [w.name for w in writes if isinstance(w, Delete) and w.kind is Tree]
