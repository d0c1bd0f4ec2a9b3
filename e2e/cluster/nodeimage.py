"""The own node image: Debian, containerd, the kubelet, and every image a node needs, imported.

It is what kind expects of a node image, made of Debian packages and Go modules alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from . import gobuild, kubeimages, programs, rootfs, versions
from .choice import Choice, Engine, NodeImage
from .command import run
from .engine import environment
from .hashing import of_files, of_values
from .imagearchive import write
from .paths import FILES, Cache
from .progress import step

APT_PACKAGES = (
    "podman",
    "runc",
    "netavark",
    "aardvark-dns",
    "buildah",
    "debootstrap",
    "iptables",
    "conntrack",
    "containernetworking-plugins",
)
RECIPE = rootfs.Recipe(
    name="node",
    packages=(
        *("systemd", "systemd-sysv", "dbus", "iproute2", "iptables", "conntrack", "containerd"),
        *("runc", "containernetworking-plugins", "kmod", "procps", "mount", "ethtool", "socat"),
        *("ca-certificates", "jq", "hostname"),
    ),
    removed=(
        "usr/share/zoneinfo",
        "usr/bin/containerd-shim",
        "usr/bin/containerd-shim-runc-v1",
        *(f"usr/lib/cni/{unused}" for unused in ("dhcp", "firewall", "*vlan", "vrf", "sbr")),
        "etc/cni/net.d/*",
        "etc/machine-id",
        "var/lib/dbus/machine-id",
    ),
)
MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "systemd-tmpfiles-clean.timer"),
    *("getty.target", "getty-static.service", "console-getty.service", "systemd-logind.service"),
    *("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-pstore.service"),
    *("systemd-remount-fs.service", "systemd-firstboot.service", "dev-hugepages.mount"),
    *("sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount"),
    *("systemd-machine-id-commit.service", "systemd-update-utmp.service"),
)
"""Units of a machine that a container has no use for."""

_CODE = ("kubeimages.py", "imagearchive.py")


def name() -> str:
    """Changes with every input: packages, binaries, static files, this program's own text."""
    binaries = [program.file for program in (*programs.NODE, programs.COREDNS)]
    files = of_files([FILES / "node", FILES / "import-images.sh"], FILES)
    code = of_files([Path(__file__), *(Path(__file__).with_name(name) for name in _CODE)])
    key = of_values([RECIPE.key, *MASKED, *binaries, files, code])
    return f"localhost/holdfast/node:{key}"


def _lay(cache: Cache, root: Path) -> None:
    """Our files and binaries over Debian's."""
    shutil.copytree(FILES / "node", root, dirs_exist_ok=True)
    for program in (programs.KUBELET, programs.KUBEADM, programs.KUBECTL):
        shutil.copy(cache.built / program.file, root / "usr/bin" / program.name)
    config = root / "etc/containerd/config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("@PAUSE_IMAGE@", kubeimages.kubeadm_images(cache)["pause"]), "utf-8"
    )
    (root / "kind/version").write_text(versions.KUBERNETES, "utf-8")
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    wants = units / "multi-user.target.wants"
    for unit in ("containerd.service", "kubelet.service"):
        (wants / unit).unlink(missing_ok=True)
        (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")


def _import_images(cache: Cache, root: Path) -> None:
    archive = root / "images.tar"
    layers = write(kubeimages.images(cache, root), archive, kubeimages.architecture())
    script = root / "import-images.sh"
    shutil.copy(FILES / "import-images.sh", script)
    inside = ["/bin/sh", "/import-images.sh", "/images.tar", *layers]
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "chroot", str(root)]
    run([*unshare, *inside], timeout_seconds=300)
    archive.unlink()
    script.unlink()


def _import_into_engine(cache: Cache, root: Path, image: str) -> None:
    archive = root.with_name("node.tar")
    run(["tar", "--create", "--file", archive, "--directory", root, "."], timeout_seconds=300)
    changes: Sequence[str] = (
        'ENTRYPOINT ["/usr/local/bin/entrypoint"]',
        "STOPSIGNAL SIGRTMIN+3",  # how systemd is told to end
        "ENV container=podman",
    )
    options = [option for change in changes for option in ("--change", change)]
    run(
        ["podman", "import", *options, archive, image],
        timeout_seconds=600,
        env=environment(cache, Choice(Engine.PODMAN, NodeImage.OWN)),
    )


def build(cache: Cache, image: str) -> None:
    """Makes the image in podman's store; nothing has that name before it is whole."""
    gobuild.build(cache, [*programs.NODE, programs.COREDNS])
    pristine = rootfs.make(cache, RECIPE)
    with rootfs.copy(cache, pristine) as root:
        with step("importing the images of Kubernetes into the node image"):
            _lay(cache, root)
            _import_images(cache, root)
        with step("making the node image"):
            _import_into_engine(cache, root, image)
