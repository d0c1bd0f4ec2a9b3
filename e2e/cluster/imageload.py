"""Brings images into the nodes' containerd, where pods find them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import kubeimages, versions
from .command import ClusterError, run
from .imagearchive import write
from .kindcluster import Cluster
from .paths import Cache
from .progress import step
from .slimarchive import slim

_CTR = ["ctr", "--namespace", "k8s.io"]


def nodes_without(cluster: Cluster, image: str) -> list[str]:
    """The nodes that do not have an image of exactly this name."""
    engine = cluster.choice.engine.value

    def has(node: str) -> bool:
        words = [engine, "exec", node, *_CTR, "images", "list", "--quiet", f"name=={image}"]
        return bool(run(words, timeout_seconds=60, env=cluster.env, capture=True).strip())

    nodes = cluster.node_names()
    if not nodes:
        raise ClusterError("there is no cluster to load images into; `up` makes one")
    with ThreadPoolExecutor(len(nodes)) as pool:
        return [node for node, there in zip(nodes, pool.map(has, nodes), strict=True) if not there]


def _held_by_all(cluster: Cluster, nodes: Sequence[str]) -> set[str]:
    """Digests of the blobs that every one of these nodes has."""
    engine = cluster.choice.engine.value

    def held(node: str) -> set[str]:
        words = [engine, "exec", node, *_CTR, "content", "list", "--quiet"]
        return set(run(words, timeout_seconds=60, env=cluster.env, capture=True).split())

    with ThreadPoolExecutor(len(nodes)) as pool:
        return set.intersection(*pool.map(held, nodes))


def import_archive(cluster: Cluster, archive: Path, nodes: Sequence[str]) -> None:
    """Imports an archive on several nodes at once."""
    engine = cluster.choice.engine.value

    def one(node: str) -> None:
        with archive.open("rb") as content:
            words = [engine, "exec", "--interactive", node, *_CTR, "images", "import"]
            run(
                [*words, "--all-platforms", "-"],
                given=content,
                timeout_seconds=300,
                env=cluster.env,
            )

    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(one, nodes))


def load(cache: Cache, cluster: Cluster, image: str, everywhere: bool = False) -> None:
    """Loads one of the engine's images onto the nodes that lack it, or onto all."""
    nodes = cluster.node_names() if everywhere else nodes_without(cluster, image)
    if not nodes:
        return
    with (
        step(f"loading {image} onto {len(nodes)} nodes"),
        tempfile.TemporaryDirectory(dir=cache.scratch, prefix="load-") as scratch,
    ):
        archive = Path(scratch) / "image.tar"
        run(
            [cluster.choice.engine.value, "save", "--output", archive, image],
            timeout_seconds=300,
            env=cluster.env,
        )
        small = Path(scratch) / "slim.tar"
        if slim(archive, small, image, _held_by_all(cluster, nodes)):
            archive = small
        import_archive(cluster, archive, nodes)


def load_coredns(cache: Cache, cluster: Cluster) -> None:
    """Our own CoreDNS, for nodes whose image does not bring it."""
    image = versions.HOLDFAST_COREDNS_IMAGE
    nodes = nodes_without(cluster, image)
    if not nodes:
        return
    with (
        step(f"loading {image} onto {len(nodes)} nodes"),
        tempfile.TemporaryDirectory(dir=cache.scratch, prefix="load-") as scratch,
    ):
        archive = Path(scratch) / "coredns.tar"
        write([kubeimages.own_coredns(cache)], archive, kubeimages.architecture())
        import_archive(cluster, archive, nodes)
