"""A Region's namespace of our own, without a Scenario around it: what a measurement needs and no
more, and no end but its own.

Front ends are Pods that never run, whose status says that they are ready: nobody connects to them.
The authoritative server is published on a port of the nodes. Where the operator is to act, its
roles get their rights as in an arm; where it is not, nobody but the measurement is there.
"""

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from e2e.cluster.versions import HOLDFAST_COREDNS_IMAGE
from e2e.cluster_tools import SYSTEM, kubectl
from holdfast.core.names import CAPACITY_ANNOTATION, SERVICE_NAME_LABEL
from holdfast.live.api import Api, Json, configuration, connect
from holdfast.live.arm_manifests import (
    Installation,
    authoritative_corefile,
    config_map,
    dns_deployment,
    dns_service,
    role_bindings,
    service_account,
)
from holdfast.live.authority import SERVICE
from holdfast.live.resolver import Server, ask
from holdfast.live.wire import GROUP_PATH

REGION = "us-east-1"
RELEASE = "holdfast"
ACCOUNT = "bench"
LABELS = {"holdfast.dev/test": "bench"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
INSTALL = Installation(SYSTEM, RELEASE, "", HOLDFAST_COREDNS_IMAGE, "IfNotPresent", ())
PATIENCE_SECONDS = 120.0
RULES = [
    {"apiGroups": ["holdfast.dev"], "resources": ["dnsplans"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["*"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["*"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
]


@dataclass(frozen=True, slots=True)
class Ground:
    """`admin` sets things up; what is measured goes through `api`, an ordinary ServiceAccount, for
    administrators escape the API server's flow control. `server` answers for the namespace."""

    space: str
    admin: Api
    api: Api
    server: Server

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.space}"

    @property
    def region(self) -> str:
        return f"{GROUP_PATH}/namespaces/{self.space}/regions/{REGION}"

    async def front_ends(self, number: int) -> None:
        """So many of them, 198.51.100.1 and up: a range that is for documentation."""
        for n in range(1, number + 1):
            await self.admin.ensure(f"{self.core}/pods", _front_end(n))
            status = {
                "podIP": f"198.51.100.{n}",
                "podIPs": [{"ip": f"198.51.100.{n}"}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            path = f"{self.core}/pods/store-{n}/status"
            answer = await self.admin.merge_patch(path, {"status": status})
            assert answer.ok, answer

    async def weigh(self, capacity: int) -> None:
        """Another capacity of one front end: the planner appends a plan of the same addresses."""
        body = {"metadata": {"annotations": {CAPACITY_ANNOTATION: str(capacity)}}}
        answer = await self.admin.merge_patch(f"{self.core}/pods/store-1", body)
        assert answer.ok, answer

    async def alias_names_a_tree(self, endpoint: str) -> bool:
        alias = await self.admin.get(f"{self.core}/services/{endpoint}")
        target = str((alias.body.get("spec") or {}).get("externalName", "")).partition(".")[0]
        return (await self.admin.get(f"{self.core}/services/{target or '-'}")).ok

    async def begin(self, spec: Mapping[str, Any]) -> None:
        """Create the Region: the operator's roles act from now on."""
        body = {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Region",
            "metadata": {"name": REGION},
            "spec": dict(spec),
        }
        path = self.region.rpartition("/")[0]
        await self.admin.need("POST", path, body, fieldValidation="Strict")

    async def change(self, spec: Mapping[str, Any]) -> None:
        answer = await self.admin.merge_patch(self.region, {"spec": dict(spec)})
        assert answer.ok, answer

    async def report(self, actors: Mapping[str, Any]) -> None:
        """Into the Region's status, in the place of enactors that cannot."""
        body = {"status": {"actors": dict(actors)}}
        answer = await self.admin.merge_patch(f"{self.region}/status", body)
        assert answer.ok, answer


@asynccontextmanager
async def ground(*, operated: bool) -> AsyncIterator[Ground]:
    """`operated`: the installed operator has its rights here, and acts once there is a Region."""
    space = f"bench-{uuid.uuid4().hex[:5]}"
    async with connect("bench-setup") as admin:
        try:
            server = await _build(admin, space, operated)
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                json.dump(_kubeconfig(space), file)
                file.flush()
                plain = await configuration(file.name)
                # As in a Pod: no proxy is looked for, which would cost every call a thread.
                plain.client_session_kwargs = {"trust_env": False}
                api = Api(plain, "bench")
                try:
                    yield Ground(space, admin, api, server)
                finally:
                    await api.close()
        finally:
            await _remove(admin, space)


async def clear() -> None:
    """Take away what runs that did not get to their end have left."""
    async with connect("bench-setup") as admin:
        query = {"labelSelector": "holdfast.dev/test=bench"}
        for found in (await admin.need("GET", "/api/v1/namespaces", **query))["items"]:
            await _remove(admin, found["metadata"]["name"])


async def _remove(admin: Api, space: str) -> None:
    """The Region first, so that nobody acts on what goes; then all of it, and wait."""
    await admin.delete(f"{GROUP_PATH}/namespaces/{space}/regions/{REGION}")
    await admin.delete(f"{RBAC}/clusterrolebindings/{space}")
    path = f"/api/v1/namespaces/{space}"
    while (await admin.delete(path)).status != 404:
        await asyncio.sleep(0.5)


async def _build(admin: Api, space: str, operated: bool) -> Server:
    core = f"/api/v1/namespaces/{space}"
    await admin.ensure("/api/v1/namespaces", {"metadata": {"name": space, "labels": LABELS}})
    rbac = f"{RBAC}/namespaces/{space}"
    for name in (SERVICE, "store", ACCOUNT):
        await admin.ensure(f"{core}/serviceaccounts", service_account(name))
    await admin.ensure(f"{rbac}/roles", {"metadata": {"name": ACCOUNT}, "rules": RULES})
    await admin.ensure(f"{rbac}/rolebindings", _binding(ACCOUNT, "Role", ACCOUNT, ACCOUNT, space))
    for binding in role_bindings(INSTALL) if operated else ():
        await admin.ensure(f"{rbac}/rolebindings", binding)
    watching = _binding(space, "ClusterRole", f"{RELEASE}-coredns", SERVICE, space)
    await admin.ensure(f"{RBAC}/clusterrolebindings", watching)

    corefile = authoritative_corefile(REGION, space)
    await admin.ensure(f"{core}/configmaps", config_map(SERVICE, {"Corefile": corefile}))
    deployments = f"/apis/apps/v1/namespaces/{space}/deployments"
    await admin.ensure(deployments, dns_deployment(SERVICE, INSTALL, watches=True))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await admin.need("GET", f"{deployments}/{SERVICE}"))["status"].get(
            "readyReplicas"
        ):
            await asyncio.sleep(0.5)
    public = dns_service(SERVICE, 1)
    for port in public["spec"]["ports"]:
        del port["nodePort"]  # any that is free
    published = await admin.ensure(f"{core}/services", public)
    server = Server(await _node(admin), published["spec"]["ports"][0]["nodePort"])
    if operated:
        await admin.ensure(f"{core}/services", dns_service(SERVICE))
    else:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices"
        await admin.ensure(path, _served_from_outside(server))
    await _until_served(server)
    return server


async def _node(admin: Api) -> str:
    nodes = (await admin.need("GET", "/api/v1/nodes"))["items"]
    addresses = nodes[0]["status"]["addresses"]
    return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))


async def _until_served(server: Server) -> None:
    """Until every question gets an answer. Each is a flow of its own: one that began before the
    port was published goes nowhere for as long as it is kept busy."""
    heard = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while heard < 10:
            answer = await ask(server, f"nobody.{REGION}.cloud.test", "IPv4")
            heard = heard + 1 if answer.rcode else 0
            await asyncio.sleep(0.05)


def _binding(name: str, kind: str, role: str, account: str, space: str) -> Json:
    group = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": name, "labels": LABELS},
        "roleRef": {"apiGroup": group, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": space}],
    }


def _served_from_outside(server: Server) -> Json:
    """What an enactor that runs on the host takes for the Region's authoritative server."""
    return {
        "metadata": {"name": SERVICE, "labels": {SERVICE_NAME_LABEL: SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [server.address], "conditions": {"ready": True}}],
        "ports": [{"name": "dns-udp", "port": server.port, "protocol": "UDP"}],
    }


def _front_end(number: int) -> Json:
    return {
        "metadata": {
            "name": f"store-{number}",
            "labels": {"app.kubernetes.io/name": "store"},
            "annotations": {CAPACITY_ANNOTATION: "100"},
        },
        "spec": {
            "schedulingGates": [{"name": "holdfast.dev/never-runs"}],
            "containers": [{"name": "store", "image": "none"}],
        },
    }


def _kubeconfig(space: str) -> Json:
    """The present cluster, as an ordinary ServiceAccount."""
    shown = kubectl("config", "view", "--raw", "--minify", "-o", "json")
    raw: Json = json.loads(shown)
    token = kubectl("create", "token", ACCOUNT, "-n", space, "--duration=6h").strip()
    raw["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    raw["contexts"][0]["context"]["user"] = ACCOUNT
    return raw
