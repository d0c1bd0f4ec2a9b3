"""Every version this cluster is made of, pinned in one place."""

from __future__ import annotations

KUBERNETES = "v1.34.4"
"""The last minor release whose kubelet accepts cgroup v1 as it is."""

KIND = "v0.33.0"
HELM = "v3.22.0"
ETCD = "v3.6.5"
COREDNS = "v1.14.7"
KUBE_SCORE = "v1.20.0"

DEBIAN_SUITE = "bookworm"
"""What the own node image and the own Python base are made of."""

PUBLIC_NODE_IMAGE = (
    "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
)
"""kind v0.33.0's own image of Kubernetes 1.34, as the release notes of that kind name it."""


def staging_version(kubernetes: str = KUBERNETES) -> str:
    """The version under which Kubernetes v1.X.Y publishes its staging modules: v0.X.Y."""
    major, rest = kubernetes.split(".", 1)
    if major != "v1":
        raise ValueError(f"not a v1 release of Kubernetes: {kubernetes}")
    return f"v0.{rest}"


def semantic(version: str) -> str:
    """The version without its v, as image tags of CoreDNS and etcd spell it."""
    return version.removeprefix("v")


HOLDFAST_COREDNS_IMAGE = f"localhost/holdfast/coredns:{semantic(COREDNS)}"
"""The CoreDNS that our own pods run; the same binary serves kube-system."""
