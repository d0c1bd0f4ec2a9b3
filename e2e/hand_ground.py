"""Namespaces with a Region each, under the operator that is installed, for hands to edit.

Front ends are Pods that never run, whose status says that they are ready; one DNS server serves all
namespaces; one customer asks for every name fifty times a second and keeps what came. What is
looked at goes through `kubectl proxy`, for looking often must be cheap; what is done is done with
kubectl.
"""

import contextlib
import http.client
import json
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype

from e2e.cluster.versions import HOLDFAST_COREDNS_IMAGE
from e2e.cluster_tools import SYSTEM, get, items, kubectl, run, until
from holdfast.core.names import CAPACITY_ANNOTATION, MANAGED_LABEL, SERVICE_NAME_LABEL
from holdfast.live.arm_manifests import (
    DNS_PORT,
    Installation,
    config_map,
    dns_deployment,
    role_bindings,
    service_account,
)

Json = dict[str, Any]

REGION, ENDPOINT, RELEASE = "us-east-1", "dynamodb", "holdfast"
LABEL = {"holdfast.dev/test": "hands"}
SELECTOR = "holdfast.dev/test=hands"
DNS_SPACE = "hands-dns"
INTERVAL_SECONDS = 0.02
BACKOFF_MAX_MILLISECONDS = 500
"""Well below the time for which nothing has changed when enactors are taken to be done."""
FRONT_ENDS = ("198.51.100.1", "198.51.100.2")
"""Of a range that is for documentation: nobody connects to them."""
INSTALL = Installation(SYSTEM, RELEASE, "", HOLDFAST_COREDNS_IMAGE, "IfNotPresent", ())
COREFILE = f""".:{DNS_PORT} {{
    errors
    ready :8181
    kubernetes {REGION}.cloud.test {{
        labels {MANAGED_LABEL}=true
        ttl 5
    }}
}}
"""


class Eyes:
    """GET and PATCH on paths of the API server, as whoever kubectl is."""

    def __init__(self) -> None:
        words = ["kubectl", "proxy", "--port=0"]
        self._proxy = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._proxy.stdout is not None
        self._host = self._proxy.stdout.readline().split()[-1]

    def close(self) -> None:
        self._proxy.terminate()
        self._proxy.wait()

    def get(self, path: str) -> Json:
        return self._ask("GET", path)

    def patch(self, path: str, body: Json) -> Json:
        kind = {"Content-Type": "application/merge-patch+json"}
        return self._ask("PATCH", path, json.dumps(body), kind)

    def _ask(self, *request: Any) -> Json:
        """{} for what is not there, and while the API server does not answer."""
        asking = http.client.HTTPConnection(self._host, timeout=10)
        try:
            asking.request(*request)
            answer = asking.getresponse()
            found: Json = json.loads(answer.read())
            return found if answer.status < 300 else {}
        except (OSError, http.client.HTTPException):
            return {}
        finally:
            asking.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """`tree` is the first label of the CNAME, "" without one."""

    rcode: str
    tree: str
    addresses: tuple[str, ...]


