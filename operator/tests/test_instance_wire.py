"""Instances to objects and back, with what others have written left as it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.leases.instances import (
    LAUNCHING,
    OURS,
    REBOOTED,
    Condition,
    Home,
    Instance,
    InstanceStatus,
    settle,
)
from holdfast.live.instance_wire import (
    digest,
    parse_instance,
    path_of_instances,
    render_instance,
    render_status,
    written_by_a_hand,
)

ZONE = "us-east-1a"
CRD = Path(__file__).resolve().parents[2] / "crds/instances.yaml"
SCHEMA = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
TEXT = st.text(max_size=10)
TIMES = st.integers(0, 4 * 10**15).map(lambda us: us / 10**6)


def conditions(kinds: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Condition, ...]]:
    one = st.builds(
        Condition,
        kinds,
        st.sampled_from(["True", "False", "Unknown"]),
        TEXT,
        TEXT,
        TIMES,
        st.integers(0, 9),
    )
    return st.lists(one, unique_by=lambda c: c.type, max_size=4).map(
        lambda found: tuple(sorted(found, key=lambda c: c.type))
    )


STATUSES = st.builds(
    InstanceStatus,
    st.sampled_from(["Pending", "Launching", "Running", "Stopped"]),
    st.sampled_from(["", f"{ZONE}-r1-d1"]),
    TEXT,
    conditions(st.sampled_from(sorted(OURS))),
)


def stored(body: dict[str, Any], **meta: Any) -> dict[str, Any]:
    """As a server has it."""
    given = {"namespace": "here", "uid": "u1", "resourceVersion": "7", "generation": 1}
    given["creationTimestamp"] = "2025-10-20T07:48:00Z"
    return {**body, "metadata": {**body["metadata"], **given, **meta}}


@given(STATUSES, conditions(st.sampled_from(["NetworkReady", "Theirs"])))
def test_a_status_survives_the_round_trip_and_the_schema(
    status: InstanceStatus, others: tuple[Condition, ...]
) -> None:
    instance = Instance("web", ZONE, "Stop", others=others, uid="u1", resource_version="7")
    body = render_status(instance, status)
    jsonschema.validate(body, SCHEMA)
    back = parse_instance(stored(body))
    assert (back.status, back.others) == (status, others)
    assert (back.name, back.zone, back.action, back.uid) == ("web", ZONE, "Stop", "u1")
    assert back.created == 1760946480.0


def test_a_put_bears_its_preconditions() -> None:
    instance = Instance("web", ZONE, uid="u1", resource_version="7")
    meta = render_status(instance, InstanceStatus())["metadata"]
    assert meta == {"name": "web", "uid": "u1", "resourceVersion": "7"}
    assert "status" not in render_instance(instance)


def test_a_creation_says_its_zone_if_it_has_one() -> None:
    assert render_instance(Instance("web", ZONE))["spec"] == {"zone": ZONE, "action": "Run"}
    assert render_instance(Instance("web"))["spec"] == {"action": "Run"}
    assert path_of_instances("here") == "/apis/holdfast.dev/v1alpha1/namespaces/here/instances"


def test_what_was_never_written_reads_as_pending() -> None:
    bare = {"metadata": {"name": "web"}, "spec": {}}
    found = parse_instance(stored(bare))
    assert (found.zone, found.action, found.status) == ("", "Run", InstanceStatus())


def test_times_of_conditions_are_told_as_they_are() -> None:
    whole = Condition(LAUNCHING, "True", "R", "m", 1760946480.0)
    part = replace(whole, type=REBOOTED, since=1760946480.25, generation=3)
    body = render_status(Instance("web"), InstanceStatus(conditions=(whole, part)))
    said = [c["lastTransitionTime"] for c in body["status"]["conditions"]]
    assert said == ["2025-10-20T07:48:00Z", "2025-10-20T07:48:00.250000Z"]
    assert [c.get("observedGeneration") for c in body["status"]["conditions"]] == [None, 3]


def test_every_status_that_is_settled_keeps_to_the_schema() -> None:
    home, droplet = Home(ZONE, (ZONE,), 2), f"{ZONE}-r1-d1"
    instance = Instance("web", ZONE, uid="u1", resource_version="7")
    course = ("Run", ""), ("Run", droplet), ("Run", droplet), ("Stop", ""), ("Stop", droplet)
    for number, (action, held) in enumerate(course):
        asked = replace(instance, action=action)
        ((_, status),) = settle((asked,), frozenset({held}), 2.0 * number, home)
        jsonschema.validate(render_status(asked, status), SCHEMA)
        instance = replace(asked, status=status)
    assert instance.status.phase == "Stopped"


def entry(manager: str, at: str, subresource: str = "status") -> dict[str, str]:
    return {"manager": manager, "time": at, "subresource": subresource}


@pytest.mark.parametrize(
    ("entries", "hand"),
    [
        ([], ""),
        ([entry("holdfast-leases-us-east-1a", "2")], ""),
        ([entry("kubectl-edit", "2"), entry("holdfast-leases-us-east-1a", "1")], "kubectl-edit"),
        ([entry("kubectl-edit", "1"), entry("holdfast-leases-us-east-1a", "2")], ""),
        ([entry("holdfast-leases-us-east-1a", "2"), entry("kubectl-edit", "2")], "kubectl-edit"),
        ([entry("kubectl-edit", "9", ""), entry("holdfast-leases-us-east-1a", "2")], ""),
    ],
)
def test_who_has_written_the_status_last(entries: list[dict[str, str]], hand: str) -> None:
    raw = stored(render_instance(Instance("web", ZONE)), managedFields=entries)
    assert written_by_a_hand(raw) == hand
    found = digest(raw)
    assert (found["hand"], found["value"].name) == (hand, "web")
    assert found["metadata"] == {
        "namespace": "here",
        "name": "web",
        "uid": "u1",
        "resourceVersion": "7",
    }
