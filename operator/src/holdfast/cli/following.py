"""Follows an answer until customers get it: at the authoritative servers, then at the resolver,
which keeps the empty answer until its time has passed."""

import asyncio
import time

from holdfast.cli.narrator import listed
from holdfast.cli.servers import Servers
from holdfast.cli.teller import Teller
from holdfast.core.objects import Family
from holdfast.live.resolver import Response, Server, ask

AUTHORITATIVE_SECONDS, RESOLVER_SECONDS = 30.0, 150.0
"""A negative answer is kept for a minute here; what was asked for just before doubles that."""
PAUSE_SECONDS = (0.02, 0.5)


async def until_served(
    teller: Teller, asked: Servers, name: str, family: Family, tree: str
) -> bool:
    """True once both have answered with addresses, the authoritative servers with those of `tree`.
    What cannot be asked is said and left out."""
    if not asked.authoritative:
        teller.say(f"the authoritative server was not asked: {asked.how}")
    for number, server in enumerate(dict.fromkeys(asked.authoritative), start=1):
        label = "the authoritative server" + (f" {number}" if number > 1 else "")
        if not await _until(teller, label, server, name, family, tree, AUTHORITATIVE_SECONDS):
            return False
    if asked.resolver is None:
        teller.say("the customers' resolver is not published here, and was not asked")
        return True
    resolver = asked.resolver
    return await _until(teller, "the resolver", resolver, name, family, "", RESOLVER_SECONDS)


async def _until(
    teller: Teller, label: str, server: Server, name: str, family: Family, tree: str, most: float
) -> bool:
    """`tree` "": any answer with addresses will do."""
    end, pause, told = time.monotonic() + most, PAUSE_SECONDS[0], ""
    while True:
        said = await ask(server, name, family)
        if said.addresses and tree in ("", said.tree):
            teller.say(f"{label} answers: {listed(said.addresses)}, from {said.tree}")
            return True
        if time.monotonic() > end:
            teller.say(f"{label} still says, after {most:.0f} s: {spoken(said)}")
            return False
        if spoken(said, bare=True) != told:
            told = spoken(said, bare=True)
            teller.say(f"{label} says {spoken(said)}")
        teller.doing(f"{label} says {spoken(said)}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, PAUSE_SECONDS[1])


def spoken(said: Response, *, bare: bool = False) -> str:
    """An answer in words; `bare`: without the seconds."""
    if not said.rcode:
        return "nothing"
    if said.addresses:
        return f"{listed(said.addresses)}, from {said.tree or 'no tree'}"
    kept = f", kept for {said.kept_seconds} s more at most" if said.kept_seconds else ""
    return f"{said.rcode}, 0 addresses{'' if bare else kept}"
