"""The DNS Enactor: makes the newest plan true, endpoint by endpoint. One round is one flow.

Theory of operation. The invariant is NonEmpty: every alias names an existing tree that is served.

- `tree` comes before `flip`, and is proved by a DNS query: a Service and its slices reach the
  servers by separate watches, so an untested flip is an empty answer for some milliseconds, and
  for seconds after an outage of the API server. The proof runs once, before `turn`: repeated under
  the lock it would notice a deleted tree and quietly repair the incident's race.
- With `CheckOnce` the lock annotation is the only precondition of `flip`. Freshness was checked
  once, when the plan was picked, and the plan is kept across every retry: that span of `yield`s is
  the race of 20 October 2025.
- With `Generation` nothing is written unless the alias still has the uid and resourceVersion at
  which it was seen to be older than our plan, so an alias never goes back, and a tree older than a
  live one is never needed again.

A round walks from place to place (see `places`); the rungs of the fence differ in `turn`, `read`
and `flip` (see `fence`), those of the cleanup in `list` and `delete` (see `cleaner`). A retry that
could repeat without bound (lock lost, conflict, no answer) ends the round and, from `turn` on,
carries its plan to `turn`; before that the next round picks anew. A plan that was carried to `tree`
would get its deleted tree back, which is a partial fix, and histories that did not end would grow
for ever under the checker.
"""

from dataclasses import replace

from holdfast.core import cleaner, fence, tree
from holdfast.core.actor import Actor, Rules
from holdfast.core.freeze import is_frozen
from holdfast.core.guards import Fence
from holdfast.core.intents import Get, List, Pick
from holdfast.core.names import tree_name
from holdfast.core.objects import Alias, Plan
from holdfast.core.places import (
    PLACES,
    AtCheck,
    AtDelete,
    AtFlip,
    AtList,
    AtPick,
    AtRead,
    AtReread,
    AtTree,
    AtTurn,
    AtUnpin,
    Place,
    arrival,
)
from holdfast.core.replies import Absent, Listed, Picked, Read
from holdfast.core.rounds import Flow, Frozen, Stale, Stop, Walk, Withheld, refusal

START = AtPick()


def enact(me: Actor, rules: Rules, here: Place = START) -> Flow:
    """One round, from a place on. Never raises for what the world may answer; the outcome says what
    came of it, and at which place the next round starts."""
    try:
        while True:
            yield arrival(here)
            found = yield from _step(me, rules, here)
            if not isinstance(found, PLACES):
                return found
            here = found
    except Stop as stop:
        return stop.outcome


def _step(me: Actor, rules: Rules, here: Place) -> Walk:
    match here:
        case AtPick():
            return _pick(rules, here)
        case AtCheck(endpoint=""):
            return _check(here)
        case AtCheck():
            return _check_again(here)
        case AtTree():
            return _tree(me, rules, here)
        case AtTurn():
            return fence.turn(me, rules, here)
        case AtRead():
            return fence.read(me, rules, here)
        case AtFlip():
            return fence.flip(me, rules, here)
        case AtList():
            return cleaner.choose(me, rules, here)
        case AtUnpin():
            return cleaner.unpin(me, here)
        case AtReread():
            return cleaner.reread(here)
        case AtDelete():
            return cleaner.delete(rules, here)


def _pick(rules: Rules, here: AtPick) -> Walk:
    reply = yield Pick(here.above, rules.guards.repairs)
    assert isinstance(reply, Picked), reply
    plan = _usable(rules, reply.plan)
    if not plan.endpoints:
        return Withheld(plan.generation)
    if plan.generation == here.above:
        return AtTree(plan, plan.endpoints[0].endpoint)  # the check would find nothing newer
    # One below it is the newest that is left when a hand has taken plans away: it is a plan as any.
    if rules.guards.fence is Fence.NONE:
        return AtTree(plan, plan.endpoints[0].endpoint)
    return AtCheck(plan)


def _usable(rules: Rules, plan: Plan) -> Plan:
    """The plan without the endpoints that it would leave without addresses, where the last good
    answer is kept."""
    if not rules.guards.keeps_last_good:
        return plan
    kept = tuple(e for e in plan.endpoints if e.front_ends)
    return plan if kept == plan.endpoints else replace(plan, endpoints=kept)


def _check(here: AtCheck) -> Walk:
    """The one freshness check. A plan that is live at some endpoints only goes on, for an earlier
    round may have been cut between two of them."""
    plan = here.plan
    reply = yield List(Alias)
    if not isinstance(reply, Listed):
        raise Stop(refusal(plan.generation, "", None, reply))
    aliases = {a.endpoint: a for a in reply.items if isinstance(a, Alias)}
    for alias in aliases.values():
        if is_frozen(alias.frozen, reply.now):
            return Frozen(plan.generation, alias.endpoint, alias.frozen)
    live = max((a.generation for a in aliases.values()), default=0)
    if live > plan.generation:
        return Stale(plan.generation, live, "check")
    everywhere = all(
        (there := aliases.get(e.endpoint)) is not None
        and (there.generation, there.target, there.intact)
        == (plan.generation, tree_name(e.endpoint, plan.generation), True)
        for e in plan.endpoints
    )
    if everywhere:
        return AtList(plan.generation)
    return AtTree(plan, plan.endpoints[0].endpoint)


def _check_again(here: AtCheck) -> Walk:
    """`CheckEach`: before every turn, a retried one too, and yet outside the lock."""
    reply = yield Get(Alias, here.endpoint)
    match reply:
        case Read(Alias(generation=live)) if live > here.plan.generation:
            return Stale(here.plan.generation, live, "check", here.endpoint)
        case Read() | Absent():
            return AtTurn(here.plan, here.endpoint)
        case _:
            return refusal(here.plan.generation, here.endpoint, here, reply)


def _tree(me: Actor, rules: Rules, here: AtTree) -> Walk:
    holder = me.identity if rules.guards.pins else ""
    yield from tree.build(here.plan, here.endpoint, holder, mends=rules.guards.repairs)
    if rules.guards.fence is Fence.CHECK_EACH:
        return AtCheck(here.plan, here.endpoint)
    return AtTurn(here.plan, here.endpoint)
