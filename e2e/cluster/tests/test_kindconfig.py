from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.cluster.choice import NodeImage
from e2e.cluster.kindconfig import NODES, ZONES, kubeadm_patches, render


def config(image: NodeImage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(image))
    return found


@pytest.mark.parametrize("image", NodeImage)
def test_one_control_plane_and_a_worker_in_each_zone(image: NodeImage) -> None:
    control_plane, *workers = config(image)["nodes"]
    assert control_plane["role"] == "control-plane"
    assert [worker["labels"]["topology.kubernetes.io/zone"] for worker in workers] == list(ZONES)
    assert len(workers) == NODES - 1


def test_node_ports_are_published_on_loopback_only_for_both_protocols() -> None:
    ports = config(NodeImage.OWN)["nodes"][0]["extraPortMappings"]
    assert {(port["hostPort"], port["protocol"]) for port in ports} == {
        (30053, "UDP"),
        (30053, "TCP"),
        (30054, "UDP"),
        (30054, "TCP"),
    }
    assert {port["listenAddress"] for port in ports} == {"127.0.0.1"}
    assert all(port["hostPort"] == port["containerPort"] for port in ports)


def test_only_the_own_image_brings_its_own_network_and_cgroup_driver() -> None:
    own, public = config(NodeImage.OWN), config(NodeImage.PUBLIC)
    assert own["networking"]["disableDefaultCNI"] is True
    assert "disableDefaultCNI" not in public["networking"]
    kubelet = {image: kubeadm_patches(image)[-1] for image in NodeImage}
    assert kubelet[NodeImage.OWN]["cgroupDriver"] == "cgroupfs"
    assert "cgroupDriver" not in kubelet[NodeImage.PUBLIC]


def test_patches_are_documents_that_kind_can_match() -> None:
    kinds = [json.loads(patch)["kind"] for patch in config(NodeImage.OWN)["kubeadmConfigPatches"]]
    assert kinds == [
        "ClusterConfiguration",
        "InitConfiguration",
        "JoinConfiguration",
        "KubeletConfiguration",
    ]
