"""What is in a case's namespace before any process starts, and what then changes in it."""

import time
from collections.abc import Mapping

from e2e.faults.lives import Change, Life
from e2e.faults.site import REGION, authoritative, namespace
from e2e.install import NAMESPACE as SYSTEM
from e2e.install import RELEASE
from holdfast.core.names import CAPACITY_ANNOTATION, plan_name
from holdfast.live.api import Api, Json
from holdfast.live.resolver import Server
from holdfast.live.wire import GROUP_PATH

ENDPOINT = "dynamodb"
RETENTION, PLAN_HISTORY = 1, 4
LOCK_SECONDS = 3
"""Short, for the lock of the dead must expire before its successor goes on; and yet longer than
all that is done under it."""
STEADY = 200
"""The last number of the address of the front end that never changes."""


class Scene:
    def __init__(
        self, api: Api, server: Server, space: str, life: Life, guards: Mapping[str, str]
    ) -> None:
        self._api, self._server, self._space = api, server, space
        self._life, self._guards = life, guards
        self._core = f"/api/v1/namespaces/{space}"
        self._ours = f"{GROUP_PATH}/namespaces/{space}"
        self._slice = 0

    async def lay(self) -> None:
        """The namespace and what is in it before any process starts."""
        api, life = self._api, self._life
        await api.ensure("/api/v1/namespaces", namespace(self._space))
        await api.ensure(f"{self._core}/serviceaccounts", {"metadata": {"name": "default"}})
        for role in ("planner", "enactor"):
            path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._space}/rolebindings"
            await api.ensure(path, _binding(role))
        for pod in ("store-1", "store-2"):
            await api.ensure(f"{self._core}/pods", _pod(pod))
        await self._address("store-1", STEADY)
        await self._address("store-2", life.first)
        await self._serve_slice()
        if life.calm:  # the older one is never enacted: there is something to trim
            for generation in (life.first - 1, life.first):
                await api.ensure(f"{self._ours}/dnsplans", _plan(generation))
        await api.ensure(f"{self._ours}/regions", _region(self._guards, life))

    async def clear(self) -> None:
        """Have the namespace go; nobody waits for it."""
        await self._api.delete(f"/api/v1/namespaces/{self._space}")

    async def change(self, generation: int) -> float:
        """Have the planner append this plan. Returns when."""
        match self._life.change:
            case Change.SERVERS if generation >= self._life.under_test:
                await self._serve_slice()
            case Change.REGION if generation >= self._life.under_test:
                added = [f"added-{g}" for g in range(self._life.under_test, generation + 1)]
                body = {"spec": {"endpoints": [ENDPOINT, *added]}}
                answer = await self._api.merge_patch(f"{self._ours}/regions/{REGION}", body)
                assert answer.ok, answer
                return time.monotonic()
        await self._address("store-2", generation)
        return time.monotonic()

    async def _serve_slice(self) -> None:
        """Publish the servers' slice under a new name, then take the former one away."""
        api = self._api
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self._space}/endpointslices"
        self._slice += 1
        await api.ensure(path, authoritative(f"authoritative-{self._slice}", self._server))
        if self._slice > 1:
            await api.delete(f"{path}/authoritative-{self._slice - 1}")

    async def _address(self, pod: str, number: int) -> None:
        """A front end's address: of a range that is for documentation, for nobody connects."""
        address = f"198.51.100.{number}"
        status = {
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        path = f"{self._core}/pods/{pod}/status"
        answer = await self._api.merge_patch(path, {"status": status})
        assert answer.ok, answer


def _binding(role: str) -> Json:
    """An operator that is installed watches this Region, too, and leaves it alone, for it says
    that it is paused. Without the right to look it would ask for it again and again."""
    group = "rbac.authorization.k8s.io"
    name = f"{RELEASE}-{role}"
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": f"{name}-arm"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": SYSTEM}],
    }


def _pod(name: str) -> Json:
    """A front end for the planner to see; no kubelet ever runs it."""
    return {
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": "store"},
            "annotations": {CAPACITY_ANNOTATION: "100"},
        },
        "spec": {"schedulerName": "nobody", "containers": [{"name": "store", "image": "none"}]},
    }


def _plan(generation: int) -> Json:
    addresses = [f"198.51.100.{number}" for number in sorted((str(generation), str(STEADY)))]
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "DNSPlan",
        "metadata": {"name": plan_name(generation)},
        "spec": {
            "planGeneration": generation,
            "endpoints": [
                {"name": ENDPOINT, "addresses": [{"address": a, "weight": 100} for a in addresses]}
            ],
        },
    }


def _region(guards: Mapping[str, str], life: Life) -> Json:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Region",
        "metadata": {"name": REGION},
        "spec": {
            "endpoints": [ENDPOINT],
            "zones": [f"{REGION}{letter}" for letter in "ab"[: life.enactors]],
            "retention": RETENTION,
            "planHistory": PLAN_HISTORY,
            "enactor": {
                "lockSeconds": LOCK_SECONDS,
                "backoffMilliseconds": 50,
                "backoffMaxMilliseconds": 500,
            },
            "guards": {"dns": dict(guards)},
            "paused": True,
        },
    }
