"""The programs this cluster is made of, and the Go packages they are built from."""

from __future__ import annotations

from dataclasses import dataclass

from . import versions
from .hashing import of_files
from .paths import FILES


@dataclass(frozen=True, slots=True)
class Program:
    """One binary.

    `module` is the folder of its go.mod, without one `go install` can build it; `source` is its
    main.go among our own files, whose every change makes another binary.
    """

    name: str
    version: str
    package: str
    module: str | None = None
    source: str | None = None
    stamp: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        name = f"{self.name}-{self.version}"
        return name if self.source is None else f"{name}-{of_files([FILES / self.source])}"


_STAMP = tuple(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (
        ("gitVersion", versions.KUBERNETES),
        ("gitMajor", versions.KUBERNETES.removeprefix("v").split(".")[0]),
        ("gitMinor", versions.KUBERNETES.split(".")[1]),
        ("gitTreeState", "clean"),
    )
)


def kubernetes(name: str) -> Program:
    package = f"k8s.io/kubernetes/cmd/{name}"
    module = f"kubernetes-{versions.KUBERNETES}"
    return Program(name, versions.KUBERNETES, package, module, stamp=_STAMP)


KUBECTL = kubernetes("kubectl")
KUBEADM = kubernetes("kubeadm")
KUBELET = kubernetes("kubelet")
APISERVER = kubernetes("kube-apiserver")
CONTROLLER_MANAGER = kubernetes("kube-controller-manager")
SCHEDULER = kubernetes("kube-scheduler")
PROXY = kubernetes("kube-proxy")
ETCD = Program("etcd", versions.ETCD, "go.etcd.io/etcd/server/v3", f"etcd-{versions.ETCD}")
COREDNS = Program("coredns", versions.COREDNS, ".", f"coredns-{versions.COREDNS}", "coredns.go")
PAUSE = Program("pause", "v1", ".", "pause-v1", "pause.go")
KIND = Program("kind", versions.KIND, "sigs.k8s.io/kind")
HELM = Program("helm", versions.HELM, "helm.sh/helm/v3/cmd/helm")
KUBE_SCORE = Program("kube-score", versions.KUBE_SCORE, "github.com/zegl/kube-score/cmd/kube-score")

NODE = (KUBELET, APISERVER, KUBEADM, CONTROLLER_MANAGER, SCHEDULER, PROXY, KUBECTL, ETCD, PAUSE)
