"""The leases of a zone, as its manager knows them, and what is done to them beside state checks.

What is missing is made, what has run out is said to have, and what a hand has changed of a lease of
ours is written as it was: reconciled from the watch and about once a second, under the version that
was read.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.lease import Lease, supersedes
from holdfast.core.leases.making import wanted
from holdfast.core.reasons import Notice, Reason
from holdfast.core.region import Region
from holdfast.live.api import Answer, Api
from holdfast.live.lease_wire import (
    digest,
    expired,
    parse_lease,
    path_of_leases,
    render_lease,
    zone_selector,
)
from holdfast.live.watch import follow

log = logging.getLogger("holdfast.leases")

PAGE = 500
"""Leases of a listing that are held at once as they came."""
MADE_AT_ONCE = 8
EXPIRED_SLACK_SECONDS = 0.5
"""Past its end before a lease is said to have run out: the renewal may be on its way."""
ANSWER_SECONDS = 2.0
"""How long a call beside the attempts is waited for: one lost answer must not keep the others."""
FUTURE_SECONDS = 3600.0
"""What another has renewed so far ahead is no lease: no clock that goes wrong is off by so much,
and a hand's stamp of the year 9999 would keep it for ever."""


class LeaseBook:
    """`region` is the Region as it is now, `clock` the seconds of the epoch. `heard` is told of a
    lease that changed until when it is ours, 0 for not at all; `tell` what people are to hear;
    `start` has something done meanwhile. `until_free` waits while the process is held."""

    def __init__(
        self,
        api: Api,
        zone: str,
        me: str,
        uid: str,
        region: Callable[[], Region],
        clock: Callable[[], float],
        heard: Callable[[str, float], None],
        tell: Callable[[Notice], None],
        start: Callable[[Coroutine[Any, Any, None]], None],
        until_free: Callable[[], Awaitable[None]],
    ) -> None:
        self.leases: dict[str, Lease] = {}
        self.synced = False
        self._api, self._zone, self._me, self._uid = api, zone, me, uid
        self._region, self._clock = region, clock
        self._heard, self._tell, self._start = heard, tell, start
        self._until_free = until_free
        self._gone: dict[str, Lease] = {}
        self._names: tuple[str, ...] | None = None

    def keep(self, lease: Lease) -> bool:
        """What an answer has told of a lease; whether it was news."""
        if not supersedes(lease, self.leases.get(lease.name)):
            return False
        self.leases[lease.name] = lease
        return True

    def worth(self, lease: Lease) -> Lease:
        """The lease, for what it is worth now: one that was renewed in the future is none. Ours is
        so after our clock has gone back, and is acquired anew. Of another's the clock may be wrong,
        or ours: so it is believed for as long as can be."""
        ahead = lease.renewed - self._clock()
        most = lease.seconds if lease.holder == self._me else max(FUTURE_SECONDS, lease.seconds)
        return replace(lease, renewed=0.0, acquired=0.0) if ahead > most else lease

    def learn(self, lease: Lease) -> None:
        """Say until when it is ours."""
        self._heard(lease.name, self.worth(lease).expires if lease.holder == self._me else 0.0)

    # --- the watch

    async def watch(self, fleet: Fleet, changed: Callable[[], None]) -> None:
        """For ever. `changed` is called once everything has been seen."""
        path = path_of_leases(fleet.mode, self._region().namespace)
        async for change in follow(self._api, path, zone_selector(self._zone), digest, PAGE):
            if change.event == "SYNCED":
                self.synced = True
                changed()
                continue
            lease: Lease = change.obj["value"]
            if change.event == "DELETED":
                self.deleted(lease)
            elif supersedes(lease, self.leases.get(lease.name)):
                self.seen(lease, change.obj["hand"])

    def seen(self, lease: Lease, hand: str) -> None:
        """A lease as it is now, and who has written it if no manager has."""
        before = self.leases.get(lease.name)
        self.leases[lease.name] = lease
        is_ours = before is not None and (before.uid, before.holder) == (lease.uid, self._me)
        if before is not None and is_ours and (who := self._who(before, lease, hand)):
            self._edited(before, lease, who)
            return
        self.learn(lease)

    def deleted(self, lease: Lease) -> None:
        """It is gone, or out of the watch's sight."""
        known = self.leases.get(lease.name)
        if known is None or known.uid != lease.uid:
            return
        del self.leases[lease.name]
        self._heard(lease.name, 0.0)
        if known.holder == self._me:
            self._gone[lease.name] = known

    # --- hands

    def _who(self, before: Lease, lease: Lease, hand: str) -> str:
        """The hand that has changed a lease of ours, "" if none has. What has been taken out of it
        is nobody's any more; no manager takes a holder out. And what reads like a renewal of ours
        is one: by whom a lease was written is known to the second only."""
        if not lease.holder:
            return hand or "a hand"
        is_renewal = before.renewed < lease.renewed <= self._clock() + EXPIRED_SLACK_SECONDS
        return "" if lease.holder == self._me and is_renewal else hand

    def _edited(self, before: Lease, found: Lease, hand: str) -> None:
        """A hand has changed a lease of ours: it is written as it was, at the version found."""
        told = f"{found.name} was edited by {hand}: it is {found.phase}, held by "
        told += f"{found.holder or 'nobody'}; as it was, it is {before.phase}, held by us"
        self._tell(Notice(Reason.LEASE_EDITED, told, found.name))
        version = found.resource_version
        transitions = max(before.transitions, found.transitions)
        mended = replace(before, resource_version=version, transitions=transitions)
        self._start(self.write(mended))

    def _back(self, lease: Lease) -> None:
        """A lease of ours that was gone from the watch is there. Another one: it was deleted."""
        gone = self._gone.pop(lease.name, None)
        if gone is not None and gone.uid != lease.uid:
            told = f"{lease.name} was deleted, and is made anew"
            self._tell(Notice(Reason.LEASE_DELETED, told, lease.name))

    async def find(self, name: str) -> None:
        """Read a lease of which an answer has told what our watch has not: it may be behind, or the
        lease out of its sight, for its labels are what it is watched by."""
        known, region = self.leases.get(name), self._region()
        if region.fleet is None:
            return
        path = path_of_leases(region.fleet.mode, region.namespace)
        answer = await _soon(self._api.get(path, fieldSelector=f"metadata.name={name}"))
        if not answer.ok:
            return
        if not answer.body["items"]:
            if known is not None:
                self.deleted(known)
            return
        found = digest(answer.body["items"][0])
        lease: Lease = found["value"]
        self._back(lease)
        if found["labelled"] != self._zone:
            told = f"{name} was edited by {found['hand'] or 'a hand'}: its labels were taken off"
            self._tell(Notice(Reason.LEASE_EDITED, told, name))
            await self.write(lease)
        elif supersedes(lease, self.leases.get(name)):
            self.seen(lease, found["hand"])

    # --- what is due

    async def make(self, fleet: Fleet) -> None:
        """Leases that are not there."""
        if self._names is None:
            self._names = fleet.names(self._zone)
        if all(name in self.leases for name in self._names):
            return
        missing = [ls for ls in wanted(fleet, self._zone) if ls.name not in self.leases]
        gate = asyncio.Semaphore(MADE_AT_ONCE)

        async def make(lease: Lease) -> None:
            region = self._region()
            async with gate:
                body = render_lease(lease, region.name, self._uid)
                path = path_of_leases(fleet.mode, region.namespace)
                answer = await _soon(self._api.create(path, body))
            if answer.ok:
                made = parse_lease(answer.body)
                self.keep(made)
                self._back(made)
            elif answer.status == 409:
                await self.find(lease.name)
            else:
                log.debug("%s: %s not made: %s", region.namespace, lease.name, answer.body)

        await asyncio.gather(*(make(lease) for lease in missing))

    async def say_expired(self, why: str) -> None:
        """Write of leases that have run out that they have: a lease does not do so by itself.
        `why`: for people."""
        now = self._clock()
        due = [
            lease
            for lease in self.leases.values()
            if lease.phase == "Held" and self.worth(lease).expires + EXPIRED_SLACK_SECONDS <= now
        ]

        async def say(lease: Lease) -> None:
            if self.leases.get(lease.name) is lease:
                await self.write(expired(lease, why))

        for batch in (due[i : i + MADE_AT_ONCE] for i in range(0, len(due), MADE_AT_ONCE)):
            await asyncio.gather(*map(say, batch))

    async def write(self, lease: Lease) -> None:
        """A write beside the attempts, under the version that was read. What fails is due again."""
        await self._until_free()
        region = self._region()
        if region.fleet is None:
            return
        path = f"{path_of_leases(region.fleet.mode, region.namespace)}/{lease.name}"
        body = render_lease(lease, region.name, self._uid)
        answer = await _soon(self._api.replace(path, body))
        if answer.ok and self.keep(written := parse_lease(answer.body)):
            self.learn(written)


async def _soon(call: Coroutine[Any, Any, Answer]) -> Answer:
    """An answer, or none if it takes too long."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except TimeoutError:
        return Answer(0, {"message": f"no answer within {ANSWER_SECONDS:g} s"})
