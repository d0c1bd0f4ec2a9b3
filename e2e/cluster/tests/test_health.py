from __future__ import annotations

from e2e.cluster.health import Health, condition_of, ready_nodes
from e2e.cluster.kindconfig import NODES


def node(name: str, ready: str) -> dict[str, object]:
    conditions = [{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": ready}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def test_only_nodes_whose_ready_condition_is_true_count() -> None:
    nodes = [node("a", "True"), node("b", "False"), node("c", "Unknown")]
    nodes.append({"metadata": {"name": "d"}, "status": {}})
    assert ready_nodes({"items": nodes}) == ["a"]
    assert ready_nodes({}) == []


def test_healthy_is_all_nodes_and_name_resolution() -> None:
    assert condition_of(NODES, 1).health is Health.HEALTHY
    assert condition_of(NODES - 1, 2).health is Health.UNREADY
    assert condition_of(NODES, 0).health is Health.UNREADY
