"""Debian root file systems made by debootstrap: one for nodes, one for the operator's image."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import apt
from .aptsources import debian_mirror
from .command import ClusterError, run
from .hashing import of_values
from .paths import Cache
from .progress import step
from .versions import DEBIAN_SUITE

_UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/bash-completion",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
    "var/log/bootstrap.log",
    "var/log/dpkg.log",
    "var/log/apt",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A minimal Debian, packages on top, and what of them is deleted again."""

    name: str
    packages: tuple[str, ...]
    removed: tuple[str, ...] = ()
    suite: str = DEBIAN_SUITE

    @property
    def key(self) -> str:
        return of_values([self.suite, *self.packages, "-", *_UNUSED, *self.removed])


def _trim(root: Path, removed: Sequence[str]) -> None:
    for pattern in (*_UNUSED, *removed):
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for folder in ("tmp", "var/cache/apt", "var/cache/debconf", "var/lib/apt/lists"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def make(cache: Cache, recipe: Recipe) -> Path:
    """The pristine root file system of a recipe; callers copy it and leave it as it is."""
    made = cache.roots / f"{recipe.name}-{recipe.key}"
    if made.is_dir():
        return made
    if os.geteuid() != 0:
        raise ClusterError("making a root file system (debootstrap) takes root")
    apt.require(["debootstrap"])
    mirror = debian_mirror()
    if mirror is None:
        raise ClusterError("no Debian mirror among this machine's apt sources (/etc/apt)")
    with (
        step(f"making a Debian root file system ({recipe.name})"),
        tempfile.TemporaryDirectory(dir=cache.scratch, prefix="root-") as scratch,
    ):
        root = Path(scratch) / "root"
        # In a mount namespace of its own: an interrupted debootstrap leaves nothing mounted.
        words = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
        words += [f"--include={','.join(recipe.packages)}", recipe.suite, str(root), mirror]
        run(words, timeout_seconds=1200)
        _trim(root, recipe.removed)
        root.replace(made)
    return made


@contextmanager
def copy(cache: Cache, pristine: Path) -> Iterator[Path]:
    """A copy to work on, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=cache.scratch, prefix="copy-") as scratch:
        root = Path(scratch) / "root"
        run(["cp", "--archive", pristine, root], timeout_seconds=300)
        yield root
