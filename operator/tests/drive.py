"""Drives flows over the fake: to the end, to a step, or to a cut after any reply."""

from collections.abc import Generator
from typing import Generic, TypeVar

from holdfast.core.intents import Intent, Reach, Step
from holdfast.core.objects import EndpointPlan, FrontEnd, Plan
from holdfast.core.replies import Reply
from holdfast.fake import FakeApi

R = TypeVar("R")


def plan(generation: int, *endpoints: str, addresses: tuple[str, ...] = ("10.0.0.1",)) -> Plan:
    fleet = tuple(FrontEnd(a, 100) for a in addresses)
    return Plan(generation, tuple(EndpointPlan(e, fleet) for e in endpoints or ("dynamodb",)))


class Driven(Generic[R]):
    """A flow somewhere between two yields. `outcome` is set once it has ended."""

    def __init__(self, flow: Generator[Intent, Reply, R], api: FakeApi) -> None:
        self.flow, self.api = flow, api
        self.outcome: R | None = None
        self.intents: list[Intent] = []
        self.pending: Intent | None = next(flow)

    def advance(self, now: float = 0.0, reply: Reply | None = None) -> None:
        """Perform the pending intent (or answer it with `reply`) and go on to the next."""
        assert self.pending is not None
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

    def finish(self, now: float = 0.0) -> R:
        while self.pending is not None:
            self.advance(now)
        assert self.outcome is not None
        return self.outcome
