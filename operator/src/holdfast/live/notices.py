"""What a role says of itself: each notice is a counter, an event and, where it tells of a state, a
condition. Nobody waits for any of it."""

import asyncio
import logging

from holdfast.core.freeze import Freeze
from holdfast.core.guards import DnsGuards
from holdfast.core.intents import Intent
from holdfast.core.leases.manager import Manager
from holdfast.core.leases.notices import LeaseWitness, sight_of
from holdfast.core.leases.report import RESULTS
from holdfast.core.planner_notices import LASTING, freeze_words, frozen, thawed
from holdfast.core.reasons import MEANINGS, Notice, Reason
from holdfast.core.region import Region
from holdfast.core.replies import Reply
from holdfast.core.rounds import Applied, Deferred, Round
from holdfast.core.witness import Witness
from holdfast.live import metrics
from holdfast.live.api import Api, Json
from holdfast.live.conditions import Condition, Conditions, applied_type, held_type
from holdfast.live.events import Events

log = logging.getLogger("holdfast.planner")
lease_log = logging.getLogger("holdfast.leases")


class Notices:
    """Of one Region, by one role's process. `types` are the conditions it writes."""

    def __init__(
        self, api: Api, region: Region, component: str, instance: str, *types: str
    ) -> None:
        self._space, self._types = region.namespace, types
        self.conditions = Conditions(api, region.namespace, region.name)
        self._events = Events(api, region.namespace, region.name, component, instance)

    def update(self, raw: Json) -> None:
        """The Region as its watch shows it now."""
        meta = raw.get("metadata", {})
        uid, version = str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
        self._events.about(uid)
        self.conditions.about(uid, raw.get("status") or {}, *self._types, version=version)

    def tell(self, notice: Notice) -> None:
        if MEANINGS[notice.reason].refuses:
            metrics.REFUSALS.labels(self._space, notice.reason).inc()
        if notice.guard:
            metrics.PREVENTED.labels(self._space, notice.guard).inc()
        if notice.loud:
            self._events.say(notice)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._events.run())
            group.create_task(self.conditions.run())


class PlannerNotices(Notices):
    """A planner's: its conditions say whether there is a plan, and whether it may make one."""

    def __init__(self, api: Api, region: Region, instance: str) -> None:
        super().__init__(api, region, "holdfast-planner", instance, "Ready", "Frozen")

    def tell(self, notice: Notice) -> None:
        level = logging.WARNING if notice.loud else logging.DEBUG
        log.log(level, "%s: %s: %s", self._space, notice.reason, notice.message)
        super().tell(notice)

    def unready(self, notice: Notice) -> None:
        """Nothing can be planned until somebody acts."""
        self.tell(notice)
        if notice.reason in LASTING:
            self.conditions.set(Condition("Ready", False, notice.reason, notice.message))

    def freeze(self, freeze: Freeze | None, newest: int) -> None:
        """Whether automation is off now. The condition remembers what was told, also across
        restarts."""
        before = self.conditions.of("Frozen")
        was_frozen = before is not None and before.is_true
        if freeze is None:
            if was_frozen:
                self.tell(thawed(max(0, newest)))
            message = "no human has the automation off"
            self.conditions.set(Condition("Frozen", False, Reason.NOT_FROZEN, message))
            return
        if not was_frozen:
            self.tell(frozen(freeze))
        message = f"by {freeze_words(freeze)}"
        self.conditions.set(Condition("Frozen", True, Reason.FROZEN, message))

    def ready(self, region: Region, newest: int, front_ends: int) -> None:
        """Without the plan's number, which `newestPlan` has: an ordinary plan changes nothing."""
        names = f"{len(region.endpoints)} endpoint(s)"
        if front_ends and newest > 0:
            reason, message = Reason.PLANNED, f"{names}, {front_ends} front end(s)"
        elif front_ends:
            reason, message = Reason.FROZEN, f"no plan yet for {names}"
        elif region.guards.keeps_last_good:
            reason = Reason.EMPTY_PLAN_WITHHELD
            message = f"no ready front end: plan {newest} stays for {names}"
        else:
            reason = Reason.EMPTY_PLAN_PUBLISHED
            message = f"no ready front end: plan {newest} leaves {names} without an address"
        self.conditions.set(Condition("Ready", reason is Reason.PLANNED, reason, message))


