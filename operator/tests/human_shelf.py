"""An API server for commands under test: paths, preconditions, JSON patches, and no more."""

import copy
from collections.abc import Callable
from typing import Any

from holdfast.live.api import Answer, Api, Json


class Shelf(Api):
    """`refuse`: an answer instead of the server's, by verb and path; None: none."""

    def __init__(self, *objects: tuple[str, Json]) -> None:
        self.objects: dict[str, Json] = {}
        self.calls: list[tuple[str, str, Any]] = []
        self.refuse: Callable[[str, str], Answer | None] = lambda _verb, _path: None
        self._version = 0
        for collection, raw in objects:
            self._store(f"{collection}/{raw['metadata']['name']}", raw)

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        **query: str,
    ) -> Answer:
        self.calls.append((verb, path, body))
        refused = self.refuse(verb, path)
        if refused is not None:
            return refused
        match verb:
            case "GET" if path in self.objects:
                return Answer(200, copy.deepcopy(self.objects[path]))
            case "GET" if path.rpartition("/")[2].endswith("s"):
                return Answer(200, {"items": self._listed(path, query)})
            case "POST":
                name = f"{path}/{body['metadata']['name']}"
                if name in self.objects:
                    return Answer(409, {"reason": "AlreadyExists", "message": name})
                return Answer(201, self._store(name, body))
            case "PUT" if path in self.objects:
                meta, wanted = self.objects[path]["metadata"], body["metadata"]
                if any(wanted.get(k, meta[k]) != meta[k] for k in ("uid", "resourceVersion")):
                    return Answer(409, {"reason": "Conflict", "message": path})
                return Answer(200, self._store(path, body))
            case "PATCH" if path in self.objects and kind.endswith("json-patch+json"):
                return self._patch(path, body)
        return Answer(404, {"reason": "NotFound", "message": f"{path} not found"})

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(verb, path.rpartition("/")[2]) for verb, path, _ in self.calls if verb != "GET"]

    def _listed(self, path: str, query: dict[str, str]) -> list[Json]:
        key, _, value = query.get("labelSelector", "").partition("=")
        inside = (o for p, o in self.objects.items() if p.rpartition("/")[0] == path)
        return [
            copy.deepcopy(o)
            for o in inside
            if not key or (o["metadata"].get("labels") or {}).get(key) == value
        ]

    def _store(self, path: str, raw: Json) -> Json:
        self._version += 1
        made = copy.deepcopy(raw)
        before = self.objects.get(path, {"metadata": {"uid": f"{self._version:08d}-uid"}})
        made["metadata"] |= {
            "uid": before["metadata"]["uid"],
            "resourceVersion": str(self._version),
        }
        self.objects[path] = made
        return copy.deepcopy(made)

    def _patch(self, path: str, operations: list[Json]) -> Answer:
        made = copy.deepcopy(self.objects[path])
        for step in operations:
            *way, last = (p.replace("~1", "/") for p in step["path"].split("/")[1:])
            where = made
            for part in way:
                where = where[part]
            if step["op"] == "test" and where.get(last) != step["value"]:
                return Answer(422, {"reason": "Invalid", "details": {}})
            if step["op"] in ("add", "replace"):
                where[last] = step["value"]
            if step["op"] == "remove":
                del where[last]
        return Answer(200, self._store(path, made))
