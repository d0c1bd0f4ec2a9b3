"""The thin client: kubernetes.aio's configuration and connection, our own few verbs.

Exactly one layer retries, and it is not this one: a call is sent once, and what came of it is
returned. Kopf's client would repeat a timed-out write for a minute, which is a stale write of its
own. A fenced write that lacks its precondition is refused here, before it is sent: a PUT of a
Service without uid creates it again when it was deleted, and resourceVersion "0" means none.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

Json: TypeAlias = dict[str, Any]

CALL_TIMEOUT_SECONDS = 10.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class ApiError(Exception):
    """An answer that the caller has no use for. Carries status and the server's own message."""

    def __init__(self, verb: str, path: str, status: int, body: Mapping[str, Any]) -> None:
        self.status, self.body = status, body
        super().__init__(f"{verb} {path}: {status} {body.get('reason', '')}: {body.get('message')}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `status` 0 means that none came: lost, refused or too late."""

    status: int
    body: Json

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _Once(RESTClientObject):
    """aiohttp sends a PUT or DELETE a second time when a connection that it had kept is gone,
    although the first may have had its effect: that would be a layer that retries."""

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        session = super()._create_pool_manager()
        session._retry_connection = False
        return session


class Api:
    """Verbs on resource paths such as `/api/v1/namespaces/x/services`."""

    def __init__(self, configuration: Any, manager: str) -> None:
        self._configuration = configuration
        self._rest = _Once(configuration)
        self._manager = manager

    async def close(self) -> None:
        await self._rest.close()

    async def _open(
        self, verb: str, path: str, query: Mapping[str, str], kind: str, body: Any, timeout: Any
    ) -> Any:
        headers = {"Accept": "application/json", "Content-Type": kind}
        token = await self._configuration.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        url = f"{self._configuration.host}{path}"
        if query:
            url = f"{url}?{urlencode(query)}"
        return (await self._rest.request(verb, url, headers, body, None, timeout)).response

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        **query: str,
    ) -> Answer:
        """Send one request, once."""
        if verb in ("POST", "PUT", "PATCH"):
            query.setdefault("fieldManager", self._manager)
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_SECONDS)
        try:
            response = await self._open(verb, path, query, kind, body, timeout)
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(0, {"message": f"{type(error).__name__}: {error}"})
        try:
            decoded = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError:
            decoded = {"message": raw[:200].decode(errors="replace")}
        return Answer(response.status, decoded if isinstance(decoded, dict) else {"value": decoded})

    async def get(self, path: str, **query: str) -> Answer:
        return await self.call("GET", path, None, **query)

    async def create(self, path: str, body: Json, **query: str) -> Answer:
        return await self.call("POST", path, body, **query)

    async def replace(self, path: str, body: Json) -> Answer:
        """PUT under the uid and resourceVersion that `body` bears. ValueError without them."""
        meta = body.get("metadata") or {}
        if not meta.get("uid") or meta.get("resourceVersion") in (None, "", "0"):
            raise ValueError(f"PUT {path} without its precondition: uid and resourceVersion")
        return await self.call("PUT", path, body)

    async def overwrite_whatever_is_there(self, path: str, body: Json) -> Answer:
        """PUT without any precondition, for the rungs that show why there must be one. A Service
        that is gone is created again. ValueError if `body` bears a precondition after all."""
        meta = body.get("metadata") or {}
        if meta.get("uid") or meta.get("resourceVersion"):
            raise ValueError(f"PUT {path} bears a precondition: that is `replace`")
        return await self.call("PUT", path, body)

    async def json_patch(self, path: str, operations: list[Json]) -> Answer:
        """JSON patch. ValueError unless it begins with a `test`, its precondition."""
        if not operations or operations[0]["op"] != "test":
            raise ValueError(f"PATCH {path} without its precondition: a leading test")
        return await self.call("PATCH", path, operations, kind="application/json-patch+json")

    async def merge_patch(self, path: str, body: Json) -> Answer:
        """Merge patch, for status entries of which the caller is the only writer."""
        return await self.call("PATCH", path, body, kind="application/merge-patch+json")

    async def apply(self, path: str, body: Json) -> Answer:
        """Server-side apply: the fields of `body`, list entries by their keys, become ours, and
        what we applied before and is not in it goes. Other managers' entries stay."""
        kind = "application/apply-patch+yaml"
        return await self.call("PATCH", path, body, kind=kind, force="true")

    async def delete(self, path: str, uid: str = "", resource_version: str = "") -> Answer:
        """DELETE, with the preconditions given."""
        conditions = {"uid": uid, "resourceVersion": resource_version}
        body = {
            "propagationPolicy": "Background",
            "preconditions": {k: v for k, v in conditions.items() if v},
        }
        return await self.call("DELETE", path, body)

    async def need(self, verb: str, path: str, body: Any = None, **query: str) -> Json:
        """As `call`, but anything other than success raises ApiError."""
        answer = await self.call(verb, path, body, **query)
        if not answer.ok:
            raise ApiError(verb, path, answer.status, answer.body)
        return answer.body

    async def ensure(self, path: str, body: Json, patience_seconds: float = 5.0) -> Json:
        """Create, or read what is there. Rights granted a moment ago may not have reached the
        authoriser yet: a 403 is tried again for a while."""
        until = asyncio.get_running_loop().time() + patience_seconds
        while True:
            answer = await self.create(path, body)
            if answer.status == 409:
                there = await self.get(f"{path}/{body['metadata']['name']}")
                if there.status != 404:  # else it went away in between, and is made after all
                    answer = there
                    break
            elif answer.status != 403 or asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(0.1)
        if not answer.ok:
            raise ApiError("POST", f"{path}/{body['metadata']['name']}", answer.status, answer.body)
        return answer.body

    async def stream(self, path: str, **query: str) -> AsyncIterator[Json]:
        """The events of one watch request, until the server ends it. ApiError if it is refused."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=330)
        query |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "300"}
        response = await self._open("GET", path, query, "application/json", None, timeout)
        try:
            if response.status != 200:
                body = await response.text()
                raise ApiError("WATCH", path, response.status, {"message": body[:300]})
            async for line in response.content:
                yield orjson.loads(line)
        finally:
            response.close()


async def configuration(kubeconfig: str | None = None) -> Any:
    """A pod's own service account, or else the kubeconfig that kubectl would use."""
    found = Configuration()
    if SERVICE_ACCOUNT.exists():
        kube_config.load_incluster_config(found)
        # A Pod asks its API server directly; looking for a proxy in the environment would cost
        # every call a thread.
        found.client_session_kwargs = {"trust_env": False}
    else:
        path = kubeconfig or os.environ.get("KUBECONFIG") or None
        await kube_config.load_kube_config(config_file=path, client_configuration=found)
    found.connection_pool_maxsize = 256  # watches stay open, one a Region and kind
    return found


@asynccontextmanager
async def connect(manager: str, kubeconfig: str | None = None) -> AsyncIterator[Api]:
    """An Api under the field manager's name `manager`, closed at the end."""
    api = Api(await configuration(kubeconfig), manager)
    try:
        yield api
    finally:
        await api.close()


def dumps(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
