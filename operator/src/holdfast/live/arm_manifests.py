"""The objects of one arm's namespace, as pure functions. Everything in it is owned by the
Scenario through the Namespace: deleting the Scenario is deleting all of it, with nobody's help.
"""

from dataclasses import dataclass
from typing import Any

from holdfast.core.leases.fleet import Fleet
from holdfast.core.names import (
    ADDRESSES_ANNOTATION,
    AGENT_LABEL,
    API_GROUP,
    API_VERSION,
    CAPACITY_ANNOTATION,
    MANAGED_LABEL,
    ZONE_LABEL,
    service_zone,
)
from holdfast.core.scenario import Scenario
from holdfast.live.api import Json

DNS_PORT = 5353
ONCALL = "oncall"
RESOURCES: Json = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "1", "memory": "256Mi"},
}
SECURITY: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
POD_SECURITY: Json = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Installation:
    """What the chart tells the scenario role about itself. `node_ports` are for the authoritative
    server and the resolver; () publishes none. In each of `zones` an enactor runs."""

    namespace: str
    release: str
    image: str
    coredns_image: str
    pull_policy: str
    node_ports: tuple[int, ...]
    zones: tuple[str, ...] = ()


def owner(scenario: Scenario) -> list[Json]:
    return [
        {
            "apiVersion": f"{API_GROUP}/{API_VERSION}",
            "kind": "Scenario",
            "name": scenario.name,
            "uid": scenario.uid,
        }
    ]


def namespace(scenario: Scenario, arm: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": scenario.namespace_of(arm),
            "ownerReferences": owner(scenario),
            "labels": {
                "holdfast.dev/scenario": scenario.name,
                "holdfast.dev/arm": arm,
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/enforce-version": "latest",
            },
        },
    }


def service_account(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name},
        "automountServiceAccountToken": False,
    }


def role_bindings(install: Installation) -> list[Json]:
    """The rights of the operator's roles in an arm's namespace: a ClusterRole of the chart each."""
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{install.release}-{role}"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"{install.release}-{role}-arm",
            },
            "subjects": [
                {
                    "kind": "ServiceAccount",
                    "name": f"{install.release}-{role}",
                    "namespace": install.namespace,
                }
            ],
        }
        for role in ("scenario", "planner", "enactor", "leases")
    ]


