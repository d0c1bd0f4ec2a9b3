"""What an enactor sees of the answers: by what has changed, yet as if it looked at everything."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from drive import plan

from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Slice, Stored, Tree
from holdfast.core.repair import broken_endpoints
from holdfast.live import outlook
from holdfast.live.outlook import REPAIR_AFTER_SECONDS, Outlook, Seen, read
from holdfast.live.watch import Change
from holdfast.live.wire import render

NAMES = ("dynamodb", "iam", "s3")
ADDRESSES = ("10.0.0.1", "10.0.0.2")


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time as the outlook sees it."""
    found = Clock()
    monkeypatch.setattr(outlook, "time", found)
    return found


class Eyes:
    """An outlook that is fed by hand."""

    def __init__(self) -> None:
        self.sees = Outlook(None, "ns", asyncio.Event())  # type: ignore[arg-type]
        self.sees._synced = {Tree, Slice}

    def see(self, *objects: Stored, event: str = "ADDED") -> None:
        for obj in objects:
            raw = render(obj, "ns", "us-east-1")
            raw["metadata"] |= {"uid": obj.uid, "resourceVersion": obj.resource_version or "1"}
            raw["metadata"]["namespace"] = "ns"
            self.sees._note(Change(event, read(type(obj), raw)))  # type: ignore[arg-type]

    def gone(self, *objects: Stored) -> None:
        self.see(*objects, event="DELETED")


def stand(name: str, generation: int, *addresses: str, uid: str = "") -> tuple[Tree, Slice]:
    uid = uid or f"{name}-{generation}"
    tree = Tree(f"{name}-p{generation}", name, generation, uid=uid, resource_version="1")
    piece = Slice(f"{uid}-v4", tree.name, uid, "IPv4", addresses or ADDRESSES, uid=f"{uid}-v4")
    return tree, piece


def named(name: str, generation: int) -> Alias:
    return Alias(name, f"{name}-p{generation}", generation, uid=f"alias-{name}")


def healthy(generation: int) -> Iterator[Stored]:
    for name in NAMES:
        yield from (*stand(name, generation), named(name, generation))


def test_what_looks_broken_for_a_while_is_picked_and_only_that(clock: Clock) -> None:
    eyes, newest = Eyes(), plan(2, *NAMES, addresses=ADDRESSES)
    eyes.see(*healthy(2))
    assert eyes.sees.broken(newest) is None
    assert not eyes.sees.is_waiting
    eyes.gone(*stand("iam", 2))
    assert eyes.sees.broken(newest) is None
    assert eyes.sees.is_waiting
    clock.now += REPAIR_AFTER_SECONDS
    picked = eyes.sees.broken(newest)
    assert picked is not None
    assert [e.endpoint for e in picked.endpoints] == ["iam"]
    eyes.sees.tried()
    assert eyes.sees.broken(newest) is None, "the next attempt waits its time"
    eyes.see(*stand("iam", 2, uid="again"))
    assert eyes.sees.broken(newest) is None
    assert not eyes.sees.is_waiting


def test_what_keeps_changing_and_stays_broken_is_repaired_all_the_same(clock: Clock) -> None:
    eyes, newest = Eyes(), plan(2, *NAMES, addresses=ADDRESSES)
    eyes.see(*healthy(2))
    eyes.gone(*stand("s3", 2))
    eyes.sees.broken(newest)
    clock.now += REPAIR_AFTER_SECONDS
    eyes.see(named("s3", 2))
    assert eyes.sees.broken(newest) is not None


def test_what_breaks_elsewhere_does_not_put_off_a_repair(clock: Clock) -> None:
    eyes, newest = Eyes(), plan(2, *NAMES, addresses=ADDRESSES)
    eyes.see(*healthy(2))
    eyes.gone(named("s3", 2))
    eyes.sees.broken(newest)
    clock.now += REPAIR_AFTER_SECONDS / 2
    eyes.gone(named("iam", 2))
    eyes.sees.broken(newest)
    clock.now += REPAIR_AFTER_SECONDS / 2
    picked = eyes.sees.broken(newest)
    assert picked is not None
    assert [e.endpoint for e in picked.endpoints] == ["s3"]


def test_a_newer_plan_starts_the_wait_anew(clock: Clock) -> None:
    eyes = Eyes()
    eyes.see(*healthy(2))
    eyes.gone(*stand("iam", 2))
    eyes.sees.broken(plan(2, *NAMES, addresses=ADDRESSES))
    clock.now += REPAIR_AFTER_SECONDS
    assert eyes.sees.broken(plan(3, *NAMES, addresses=ADDRESSES)) is None
    clock.now += REPAIR_AFTER_SECONDS
    picked = eyes.sees.broken(plan(3, *NAMES, addresses=ADDRESSES))
    assert picked is not None
    assert [e.endpoint for e in picked.endpoints] == ["iam"]


def test_a_tree_made_anew_may_be_seen_before_the_former_is_seen_to_go(clock: Clock) -> None:
    del clock
    eyes, newest = Eyes(), plan(2, *NAMES, addresses=ADDRESSES)
    eyes.see(*healthy(2))
    eyes.see(*stand("iam", 2, uid="again"))
    eyes.gone(*stand("iam", 2))
    eyes.sees.broken(newest)
    assert not eyes.sees.is_waiting
    eyes.gone(*stand("iam", 2, uid="again"))
    eyes.sees.broken(newest)
    assert eyes.sees.is_waiting


@pytest.mark.parametrize("seed", range(30))
def test_looking_at_what_changed_finds_what_looking_at_everything_finds(seed: int) -> None:
    """Any order of changes, names that cross, objects that come again under another uid."""
    chance = random.Random(seed)
    seen, stored = Outlook(None, "ns", asyncio.Event()), {}  # type: ignore[arg-type, var-annotated]
    fleet = tuple(FrontEnd(a, 1) for a in ADDRESSES)
    for _ in range(400):
        obj = _some(chance)
        if obj.uid in stored and chance.random() < 0.6:
            del stored[obj.uid]
            seen._seen.forget(obj.uid)
        elif not any(o.name == obj.name and o.uid != obj.uid for o in stored.values()):
            stored[obj.uid] = obj
            seen._seen.forget(obj.uid)
            seen._seen.note(obj)
        newest = Plan(chance.choice((2, 3)), tuple(EndpointPlan(n, fleet) for n in NAMES))
        seen._look(newest, 0.0)
        found = tuple(e.endpoint for e in newest.endpoints if e.endpoint in seen._broken)
        assert found == broken_endpoints(newest, stored.values())


def _some(chance: random.Random) -> Any:
    name, generation = chance.choice(NAMES), chance.choice((2, 3))
    crossed = chance.choice(NAMES) if chance.random() < 0.1 else name
    uid = f"{name}-{generation}-{chance.choice('ab')}"
    addresses = ADDRESSES if chance.random() < 0.8 else ADDRESSES[:1]
    match chance.choice(("alias", "tree", "slice")):
        case "alias":
            return Alias(name, f"{crossed}-p{generation}", generation, uid=f"alias-{name}")
        case "tree":
            return Tree(f"{name}-p{generation}", name, generation, uid=uid)
        case _:
            return Slice(f"{uid}-v4", "", uid, "IPv4", addresses, uid=f"{uid}-v4")


def test_nothing_is_kept_of_what_is_gone() -> None:
    seen = Seen()
    for obj in healthy(2):
        seen.note(obj)  # type: ignore[arg-type]
    for obj in healthy(2):
        seen.forget(obj.uid)
    seen.doubtful.clear()
    assert not any(vars(seen).values())
