"""Debian packages: installs what is missing or says what a person has to, or only unpacks one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .command import ClusterError, execute, run
from .progress import step

_NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive"}


def installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    code, status = execute(
        ["dpkg-query", "--show", "--showformat=${Status}", package],
        timeout_seconds=20,
        capture=True,
    )
    return code == 0 and status == "install ok installed"


def require(packages: Sequence[str]) -> None:
    """Leaves with every package installed; raises `ClusterError` naming those that cannot be."""
    missing = [package for package in packages if not installed(package)]
    if not missing:
        return
    wanted = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise ClusterError(
            "neither Docker nor podman can get the public node image, and without apt there is no "
            f"way to build an own one here; on Debian these packages would be needed: {wanted}"
        )
    if os.geteuid() != 0:
        raise ClusterError(f"these packages are missing; as root: apt-get install {wanted}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    with step(f"installing {len(missing)} packages ({wanted})"):
        code, _ = execute(install, timeout_seconds=900, env=_NONINTERACTIVE)
        if code != 0:  # the lists may be absent or old
            run(["apt-get", "update"], timeout_seconds=300, env=_NONINTERACTIVE)
            run(install, timeout_seconds=900, env=_NONINTERACTIVE)


def unpack(package: str, folder: Path) -> None:
    """A package's files below a folder, nothing of it installed: no service starts, no root."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise ClusterError(f"without apt there is no way to get {package} here")
    download = ["apt-get", "download", package]
    with (
        step(f"getting {package}"),
        tempfile.TemporaryDirectory(prefix="apt-") as scratch,
    ):
        code, _ = execute(download, timeout_seconds=300, env=_NONINTERACTIVE, cwd=Path(scratch))
        if code != 0 and os.geteuid() == 0:  # the lists may be absent or old
            run(["apt-get", "update"], timeout_seconds=300, env=_NONINTERACTIVE)
        if code != 0:
            run(download, timeout_seconds=300, env=_NONINTERACTIVE, cwd=Path(scratch))
        (archive,) = Path(scratch).glob("*.deb")
        run(["dpkg", "--extract", archive, folder], timeout_seconds=120)