def oncall_binding(install: Installation, namespace: str) -> Json:
    """The rights of an operator on call, for the account of scripted ones."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ONCALL},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"{install.release}-oncall",
        },
        "subjects": [{"kind": "ServiceAccount", "name": ONCALL, "namespace": namespace}],
    }


def order_pod(name: str, words: list[str], install: Installation) -> Json:
    """A scripted operator: the command that a person would enter, once. `words`: after `holdfast`,
    the group first."""
    container: Json = {
        "name": "holdfast",
        "image": install.image,
        "imagePullPolicy": install.pull_policy,
        "args": words,
        "resources": RESOURCES,
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{ONCALL}-{name}", "labels": {"app.kubernetes.io/name": ONCALL}},
        "spec": {
            "serviceAccountName": ONCALL,
            "automountServiceAccountToken": True,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": POD_SECURITY,
            "containers": [container],
        },
    }


def coredns_binding(scenario: Scenario, arm: str, install: Installation) -> Json:
    """CoreDNS lists and watches Services, slices and Namespaces cluster-wide, whatever it serves:
    with a Role alone it answers SERVFAIL for ever. The one cluster-scoped thing of an arm."""
    space = scenario.namespace_of(arm)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {
            "name": f"{install.release}-coredns-{space}",
            "ownerReferences": owner(scenario),
        },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"{install.release}-coredns",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "authoritative", "namespace": space}],
    }


def authoritative_corefile(region: str, space: str) -> str:
    """Every customers' name is rewritten to the alias in this namespace. No cache here: the
    resolver is a server of its own, so that what caches keep can be told apart."""
    zone = service_zone(region)
    escaped = zone.replace(".", r"\.")
    return f""".:{DNS_PORT} {{
    errors
    ready :8181
    prometheus :9153
    rewrite stop {{
        name regex ^([a-z0-9-]+)\\.{escaped}\\.$ {{1}}.{space}.svc.{zone}. answer auto
    }}
    kubernetes {zone} {{
        labels {MANAGED_LABEL}=true
        namespaces {space}
        ttl 5
    }}
}}
"""


def resolver_corefile(region: str, authoritative: str) -> str:
    """Negative answers are kept for a minute, positive ones for five seconds: an empty answer
    outlives its cause, as it did for customers in October."""
    return f""".:{DNS_PORT} {{
    errors
    ready :8181
    prometheus :9153
    cache 60 {{
        success 20000 5 0
        denial 20000 60 60
    }}
    forward {service_zone(region)} {authoritative}:53
}}
"""


def config_map(name: str, data: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def dns_service(name: str, node_port: int | None = None) -> Json:
    """The Service of a DNS server; with `node_port` the one that publishes it on the nodes."""
    ports: list[Json] = [
        {"name": f"dns-{p.lower()}", "port": 53, "targetPort": DNS_PORT, "protocol": p}
        for p in ("UDP", "TCP")
    ]
    if node_port:
        ports = [p | {"nodePort": node_port} for p in ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{name}-nodeport" if node_port else name},
        "spec": {
            "type": "NodePort" if node_port else "ClusterIP",
            "selector": {"app.kubernetes.io/name": name},
            "ports": ports,
        },
    }


def dns_deployment(name: str, install: Installation, *, watches: bool) -> Json:
    container: Json = {
        "name": "coredns",
        "image": install.coredns_image,
        "imagePullPolicy": install.pull_policy,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns-udp", "containerPort": DNS_PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": DNS_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": _http_probe("/ready", 8181),
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod: Json = {"volumes": [{"name": "config", "configMap": {"name": name}}]}
    return _deployment(name, name, container, pod, token=watches)


def store_deployment(
    zone: str, capacity: int, install: Installation, announced: tuple[str, ...] = ()
) -> Json:
    """`announced`: addresses of families in which the cluster gives its Pods none."""
    container: Json = {
        "name": "store",
        "image": install.image,
        "imagePullPolicy": install.pull_policy,
        "args": ["store", "--capacity", str(capacity)],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": _http_probe("/healthz", 8080),
    }
    pod: Json = {"nodeSelector": {"topology.kubernetes.io/zone": zone}}
    notes = {CAPACITY_ANNOTATION: str(capacity)}
    if announced:
        notes[ADDRESSES_ANNOTATION] = ",".join(announced)
    return _deployment(f"store-{zone}", "store", container, pod, notes=notes)


def rack_deployment(zone: str, agent: int, fleet: Fleet, install: Installation) -> Json:
    """Agent number `agent` of a zone, from 1, with its share of the zone's racks."""
    container: Json = {
        "name": "rack",
        "image": install.image,
        "imagePullPolicy": install.pull_policy,
        "args": [
            "rack",
            f"--zone={zone}",
            f"--racks={fleet.racks}",
            f"--droplets={fleet.droplets}",
            f"--agents={fleet.agents}",
            f"--agent={agent}",
        ],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": _http_probe("/healthz", 8080),
    }
    pod: Json = {"nodeSelector": {"topology.kubernetes.io/zone": zone}}
    own = {ZONE_LABEL: zone, AGENT_LABEL: str(agent)}
    return _deployment(f"rack-{zone}-{agent}", "rack", container, pod, own=own)


def probe_deployment(
    names: tuple[str, ...],
    families: tuple[str, ...],
    servers: dict[str, str],
    install: Installation,
    *,
    whole: bool = False,
) -> Json:
    """`whole`: an empty answer counts although there never was another."""
    args = ["probe", *names, *(f"--family={f}" for f in families)]
    args += [f"--server={label}={address}" for label, address in servers.items()]
    args += ["--whole"] if whole else []
    container: Json = {
        "name": "probe",
        "image": install.image,
        "imagePullPolicy": install.pull_policy,
        "args": args,
        "env": [
            {
                "name": "HOLDFAST_NAMESPACE",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
            }
        ],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": _http_probe("/healthz", 8080),
    }
    return _deployment("probe", "probe", container, {})


def _http_probe(path: str, port: int) -> Json:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "timeoutSeconds": 2}


def _deployment(
    name: str,
    app: str,
    container: Json,
    pod: Json,
    *,
    token: bool = False,
    notes: dict[str, str] | None = None,
    own: dict[str, str] | None = None,
) -> Json:
    """`notes` are annotations of the Pod, `own` more labels of it and of the Deployment."""
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": name, **(own or {})}
    template: dict[str, Any] = {
        "metadata": {"labels": labels, "annotations": notes or {}},
        "spec": {
            "serviceAccountName": app,
            "automountServiceAccountToken": token,
            "securityContext": POD_SECURITY,
            "terminationGracePeriodSeconds": 1,
            "containers": [{**container, "resources": RESOURCES, "securityContext": SECURITY}],
            **pod,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }
