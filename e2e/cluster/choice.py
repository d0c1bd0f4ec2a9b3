"""Which engine runs the nodes, and which node image they are made of.

Where a public node image can be had, kind's own image and network are used and nothing is built.
Everywhere else the image is our own, and podman runs it: Debian's Docker cannot run privileged
containers where root lacks CAP_SYS_RESOURCE, podman can (tried).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Engine(Enum):
    DOCKER = "docker"
    PODMAN = "podman"


class NodeImage(Enum):
    PUBLIC = "public"
    OWN = "own"


class Question(Enum):
    """What has to be found out before there is a choice; each costs up to ten seconds offline."""

    DOCKER_CAN_PULL = "can Docker get the public node image?"
    PODMAN_CAN_PULL = "can podman get the public node image?"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on this machine; None is not yet asked."""

    docker_answers: bool
    podman_installed: bool
    own_image_built: bool = False
    docker_can_pull: bool | None = None
    podman_can_pull: bool | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    engine: Engine
    image: NodeImage


def choose(facts: Facts) -> Choice | Question:
    """The choice, or the next question it depends on; no question is asked without need."""
    if facts.own_image_built:
        # Built because nothing could be pulled: asking again would only cost its time.
        return Choice(Engine.PODMAN, NodeImage.OWN)
    if facts.docker_answers:
        if facts.docker_can_pull is None:
            return Question.DOCKER_CAN_PULL
        if facts.docker_can_pull:
            return Choice(Engine.DOCKER, NodeImage.PUBLIC)
    if facts.podman_installed:
        if facts.podman_can_pull is None:
            return Question.PODMAN_CAN_PULL
        if facts.podman_can_pull:
            return Choice(Engine.PODMAN, NodeImage.PUBLIC)
    return Choice(Engine.PODMAN, NodeImage.OWN)
