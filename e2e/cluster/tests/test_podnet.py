from __future__ import annotations

import json

from e2e.cluster.podnet import NodeAddress, arguments, conflist, node_addresses

A = NodeAddress("a", "10.244.0.0/24", "10.89.0.2")
B = NodeAddress("b", "10.244.1.0/24", "10.89.0.3")


def item(name: str, pod_range: str, address: str) -> dict[str, object]:
    spec = {"podCIDR": pod_range} if pod_range else {}
    addresses = [{"type": "Hostname", "address": name}]
    addresses += [{"type": "InternalIP", "address": address}] if address else []
    return {"metadata": {"name": name}, "spec": spec, "status": {"addresses": addresses}}


def test_addresses_of_nodes_that_all_have_theirs() -> None:
    items = [item("a", A.pod_range, A.address), item("b", B.pod_range, B.address)]
    assert node_addresses({"items": items}) == [A, B]
    assert node_addresses({}) == []


def test_no_addresses_while_one_node_lacks_its_pod_range_or_address() -> None:
    first = item("a", A.pod_range, A.address)
    assert node_addresses({"items": [first, item("b", "", B.address)]}) is None
    assert node_addresses({"items": [first, item("b", B.pod_range, "")]}) is None


def test_a_node_has_a_route_to_every_other_node_and_none_to_itself() -> None:
    assert arguments(A, [A, B])[2:] == [A.pod_range, B.pod_range, B.address]


def test_conflist_gives_out_the_nodes_own_range() -> None:
    plugins = json.loads(conflist(A.pod_range))["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["bridge", "portmap"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": A.pod_range}]]
