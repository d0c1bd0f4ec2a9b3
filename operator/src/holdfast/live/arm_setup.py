"""Sets an arm up, and takes down what must not outlive its run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from holdfast.core.answers import PROBED_MAX
from holdfast.core.guards import Switch
from holdfast.core.names import customer_name
from holdfast.core.objects import Stored, Tree
from holdfast.core.scenario import Arm, Scenario
from holdfast.core.starts import Start, alias_of, kinds_of, slice_of, tree_of
from holdfast.live import arm_manifests as manifests
from holdfast.live.admission import until_in_force
from holdfast.live.api import Answer, Api, ApiError, Json
from holdfast.live.arm_manifests import Installation
from holdfast.live.wire import GROUP_PATH, path_of, render

log = logging.getLogger("holdfast.scenario")

READY_DEADLINE_SECONDS = 180.0
GONE_DEADLINE_SECONDS = 90.0
CLOSE_DEADLINE_SECONDS = 30.0
"""For each of what is to be undone."""
RETRY_SECONDS = 1.0
RELEASE_TRIES = 5
DNS_SERVERS = ("authoritative", "resolver")
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class ArmError(Exception):
    """The arm could not be run; the message names the object and the way out."""


class Stage:
    """The namespace of one arm."""

    def __init__(self, api: Api, scenario: Scenario, arm: Arm, install: Installation) -> None:
        self._api, self._scenario, self._arm, self._install = api, scenario, arm, install
        self.namespace = scenario.namespace_of(arm.name)
        spec = scenario.region
        self.zones: tuple[str, ...] = tuple(spec["zones"])
        self.families: tuple[str, ...] = tuple(spec["families"])

    async def build(self, say: Callable[[str], None]) -> None:
        """Everything but the Region, which comes last: with it the loops begin."""
        space, region, arm = self.namespace, self._scenario.region_name, self._arm.name
        say("creating the namespace")
        await self._own("/api/v1/namespaces", manifests.namespace(self._scenario, arm), say)
        for binding in manifests.role_bindings(self._install):
            await self._api.ensure(f"{RBAC}/namespaces/{space}/rolebindings", binding)
        oncall = manifests.oncall_binding(self._install, space)
        await self._api.ensure(f"{RBAC}/namespaces/{space}/rolebindings", oncall)
        grant = manifests.coredns_binding(self._scenario, arm, self._install)
        await self._own(f"{RBAC}/clusterrolebindings", grant, say)
        fleet = self._arm.fleet
        hosts = () if fleet is None else ("rack",)
        for name in (*DNS_SERVERS, "store", *hosts, "probe", manifests.ONCALL):
            await self._core("serviceaccounts", manifests.service_account(name))
        addresses = {
            name: (await self._core("services", manifests.dns_service(name)))["spec"]["clusterIP"]
            for name in DNS_SERVERS
        }
        corefiles = {
            "authoritative": manifests.authoritative_corefile(region, space),
            "resolver": manifests.resolver_corefile(region, addresses["authoritative"]),
        }
        for name, text in corefiles.items():
            await self._core("configmaps", manifests.config_map(name, {"Corefile": text}))
        deployments = [
            manifests.dns_deployment(name, self._install, watches=name == "authoritative")
            for name in DNS_SERVERS
        ]
        capacity = int(self._scenario.region["store"]["capacity"])
        deployments += [
            manifests.store_deployment(zone, capacity, self._install, self._announced(number))
            for number, zone in enumerate(self.zones, start=1)
        ]
        if fleet is not None:
            deployments += [
                manifests.rack_deployment(zone, agent, fleet, self._install)
                for zone in self.zones
                for agent in range(1, fleet.agents + 1)
            ]
        probed = self._scenario.region["endpoints"][:PROBED_MAX]
        deployments.append(
            manifests.probe_deployment(
                tuple(customer_name(e, region) for e in probed),
                self.families,
                addresses,
                self._install,
                whole=self._arm.start is not None,
            )
        )
        for deployment in deployments:
            await self._api.ensure(f"/apis/apps/v1/namespaces/{space}/deployments", deployment)
        await self._publish()
        await self._until_available(len(deployments), say)

    def _announced(self, zone: int) -> tuple[str, ...]:
        """What a zone's front end says that it has besides, for a cluster without IPv6."""
        return (f"fd00::{zone}:1",) if "IPv6" in self.families else ()

    async def make(self, start: Start) -> None:
        """What the loops are to find when they begin: broken already."""
        for endpoint in self._scenario.region["endpoints"]:
            uid = ""
            for kind in kinds_of(start):
                wanted = tree_of(endpoint) if kind is Tree else slice_of(endpoint, uid)
                made = await self._make(wanted)
                uid = uid or made["metadata"]["uid"]
            await self._make(alias_of(start, endpoint, time.time()))

    async def _make(self, obj: Stored) -> Json:
        body = render(obj, self.namespace, self._scenario.region_name)
        return await self._api.need("POST", path_of(type(obj), self.namespace), body)

    async def start(self) -> None:
        """Create the Region, with the arm's guards and holds. Where policies are to guard it, it
        is paused until they do: with the Region the loops begin."""
        is_guarded = self._arm.guards.admission is Switch.ENABLED
        body = {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Region",
            "metadata": {"name": self._scenario.region_name},
            "spec": {
                **self._scenario.region,
                **({"fleet": dict(self._arm.raw_fleet)} if self._arm.raw_fleet else {}),
                "guards": dict(self._arm.raw_guards),
                "holds": [dict(h) for h in self._arm.holds],
                **({"seed": self._scenario.seed} if self._scenario.jitter else {}),
                "paused": is_guarded,
            },
        }
        path = f"{GROUP_PATH}/namespaces/{self.namespace}/regions"
        await self._api.need("POST", path, body, fieldValidation="Strict")
        if is_guarded:
            if missing := await until_in_force(self._api, self.namespace):
                raise ArmError(
                    f"dns.admission is Enabled, but {missing}: were the chart's policies installed "
                    "(admission.install), kubectl get validatingadmissionpolicies?"
                )
            go: list[Json] = [
                {"op": "test", "path": "/spec/paused", "value": True},
                {"op": "replace", "path": "/spec/paused", "value": False},
            ]
            answer = await self._api.json_patch(self.region_path, go)
            if not answer.ok:
                raise ApiError("PATCH", self.region_path, answer.status, answer.body)

    async def release(self, name: str) -> None:
        """Let a hold go. The test keeps the index honest if the list was edited by hand."""
        index = next(i for i, h in enumerate(self._arm.holds) if h["name"] == name)
        operations: list[Json] = [
            {"op": "test", "path": f"/spec/holds/{index}/name", "value": name},
            {"op": "add", "path": f"/spec/holds/{index}/released", "value": True},
        ]
        for _ in range(RELEASE_TRIES):  # it may be sent twice: released is released
            answer = await self._api.json_patch(self.region_path, operations)
            if answer.ok:
                return
            await asyncio.sleep(0.2)
        raise ApiError("PATCH", self.region_path, answer.status, answer.body)

    async def close(self) -> None:
        """Pause the Region, stop the probe, give the node ports back, whichever process built it
        all. The rest stays to be looked at until the Scenario is deleted. A namespace that is not
        this Scenario's is not touched.
        """
        space = f"/api/v1/namespaces/{self.namespace}"
        found = await self._insist(lambda: self._api.get(space))
        if not found.ok or self._scenario.uid not in _owners(found.body["metadata"]):
            return
        operations: list[Json] = [
            {"op": "test", "path": "/metadata/name", "value": self._scenario.region_name},
            {"op": "add", "path": "/spec/paused", "value": True},
        ]
        await self._insist(lambda: self._api.json_patch(self.region_path, operations))
        deployment = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/probe"
        none: Json = {"spec": {"replicas": 0}}
        await self._insist(lambda: self._api.merge_patch(deployment, none))
        for name in DNS_SERVERS:
            port = f"{space}/services/{name}-nodeport"
            await self._insist(lambda path=port: self._api.delete(path))  # type: ignore[misc]

    async def _insist(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of an API server that has taken the call. A node port that is not given back
        would keep the next arm from being asked. Of a namespace that is on its way out nothing is
        there, or nobody has a right to it any more: that is an answer."""
        loop = asyncio.get_running_loop()
        until = loop.time() + CLOSE_DEADLINE_SECONDS
        while (answer := await call()).status in (0, 429) or answer.status >= 500:
            if loop.time() > until:
                why = answer.body.get("message", answer.status)
                log.error("%s: the arm is not closed: %s", self.namespace, why)
                break
            await asyncio.sleep(RETRY_SECONDS)
        return answer

    @property
    def region_path(self) -> str:
        name = self._scenario.region_name
        return f"{GROUP_PATH}/namespaces/{self.namespace}/regions/{name}"

    async def _core(self, resource: str, body: Json) -> Json:
        return await self._api.ensure(f"/api/v1/namespaces/{self.namespace}/{resource}", body)

    async def _own(self, path: str, body: Json, say: Callable[[str], None]) -> None:
        """Create a cluster-scoped object of this Scenario. What a former Scenario of the same name
        left is on its way out and is waited for; what is somebody else's is left alone."""
        kind, name = body["kind"].lower(), body["metadata"]["name"]
        loop = asyncio.get_running_loop()
        until = loop.time() + GONE_DEADLINE_SECONDS
        while True:
            meta = (await self._api.ensure(path, body))["metadata"]
            owners = _owners(meta)
            leaving = "deletionTimestamp" in meta
            if self._scenario.uid in owners and not leaving:
                return
            if not owners:
                raise ArmError(
                    f"{kind} {name} exists and is not this Scenario's: "
                    "delete it, or rename the Scenario or the arm"
                )
            if loop.time() > until:
                raise ArmError(
                    f"{kind} {name} of a former Scenario is still there after "
                    f"{GONE_DEADLINE_SECONDS:.0f} s: see what keeps it with "
                    f"kubectl get {kind} {name} -o yaml, then apply again"
                )
            say(f"waiting for the former {kind} {name} to go")
            await asyncio.sleep(1.0)

    async def _publish(self) -> None:
        for name, port in zip(DNS_SERVERS, self._install.node_ports, strict=False):
            service = manifests.dns_service(name, port)
            try:
                await self._core("services", service)
            except ApiError as error:
                log.warning("%s: not published on the nodes: %s", self.namespace, error)

    async def _until_available(self, wanted: int, say: Callable[[str], None]) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        loop = asyncio.get_running_loop()
        until = loop.time() + READY_DEADLINE_SECONDS
        while True:
            items = (await self._api.need("GET", path))["items"]
            missing = [
                d["metadata"]["name"] for d in items if not d["status"].get("availableReplicas")
            ]
            if len(items) >= wanted and not missing:
                return
            if loop.time() > until:
                raise ArmError(
                    f"not available after {READY_DEADLINE_SECONDS:.0f} s: {', '.join(missing)}; "
                    f"see kubectl -n {self.namespace} describe pods"
                )
            say(f"waiting for {', '.join(missing)}")
            await asyncio.sleep(0.5)


def _owners(meta: Json) -> set[str]:
    """The uids of the Scenarios that own an object."""
    return {o["uid"] for o in meta.get("ownerReferences") or () if o["kind"] == "Scenario"}
