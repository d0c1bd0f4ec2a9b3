"""Where things are: the checkout, this package's static files, and the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).parent / "files"
CHECKOUT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Cache:
    """The one folder in which everything that is built or made is kept; deleting it is safe."""

    root: Path

    @property
    def bin(self) -> Path:
        """For PATH: kind, helm, kubectl, as links into `built`."""
        return self.root / "bin"

    @property
    def built(self) -> Path:
        """Binaries, each named with its version."""
        return self.root / "built"

    @property
    def src(self) -> Path:
        """One small Go module for each thing that `go install` cannot build."""
        return self.root / "src"

    @property
    def roots(self) -> Path:
        """Root file systems as debootstrap made them, trimmed, named with the hash of inputs."""
        return self.root / "roots"

    @property
    def venvs(self) -> Path:
        """Python programs with dependencies of their own, named with the hash of those."""
        return self.root / "venvs"

    @property
    def scratch(self) -> Path:
        """Half-made things; nothing in it survives the program that made it."""
        return self.root / "scratch"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def containers_conf(self) -> Path:
        return self.root / "containers.conf"

    @property
    def kind_config(self) -> Path:
        return self.root / "kind.yaml"

    @property
    def audit_policy(self) -> Path:
        """Mounted into the control plane's node, so that its path has to outlive a checkout."""
        return self.root / "audit-policy.yaml"

    @property
    def state(self) -> Path:
        """How the present cluster was made."""
        return self.root / "cluster.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def make(self) -> None:
        for folder in (self.bin, self.built, self.src, self.roots, self.scratch, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Deletes what a killed program left half-made; for the holder of the lock only."""
        for left in self.scratch.iterdir():
            shutil.rmtree(left, ignore_errors=True)


def find_cache(environ: Mapping[str, str] = os.environ) -> Cache:
    """`$XDG_CACHE_HOME/holdfast`, else `~/.cache/holdfast`."""
    chosen = environ.get("XDG_CACHE_HOME", "")
    home = Path(chosen) if chosen.startswith("/") else Path.home() / ".cache"
    return Cache(home / "holdfast")
