"""The fake API server against the real one: the same intents, the same kinds of replies.

The facts that the decisions rely on, each seen on a real API server: a fence that only the fake
keeps would be no fence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from e2e.cluster_tools import kubectl, run
from holdfast.core.intents import Create, Delete, Get, Intent, List, PatchAlias, Replace
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Slice, Tree
from holdfast.core.replies import Read, Reply, Written
from holdfast.fake import FakeApi
from holdfast.live.api import connect
from holdfast.live.perform import Performer

pytestmark = pytest.mark.cluster

SPACE = "holdfast-conformance"


@pytest.fixture
def namespace() -> Iterator[None]:
    run("kubectl", "delete", "namespace", SPACE, "--ignore-not-found", "--wait")
    kubectl("create", "namespace", SPACE)
    yield
    run("kubectl", "delete", "namespace", SPACE, "--wait=false")


Perform = Callable[[Intent], Awaitable[Reply]]


async def story(perform: Perform) -> list[str]:
    """A life of objects, told as the kinds of replies (and what they say of versions)."""
    told: list[str] = []

    async def do(intent: Intent) -> Reply:
        reply = await perform(intent)
        told.append(f"{type(intent).__name__}: {type(reply).__name__}")
        return reply

    def obj(reply: Reply) -> object:
        assert isinstance(reply, Read | Written), (reply, told)
        return reply.obj

    alias = Alias("dynamodb", "dynamodb-p1", 1)
    await do(Get(Alias, "dynamodb"))
    await do(PatchAlias("dynamodb", "", "a 1.000"))
    first = obj(await do(Create(alias)))
    assert isinstance(first, Alias)
    await do(Create(alias))
    second = obj(await do(Replace(replace(first, target="dynamodb-p2", generation=2))))
    assert isinstance(second, Alias)
    told.append(f"the version moved: {second.resource_version != first.resource_version}")
    await do(Replace(replace(first, target="dynamodb-p1")))
    same = obj(await do(Replace(second)))
    assert isinstance(same, Alias)
    told.append(f"a no-op moved it: {same.resource_version != second.resource_version}")
    locked = obj(await do(PatchAlias("dynamodb", "", "a 1.000")))
    assert isinstance(locked, Alias)
    told.append(f"the lock is {locked.lock!r}, the target {locked.target}")
    await do(PatchAlias("dynamodb", "", "b 2.000"))
    flip = PatchAlias("dynamodb", "a 1.000", "", "dynamodb-p3", 3, "dynamodb-p2", "a")
    flipped = obj(await do(flip))
    assert isinstance(flipped, Alias)
    told.append(f"{flipped.target} {flipped.generation} {flipped.rollback} {flipped.lock!r}")
    await do(Replace(locked))
    told.append(f"{len(getattr(await do(List(Alias)), 'items', ()))} alias")

    tree = obj(await do(Create(Tree("dynamodb-p1", "dynamodb", 1))))
    assert isinstance(tree, Tree)
    piece = Slice("dynamodb-p1-x-v4", tree.name, tree.uid, "IPv4", ("10.0.0.1",))
    made = obj(await do(Create(piece)))
    await do(Create(piece))
    assert isinstance(made, Slice)
    told.append(f"owner kept: {made.tree_uid == tree.uid}, {made.addresses}")
    told.append(f"{len(getattr(await do(List(Tree)), 'items', ()))} tree")
    await do(Delete(Tree, tree.name))
    await do(Delete(Tree, tree.name))
    await do(Get(Tree, tree.name))

    plan = Plan(7, (EndpointPlan("dynamodb", (FrontEnd("10.0.0.1", 100),)),))
    await do(Create(plan))
    await do(Create(plan))
    listed = getattr(await do(List(Plan)), "items", ())
    told.append(f"plans: {listed}")
    await do(Delete(Plan, "plan-0000000007"))
    await do(Delete(Plan, "plan-0000000007"))
    return told


@pytest.mark.usefixtures("namespace")
def test_the_fake_tells_the_same_story_as_the_cluster() -> None:
    async def on_the_cluster() -> list[str]:
        async with connect("holdfast-conformance") as api:
            return await story(Performer(api, SPACE, "us-east-1"))

    async def in_memory() -> list[str]:
        api = FakeApi()

        async def perform(intent: Intent) -> Reply:
            return api.perform(intent)

        return await story(perform)

    assert asyncio.run(in_memory()) == asyncio.run(on_the_cluster())


@pytest.mark.usefixtures("namespace")
def test_a_deleted_alias_is_not_created_again_by_a_fenced_put() -> None:
    """A PUT of a Service with an old resourceVersion creates it when it is gone, unless the uid is
    sent along: the reason why every fenced write bears both."""

    async def attempt() -> list[str]:
        async with connect("holdfast-conformance") as api:
            perform = Performer(api, SPACE, "us-east-1")
            made = await perform(Create(Alias("dynamodb", "dynamodb-p1", 1)))
            assert isinstance(made, Written)
            assert isinstance(made.obj, Alias)
            path = f"/api/v1/namespaces/{SPACE}/services/dynamodb"
            raw = (await api.get(path)).body
            assert (await api.delete(path)).ok
            fenced = await perform(Replace(made.obj))
            del raw["metadata"]["uid"]
            unfenced = await api.call("PUT", path, raw)
            return [type(fenced).__name__, str(unfenced.status)]

    assert asyncio.run(attempt()) == ["Conflict", "201"]
