"""What all cases share: a DNS server that serves every namespace, and eyes of our own on the
cluster that no fault reaches."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from e2e.cluster.versions import HOLDFAST_COREDNS_IMAGE
from e2e.faults.customer import Customers
from e2e.faults.ground import Ground
from e2e.faults.proxy import Proxy
from holdfast.core.names import MANAGED_LABEL, SERVICE_NAME_LABEL, service_zone
from holdfast.live.api import Api, Json, configuration, connect
from holdfast.live.arm_manifests import (
    DNS_PORT,
    Installation,
    config_map,
    dns_deployment,
    service_account,
)
from holdfast.live.authority import SERVICE
from holdfast.live.resolver import Server, ask

REGION = "us-east-1"
TEST_LABEL = {"holdfast.dev/test": "faults"}
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_SELECTOR = "holdfast.dev/test=faults"
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Site:
    """`api` is our own way to the API server, and sees it as it is."""

    run: str
    api: Api
    proxy: Proxy
    ground: Ground
    server: Server
    customers: Customers


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """The shared things, gone again at the end with every namespace of the run."""
    run = f"faults-{uuid.uuid4().hex[:5]}"
    async with connect("faults") as api, Proxy(await configuration()) as proxy:
        await remove(api)
        try:
            server = await _dns(api, run)
            async with Ground(api, run) as ground, Customers(server) as customers:
                yield Site(run, api, proxy, ground, server, customers)
        finally:
            await remove(api)


async def remove(api: Api) -> None:
    """Everything of this run, and of runs that did not get this far."""
    for kind in ("clusterrolebindings", "clusterroles"):
        for found in (await api.need("GET", f"{_RBAC}/{kind}", labelSelector=_SELECTOR))["items"]:
            await api.delete(f"{_RBAC}/{kind}/{found['metadata']['name']}")
    spaces = await api.need("GET", "/api/v1/namespaces", labelSelector=_SELECTOR)
    for found in spaces["items"]:
        await api.delete(f"/api/v1/namespaces/{found['metadata']['name']}")


async def _dns(api: Api, run: str) -> Server:
    """CoreDNS, reachable by every process and customer at a node's address."""
    space = f"{run}-dns"
    zone = service_zone(REGION)
    corefile = f""".:{DNS_PORT} {{
    errors
    ready :8181
    kubernetes {zone} {{
        labels {MANAGED_LABEL}=true
        ttl 5
    }}
}}
"""
    install = Installation(space, run, "", HOLDFAST_COREDNS_IMAGE, "IfNotPresent", ())
    core, rbac = f"/api/v1/namespaces/{space}", "rbac.authorization.k8s.io"
    await api.ensure("/api/v1/namespaces", namespace(space))
    watched = [
        {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
    ]
    meta = {"name": run, "labels": TEST_LABEL}
    await api.ensure(f"{_RBAC}/clusterroles", {"metadata": meta, "rules": watched})
    binding = {
        "metadata": meta,
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": run},
        "subjects": [{"kind": "ServiceAccount", "name": SERVICE, "namespace": space}],
    }
    await api.ensure(f"{_RBAC}/clusterrolebindings", binding)
    await api.ensure(f"{core}/serviceaccounts", service_account(SERVICE))
    await api.ensure(f"{core}/configmaps", config_map(SERVICE, {"Corefile": corefile}))
    deployment = dns_deployment(SERVICE, install, watches=True)
    deployments = f"/apis/apps/v1/namespaces/{space}/deployments"
    await api.ensure(deployments, deployment)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            found = await api.need("GET", f"{deployments}/{SERVICE}")
            if found.get("status", {}).get("readyReplicas"):
                break
            await asyncio.sleep(0.5)
    port = {"name": "dns", "port": 53, "targetPort": DNS_PORT, "protocol": "UDP"}
    spec = {
        "type": "NodePort",
        "selector": {"app.kubernetes.io/name": SERVICE},
        "ports": [port],
    }
    published = await api.ensure(f"{core}/services", {"metadata": {"name": SERVICE}, "spec": spec})
    nodes = await api.need("GET", "/api/v1/nodes")
    address = next(
        a["address"] for a in nodes["items"][0]["status"]["addresses"] if a["type"] == "InternalIP"
    )
    server = Server(address, published["spec"]["ports"][0]["nodePort"])
    await _is_served(server)
    return server


async def _is_served(server: Server) -> None:
    """Wait until every question gets an answer. Each is a flow of its own: one that began before
    the port was published would go nowhere for as long as it is kept busy."""
    heard = 0
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while heard < 10:
            answer = await ask(server, service_zone(REGION), "IPv4")
            heard = heard + 1 if answer.rcode else 0
            await asyncio.sleep(0.05)


def namespace(name: str) -> Json:
    return {"metadata": {"name": name, "labels": TEST_LABEL}}


def authoritative(name: str, server: Server) -> Json:
    """A slice by which a Region's namespace says that this is its authoritative server."""
    return {
        "metadata": {"name": name, "labels": {SERVICE_NAME_LABEL: SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [server.address], "conditions": {"ready": True}}],
        "ports": [{"name": "dns-udp", "port": server.port, "protocol": "UDP"}],
    }
