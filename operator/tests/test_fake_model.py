"""The naive model that the fake is held against, and what it says, by values.

It shares no code with the fake: rows of plain fields in a dict, and a list of all the states there
were. Uids and versions are the server's to give: the model takes them over from the fake once it
has found that nothing ever bore them.
"""

from dataclasses import asdict, dataclass
from typing import Any

from holdfast.core.intents import (
    Create,
    Delete,
    Get,
    Intent,
    List,
    Overwrite,
    PatchAlias,
    Pick,
    Pin,
    Prove,
    Reach,
    Replace,
    Unpin,
)
from holdfast.core.objects import Alias, Lease, Plan, Slice, Stored, Tree
from holdfast.fake import FakeApi


@dataclass(frozen=True, slots=True)
class Ticket:
    """A kind that is not ours: a custom resource."""

    name: str
    note: str
    uid: str = ""
    resource_version: str = ""


Row = dict[str, Any]
Rows = dict[tuple[type[Any], str], Row]

KINDS = (Alias, Tree, Slice, Lease, Plan, Ticket)
PUT_CREATES = (Alias, Tree, Lease)
PUT_NEEDS_NO_VERSION = (Alias, Tree, Slice)
NEW = "to be given by the server"


class Model:
    def __init__(self) -> None:
        self.rows: Rows = {}
        self.past: list[Rows] = [{}]
        self.effects: list[Intent] = []
        self.uids: set[str] = set()
        self.version = 0
        self.answer: Row | None = None

    def changed(self) -> None:
        self.past.append(dict(self.rows))

    def take_over(self, api: FakeApi, since: int) -> None:
        """Give the rows of the states after `since` the uids and versions of the fake's changes."""
        assert len(api.changes) == len(self.past) - 1
        for change, state in zip(api.changes[since:], self.past[since + 1 :], strict=True):
            assert change.version > self.version
            self.version = change.version
            if change.obj is None:
                assert change.key not in state
                continue
            row = state[change.key]
            if row["uid"] is NEW:
                assert change.obj.uid not in self.uids | {""}
                self.uids.add(change.obj.uid)
                row["uid"] = change.obj.uid
            if row["resource_version"] is NEW:
                assert change.obj.resource_version == str(change.version)
                row["resource_version"] = str(change.version)

    def step(self, intent: Intent) -> str:
        """What the intent does to the rows. Returns the reply's name; `answer` is its object."""
        self.answer = None
        match intent:
            case Create(obj) if obj.resource_version:
                return "Overloaded"
            case Create(obj):
                return "Exists" if self.at(obj) else self.make(intent, obj)
            case Replace(obj):
                return self.put(intent, obj)
            case Overwrite(obj):
                return self.put_blindly(intent, obj)
            case PatchAlias():
                return self.patch(intent)
            case Pin(tree, uid, holder) | Unpin(tree, uid, holder):
                return self.pin(intent, tree, uid, holder)
            case Delete():
                return self.delete(intent)
            case _:
                return self.read(intent)

    def read(self, intent: Intent) -> str:
        match intent:
            case Get(kind, name):
                self.answer = self.rows.get((kind, name))
                return "Absent" if self.answer is None else "Read"
            case Prove(tree, addresses):
                return "Proven" if self.served(tree) == addresses else "Unproven"
            case _:
                return {List: "Listed", Pick: "Picked", Reach: "Passed"}[type(intent)]

    def put(self, intent: Intent, obj: Stored) -> str:
        row = self.at(obj)
        if row is None:
            return "Conflict" if isinstance(obj, PUT_CREATES) else "Absent"
        if row["uid"] != obj.uid or row["resource_version"] != obj.resource_version:
            return "Conflict"
        return self.edit(intent, (type(obj), obj.name), content(obj))

    def put_blindly(self, intent: Intent, obj: Stored) -> str:
        if self.at(obj) is None:
            return self.make(intent, obj) if isinstance(obj, PUT_CREATES) else "Absent"
        if not isinstance(obj, PUT_NEEDS_NO_VERSION):
            return "Rejected"
        return self.edit(intent, (type(obj), obj.name), content(obj))

    def patch(self, intent: PatchAlias) -> str:
        row = self.rows.get((Alias, intent.endpoint))
        if row is None:
            return "Absent"
        if row["lock"] != intent.expect_lock:
            return "Missed"
        given = asdict(intent)
        wanted = {k: given[k] for k in ("target", "generation", "rollback", "writer")}
        wanted = {k: v for k, v in wanted.items() if v is not None}
        return self.edit(intent, (Alias, intent.endpoint), wanted | {"lock": intent.lock})

    def pin(self, intent: Intent, tree: str, uid: str, holder: str) -> str:
        row = self.rows.get((Tree, tree))
        if row is None:
            return "Absent"
        if row["uid"] != uid:
            return "Missed"
        pins = {p for p in row["pins"] if p != holder}
        pins |= {holder} if isinstance(intent, Pin) else set()
        return self.edit(intent, (Tree, tree), {"pins": tuple(sorted(pins))})

    def delete(self, intent: Delete) -> str:
        row = self.rows.get((intent.kind, intent.name))
        if row is None:
            return "Absent"
        sent = (intent.uid or row["uid"], intent.resource_version or row["resource_version"])
        if sent != (row["uid"], row["resource_version"]):
            return "Conflict"
        del self.rows[intent.kind, intent.name]
        self.changed()
        self.collect()
        self.effects.append(intent)
        return "Deleted"

    def at(self, obj: Stored) -> Row | None:
        return self.rows.get((type(obj), obj.name))

    def make(self, intent: Intent, obj: Stored) -> str:
        identity = "" if isinstance(obj, Plan) else NEW
        row = content(obj) | {"uid": identity, "resource_version": identity}
        self.rows[type(obj), obj.name] = self.answer = row
        self.effects.append(intent)
        self.changed()
        self.collect()
        return "Written"

    def edit(self, intent: Intent, key: tuple[type[Any], str], wanted: Row) -> str:
        row = self.rows[key]
        self.answer = row
        if row | wanted != row:
            version = "" if key[0] is Plan else NEW
            self.answer = self.rows[key] = row | wanted | {"resource_version": version}
            self.effects.append(intent)
            self.changed()
            self.collect()
        return "Written"

    def collect(self) -> None:
        """Slices whose tree is gone, or is another than theirs, go."""
        for key, row in list(self.rows.items()):
            owner = self.rows.get((Tree, row["tree"])) if key[0] is Slice else None
            if key[0] is Slice and (owner is None or owner["uid"] != row["tree_uid"]):
                del self.rows[key]
                self.changed()

    def served(self, tree: str) -> tuple[str, ...]:
        root = self.rows.get((Tree, tree), {})
        pieces = [r for (kind, _), r in self.rows.items() if kind is Slice]
        own = [r["addresses"] for r in pieces if r["tree_uid"] == root.get("uid")]
        return tuple(sorted(a for addresses in own for a in addresses))


