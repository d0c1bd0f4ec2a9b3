"""After a lost watch the difference of two listings stands in for the changes that nobody saw."""

from typing import Any

from holdfast.live.watch import _difference


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
