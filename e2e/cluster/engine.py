"""The container engine: what it answers, and the environment that kind and it need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace

from .choice import Choice, Engine, Facts, NodeImage, Question, choose
from .command import succeeds
from .paths import FILES, Cache
from .progress import say, step
from .versions import PUBLIC_NODE_IMAGE

_ANSWER_SECONDS = 10


def environment(cache: Cache, choice: Choice) -> Mapping[str, str]:
    """What kind, kubectl and the engine are run with, by this program and by `eval $(... env)`."""
    chosen = {
        "KUBECONFIG": str(cache.kubeconfig),
        "PATH": f"{cache.bin}:{os.environ.get('PATH', os.defpath)}",
        "KIND_EXPERIMENTAL_PROVIDER": choice.engine.value,
    }
    if choice.image is NodeImage.OWN:
        # Where the public image runs, the engine's own settings do.
        chosen["CONTAINERS_CONF"] = str(cache.containers_conf)
    return chosen


def write_containers_conf(cache: Cache) -> None:
    wanted = (FILES / "containers.conf").read_text(encoding="utf-8")
    conf = cache.containers_conf
    if not conf.exists() or conf.read_text(encoding="utf-8") != wanted:
        conf.write_text(wanted, encoding="utf-8")


def docker_answers() -> bool:
    return shutil.which("docker") is not None and succeeds(
        ["docker", "version", "--format", "{{.Server.Version}}"], timeout_seconds=_ANSWER_SECONDS
    )


def image_exists(engine: Engine, image: str, env: Mapping[str, str] | None = None) -> bool:
    return succeeds([engine.value, "image", "inspect", image], timeout_seconds=60, env=env)


def can_get(engine: Engine, image: str, env: Mapping[str, str] | None = None) -> bool:
    """Whether the image is here or its registry answers for it; bounded, pulls nothing."""
    return image_exists(engine, image, env) or succeeds(
        [engine.value, "manifest", "inspect", image], timeout_seconds=_ANSWER_SECONDS, env=env
    )


def look_and_choose(cache: Cache, own_image: str) -> Choice:
    """Finds out as little as the choice needs."""
    podman = shutil.which("podman") is not None
    own = environment(cache, Choice(Engine.PODMAN, NodeImage.OWN))
    facts = Facts(
        docker_answers=docker_answers(),
        podman_installed=podman,
        own_image_built=podman and image_exists(Engine.PODMAN, own_image, own),
    )
    while isinstance(answer := choose(facts), Question):
        with step(answer.value):
            match answer:
                case Question.DOCKER_CAN_PULL:
                    yes = can_get(Engine.DOCKER, PUBLIC_NODE_IMAGE)
                    facts = replace(facts, docker_can_pull=yes)
                case Question.PODMAN_CAN_PULL:
                    yes = can_get(Engine.PODMAN, PUBLIC_NODE_IMAGE)
                    facts = replace(facts, podman_can_pull=yes)
        say(f"{answer.value} {'yes' if yes else 'no'}")
    return answer
