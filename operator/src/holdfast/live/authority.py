"""The authoritative servers of a Region's namespace: every ready endpoint, from our own watch.

A proof asks each of them, for Services and slices reach every server by watches of its own. The
customers' resolver is never asked: it would cache the "no such name" of a tree not yet served.
"""

from collections.abc import Iterable

from holdfast.core.names import SERVICE_NAME_LABEL
from holdfast.live.api import Api, Json
from holdfast.live.resolver import Server
from holdfast.live.watch import follow

SERVICE = "authoritative"


def path_of_slices(namespace: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def servers_of(slices: Iterable[Json]) -> tuple[Server, ...]:
    """Every ready endpoint of these slices, once."""
    found = {
        Server(address, port["port"])
        for piece in slices
        for port in piece.get("ports") or ()
        if port.get("protocol") == "UDP"
        for endpoint in piece.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready")
        for address in endpoint["addresses"]
    }
    return tuple(sorted(found, key=lambda s: s.address))


class Authority:
    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._slices: dict[str, Json] = {}

    def servers(self) -> tuple[Server, ...]:
        return servers_of(self._slices.values())

    async def watch(self) -> None:
        path, selector = path_of_slices(self._namespace), f"{SERVICE_NAME_LABEL}={SERVICE}"
        async for change in follow(self._api, path, selector):
            if change.event == "DELETED":
                self._slices.pop(change.obj["metadata"]["uid"], None)
            elif change.event != "SYNCED":
                self._slices[change.obj["metadata"]["uid"]] = change.obj
