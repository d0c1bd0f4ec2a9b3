"""A long history of large plans is read in pages, and told as values."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from drive import plan

from holdfast.core.intents import List
from holdfast.core.objects import Plan
from holdfast.core.replies import Listed, Rejected
from holdfast.live.api import Answer
from holdfast.live.operator import Regions
from holdfast.live.perform import Performer
from holdfast.live.plans import watch_plans
from holdfast.live.wire import page_of, parse, render

PATH = "/apis/holdfast.dev/v1alpha1/dnsplans"
NUMBER = 25


class History:
    """An API server that has so many plans, hands them out in pages, and is then quiet."""

    def __init__(self, expires: bool = False) -> None:
        self.most = 0
        self._expires = expires

    async def get(self, path: str, **query: str) -> Answer:
        assert path == "/apis/holdfast.dev/v1alpha1/namespaces/ns/dnsplans"
        return self._page(query)

    async def need(self, verb: str, path: str, **query: str) -> dict[str, Any]:
        assert (verb, path) == ("GET", PATH)
        return self._page(query).body

    def _page(self, query: dict[str, str]) -> Answer:
        begin = int(query.get("continue", 0))
        if begin and self._expires:
            return Answer(410, {"reason": "Expired", "message": "too old"})
        end = min(begin + int(query["limit"]), NUMBER)
        self.most = max(self.most, end - begin)
        items = [raw(g) for g in range(begin + 1, end + 1)]
        more = {"continue": str(end)} if end < NUMBER else {}
        return Answer(200, {"items": items, "metadata": {"resourceVersion": "9", **more}})

    async def stream(self, _path: str, **_query: str) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "DELETED", "object": raw(3)}
        await asyncio.Event().wait()


def raw(generation: int, *endpoints: str) -> dict[str, Any]:
    found = render(plan(generation, *endpoints), "ns", "us-east-1")
    meta = {"namespace": "ns", "uid": f"u{generation}", "resourceVersion": "1"}
    return found | {"metadata": found["metadata"] | meta}


def test_a_listing_of_plans_is_whole_and_no_page_of_it_is_large() -> None:
    api = History()
    listed = asyncio.run(Performer(api, "ns", "us-east-1")(List(Plan)))  # type: ignore[arg-type]
    assert isinstance(listed, Listed)
    assert [p.generation for p in listed.items if isinstance(p, Plan)] == [*range(1, NUMBER + 1)]
    assert api.most == page_of(Plan)


def test_a_listing_whose_pages_expire_is_no_listing() -> None:
    api = History(expires=True)
    reply = asyncio.run(Performer(api, "ns", "us-east-1")(List(Plan)))  # type: ignore[arg-type]
    assert isinstance(reply, Rejected)
    assert reply.reason == "Expired"


def test_every_plan_is_told_and_one_that_goes_is_taken_back() -> None:
    api = History()
    seen: dict[int, Plan] = {}

    class Told(Regions):
        def planned(self, space: str, plan: Plan, gone: bool) -> None:
            assert space == "ns"
            if gone:
                seen.pop(plan.generation)
            else:
                seen[plan.generation] = plan

    async def watch() -> None:
        regions = Told(lambda *_: None)  # type: ignore[arg-type,return-value]
        task = asyncio.create_task(watch_plans(api, regions))  # type: ignore[arg-type]
        while len(seen) != NUMBER - 1 or 3 in seen:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(watch())
    assert seen[7] == plan(7)
    assert api.most == page_of(Plan)


def test_plans_that_share_their_front_ends_share_them_in_memory() -> None:
    found = parse(Plan, raw(1, "dynamodb", "iam"))
    assert isinstance(found, Plan)
    assert found.endpoints[0].front_ends is found.endpoints[1].front_ends
