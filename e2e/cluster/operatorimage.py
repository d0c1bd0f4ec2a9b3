"""Builds the operator's image from the checkout and brings it to the nodes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import imageload, pipconfig, prune, pythonbase
from .choice import NodeImage
from .command import ClusterError, execute, run
from .hashing import of_files, of_values
from .kindcluster import Cluster
from .paths import CHECKOUT, Cache
from .progress import step

INPUTS = (
    *("Dockerfile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"),
    *("operator/src", "scenarios", "crds", "charts"),
)
"""All that the Dockerfile may copy: the build sees nothing else of the checkout."""

_LABEL = "holdfast.inputs"


def inputs_key(checkout: Path, base: str) -> str:
    """`base` is the own Python base's key, empty where the Dockerfile's default is used."""
    return of_values([of_files([checkout / name for name in INPUTS], checkout), base])


def _context(checkout: Path, folder: Path) -> None:
    for name in INPUTS:
        source, target = checkout / name, folder / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, target, symlinks=True, ignore=ignore)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _built_from(cluster: Cluster, image: str) -> str:
    """The key of the inputs an image in the engine was built from; empty without the image."""
    words = [cluster.choice.engine.value, "image", "inspect", image]
    words += ["--format", f'{{{{index .Config.Labels "{_LABEL}"}}}}']
    code, text = execute(words, timeout_seconds=60, env=cluster.env, capture=True)
    return text.strip() if code == 0 else ""


def _build(cache: Cache, cluster: Cluster, image: str, key: str) -> None:
    own = cluster.choice.image is NodeImage.OWN
    base = pythonbase.make(cache, cluster) if own else None
    with (
        step(f"building {image}"),
        tempfile.TemporaryDirectory(dir=cache.scratch, prefix="image-") as scratch,
    ):
        context = Path(scratch) / "context"
        context.mkdir()
        _context(CHECKOUT, context)
        options: Sequence[str] = []
        if base is not None:
            mounts = [mount.option for mount in pipconfig.mounts(Path(scratch))]
            options = ["--build-arg", f"BASE={base}", "--pull=never", *mounts]
        words = [cluster.choice.engine.value, "build", "--network=host", "--tag", image]
        words += ["--label", f"{_LABEL}={key}", *options, str(context)]
        run(
            words,
            timeout_seconds=1200,
            env={**cluster.env, "BUILDAH_ISOLATION": "chroot"},
        )


def make(cache: Cache, cluster: Cluster, tag: str | None) -> str:
    """Leaves the image on every node; returns its name."""
    if not (CHECKOUT / "Dockerfile").is_file():
        raise ClusterError(f"there is no Dockerfile in {CHECKOUT}")
    base = pythonbase.RECIPE.key if cluster.choice.image is NodeImage.OWN else ""
    key = inputs_key(CHECKOUT, base)
    image = f"localhost/holdfast/operator:{tag or key}"
    fresh = _built_from(cluster, image) != key
    if fresh:
        _build(cache, cluster, image, key)
    # A tag that named another image before is on the nodes already, and has to be replaced.
    imageload.load(cache, cluster, image, everywhere=fresh and tag is not None)
    if fresh:
        prune.operator_images(cluster, spared=image)
    return image
