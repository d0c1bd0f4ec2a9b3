"""Tells what a human's flow does, from its intents and their replies."""

from collections.abc import Awaitable, Callable

from holdfast.cli.teller import Teller
from holdfast.core.freeze import is_freeze_lock
from holdfast.core.intents import Create, Get, Intent, List, Prove, Replace, Unpin
from holdfast.core.lock import parse_lock
from holdfast.core.objects import Alias, Plan, Tree
from holdfast.core.replies import Conflict, Exists, Listed, Proven, Read, Reply, Unproven, Written
from holdfast.core.tree import PROOF_DEADLINE_SECONDS

SHOWN = 4


class Narrator:
    """Performs intents by another's hand. `how`: which servers a proof asks."""

    def __init__(
        self, perform: Callable[[Intent], Awaitable[Reply]], teller: Teller, how: str = ""
    ) -> None:
        self._perform, self._teller, self._how = perform, teller, how
        self._before: dict[str, Alias] = {}

    async def __call__(self, intent: Intent) -> Reply:
        began = self._teller.elapsed
        if isinstance(intent, Prove):
            self._teller.doing(f"{intent.tree}: waiting until it is served ({self._how})")
        reply = await self._perform(intent)
        line = self._line(intent, reply, self._teller.elapsed - began)
        if line:
            self._teller.say(line)
        return reply

    def _line(self, intent: Intent, reply: Reply, took: float) -> str:
        match intent, reply:
            case List(), Listed(items):
                self._before |= {a.endpoint: a for a in items if isinstance(a, Alias)}
            case Get(), Read(Alias() as alias):
                self._before[alias.endpoint] = alias
            case Replace(Alias() as wanted), Written():
                return changed(self._before[wanted.endpoint], wanted)
            case Replace(Alias(endpoint)), Conflict():
                return f"alias {endpoint} was changed meanwhile: read again"
            case Create(Alias() as alias), Written():
                return f"alias {alias.endpoint} was not there: made, it names {alias.target}"
            case Create(Plan() as plan), Written():
                told = ", ".join(f"{e.endpoint} {listed(e.addresses())}" for e in plan.endpoints)
                return f"{plan.name} made: {told}"
            case Create(Plan() as plan), Exists():
                return f"{plan.name} was made by somebody else meanwhile: the next one"
            case Create(Tree(name)), Written():
                return f"tree {name} made"
            case Prove(tree), Proven():
                return f"tree {tree} is served, by each server asked ({self._how}): {took:.2f} s"
            case Prove(tree), Unproven(seen):
                most = f"{PROOF_DEADLINE_SECONDS:.0f} s in all"
                return f"tree {tree} is not served yet: {seen}; asked again, {most}"
            case Unpin(tree, _, holder), Written():
                return f"tree {tree}: pin of {holder} taken off"
        return ""


def listed(addresses: tuple[str, ...]) -> str:
    """`3 addresses (10.0.0.1, 10.0.0.2, 10.0.0.3)`."""
    count = f"{len(addresses)} address{'' if len(addresses) == 1 else 'es'}"
    more = ", ..." if len(addresses) > SHOWN else ""
    return f"{count} ({', '.join(addresses[:SHOWN])}{more})"


def changed(before: Alias, after: Alias) -> str:
    """What a write did to an alias."""
    said = []
    if after.target != before.target:
        said.append(f"{before.target or 'nothing'} → {after.target}")
        said.append(f"generation {before.generation} → {after.generation}")
    if after.frozen and after.frozen != before.frozen:
        said.append("frozen")
    if before.frozen and not after.frozen:
        said.append("thawed")
    lock = parse_lock(before.lock)
    if lock is not None and not is_freeze_lock(lock.holder) and before.lock != after.lock:
        said.append(f"the lock of {lock.holder} was taken over")
    return f"alias {after.endpoint}: {', '.join(said) or 'written'}"
