"""A controller that gives a claim a disk, written twice: it may crash, and replies get lost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from holdfast.check import (
    Actor,
    Budgets,
    Create,
    Exists,
    Flow,
    Get,
    Model,
    Objects,
    Read,
    Replace,
    Written,
    all_of,
    explore,
    remember,
    stored,
)


@dataclass(frozen=True)
class Claim:
    name: str
    disk: str = ""
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True)
class Disk:
    name: str
    uid: str = ""
    resource_version: str = ""


def forgetful(identity: str, attempt: int) -> Flow:
    """Makes a disk, then writes into the claim which one it is."""
    match (yield Get(Claim, "data")):
        case Read(Claim(disk="") as claim):
            name = f"disk-{identity.partition('/')[2]}-{attempt}"
            made = yield Create(Disk(name))
            if isinstance(made, Written):
                yield Replace(replace(claim, disk=name))
            return attempt + 1
    return attempt


def repeatable(_identity: str, _memory: None) -> Flow:
    """The disk bears the claim's uid in its name: who finds it there has made it before."""
    match (yield Get(Claim, "data")):
        case Read(Claim(disk="") as claim):
            name = f"disk-{claim.uid}"
            made = yield Create(Disk(name))
            if isinstance(made, Written | Exists):
                yield Replace(replace(claim, disk=name))


def no_orphans(objects: Objects) -> bool:
    """There is a disk, and every disk is the one that the claim names."""
    (claim,) = all_of(objects, Claim)
    return [disk.name for disk in all_of(objects, Disk)] == [claim.disk]


def model(flow: Callable[[str, Any], Flow], start: Any, budgets: Budgets) -> Model:
    return Model(
        actors=(Actor("provisioner", flow, start, remember),),
        objects=stored(Claim("data")),
        goal=no_orphans,
        budgets=budgets,
    )


if __name__ == "__main__":
    print(explore(model(forgetful, 1, Budgets(crashes=1))))
    print()
    print(explore(model(forgetful, 1, Budgets(lost_replies=1))))
    print()
    print(explore(model(repeatable, None, Budgets(crashes=2, lost_replies=2))))
