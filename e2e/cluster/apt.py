"""Installs Debian packages that are missing, or says which ones a person has to install."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

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
