from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from e2e.cluster.imagearchive import Image, write
from e2e.cluster.kubeimages import shared_libraries
from e2e.cluster.prune import surplus
from e2e.cluster.slimarchive import slim

LDD = """\
/usr/sbin/conntrack:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f01)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)
/usr/lib/x86_64-linux-gnu/xtables/libxt_mark.so:
\tstatically linked
"""


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in files.items() if file is not None}


def archive(folder: Path, names: tuple[str, ...] = ("test/a:1",)) -> tuple[Path, list[str]]:
    binary = folder / "binary"
    binary.write_bytes(b"program")
    images = [Image(name, {"bin/x": binary}, {"bin/y": "x"}, ("/bin/x",)) for name in names]
    target = folder / "images.tar"
    return target, write(images, target, "amd64")


def test_images_that_share_a_layer_carry_it_once(tmp_path: Path) -> None:
    target, layers = archive(tmp_path, ("test/a:1", "test/b:1"))
    files = read(target)
    assert len(layers) == 1
    manifest = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["test/a:1"], ["test/b:1"]]
    layer = files[manifest[0]["Layers"][0]]
    assert layers == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]


def test_the_same_content_gives_the_same_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    assert archive(first)[1] == archive(second)[1]


def test_a_slim_archive_is_whole_but_for_the_layers_held(tmp_path: Path) -> None:
    saved, (layer,) = archive(tmp_path)
    full, small = tmp_path / "full.tar", tmp_path / "small.tar"
    assert slim(saved, full, "test/a:1", held=[])
    assert slim(saved, small, "test/a:1", held=[layer])
    blob = f"blobs/{layer.replace(':', '/')}"
    assert set(read(full)) - set(read(small)) == {blob}
    for name, content in read(full).items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (entry,) = json.loads(read(small)["index.json"])["manifests"]
    assert entry["annotations"] == {"io.containerd.image.name": "test/a:1"}
    manifest = json.loads(read(small)[f"blobs/{entry['digest'].replace(':', '/')}"])
    assert [found["digest"] for found in manifest["layers"]] == [layer]


def test_libraries_in_the_output_of_ldd() -> None:
    assert shared_libraries(LDD) == [
        "/lib/x86_64-linux-gnu/libmnl.so.0",
        "/lib64/ld-linux-x86-64.so.2",
    ]


def test_the_newest_images_and_the_spared_one_stay() -> None:
    assert surplus(["d", "c", "b", "a"], kept=2, spared="a") == ["b"]
    assert surplus(["d"], kept=2, spared="d") == []
