"""A lean list-and-watch for what Kopf would be too heavy for, or would need wider rights for."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from holdfast.live.api import Api, ApiError, Json

_BACKOFF_SECONDS = (0.2, 5.0)


@dataclass(frozen=True, slots=True)
class Change:
    """One object that was added, modified or deleted; SYNCED marks the end of a listing.

    `listed`: part of a listing, whose changes come in no order of time. `relisted`: of one after a
    lost watch, so that what happened in between was not seen one by one.
    """

    event: Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
    obj: Json
    listed: bool = False
    relisted: bool = False


def whole(obj: Json) -> Json:
    return obj


def slim(obj: Json, value: object) -> Json:
    """A digest of an object: what a watch needs of it, and a value that was made of it."""
    kept = ("namespace", "name", "uid", "resourceVersion")
    return {"metadata": {key: obj["metadata"][key] for key in kept}, "value": value}


async def follow(
    api: Api,
    path: str,
    selector: str = "",
    digest: Callable[[Json], Json] = whole,
    page: int = 0,
) -> AsyncIterator[Change]:
    """Every change under `path`, for ever, in the order of the server. Objects that vanished
    while nobody watched are reported as deleted after the next listing.

    All objects are remembered. Where they are many, or large, a `digest` is what is remembered of
    each, and told, and a listing comes in pages of so many.
    """
    query = {"labelSelector": selector} if selector else {}
    known: dict[str, Json] = {}
    pause = _BACKOFF_SECONDS[0]
    first = True
    while True:
        began = math.inf
        try:
            items, version = await listing(api, path, query, digest, page)
            for change in _difference(known, items, relisted=not first):
                yield change
            items = []  # not held for as long as the watch goes on
            yield Change("SYNCED", {}, listed=True, relisted=not first)
            first = False
            while True:
                began, is_idle = time.monotonic(), True
                async for event in api.stream(path, resourceVersion=version, **query):
                    if event["type"] == "ERROR":
                        raise ApiError(
                            "WATCH", path, event["object"].get("code", 0), event["object"]
                        )
                    pause, is_idle = _BACKOFF_SECONDS[0], False
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK" and not _is_late(known, event["object"]):
                        yield _kept(known, event, digest)
                if is_idle:
                    pause = await _rest(pause, began)
        except (ApiError, aiohttp.ClientError, TimeoutError, OSError):
            pause = await _rest(pause, began)


async def _rest(pause: float, began: float) -> float:
    """Wait before it is asked for again; returns for how long the next time. A listing that was had
    says nothing of the watch: what ends at once, each time, would be listed without a pause for
    ever. So only an event begins anew, or a watch that has lasted."""
    shortest, longest = _BACKOFF_SECONDS
    pause = shortest if time.monotonic() - began > longest else pause
    await asyncio.sleep(pause * random.uniform(0.5, 1.0))
    return min(pause * 2, longest)


def is_older(version: str, than: str) -> bool:
    """Of two resourceVersions of one object. Where they are numbers they grow; of others nothing
    is said."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def _is_late(known: dict[str, Json], obj: Json) -> bool:
    """Whether something newer of this object has been seen: what came out of order is old news."""
    before = known.get(obj["metadata"]["uid"])
    version = obj["metadata"]["resourceVersion"]
    return before is not None and is_older(version, before["metadata"]["resourceVersion"])


async def listing(
    api: Api,
    path: str,
    query: dict[str, str],
    digest: Callable[[Json], Json] = whole,
    page: int = 0,
) -> tuple[list[Json], str]:
    """All objects, and the one version at which they are that. ApiError if it is not had."""
    items: list[Json] = []
    asked = query | ({"limit": str(page)} if page else {})
    while True:
        found = await api.need("GET", path, **asked)
        items += map(digest, found.get("items", []))
        meta = found["metadata"]
        if not meta.get("continue"):
            return items, meta["resourceVersion"]
        asked["continue"] = meta["continue"]
        del found  # one page at a time


def _kept(known: dict[str, Json], event: Any, digest: Callable[[Json], Json]) -> Change:
    obj = digest(event["object"])
    if event["type"] == "DELETED":
        known.pop(obj["metadata"]["uid"], None)
    else:
        known[obj["metadata"]["uid"]] = obj
    return Change(event["type"], obj)


def _difference(known: dict[str, Json], items: list[Json], relisted: bool) -> list[Change]:
    """What a fresh listing says that is new, moved or gone; `known` becomes the listing."""
    listed = {item["metadata"]["uid"]: item for item in items}
    changes = [
        Change("DELETED", known[uid], True, relisted) for uid in list(known) if uid not in listed
    ]
    for uid, item in listed.items():
        before = known.get(uid)
        if before is None:
            changes.append(Change("ADDED", item, True, relisted))
        elif before["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            changes.append(Change("MODIFIED", item, True, relisted))
    known.clear()
    known.update(listed)
    return changes