class Customer:
    """Asks for the names of all namespaces in turn, over one socket, and keeps every answer."""

    def __init__(self, node: str, port: int) -> None:
        self.heard: dict[str, list[tuple[float, Answer]]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((node, port))
        self._queries: dict[str, bytes] = {}
        self._known: dict[bytes, Answer] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask_for_ever)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def join(self, space: str) -> None:
        name = f"{ENDPOINT}.{space}.svc.{REGION}.cloud.test"
        self.heard[space] = []
        self._queries[space] = dns.message.make_query(name, "A").to_wire()[2:]

    def empties(self, space: str, since: float, until: float) -> tuple[int, float]:
        """Answers without an address in a stretch of time, and for how many seconds they came."""
        here = [(t, not a.addresses) for t, a in self.heard[space] if since <= t <= until]
        lasted = sum(b - a for (a, empty), (b, _) in pairwise(here) if empty)
        return sum(empty for _, empty in here), lasted

    def last(self, space: str) -> Answer:
        return self.heard[space][-1][1] if self.heard[space] else Answer("", "", ())

    def _ask_for_ever(self) -> None:
        due, number, asked = time.monotonic(), 0, dict[bytes, str]()
        while not self._stop.is_set():
            for space, query in list(self._queries.items()):
                number = (number + 1) % 65536
                name = number.to_bytes(2, "big")
                asked[name] = space
                with contextlib.suppress(OSError):  # the port may not be published yet
                    self._socket.send(name + query)
            due = max(due + INTERVAL_SECONDS, time.monotonic())
            while (left := due - time.monotonic()) > 0:
                if select.select([self._socket], [], [], left)[0]:
                    with contextlib.suppress(OSError):
                        self._hear(self._socket.recv(4096), asked)

    def _hear(self, packet: bytes, asked: dict[bytes, str]) -> None:
        space, body = asked.pop(packet[:2], ""), packet[2:]
        if not space:
            return
        if body not in self._known:
            self._known[body] = _read(packet)
        answer = self._known[body]
        if answer.addresses or self.heard[space]:  # before the first there is no name
            self.heard[space].append((time.time(), answer))


def _read(packet: bytes) -> Answer:
    message = dns.message.from_wire(packet)
    tree, addresses = "", list[str]()
    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.CNAME:
            tree = tree or str(rrset[0].target).partition(".")[0]
        elif rrset.rdtype == dns.rdatatype.A:
            addresses += [r.address for r in rrset]
    return Answer(dns.rcode.to_text(message.rcode()), tree, tuple(sorted(addresses)))


@dataclass(frozen=True, slots=True)
class State:
    """What there is for the endpoint now. `generation` is what the alias says, -1 if nothing that
    can be read; `plans` and `trees` by number."""

    alias: Json
    generation: int
    plans: Mapping[int, Json]
    trees: Mapping[int, Json]
    slices: tuple[Json, ...]

    @property
    def newest(self) -> int:
        return max(self.plans, default=0)

    def slice_of(self, generation: int) -> str:
        """The name of a tree's own slice, "" if it has none."""
        uid = self.trees[generation]["metadata"]["uid"]
        own = (
            s["metadata"]["name"] for s in self.slices if f"-{uid[:8]}-" in s["metadata"]["name"]
        )
        return next(own, "")


