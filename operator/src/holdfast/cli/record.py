"""The record of an act on its Region: an Event, besides what stands in spec and annotations."""

import time

from holdfast.cli.cluster import Home
from holdfast.core.names import API_GROUP, API_VERSION
from holdfast.live.api import Api, Json
from holdfast.live.stamp import rfc3339

MESSAGE_MAX = 1000
COMPONENT = "holdfast-cli"


async def leave(api: Api, home: Home, reason: str, message: str, who: str) -> str:
    """Post it. What went wrong, "" if nothing: it is no reason to stop."""
    path = f"/api/v1/namespaces/{home.space}/events"
    answer = await api.create(path, event(home, reason, message, who, time.time_ns()))
    return "" if answer.ok else str(answer.body.get("message"))


def event(home: Home, reason: str, message: str, who: str, now_ns: int) -> Json:
    at = rfc3339()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{home.region.name}.{now_ns:x}", "namespace": home.space},
        "involvedObject": {
            "apiVersion": f"{API_GROUP}/{API_VERSION}",
            "kind": "Region",
            "namespace": home.space,
            "name": home.region.name,
            "uid": home.uid,
        },
        "type": "Normal",
        "reason": reason,
        "message": message[:MESSAGE_MAX],
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": who,
    }
