from __future__ import annotations

from itertools import product

import pytest

from e2e.cluster.choice import Choice, Engine, Facts, NodeImage, Question, choose

OWN = Choice(Engine.PODMAN, NodeImage.OWN)
DOCKER = Choice(Engine.DOCKER, NodeImage.PUBLIC)
PODMAN = Choice(Engine.PODMAN, NodeImage.PUBLIC)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(False, False), OWN),
        (Facts(True, False), Question.DOCKER_CAN_PULL),
        (Facts(True, False, docker_can_pull=True), DOCKER),
        (Facts(True, False, docker_can_pull=False), OWN),
        (Facts(True, True), Question.DOCKER_CAN_PULL),
        (Facts(True, True, docker_can_pull=True), DOCKER),
        (Facts(True, True, docker_can_pull=False), Question.PODMAN_CAN_PULL),
        (Facts(True, True, docker_can_pull=False, podman_can_pull=True), PODMAN),
        (Facts(True, True, docker_can_pull=False, podman_can_pull=False), OWN),
        (Facts(False, True), Question.PODMAN_CAN_PULL),
        (Facts(False, True, podman_can_pull=True), PODMAN),
        (Facts(False, True, podman_can_pull=False), OWN),
        (Facts(True, True, own_image_built=True), OWN),
    ],
)
def test_choice_or_next_question(facts: Facts, expected: Choice | Question) -> None:
    assert choose(facts) == expected


def test_every_machine_gets_a_choice_after_at_most_two_questions() -> None:
    for docker, podman, built, pull_d, pull_p in product((False, True), repeat=5):
        answers = {Question.DOCKER_CAN_PULL: pull_d, Question.PODMAN_CAN_PULL: pull_p}
        asked: set[Question] = set()
        while True:
            facts = Facts(
                docker,
                podman,
                built,
                docker_can_pull=pull_d if Question.DOCKER_CAN_PULL in asked else None,
                podman_can_pull=pull_p if Question.PODMAN_CAN_PULL in asked else None,
            )
            found = choose(facts)
            if isinstance(found, Choice):
                break
            assert found not in asked, "the same question twice"
            asked.add(found)
        if found.image is NodeImage.PUBLIC:
            assert any(answers[question] for question in asked)
        assert found.engine is Engine.PODMAN or docker