def fields(obj: Stored) -> Row:
    row: Row = asdict(obj)  # type: ignore[call-overload]
    return row


def content(obj: Stored) -> Row:
    return {k: v for k, v in fields(obj).items() if k not in ("uid", "resource_version")}


def test_a_tree_takes_its_slices_along_and_a_blind_put_brings_a_service_back() -> None:
    model = Model()
    tree = Tree("a-p1", "a", 1)
    assert model.step(Create(tree)) == "Written"
    model.rows[Tree, "a-p1"] |= {"uid": "u-1", "resource_version": "1"}
    piece = Slice("a-p1-x", "a-p1", "u-1", "IPv4", ("10.0.0.1",))
    assert model.step(Create(piece)) == "Written"
    assert model.served("a-p1") == ("10.0.0.1",)
    assert model.step(Delete(Tree, "a-p1", "u-2")) == "Conflict"
    assert model.step(Delete(Tree, "a-p1", "u-1", "1")) == "Deleted"
    assert not model.rows
    assert model.step(Overwrite(piece)) == "Absent"
    assert model.step(Overwrite(tree)) == "Written"
    assert model.step(Create(piece)) == "Written", "of another's uid: collected"
    assert [key[1] for key in model.rows] == ["a-p1"]
    assert [len(state) for state in model.past] == [0, 1, 2, 1, 0, 1, 2, 1]
