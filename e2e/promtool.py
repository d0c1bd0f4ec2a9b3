"""Where promtool and prometheus are: those on PATH, else Debian's, unpacked into the cache.

`python -m e2e.promtool` prints path and version.
"""

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import apt, lock
from e2e.cluster.command import ClusterError, output
from e2e.cluster.log import LOG
from e2e.cluster.paths import Cache, find_cache

_PACKAGE = "prometheus"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Both programs of one release."""

    promtool: Path
    server: Path
    version: str


def prometheus() -> Prometheus:
    """The same one at every call; raises `ClusterError` where there is none to be had."""
    cache = find_cache()
    cache.make()
    LOG.start(cache.logs / "prometheus.log")
    unpacked = cache.built / _PACKAGE
    if found := _on_path():
        tool, server = found
    else:
        if not unpacked.is_dir():
            with lock.held(cache):
                _unpack(cache, unpacked)
        tool, server = unpacked / "promtool", unpacked / "prometheus"
    said = output([str(server), "--version"], timeout_seconds=30)
    version = re.match(r"prometheus, version (\S+)", said)
    if version is None:
        raise ClusterError(f"{server} does not say its version: {said[:80]}")
    return Prometheus(tool, server, version[1])


def promtool() -> Path:
    return prometheus().promtool


def _unpack(cache: Cache, target: Path) -> None:
    if target.is_dir():  # another process was quicker
        return
    with tempfile.TemporaryDirectory(dir=cache.scratch, prefix="prometheus-") as scratch:
        files = Path(scratch) / "files"
        apt.unpack(_PACKAGE, files)
        (files / "usr/bin").replace(target)


def _on_path() -> tuple[Path, Path] | None:
    tool, server = shutil.which("promtool"), shutil.which("prometheus")
    return (Path(tool), Path(server)) if tool and server else None


if __name__ == "__main__":
    try:
        here = prometheus()
    except ClusterError as problem:
        sys.exit(f"error: {problem}")
    print(f"{here.promtool} ({here.version})")
