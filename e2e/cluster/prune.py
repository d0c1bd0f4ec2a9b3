"""Deletes images that nothing will ask for again; a build of the operator's has five copies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .choice import Engine
from .command import execute, output
from .kindcluster import Cluster

_KEPT = 3
_OPERATOR = "localhost/holdfast/operator"
_NODE = "localhost/holdfast/node"


def surplus(newest_first: list[str], kept: int, spared: str) -> list[str]:
    """What is beyond the newest few; never the one that is spared."""
    return [name for name in newest_first[kept:] if name != spared]


def _listed(cluster: Cluster, repository: str) -> list[str]:
    words = [cluster.choice.engine.value, "images", "--filter", f"reference={repository}"]
    words += ["--format", "{{.Repository}}:{{.Tag}}"]
    return output(words, timeout_seconds=60, env=cluster.env).split()


def operator_images(cluster: Cluster, spared: str) -> None:
    """Keeps the newest few in the engine and on the nodes. Running pods lose nothing."""
    old = surplus(_listed(cluster, _OPERATOR), _KEPT, spared)
    if not old:
        return
    engine = cluster.choice.engine.value
    nodes = cluster.node_names()

    def one(node: str) -> None:
        words = [engine, "exec", node, "ctr", "--namespace", "k8s.io", "images", "rm", *old]
        execute(words, timeout_seconds=60, env=cluster.env)

    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(one, nodes))
    execute([engine, "rmi", *old], timeout_seconds=60, env=cluster.env)


def node_images(cluster: Cluster, spared: str) -> None:
    """Keeps one own node image; the engine itself refuses to delete one that is in use."""
    for image in surplus(_listed(cluster, _NODE), 0, spared):
        execute([Engine.PODMAN.value, "rmi", image], timeout_seconds=120, env=cluster.env)
