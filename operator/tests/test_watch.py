"""After a lost watch the difference of two listings stands in for the changes that nobody saw."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from holdfast.live.api import ApiError
from holdfast.live.watch import _difference, _is_late, follow, is_older, slim


def obj(uid: str, version: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version}}


def told(known: dict[str, Any], items: list[Any], relisted: bool) -> list[tuple[str, str]]:
    changes = _difference(known, items, relisted)
    assert all(c.relisted is relisted for c in changes)
    return [(c.event, c.obj["metadata"]["uid"]) for c in changes]


def test_what_is_new_moved_or_gone() -> None:
    known: dict[str, Any] = {}
    assert told(known, [obj("a", "1"), obj("b", "2")], False) == [("ADDED", "a"), ("ADDED", "b")]
    later = [obj("a", "1"), obj("c", "5")]
    assert told(known, later, True) == [("DELETED", "b"), ("ADDED", "c")]
    assert told(known, [obj("a", "9"), obj("c", "5")], True) == [("MODIFIED", "a")]
    assert told(known, [], True) == [("DELETED", "a"), ("DELETED", "c")]


def test_the_same_name_with_a_new_uid_is_another_object() -> None:
    known = {"old": obj("old", "1")}
    assert told(known, [obj("new", "2")], True) == [("DELETED", "old"), ("ADDED", "new")]


def test_what_came_out_of_order_is_old_news() -> None:
    known: dict[str, Any] = {"a": obj("a", "9")}
    assert _is_late(known, obj("a", "8"))
    assert not _is_late(known, obj("a", "9"))
    assert not _is_late(known, obj("a", "10"))
    assert not _is_late(known, obj("b", "1"))


def test_versions_that_are_no_numbers_have_no_order() -> None:
    assert is_older("9", "10")
    assert not is_older("x9", "x8")
    assert not is_older("", "3")


class Listing:
    """An API server that hands out its objects two at a time, and forgets a page's successor if
    told so."""

    def __init__(self, *objects: dict[str, Any], expires: bool = False) -> None:
        self.asked: list[dict[str, str]] = []
        self._objects, self._expires = objects, expires

    async def need(self, verb: str, path: str, **query: str) -> dict[str, Any]:
        assert (verb, path) == ("GET", "/things")
        self.asked.append(query)
        begin = int(query.get("continue", 0))
        if begin and self._expires:
            self._expires = False
            raise ApiError(verb, path, 410, {})
        end = begin + int(query.get("limit", len(self._objects)))
        more = {"continue": str(end)} if end < len(self._objects) else {}
        meta = {"resourceVersion": "7", **more}
        return {"items": list(self._objects[begin:end]), "metadata": meta}

    async def stream(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        assert (path, query) == ("/things", {"resourceVersion": "7"})
        yield {"type": "MODIFIED", "object": thing("b", "8")}
        yield {"type": "DELETED", "object": thing("a", "9")}
        await asyncio.Event().wait()


def thing(uid: str, version: str) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": uid, "uid": uid, "resourceVersion": version, "labels": {}}
    return {"metadata": meta, "spec": {"much": uid}}


def heard(api: Listing, number: int, **how: Any) -> list[tuple[str, Any]]:
    async def listen() -> list[tuple[str, Any]]:
        told = []
        async for change in follow(api, "/things", **how):  # type: ignore[arg-type]
            told.append((change.event, change.obj))
            if len(told) == number:
                break
        return told

    return asyncio.run(listen())


def test_a_listing_comes_in_pages_and_is_told_as_its_digest() -> None:
    api = Listing(*(thing(u, "1") for u in "abc"))
    told = heard(api, 6, digest=lambda o: slim(o, o["spec"]["much"]), page=2)
    assert api.asked == [{"limit": "2"}, {"limit": "2", "continue": "2"}]
    assert [(event, obj.get("value")) for event, obj in told] == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("ADDED", "c"),
        ("SYNCED", None),
        ("MODIFIED", "b"),
        ("DELETED", "a"),
    ]
    assert all("spec" not in obj for _, obj in told)


def test_a_page_that_has_expired_begins_the_listing_anew() -> None:
    api = Listing(*(thing(u, "1") for u in "abc"), expires=True)
    assert [event for event, _ in heard(api, 4, page=2)] == ["ADDED"] * 3 + ["SYNCED"]
    assert [q.get("continue") for q in api.asked] == [None, "2", None, "2"]


def test_without_pages_all_is_asked_for_at_once() -> None:
    api = Listing(*(thing(u, "1") for u in "abc"))
    assert [event for event, _ in heard(api, 4)] == ["ADDED"] * 3 + ["SYNCED"]
    assert api.asked == [{}]
