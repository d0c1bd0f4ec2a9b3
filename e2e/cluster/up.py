"""From whatever is there to a healthy cluster, doing only what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import apt, gobuild, imageload, nodeimage, programs, prune, state, versions
from .choice import Choice, Engine, NodeImage
from .engine import image_exists, look_and_choose, write_containers_conf
from .health import Health
from .kindcluster import Cluster
from .paths import Cache
from .progress import say, step

_MODULES = Path("/lib/modules")


def _tools(cache: Cache, image: NodeImage) -> None:
    """kind, helm and kubectl in the cache's bin, from PATH where the version is of no matter."""
    wanted = [programs.KIND, programs.HELM, programs.KUBECTL]
    if image is NodeImage.PUBLIC and shutil.which("kubectl"):
        wanted.remove(programs.KUBECTL)
    gobuild.build(cache, wanted)
    for program in wanted:
        gobuild.put_on_path(cache, program)


def _prepare(cache: Cache, choice: Choice) -> str:
    """What creating a cluster needs; returns the node image."""
    if choice.image is NodeImage.PUBLIC:
        _tools(cache, choice.image)
        gobuild.build(cache, [programs.COREDNS])
        return versions.PUBLIC_NODE_IMAGE
    apt.require(nodeimage.APT_PACKAGES)
    _MODULES.mkdir(parents=True, exist_ok=True)  # kind mounts it, and a machine may have none
    _tools(cache, choice.image)
    image = nodeimage.name()
    if not image_exists(Engine.PODMAN, image, Cluster(cache, choice).env):
        nodeimage.build(cache, image)
    return image


def _healthy(cluster: Cluster, made: state.Made) -> bool:
    """Whether the present cluster can stay; deletes it if it cannot."""
    with step("asking the cluster how it is"):
        found = cluster.condition()
    if found.health is Health.UNREADY:
        say(f"the cluster is not ready: {found.nodes}")
        if cluster.recovers():
            found = cluster.condition()
    if found.health is Health.HEALTHY:
        own = made.choice.image is NodeImage.OWN
        wanted = nodeimage.name() if own else versions.PUBLIC_NODE_IMAGE
        if made.key != cluster.key(wanted):
            say("the cluster was made from an older configuration: `down`, then `up` renews it")
        say(f"the cluster is healthy: {found.nodes}")
        return True
    say(f"the cluster is {found.health.value}; making a new one")
    cluster.delete()
    return False


def _complete(cache: Cache, cluster: Cluster) -> None:
    """The own node image brings our CoreDNS; kind's does not."""
    if cluster.choice.image is NodeImage.PUBLIC:
        imageload.load_coredns(cache, cluster)


def up(cache: Cache) -> Cluster:
    """Idempotent. Raises `ClusterError` with what a person has to know."""
    cache.sweep()
    write_containers_conf(cache)
    made = state.load(cache)
    if made is not None:
        present = Cluster(cache, made.choice)
        _tools(cache, made.choice.image)
        if _healthy(present, made):
            _complete(cache, present)
            return present
    choice = look_and_choose(cache, nodeimage.name())
    say(f"engine: {choice.engine.value}; node image: {choice.image.value}")
    node_image = _prepare(cache, choice)
    cluster = Cluster(cache, choice)
    if cluster.exists():  # made by a program that died, or whose cache was deleted
        cluster.delete()
    if choice.image is NodeImage.OWN:
        prune.node_images(cluster, spared=node_image)
    cluster.create(node_image)
    _complete(cache, cluster)
    say(f"the cluster is healthy: {cluster.condition().nodes}")
    return cluster
