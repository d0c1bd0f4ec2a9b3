from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from e2e.cluster import kindcluster
from e2e.cluster.choice import Choice, Engine, NodeImage
from e2e.cluster.kindcluster import Cluster
from e2e.cluster.kindconfig import NODES, ZONES, kubeadm_patches, render
from e2e.cluster.paths import FILES, Cache

POLICY = Path("/somewhere/audit-policy.yaml")


def config(image: NodeImage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(image, POLICY))
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


@pytest.mark.parametrize("image", NodeImage)
def test_the_api_server_reads_the_audit_policy_that_the_node_is_given(image: NodeImage) -> None:
    control_plane, *workers = config(image)["nodes"]
    (mount,) = control_plane["extraMounts"]
    assert mount["hostPath"] == str(POLICY)
    assert mount["readOnly"] is True
    assert not any("extraMounts" in worker for worker in workers)
    api_server: Any = kubeadm_patches(image)[0]["apiServer"]
    arguments, volumes = api_server["extraArgs"], api_server["extraVolumes"]
    assert arguments["audit-policy-file"] == mount["containerPath"]
    for file in (arguments["audit-policy-file"], arguments["audit-log-path"]):
        folder = str(PurePosixPath(file).parent)
        (volume,) = [v for v in volumes if v["mountPath"] == folder]
        assert volume["hostPath"] == folder


def test_the_audit_policy_ends_with_a_rule_that_keeps_nothing_else() -> None:
    policy = yaml.safe_load((FILES / "audit-policy.yaml").read_text(encoding="utf-8"))
    *rules, last = policy["rules"]
    assert last == {"level": "None"}
    *kept, peoples = [rule for rule in rules if rule["level"] != "None"]
    assert all(
        group.startswith("system:serviceaccounts") for r in kept for group in r["userGroups"]
    )
    assert [r["resources"] for r in peoples["resources"]] == [["rolebindings"]]


def test_another_audit_policy_is_another_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(Cache(tmp_path), Choice(Engine.PODMAN, NodeImage.OWN))
    before = cluster.key("an image")
    assert cluster.key("an image") == before
    monkeypatch.setattr(kindcluster, "_audit_policy", lambda: "rules: []")
    assert cluster.key("an image") != before
