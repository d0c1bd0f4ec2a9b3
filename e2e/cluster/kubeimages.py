"""The images that a node runs, each made of one binary; kube-proxy's has iptables besides."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from . import programs, versions
from .command import output
from .imagearchive import Image
from .paths import Cache

_COREDNS_USER = "65532:65532"
"""Our own pods refuse to run as root."""

_IPTABLES = ("iptables", "iptables-save", "iptables-restore")


def architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def kubeadm_images(cache: Cache) -> dict[str, str]:
    """The full names of what kubeadm will ask for, by their last part: `pause`, `etcd`..."""
    kubeadm = str(cache.built / programs.KUBEADM.file)
    words = [kubeadm, "config", "images", "list", "--kubernetes-version", versions.KUBERNETES]
    listed = output(words, timeout_seconds=60)
    return {full.rsplit("/", 1)[-1].split(":")[0]: full for full in listed.split()}


def _coredns(cache: Cache, name: str, user: str) -> Image:
    binary = cache.built / programs.COREDNS.file
    return Image(name, {"coredns": binary}, entrypoint=("/coredns",), user=user)


def shared_libraries(ldd: str) -> list[str]:
    """Paths in ldd's output: `libc.so.6 => /lib/... (0x...)` and the loader's own line."""
    return re.findall(r"(?:^|=>)\s*(/\S+) \(0x", ldd, re.M)


def _proxy_base(root: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """iptables and conntrack with their libraries: all of a system that kube-proxy needs."""
    wanted = ["/usr/sbin/xtables-nft-multi", "/usr/sbin/conntrack"]
    wanted += [f"/{found.relative_to(root)}" for found in root.glob("usr/lib/*/xtables/*.so")]
    ldd = output(["chroot", root, "ldd", *wanted], timeout_seconds=60)
    paths = sorted({*wanted, *shared_libraries(ldd)})
    # What the paths lead to, seen from inside: a link must not end on this machine's own files.
    real = output(["chroot", root, "realpath", *paths], timeout_seconds=60).split()
    files = {path: root / target.lstrip("/") for path, target in zip(paths, real, strict=True)}
    names = [*_IPTABLES, *(f"ip6{name[2:]}" for name in _IPTABLES)]
    return files, {f"/usr/sbin/{name}": "xtables-nft-multi" for name in names}


def own_coredns(cache: Cache) -> Image:
    return _coredns(cache, versions.HOLDFAST_COREDNS_IMAGE, _COREDNS_USER)


def images(cache: Cache, root: Path) -> list[Image]:
    """What kubeadm asks for, and our own CoreDNS; `root` is the node's file system."""
    named = kubeadm_images(cache)
    control_plane = [
        Image(named[program.name], {f"usr/local/bin/{program.name}": cache.built / program.file})
        for program in (programs.APISERVER, programs.CONTROLLER_MANAGER, programs.SCHEDULER)
    ]
    etcd = cache.built / programs.ETCD.file
    pause = cache.built / programs.PAUSE.file
    base, links = _proxy_base(root)
    proxy = {**base, "usr/local/bin/kube-proxy": cache.built / programs.PROXY.file}
    return [
        *control_plane,
        Image(named["etcd"], {"usr/local/bin/etcd": etcd}),
        Image(named["pause"], {"pause": pause}, entrypoint=("/pause",)),
        Image(named["kube-proxy"], proxy, links),
        _coredns(cache, named["coredns"], user=""),
        own_coredns(cache),
    ]
