"""Several endpoints of one plan at once: the middle of a round, from the first `tree` to `list`.

A round may be left at any place and begun there again, for a flow knows nothing else. So the round
is left at its first `tree`, every endpoint that is left is walked by a flow of its own, a few at a
time, and where all are live the round goes on at `list`. Why this is safe: the rules of safety say
something of each endpoint for itself, all that a flow writes from `tree` to `flip` is one
endpoint's, and to that endpoint what its lane does is an ordinary round, in which the check came
earlier and the list comes later. What is asked of the whole Region stays where it was: the check
before all lanes, list and deletes after all.

Lanes are not held and report no steps: in a Region with holds there is one lane, which is none.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from holdfast.core.intents import Intent, Reach
from holdfast.core.objects import EndpointPlan
from holdfast.core.places import PLACES, AtList, AtPick, AtTree, Place
from holdfast.core.replies import Passed, Reply
from holdfast.core.rounds import Deferred, Flow, Round


@dataclass(frozen=True, slots=True)
class Host:
    """What lanes need of the role whose round it is."""

    width: Callable[[], int]
    """How many lanes there may be now."""
    begin: Callable[[Place], Flow]
    """A flow from a place on, by the rules of now."""
    perform: Callable[[Intent], Awaitable[Reply]]
    until_due: Callable[[Place], Awaitable[Place]]
    """Waits while nothing may be begun there. Where to begin then."""
    defer: Callable[[Deferred, int], float]
    """Notes a deferral, the number of those in a row, and says for how many seconds it is."""


async def apply(host: Host, here: Place) -> Round:
    """One round from a place on. As many lanes as the host is wide; it is asked at each step, and
    with a width of one nothing is parted."""
    while True:
        found = await walk(host.begin(here), host.perform, lambda at: _parts(host, at))
        if not isinstance(found, AtTree):
            assert not isinstance(found, PLACES), found
            return found
        ended = await Lanes(host, found).run()
        if not isinstance(ended, AtList):
            return ended
        here = ended


async def walk(
    flow: Flow, perform: Callable[[Intent], Awaitable[Reply]], leaves: Callable[[Place], bool]
) -> Place | Round:
    """Run a flow to its end, or to the first place where it is to be left."""
    try:
        intent = next(flow)
        while True:
            at = intent.memory if isinstance(intent, Reach) else None
            if isinstance(at, PLACES) and leaves(at):
                flow.close()
                return at
            intent = flow.send(await perform(intent))
    except StopIteration as stop:
        outcome: Round = stop.value
        return outcome


def _parts(host: Host, at: Place) -> bool:
    return isinstance(at, AtTree) and host.width() > 1 and len(_rest(at)) > 1


def _rest(at: AtTree) -> tuple[EndpointPlan, ...]:
    """What is left of a plan from its endpoint on."""
    names = [e.endpoint for e in at.plan.endpoints]
    return at.plan.endpoints[names.index(at.endpoint) :]


class Lanes:
    """What is left of a plan at one of its trees, in lanes."""

    def __init__(self, host: Host, at: AtTree) -> None:
        self._host, self._plan = host, at.plan
        self._left = deque(_rest(at))
        self._over = asyncio.Event()
        self._outcome: Round | None = None

    async def run(self) -> AtList | Round:
        """Where the round goes on when all are live; else what came of the first lane that could
        not go on. The others finish the endpoint at which they are."""
        lanes = min(self._host.width(), len(self._left))
        async with asyncio.TaskGroup() as group:
            for _ in range(lanes):
                group.create_task(self._lane())
        return self._outcome or AtList(self._plan.generation)

    async def _lane(self) -> None:
        while self._left:
            if self._host.width() == 1:
                again = AtPick(self._plan.generation - 1)
                self._end(Deferred(again, "one lane from now on"))
                return
            await self._endpoint(self._left.popleft())

    async def _endpoint(self, wanted: EndpointPlan) -> None:
        """Walk one endpoint until it is live, from wherever it has to wait."""
        here: Place = AtTree(replace(self._plan, endpoints=(wanted,)), wanted.endpoint)
        attempts = 0
        while True:
            here = await self._host.until_due(here)
            if self._over.is_set():
                return
            if isinstance(here, AtPick):
                self._end(Deferred(here, "frozen meanwhile"))
                return
            found = await walk(self._host.begin(here), self._perform, _is_through)
            if isinstance(found, PLACES):
                return
            if not isinstance(found, Deferred) or isinstance(found.then, AtPick):
                self._end(found)
                return
            here, attempts = found.then, attempts + 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._host.defer(found, attempts)):
                    await self._over.wait()
                    return

    async def _perform(self, intent: Intent) -> Reply:
        if isinstance(intent, Reach):
            return Passed(time.time())
        return await self._host.perform(intent)

    def _end(self, outcome: Round) -> None:
        self._outcome = self._outcome or outcome
        self._over.set()


def _is_through(at: Place) -> bool:
    return isinstance(at, AtList)
