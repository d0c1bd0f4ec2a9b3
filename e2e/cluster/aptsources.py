"""Which Debian mirror this machine uses, read from its own apt sources."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

APT = Path("/etc/apt")


def uris_of_list(text: str) -> list[str]:
    """URIs of a classic `sources.list`: `deb [options] URI suite component...`."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S", line)
        if match:
            found.append(match[1])
    return found


def uris_of_deb822(text: str) -> list[str]:
    """URIs of a `.sources` file: stanzas of `Field: values`, continued by indented lines."""
    found: list[str] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t"):
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "0")
        if enabled and "deb" in fields.get("types", "").split():
            found.extend(fields.get("uris", "").split())
    return found


def is_debian(uri: str) -> bool:
    """Whether the URI looks like a mirror of Debian itself: `.../debian`, no security archive."""
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and parts.path.rstrip("/").endswith("/debian")


def first_debian(uris: Iterable[str]) -> str | None:
    return next((uri.rstrip("/") for uri in uris if is_debian(uri)), None)


def debian_mirror(apt: Path = APT) -> str | None:
    """The first Debian mirror in the order in which apt reads its files; None without one."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list", *(sorted(parts.iterdir()) if parts.is_dir() else [])]
    uris: list[str] = []
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".list":
            uris.extend(uris_of_list(text))
        elif file.suffix == ".sources":
            uris.extend(uris_of_deb822(text))
    return first_debian(uris)
