"""The pod network of the own node image: bridge, host-local addresses, one route to each node.

Nodes are few and do not change, so this is a loop after creation and no daemon.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .command import run
from .kindconfig import POD_RANGE, SERVICE_RANGE
from .paths import FILES


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node with the range its pods get (`10.244.1.0/24`) and its own address."""

    name: str
    pod_range: str
    address: str


def node_addresses(nodes: Mapping[str, object]) -> list[NodeAddress] | None:
    """From `kubectl get nodes --output json`; None until every node has its pod range."""
    found: list[NodeAddress] = []
    items = nodes.get("items")
    for item in items if isinstance(items, list) else []:
        pod_range = item["spec"].get("podCIDR", "")
        internal = [
            address["address"]
            for address in item["status"].get("addresses", [])
            if address["type"] == "InternalIP"
        ]
        if not pod_range or not internal:
            return None
        found.append(NodeAddress(item["metadata"]["name"], pod_range, internal[0]))
    return found


def conflist(pod_range: str) -> str:
    """The CNI configuration of a node whose pods get addresses from `pod_range`."""
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "hairpinMode": True,  # a pod may reach itself through its Service
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_range}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    configuration = {"cniVersion": "0.4.0", "name": "holdfast", "plugins": [bridge, portmap]}
    return json.dumps(configuration, indent=2) + "\n"


def arguments(node: NodeAddress, nodes: Iterable[NodeAddress]) -> list[str]:
    """What podnet.sh is called with on that node."""
    routes = [(other.pod_range, other.address) for other in nodes if other.name != node.name]
    return [POD_RANGE, SERVICE_RANGE, node.pod_range, *(word for route in routes for word in route)]


def connect(engine: str, nodes: Sequence[NodeAddress], env: Mapping[str, str]) -> None:
    """Runs podnet.sh on every node at once. May be repeated."""
    script = (FILES / "podnet.sh").read_text(encoding="utf-8")

    def one(node: NodeAddress) -> None:
        words = [engine, "exec", "--interactive", node.name, "sh", "-c", script, "podnet"]
        run(
            [*words, *arguments(node, nodes)],
            given=conflist(node.pod_range).encode(),
            timeout_seconds=60,
            env=env,
        )

    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(one, nodes))
