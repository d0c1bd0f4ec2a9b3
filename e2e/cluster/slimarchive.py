"""Rewrites a saved image so that it carries only the layers that the nodes do not have yet.

A change of the operator's own code then costs its own layer, not all of Python. What `save` writes
(manifest.json, a configuration, layers) becomes an OCI image layout; in one of those a blob that
the receiver has already may be missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()


def _is_plain(tar: tarfile.TarFile, name: str) -> bool:
    """Whether a layer is an uncompressed tar, so that its digest is its diff ID."""
    file = tar.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read(262)[257:] == b"ustar"


def slim(saved: Path, target: Path, image: str, held: Collection[str]) -> bool:
    """Writes `target` from `saved` without the layers whose digests are `held`.

    False, and nothing is written, if the archive is of a kind that cannot be slimmed.
    """
    with tarfile.open(saved) as tar:
        (entry,) = json.loads(_read(tar, "manifest.json"))
        config = _read(tar, entry["Config"])
        digests: list[str] = json.loads(config)["rootfs"]["diff_ids"]
        layers = list(zip(digests, entry["Layers"], strict=True))
        if not all(_is_plain(tar, name) for _, name in layers):
            return False
        with tarfile.open(target, "w") as slimmed:
            descriptors = [
                {"mediaType": _LAYER, "digest": digest, "size": _size(tar, name)}
                for digest, name in layers
            ]
            for digest, name in {d: n for d, n in layers if d not in held}.items():
                file = tar.extractfile(name)
                info = tarfile.TarInfo(_blob(digest))
                info.size = _size(tar, name)
                slimmed.addfile(info, file)
            _finish(slimmed, image, config, descriptors)
    return True


def _size(tar: tarfile.TarFile, name: str) -> int:
    member = tar.getmember(name)
    while member.issym() or member.islnk():  # podman links a layer that occurs twice
        member = tar.getmember(str(Path(member.name).parent / member.linkname))
    return member.size


def _blob(digest: object) -> str:
    return f"blobs/{str(digest).replace(':', '/')}"


def _finish(
    tar: tarfile.TarFile, image: str, config: bytes, layers: list[dict[str, object]]
) -> None:
    def add(name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))

    config_descriptor = _descriptor(_CONFIG, config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": config_descriptor,
            "layers": layers,
        }
    ).encode()
    descriptor = _descriptor(_MANIFEST, manifest)
    named = {**descriptor, "annotations": {"io.containerd.image.name": image}}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [named]}
    add(_blob(config_descriptor["digest"]), config)
    add(_blob(descriptor["digest"]), manifest)
    add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    add("index.json", json.dumps(index).encode())