@dataclass
class Ground:
    """One namespace. `regular`: plans of equal content come by themselves, so many a minute;
    otherwise there is one when `append` asks for it."""

    space: str
    guards: Json
    eyes: Eyes
    customer: Customer
    regular: int = 0
    capacity: int = 100
    spec: Json = field(default_factory=dict)

    def state(self) -> State:
        core = f"/api/v1/namespaces/{self.space}/services"
        services = {s["metadata"]["name"]: s for s in self._items(core)}
        slices = self._items(f"/apis/discovery.k8s.io/v1/namespaces/{self.space}/endpointslices")
        plans = {int(p["spec"]["planGeneration"]): p for p in self._items(self.path("dnsplans"))}
        alias = services.get(ENDPOINT, {})
        notes = alias.get("metadata", {}).get("annotations") or {}
        said = notes.get("holdfast.dev/plan-generation", "")
        start = f"{ENDPOINT}-p"
        trees = {int(n.removeprefix(start)): s for n, s in services.items() if n.startswith(start)}
        generation = int(said) if said.isdecimal() else -1
        return State(alias, generation, plans, trees, tuple(slices))

    def region(self, name: str = REGION) -> Json:
        return self.eyes.get(f"{self.path('regions')}/{name}")

    def condition(self, kind: str, name: str = REGION) -> Json:
        found = (self.region(name).get("status") or {}).get("conditions") or ()
        return next((c for c in found if c["type"] == kind), {})

    def conditions(self, name: str = REGION) -> list[Json]:
        return list((self.region(name).get("status") or {}).get("conditions") or ())

    def events(self) -> list[Json]:
        return self._items(f"/api/v1/namespaces/{self.space}/events")

    def told(self, reason: str) -> int:
        """How often the Region's events of this reason have been said."""
        return sum(int(e.get("count") or 1) for e in self.events() if e["reason"] == reason)

    def is_healthy(self, state: State | None = None) -> bool:
        """Whether all that answers for the name is as its own plan says, and so is the answer."""
        found = state or self.state()
        meta, spec = found.alias.get("metadata", {}), found.alias.get("spec", {})
        tree, plan = found.trees.get(found.generation), found.plans.get(found.generation)
        if tree is None or plan is None:
            return False
        name = tree["metadata"]["name"]
        ours = (e["addresses"] for e in plan["spec"]["endpoints"] if e["name"] == ENDPOINT)
        wanted = sorted(a["address"] for a in next(ours, ()))
        pieces = [
            s
            for s in found.slices
            if (s["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) == name
            and (s["metadata"].get("labels") or {}).get(MANAGED_LABEL) == "true"
        ]
        served = sorted(a for s in pieces for e in s["endpoints"] or () for a in e["addresses"])
        answer = self.customer.last(self.space)
        return (
            _has_labels(meta, "alias")
            and _has_labels(tree["metadata"], "tree")
            and spec.get("type") == "ExternalName"
            and spec.get("externalName") == f"{name}.{self.space}.svc.{REGION}.cloud.test"
            and tree["spec"].get("clusterIP") == "None"
            and served == wanted == list(answer.addresses)
            and answer.tree == name
        )

    def is_newest(self) -> bool:
        """Healthy, and on the newest plan."""
        found = self.state()
        return found.generation == found.newest and self.is_healthy(found)

    def append(self) -> None:
        """Another capacity of one front end: the planner appends one plan, of equal addresses."""
        self.capacity += 1
        body = {"metadata": {"annotations": {CAPACITY_ANNOTATION: str(self.capacity)}}}
        self.eyes.patch(f"/api/v1/namespaces/{self.space}/pods/store-1", body)

    def next_plan(self) -> None:
        """Have a plan that is newer than what there is, and see it applied."""
        before = self.state().newest
        if not self.regular:
            self.append()
        until(lambda: self.state().newest > before and self.is_newest(), "the next plan is live")

    def begin(self) -> None:
        """Everything but what the operator makes."""
        for address, number in zip(FRONT_ENDS, (1, 2), strict=True):
            status = {
                "podIP": address,
                "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            path = f"/api/v1/namespaces/{self.space}/pods/store-{number}/status"
            until(lambda p=path, s=status: bool(self.eyes.patch(p, {"status": s})), "a front end")  # type: ignore[misc]
        self.customer.join(self.space)
        kubectl("create", "-n", self.space, "-f", "-", stdin=json.dumps(self.body()))
        until(self.is_newest, f"{self.space} is served", 90)
        for _ in range(2):  # so that there are older ones
            self.next_plan()

    def body(self, name: str = REGION) -> Json:
        return {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Region",
            "metadata": {"name": name},
            "spec": {
                "guards": self.guards,
                "planHistory": 10,
                "planner": {"churnPerMinute": self.regular},
                "enactor": {"backoffMaxMilliseconds": BACKOFF_MAX_MILLISECONDS},
                **self.spec,
            },
        }

    def path(self, kind: str) -> str:
        return f"/apis/holdfast.dev/v1alpha1/namespaces/{self.space}/{kind}"

    def _items(self, path: str) -> list[Json]:
        found: list[Json] = self.eyes.get(path).get("items", [])
        return found


def _has_labels(meta: Json, kind: str) -> bool:
    wanted = {
        MANAGED_LABEL: "true",
        "holdfast.dev/kind": kind,
        "holdfast.dev/endpoint": ENDPOINT,
    }
    return wanted.items() <= (meta.get("labels") or {}).items()


@contextmanager
def dns_server() -> Iterator[tuple[str, int]]:
    """A node's address and port, at which CoreDNS answers for every namespace."""
    remove()
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": DNS_SPACE}}
    space["metadata"]["labels"] = LABEL  # type: ignore[index]
    subject = {"kind": "ServiceAccount", "name": "authoritative", "namespace": DNS_SPACE}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": DNS_SPACE, "labels": LABEL},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"{RELEASE}-coredns",
        },
        "subjects": [subject],
    }
    port = {"name": "dns", "port": 53, "targetPort": DNS_PORT, "protocol": "UDP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "authoritative"},
        "spec": {
            "type": "NodePort",
            "selector": {"app.kubernetes.io/name": "authoritative"},
            "ports": [port],
        },
    }
    inside = [
        service_account("authoritative"),
        config_map("authoritative", {"Corefile": COREFILE}),
        dns_deployment("authoritative", INSTALL, watches=True),
        service,
    ]
    apply(space, binding)
    apply(*({**o, "metadata": {**o["metadata"], "namespace": DNS_SPACE}} for o in inside))
    try:
        waits = ("wait", "--for=condition=Available", "deployment/authoritative", "--timeout=90s")
        kubectl(*waits, "-n", DNS_SPACE)
        found = get("service", "authoritative", "-n", DNS_SPACE)["spec"]["ports"][0]["nodePort"]
        yield node_address(), int(found)
    finally:
        remove()


def node_address() -> str:
    addresses = items("nodes")[0]["status"]["addresses"]
    return str(next(a["address"] for a in addresses if a["type"] == "InternalIP"))


def lay(spaces: list[str], server: tuple[str, int]) -> None:
    """Namespaces with the rights of the operator's roles, front ends and the DNS server's address,
    but no Regions."""
    labelled = {"labels": LABEL}
    apply(
        *(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": s, **labelled}}
            for s in spaces
        )
    )
    node, port = server
    objects: list[Json] = []
    for space in spaces:
        objects += [
            {**o, "metadata": {**o["metadata"], "namespace": space}}
            for o in (
                *role_bindings(INSTALL),
                *(_front_end(n) for n in (1, 2)),
                _server(node, port),
            )
        ]
    apply(*objects)


def apply(*objects: Json) -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "-f", "-", stdin=json.dumps(document))


