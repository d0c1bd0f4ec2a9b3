"""The cluster's shape, as kind's configuration. What kubeadm is told besides stands here too.

kind reads YAML; JSON is YAML, and the standard library writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .choice import NodeImage

CLUSTER = "holdfast"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
NODES = 1 + len(ZONES)
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
NODE_PORTS = (30053, 30054)
"""Published on 127.0.0.1, UDP and TCP each: the DNS server's and the caching resolver's."""

AUDIT_FOLDER = "/etc/kubernetes/audit"
AUDIT_POLICY = f"{AUDIT_FOLDER}/policy.yaml"
AUDIT_LOGS = "/var/log/kubernetes/audit"
"""On the control plane's node; what is written there, files/audit-policy.yaml says."""

Patch = Mapping[str, object]

_QUIET_KUBELET = {"kubeletExtraArgs": {"housekeeping-interval": "30s"}}
"""Four kubelets share few cores: container statistics, that nothing here reads, are read less."""


def kubeadm_patches(image: NodeImage) -> list[Patch]:
    """kubeadm's configuration where it differs from what kind writes.

    Maps of arguments, as kubeadm v1beta3 has them: kind writes that for Kubernetes below 1.36.
    """
    return [
        {
            "kind": "ClusterConfiguration",
            "apiServer": _audited(),
            # One of each: there is nobody to elect against, and the elections never rest.
            "controllerManager": {"extraArgs": {"leader-elect": "false"}},
            "scheduler": {"extraArgs": {"leader-elect": "false"}},
            # Nothing here has to survive a power cut, and a slow disk must not slow the tests.
            "etcd": {"local": {"extraArgs": {"unsafe-no-fsync": "true"}}},
        },
        {"kind": "InitConfiguration", "nodeRegistration": _QUIET_KUBELET},
        {"kind": "JoinConfiguration", "nodeRegistration": _QUIET_KUBELET},
        {"kind": "KubeletConfiguration", **_kubelet(image)},
    ]


def _audited() -> Patch:
    """Written beside the requests and not within them, which would slow each of them. An event that
    a full buffer drops would be missed by a proof: the buffer is large, and what is dropped the API
    server counts (`apiserver_audit_error_total`)."""
    return {
        "extraArgs": {
            "audit-policy-file": AUDIT_POLICY,
            "audit-log-path": f"{AUDIT_LOGS}/audit.log",
            "audit-log-maxsize": "100",
            "audit-log-maxbackup": "5",
            "audit-log-mode": "batch",
            "audit-log-batch-buffer-size": "100000",
            "audit-log-batch-max-wait": "1s",
        },
        "extraVolumes": [
            {
                "name": "audit-policy",
                "hostPath": AUDIT_FOLDER,
                "mountPath": AUDIT_FOLDER,
                "pathType": "Directory",
                "readOnly": True,
            },
            {
                "name": "audit-logs",
                "hostPath": AUDIT_LOGS,
                "mountPath": AUDIT_LOGS,
                "pathType": "DirectoryOrCreate",
            },
        ],
    }


def _kubelet(image: NodeImage) -> Patch:
    quiet: Patch = {"volumeStatsAggPeriod": "-1s"}
    if image is NodeImage.PUBLIC:
        return quiet
    return {
        **quiet,
        "cgroupDriver": "cgroupfs",
        # Lets the kubelet live without CAP_SYS_RESOURCE, which root may lack.
        "featureGates": {"KubeletInUserNamespace": True},
    }


def _ports() -> list[Mapping[str, object]]:
    return [
        {
            "containerPort": port,
            "hostPort": port,
            "listenAddress": "127.0.0.1",
            "protocol": protocol,
        }
        for port in NODE_PORTS
        for protocol in ("UDP", "TCP")
    ]


def kind_config(
    image: NodeImage, audit_policy: Path, zones: Sequence[str] = ZONES
) -> Mapping[str, object]:
    """`audit_policy` is a file of this machine."""
    networking: dict[str, object] = {"podSubnet": POD_RANGE, "serviceSubnet": SERVICE_RANGE}
    if image is NodeImage.OWN:
        networking["disableDefaultCNI"] = True  # podnet.py is the pod network
    workers: list[Mapping[str, object]] = [
        {"role": "worker", "labels": {"topology.kubernetes.io/zone": zone}} for zone in zones
    ]
    policy = {"hostPath": str(audit_policy), "containerPath": AUDIT_POLICY, "readOnly": True}
    control_plane = {
        "role": "control-plane",
        "extraPortMappings": _ports(),
        "extraMounts": [policy],
    }
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": CLUSTER,
        "networking": networking,
        "kubeadmConfigPatches": [json.dumps(patch) for patch in kubeadm_patches(image)],
        "nodes": [control_plane, *workers],
    }


def render(image: NodeImage, audit_policy: Path) -> str:
    return json.dumps(kind_config(image, audit_policy), indent=2) + "\n"
