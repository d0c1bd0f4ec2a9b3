"""After a lost watch the difference of two listings stands in for the changes that nobody saw."""

from typing import Any

from holdfast.live.watch import _difference, _is_late, bare, is_older


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


def test_bare_keeps_what_the_difference_needs_and_nothing_else() -> None:
    def thing(version: str) -> dict[str, Any]:
        meta = {"name": "n", "uid": "a", "resourceVersion": version, "labels": {"x": "y"}}
        return {"metadata": meta, "spec": {"much": "more"}}

    known: dict[str, Any] = {}
    first = _difference(known, [thing("1")], False, bare)
    assert [c.obj["spec"] for c in first] == [{"much": "more"}]
    assert known == {"a": {"metadata": {"name": "n", "uid": "a", "resourceVersion": "1"}}}
    assert _difference(known, [thing("1")], True, bare) == []
    assert [c.event for c in _difference(known, [thing("2")], True, bare)] == ["MODIFIED"]
    assert [(c.event, c.obj["metadata"]["uid"]) for c in _difference(known, [], True, bare)] == [
        ("DELETED", "a")
    ]