def _front_end(number: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
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


def _server(node: str, port: int) -> Json:
    """A slice by which a Region's namespace says that this is its authoritative server."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "authoritative", "labels": {SERVICE_NAME_LABEL: "authoritative"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [node], "conditions": {"ready": True}}],
        "ports": [{"name": "dns-udp", "port": port, "protocol": "UDP"}],
    }


def remove() -> None:
    """Everything of ours, of this run and of any that did not get this far; what a foreign
    finalizer keeps, too."""
    run("kubectl", "delete", "clusterrolebindings", "-l", SELECTOR, "--ignore-not-found")
    spaces = [s["metadata"]["name"] for s in items("namespaces", "-l", SELECTOR)]
    if not spaces:
        return
    kubectl("delete", "namespace", *spaces, "--wait=false")
    for space in spaces:
        release(space)
    for space in spaces:
        waits = ("wait", "--for=delete", f"namespace/{space}", "--timeout=90s")
        run("kubectl", *waits)


def release(space: str) -> None:
    """Take foreign finalizers off whatever is left in a namespace."""
    kinds = "regions.holdfast.dev,dnsplans.holdfast.dev,services"
    found = run("kubectl", "get", kinds, "-n", space, "-o", "json")
    for obj in json.loads(found.stdout or "{}").get("items", ()):
        if obj["metadata"].get("finalizers"):
            name = f"{obj['kind'].lower()}/{obj['metadata']['name']}"
            free = '{"metadata": {"finalizers": null}}'
            run("kubectl", "patch", name, "-n", space, "--type=merge", "-p", free)