class EnactorNotices(Notices):
    """An enactor's: its condition says whether plans get through in its zone, and if not, why."""

    def __init__(self, api: Api, region: Region, zone: str, instance: str) -> None:
        self._type = applied_type(zone)
        super().__init__(api, region, "holdfast-enactor", instance, self._type)
        self._witness = Witness()
        self._last: Notice | None = None
        self._times = 0

    def performed(self, guards: DnsGuards, intent: Intent, reply: Reply) -> None:
        self._note(self._witness.performed(guards, intent, reply))

    def deferred(self, outcome: Deferred, attempts: int) -> None:
        self._note(self._witness.deferred(outcome, attempts))

    def ended(self, guards: DnsGuards, outcome: Round) -> None:
        self._note(self._witness.ended(guards, outcome))
        if isinstance(outcome, Applied):
            self._applied(outcome.generation)

    def _note(self, notice: Notice | None) -> None:
        if notice is None:
            return
        self.tell(notice)
        if notice.blocks and notice.loud:
            same = self._last is not None and self._last.reason is notice.reason
            self._last, self._times = notice, self._times + 1 if same else 1
            self._set(False, notice.reason, f"{notice.message} ({_times(self._times)})")

    def _applied(self, generation: int) -> None:
        """The generation at which all was well again: later ones cost no write."""
        now = self.conditions.of(self._type)
        if now is not None and now.is_true:
            return
        message = f"plans are applied, since plan {generation}"
        if self._last is not None:
            message += f"; before it {self._last.reason}, {_times(self._times)}, at last: "
            message += self._last.message
        self._last, self._times = None, 0
        self._set(True, Reason.APPLIED, message)

    def _set(self, is_true: bool, reason: Reason, message: str) -> None:
        self.conditions.set(Condition(self._type, is_true, reason, message))


class LeaseNotices(Notices):
    """A lease manager's: its condition says whether all leases of its zone are held, and if not,
    how many are and what mostly keeps the others from it."""

    def __init__(self, api: Api, region: Region, zone: str, instance: str) -> None:
        self._type = held_type(zone)
        super().__init__(api, region, "holdfast-leases", instance, self._type)
        self._zone = zone
        self._witness = LeaseWitness()

    def tell(self, notice: Notice) -> None:
        self._tell(notice, 1)

    def look(self, now: float, manager: Manager, held: int, last_failure: str) -> None:
        """About once a second. `now` on the manager's clock; `held` of its units; `last_failure`:
        `<lease>: <why>: <in words>` of the last attempt that won nothing, "" if none has."""
        sight = sight_of(self._zone, manager, now, held, last_failure)
        for told in self._witness.look(now, manager.figures, sight):
            self._tell(told.notice, told.times)
        self._measure(manager, held, sight.oldest)
        state = self._witness.state(sight)
        self.conditions.set(Condition(self._type, sight.holds_all, state.reason, state.message))

    def _tell(self, notice: Notice, times: int) -> None:
        """A state check that was refused is no plan that was kept from going live: guards of leases
        are counted by their reasons alone."""
        level = logging.WARNING if notice.loud else logging.DEBUG
        lease_log.log(level, "%s: %s: %s", self._space, notice.reason, notice.message)
        if MEANINGS[notice.reason].refuses:
            metrics.REFUSALS.labels(self._space, notice.reason).inc(times)
        if notice.loud:
            self._events.say(notice)

    def _measure(self, manager: Manager, held: int, oldest: float) -> None:
        where, grown = (self._space, self._zone), self._witness.grown
        metrics.LEASES_HELD.labels(*where).set(held)
        metrics.LEASE_QUEUE.labels(*where).set(len(manager.queue))
        metrics.LEASE_OLDEST.labels(*where).set(oldest)
        for result, figure in RESULTS.items():
            metrics.LEASE_ATTEMPTS.labels(*where, result).inc(grown[figure])
        metrics.WORK_WASTED.labels(*where).inc(grown["vain"])
        begun = min(grown["started"], len(manager.ages))
        for age in list(manager.ages)[len(manager.ages) - begun :]:
            metrics.LEASE_AGE.labels(*where).observe(age)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
