"""What `helm test` and `helm uninstall` ask of an installation."""

import os
import socket
from pathlib import Path

from holdfast.core.names import API_GROUP
from holdfast.live.api import Api, Json, connect
from holdfast.live.resolver import Server, ask
from holdfast.live.wire import GROUP_PATH

TARGET = "tree.holdfast-test.example"


async def scenarios_left() -> list[str]:
    async with connect("holdfast-pre-delete") as api:
        answer = await api.get(f"{GROUP_PATH}/scenarios")
        if answer.status == 404:  # the CRD is gone already
            return []
        return [s["metadata"]["name"] for s in answer.body["items"]]


async def selftest(namespace: str, release: str) -> bool:
    """True if all holds. Prints a line for each thing proved."""
    async with connect("holdfast-test") as api:
        good = await _crds(api)
        good = await _rights(api, namespace, release) and good
        good = await _policies(api, os.environ.get("HOLDFAST_POLICIES", "").split()) and good
        return await _fence(api, namespace) and good


def _say(good: bool, what: str) -> bool:
    print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)
    return good


async def _crds(api: Api) -> bool:
    found = await api.get(GROUP_PATH)
    kinds = {r["name"] for r in found.body.get("resources", [])}
    wanted = {"regions", "dnsplans", "scenarios", "dropletleases", "rackleases", "instances"}
    return _say(wanted <= kinds, f"CRDs: {', '.join(sorted(wanted))}")


async def _rights(api: Api, namespace: str, release: str) -> bool:
    """Each role may watch what it must, and outside arms may write nothing."""
    checks = [
        ("planner", "watch", API_GROUP, "regions", True),
        ("enactor", "watch", API_GROUP, "dnsplans", True),
        ("leases", "watch", API_GROUP, "regions", True),
        ("scenario", "watch", API_GROUP, "scenarios", True),
        ("scenario", "create", "", "namespaces", True),
        ("enactor", "create", API_GROUP, "dnsplans", False),
        ("enactor", "update", "", "services", False),
        ("planner", "create", "", "services", False),
        ("leases", "update", API_GROUP, "dropletleases", False),
        ("leases", "create", API_GROUP, "dnsplans", False),
        ("scenario", "delete", "", "namespaces", False),
    ]
    good = True
    for role, verb, group, resource, wanted in checks:
        review: Json = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{namespace}:{release}-{role}",
                "resourceAttributes": {"verb": verb, "group": group, "resource": resource},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        answer = await api.create(path, review)
        allowed = bool((answer.body.get("status") or {}).get("allowed"))
        may = "may" if wanted else "may not"
        good = _say(answer.ok and allowed == wanted, f"{role} {may} {verb} {resource}") and good
    return good


async def _policies(api: Api, names: list[str]) -> bool:
    """Each policy is there, is bound, and the API server finds no fault with it."""
    if not names:
        return _say(True, "policies: not installed, no Region can have dns.admission")
    group = "/apis/admissionregistration.k8s.io/v1"
    missing = []
    for name in names:
        policy = await api.get(f"{group}/validatingadmissionpolicies/{name}")
        bound = await api.get(f"{group}/validatingadmissionpolicybindings/{name}")
        checked = (policy.body.get("status") or {}).get("typeChecking") or {}
        if not (policy.ok and bound.ok) or checked.get("expressionWarnings"):
            missing.append(name)
    wanted = f"policies: {', '.join(names)}"
    return _say(not missing, f"{wanted}; not in order: {', '.join(missing)}" if missing else wanted)


async def _fence(api: Api, namespace: str) -> bool:
    """A stale PUT gets a real 409, and what was written is a real answer of CoreDNS."""
    path = f"/api/v1/namespaces/{namespace}/services"
    name = "holdfast-selftest"
    await api.delete(f"{path}/{name}")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "ExternalName", "externalName": TARGET},
    }
    first = await api.create(path, body)
    good = _say(first.ok, "a Service is created")
    if not first.ok:
        return False
    try:
        changed = {**first.body, "metadata": {**first.body["metadata"], "labels": {"a": "b"}}}
        good = _say((await api.replace(f"{path}/{name}", changed)).ok, "a fresh PUT: 200") and good
        stale = await api.replace(f"{path}/{name}", changed)
        good = _say(stale.status == 409, f"a stale PUT: {stale.status}") and good
        good = _say(await _served(f"{name}.{namespace}.svc"), "CoreDNS answers with it") and good
    finally:
        await api.delete(f"{path}/{name}")
    gone = await api.replace(f"{path}/{name}", first.body)
    return _say(gone.status in (404, 409), f"a PUT of a deleted Service: {gone.status}") and good


async def _served(service: str) -> bool:
    """Ask the cluster's own DNS, as resolv.conf names it, until it has heard."""
    lines = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    servers = [words[1] for words in lines if words[:1] == ["nameserver"]]
    search = [words[1:] for words in lines if words[:1] == ["search"]]
    domain = next((s.removeprefix("svc.") for s in search[0] if s.startswith("svc.")), "")
    name = f"{service}.{domain or socket.getfqdn()}"
    for _ in range(50):
        response = await ask(Server(servers[0], 53), name, "IPv4", timeout=2.0)
        if response.tree == TARGET.partition(".")[0]:
            return True
    return False
