"""The plans of all Regions, by a watch of our own.

A Region keeps a hundred plans and more, of up to ten thousand addresses: 40 MB as JSON, and many
times that as objects. Kopf would hold a listing whole, and an enactor that starts again would need
more memory than it may have, again and again. Here it comes in pages, and little of each stays.
"""

from holdfast.core.objects import Plan
from holdfast.live.api import Api, Json
from holdfast.live.operator import Regions
from holdfast.live.watch import follow, listing, slim
from holdfast.live.wire import GROUP_PATH, page_of, parse, path_of


async def watch_plans(api: Api, regions: Regions) -> None:
    """Tell `regions` of every plan there is, until cancelled."""
    async for change in follow(api, f"{GROUP_PATH}/dnsplans", digest=digest, page=page_of(Plan)):
        if change.event != "SYNCED":
            plan = change.obj["value"]
            space = change.obj["metadata"]["namespace"]
            regions.planned(space, plan, gone=change.event == "DELETED")


async def plans_of(api: Api, space: str) -> list[Plan]:
    """Those of one namespace. ApiError if they are not to be had."""
    found, _ = await listing(api, path_of(Plan, space), {}, digest, page_of(Plan))
    return [digested["value"] for digested in found]


def digest(raw: Json) -> Json:
    """Of a plan: its value."""
    return slim(raw, parse(Plan, raw))
