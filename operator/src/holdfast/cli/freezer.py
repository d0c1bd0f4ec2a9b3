"""The Region's own freeze: while it is there nothing is planned and no round begins.

It is written before the aliases are, and taken away after them, each time under a test of what was
read: of two people only one has their way, and the other is told.
"""

import time

from holdfast.cli.cluster import Home, explained, home, need
from holdfast.cli.files import ForPeople
from holdfast.cli.word import said_until, stamp
from holdfast.core.freeze import FOREVER, Freeze, parse_freeze
from holdfast.core.objects import Alias
from holdfast.live.api import Api, Json
from holdfast.live.wire import parse, path_of, selector_of

TRIES = 5


async def reread(api: Api, there: Home) -> Home:
    return home(await need(api, there.path, there.space))


async def aliases_of(api: Api, there: Home) -> tuple[Alias, ...]:
    path = path_of(Alias, there.space)
    listing = await need(api, path, there.space, labelSelector=selector_of(Alias))
    found = (parse(Alias, raw) for raw in listing["items"])
    return tuple(a for a in found if isinstance(a, Alias))


def refuse_anothers(there: Home, aliases: tuple[Alias, ...], who: str) -> None:
    """ForPeople if somebody else has the Region, or one of its aliases, frozen."""
    now = time.time()
    frozen = [(f"Region {there.region.name}", there.region.freeze)]
    frozen += [(f"alias {a.endpoint}", parse_freeze(a.frozen)) for a in aliases]
    for what, found in frozen:
        if found is not None and found.until > now and found.who != who:
            raise ForPeople(
                f"{what} in {there.space} is frozen by {found.who}, {said_until(found.until)}: "
                f"{found.why or 'no reason given'}. Talk to them; then --take-over, or --who "
                f"{found.who} if that is you"
            )


async def write(
    api: Api, there: Home, wanted: Freeze | None, who: str, *, take_over: bool
) -> tuple[Home, bool]:
    """Have the Region frozen so, or not at all. Whether that was a change."""
    for _ in range(TRIES):
        if not take_over:
            refuse_anothers(there, (), who)
        if there.region.freeze == wanted:
            return there, False
        answer = await api.json_patch(there.path, operations(there, wanted))
        if answer.ok:
            return home(answer.body), True
        causes = (answer.body.get("details") or {}).get("causes")
        if answer.status not in (409, 422) or causes:
            raise ForPeople(explained(answer, there.space))
        there = await reread(api, there)
    raise ForPeople(f"Region {there.region.name}: spec.freeze was changed {TRIES} times meanwhile")


def operations(there: Home, wanted: Freeze | None) -> list[Json]:
    """The JSON patch: this very Region, whose freeze is still what was read (null: none)."""
    change: Json = {"op": "remove", "path": "/spec/freeze"}
    if wanted is not None:
        change = {"op": "add", "path": "/spec/freeze", "value": spec_of(wanted)}
    return [
        {"op": "test", "path": "/metadata/uid", "value": there.uid},
        {"op": "test", "path": "/spec/freeze", "value": there.freeze},
        change,
    ]


def spec_of(freeze: Freeze) -> Json:
    raw: Json = {"who": freeze.who, "why": freeze.why}
    if freeze.until < FOREVER:
        raw["until"] = stamp(freeze.until)
    return raw
