"""This machine's pip configuration, carried into a build without leaving anything in the image."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .command import execute

_CARRIED = (
    *("index-url", "extra-index-url", "trusted-host", "find-links", "no-index"),
    *("proxy", "default-timeout", "timeout", "retries"),
)
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's place for trusted certificates, here and in the image."""


@dataclass(frozen=True, slots=True)
class Mount:
    source: Path
    target: str

    @property
    def option(self) -> str:
        return f"--volume={self.source}:{self.target}:ro"


def settings(listed: str) -> dict[str, str]:
    """From `pip config list` (`global.timeout='9'`); the environment wins, as it does in pip."""
    found: dict[str, str] = {}
    lines = [line for line in listed.splitlines() if "=" in line]
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, value = line.split("=", 1)
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:") and key in _CARRIED:
            try:
                found[key] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    return found


def render(found: Mapping[str, str]) -> str:
    lines = ["[global]", f"cert = {_BUNDLE}"]
    for key, value in found.items():
        lines.append(f"{key} = " + "\n    ".join(value.split()))
    return "\n".join(lines) + "\n"


def _certificates() -> Path | None:
    names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    candidates = [os.environ.get(name, "") for name in names]
    return next((Path(path) for path in [*candidates, _BUNDLE] if Path(path).is_file()), None)


def mounts(scratch: Path) -> Sequence[Mount]:
    """What a build step needs to see in order to install as this machine does."""
    _, listed = execute(
        [sys.executable, "-m", "pip", "config", "list"], timeout_seconds=60, capture=True
    )
    found = settings(listed)
    found_mounts: list[Mount] = []
    local = found.pop("find-links", "").split()
    folders = [word for word in local if Path(word).is_dir()]
    links = [*folders, *(word for word in local if "://" in word)]
    if links:
        found["find-links"] = " ".join(links)
    found_mounts += [Mount(Path(folder), folder) for folder in folders]
    config = scratch / "pip.conf"
    config.write_text(render(found), encoding="utf-8")
    found_mounts.append(Mount(config, "/etc/pip.conf"))
    certificates = _certificates()
    if certificates is not None:
        found_mounts.append(Mount(certificates.resolve(), _BUNDLE))
    return found_mounts
