"""Where a person works: one Region, through one connection, with what was asked for."""

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

from holdfast.cli import record, word
from holdfast.cli.cluster import Home, way_in
from holdfast.cli.files import ForPeople
from holdfast.cli.narrator import Narrator
from holdfast.cli.servers import Servers
from holdfast.cli.teller import Teller
from holdfast.core.freeze import FOREVER, Freeze
from holdfast.core.intents import Intent
from holdfast.core.override import Failed
from holdfast.core.replies import Reply
from holdfast.live.api import Api
from holdfast.live.perform import Performer, drive

PATIENCE_SECONDS = 240.0
UNPROVED = (
    "Mend it, say where a server is with --dns-server HOST:PORT, or turn the alias without asking "
    "with --unproved"
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Wish:
    """The command line. None: not said. `endpoint` and what follows are for `override` alone."""

    who: str | None = None
    why: str | None = None
    until: str | None = None
    take_over: bool = False
    namespace: str | None = None
    kubeconfig: str | None = None
    endpoint: str = ""
    plan: str | None = None
    addresses: str | None = None
    freezes: bool = True
    proves: bool = True
    waits: bool = True
    dns_server: str | None = None


@dataclass(slots=True)
class Desk:
    """Where a person works: one Region, seen through one connection."""

    api: Api
    home: Home
    who: str
    wish: Wish
    teller: Teller

    async def drive(
        self, flow: Generator[Intent, Reply, R | Failed], asked: Servers | None = None
    ) -> R:
        """Run a flow, told; ForPeople if it fails. A flow tries again for as long as it is let."""
        asked = asked or Servers()
        performer = Performer(self.api, self.home.space, self.home.region.name, servers=asked)
        narrator = Narrator(performer, self.teller, asked.how)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                outcome = await drive(flow, narrator)
        except TimeoutError:
            raise ForPeople(
                f"not done after {PATIENCE_SECONDS:.0f} s: others were quicker each time. "
                "Freeze the Region first"
            ) from None
        if isinstance(outcome, Failed):
            reason = outcome.reason
            if "Forbidden" in reason:
                reason = f"{reason}. {way_in(self.home.space)}"
            if "is not served" in reason:
                reason = f"{reason}. {UNPROVED}"
            raise ForPeople(reason)
        return outcome

    async def leave(self, reason: str, message: str) -> None:
        wrong = await record.leave(self.api, self.home, reason, message, self.who)
        if wrong:
            self.teller.say(f"no Event was left on the Region: {wrong}")

    def word(self, why: str, *, keeps: bool = False) -> Freeze:
        """The freeze that is asked for. `keeps`: one that stands by our hand keeps its reason."""
        found, wish = self.home.region.freeze, self.wish
        stands = found is not None and found.who == self.who and found.until > time.time()
        order = Freeze(self.who, FOREVER, word.why(why))
        if found is not None and stands:
            order = found if keeps else replace(found, why=order.why)
        if wish.until is not None:
            order = replace(order, until=word.until(wish.until, time.time()))
        return order
