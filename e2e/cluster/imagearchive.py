"""Writes container images as one archive: each a handful of files and nothing else.

The format is that of `docker save`, which containerd and every engine import.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Image:
    """`files` maps paths in the image to files here, `links` paths in the image to targets."""

    name: str
    files: Mapping[str, Path]
    links: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    user: str = ""


def _entry(name: str, size: int = 0, mode: int = 0o755) -> tarfile.TarInfo:
    """Nothing of the machine or the moment, so that the same content has the same digest."""
    info = tarfile.TarInfo(name.lstrip("/"))
    info.size, info.mode, info.mtime = size, mode, 0
    return info


def _folders(paths: Sequence[str]) -> list[str]:
    found = {str(parent) for path in paths for parent in Path(path.lstrip("/")).parents}
    return sorted(found - {"."})


def _write_layer(image: Image, file: Path) -> str:
    """The layer's digest, which is also its file's hash."""
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder in _folders([*image.files, *image.links]):
            info = _entry(folder)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for path, source in sorted(image.files.items()):
            with source.open("rb") as content:
                tar.addfile(_entry(path, source.stat().st_size), content)
        for path, target in sorted(image.links.items()):
            info = _entry(path, mode=0o777)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    with file.open("rb") as layer:
        return hashlib.file_digest(layer, "sha256").hexdigest()


def config(image: Image, layer: str, architecture: str) -> dict[str, object]:
    """The image's configuration, as the image specification names its fields."""
    runtime: dict[str, object] = {"Env": [_PATH], "WorkingDir": "/"}
    if image.entrypoint:
        runtime["Entrypoint"] = list(image.entrypoint)
    if image.user:
        runtime["User"] = image.user
    return {
        "architecture": architecture,
        "os": "linux",
        "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }


def write(images: Sequence[Image], archive: Path, architecture: str) -> list[str]:
    """Writes all images into `archive`; returns the digests of their layers, each once."""
    manifest: list[dict[str, object]] = []
    written: dict[str, str] = {}
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:

        def add(name: str, content: bytes) -> None:
            tar.addfile(_entry(name, len(content), 0o644), io.BytesIO(content))

        for image in images:
            file = archive.with_name("layer.tar")
            layer = _write_layer(image, file)
            if layer not in written:
                written[layer] = f"{layer}/layer.tar"
                tar.add(file, written[layer])
            file.unlink()
            encoded = json.dumps(config(image, layer, architecture), sort_keys=True).encode()
            name = f"{hashlib.sha256(encoded).hexdigest()}.json"
            add(name, encoded)
            manifest.append({"Config": name, "RepoTags": [image.name], "Layers": [written[layer]]})
        add("manifest.json", json.dumps(manifest).encode())
    return [f"sha256:{layer}" for layer in written]
