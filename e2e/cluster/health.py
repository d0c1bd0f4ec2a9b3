"""How a cluster can be, and how that is judged from what its API server says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .kindconfig import NODES


class Health(Enum):
    HEALTHY = "healthy"
    UNREADY = "unready"
    DEAD = "dead"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Condition:
    """What `status` tells; `nodes` is for people."""

    health: Health
    nodes: str = ""


def ready_nodes(nodes: Mapping[str, object]) -> list[str]:
    """Names of the Ready ones in a node list (`kubectl get nodes --output json`)."""
    items = nodes.get("items")
    return [
        item["metadata"]["name"]
        for item in (items if isinstance(items, list) else [])
        if any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in item["status"].get("conditions", [])
        )
    ]


def condition_of(ready: int, coredns_available: int) -> Condition:
    """Of a cluster whose API server answers."""
    text = f"{ready}/{NODES} nodes ready, {coredns_available} of CoreDNS available"
    healthy = ready == NODES and coredns_available > 0
    return Condition(Health.HEALTHY if healthy else Health.UNREADY, text)
