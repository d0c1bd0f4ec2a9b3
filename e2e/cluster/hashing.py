"""Names for cached things: a short hash over everything that goes into one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_DIGITS = 12
_SKIPPED = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def of_values(values: Iterable[str]) -> str:
    """Order matters; no two different sequences look the same to it."""
    digest = hashlib.sha256()
    for value in values:
        encoded = value.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.hexdigest()[:_DIGITS]


def files_below(path: Path) -> list[Path]:
    """The file itself, or every file below the folder, sorted; caches of tools are left out."""
    if not path.is_dir():
        return [path] if path.is_file() or path.is_symlink() else []
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        found.extend(Path(folder) / name for name in names if not name.endswith(".pyc"))
    return sorted(found)


def of_files(paths: Iterable[Path], root: Path | None = None) -> str:
    """Over names (relative to `root`, else bare), executable bits and contents.

    A path that is not there counts as nothing; its coming changes the hash.
    """
    values: list[str] = []
    for path in paths:
        for file in files_below(path):
            name = file.name if root is None else str(file.relative_to(root))
            executable = os.access(file, os.X_OK)
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            values += [name, "x" if executable else "-", content]
    return of_values(values)
