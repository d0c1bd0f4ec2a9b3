"""The cluster itself: makes it, deletes it, and asks it how it is."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import podnet, state
from .choice import Choice, NodeImage
from .command import ClusterError, CommandError, execute, output, run
from .engine import environment
from .hashing import of_values
from .health import Condition, Health, condition_of, ready_nodes
from .kindconfig import CLUSTER, NODES, render
from .paths import FILES, Cache
from .progress import say, step
from .state import Made

_API_SECONDS = 5
_DEAD_AFTER_SECONDS = 8
_READY_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Cluster:
    cache: Cache
    choice: Choice

    @property
    def env(self) -> Mapping[str, str]:
        return environment(self.cache, self.choice)

    def _kubectl(self, *words: str) -> tuple[int, str]:
        return execute(
            ["kubectl", f"--request-timeout={_API_SECONDS}s", *words],
            timeout_seconds=_API_SECONDS + 5,
            env=self.env,
            capture=True,
        )

    def _get(self, *words: str) -> dict[str, object]:
        code, text = self._kubectl("get", *words, "--output", "json")
        found: dict[str, object] = json.loads(text) if code == 0 and text else {}
        return found

    def _kubelet_answers(self, node: str) -> bool:
        """Asked through the API server: a dead node stays Ready there for most of a minute."""
        return self._kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz")[0] == 0

    def exists(self) -> bool:
        """Whether the engine lists nodes; they may be long dead, and it still say Up."""
        listed = output(["kind", "get", "clusters"], timeout_seconds=60, env=self.env)
        return CLUSTER in listed.split()

    def condition(self) -> Condition:
        """Asks the API server, not the engine: podman lists nodes as Up after a hard stop."""
        if not self.cache.kubeconfig.exists():
            return Condition(Health.DEAD if self.exists() else Health.ABSENT)
        deadline = time.monotonic() + _DEAD_AFTER_SECONDS
        while self._kubectl("get", "--raw", "/readyz")[0] != 0:
            if not self.exists():
                return Condition(Health.ABSENT)
            if time.monotonic() > deadline:
                return Condition(Health.DEAD)
            time.sleep(1)
        ready = ready_nodes(self._get("nodes"))
        with ThreadPoolExecutor(NODES) as pool:
            answering = sum(pool.map(self._kubelet_answers, ready))
        coredns = self._get("deployment", "coredns", "--namespace", "kube-system").get("status")
        available = coredns.get("availableReplicas", 0) if isinstance(coredns, dict) else 0
        return condition_of(answering, available)

    def _config(self) -> str:
        return render(self.choice.image, self.cache.audit_policy)

    def key(self, node_image: str) -> str:
        """Changes with whatever a cluster is made from."""
        return of_values([node_image, self._config(), _audit_policy()])

    def create(self, node_image: str) -> None:
        """From nothing to nodes that are Ready. A failure leaves no half-made cluster."""
        self.cache.audit_policy.write_text(_audit_policy(), encoding="utf-8")
        self.cache.kind_config.write_text(self._config(), encoding="utf-8")
        state.save(self.cache, Made(self.choice, node_image, self.key(node_image)))
        try:
            words = ["kind", "create", "cluster", "--name", CLUSTER, "--image", node_image]
            words += ["--config", str(self.cache.kind_config), "--wait", "0s"]
            words += ["--kubeconfig", str(self.cache.kubeconfig)]
            with step("creating the cluster"):
                run(
                    words,
                    timeout_seconds=900 if self.choice.image is NodeImage.PUBLIC else 300,
                    env=self.env,
                )
            self.settle()
        except BaseException:
            self.delete()
            raise

    def settle(self) -> None:
        """Connects pods and waits until the cluster is healthy; raises `ClusterError` if not."""
        if self.choice.image is NodeImage.OWN:
            with step("connecting the pods"):
                nodes = self._wait_for_addresses()
                podnet.connect(self.choice.engine.value, nodes, self.env)
        deadline = time.monotonic() + _READY_SECONDS
        with step("waiting for the nodes to be ready"):
            while (found := self.condition()).health is not Health.HEALTHY:
                if time.monotonic() > deadline:
                    raise ClusterError(f"not healthy after {_READY_SECONDS} s: {found.nodes}")
                time.sleep(0.5)

    def recovers(self) -> bool:
        """Whether a live but unready cluster settles within its bound."""
        try:
            self.settle()
        except (ClusterError, ValueError):
            return False
        return True

    def node_names(self) -> list[str]:
        """The nodes' containers, control plane first."""
        listed = output(
            ["kind", "get", "nodes", "--name", CLUSTER], timeout_seconds=60, env=self.env
        )
        return sorted(listed.split())

    def _wait_for_addresses(self) -> list[podnet.NodeAddress]:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            found = podnet.node_addresses(self._get("nodes"))
            if found is not None and len(found) == NODES:
                return found
            if time.monotonic() > deadline:
                raise ClusterError(f"the nodes have no pod ranges after {_READY_SECONDS} s")
            time.sleep(0.5)

    def delete(self) -> None:
        """Safe where there is none."""
        with step("deleting the cluster"):
            words = ["kind", "delete", "cluster", "--name", CLUSTER]
            words += ["--kubeconfig", str(self.cache.kubeconfig)]
            try:
                run(words, timeout_seconds=120, env=self.env)
            except CommandError:
                # Dead nodes may need a second try, once the engine has noticed that they are.
                say("deleting once more")
                run(words, timeout_seconds=120, env=self.env)
            self.cache.kubeconfig.unlink(missing_ok=True)
            state.forget(self.cache)


def _audit_policy() -> str:
    return (FILES / "audit-policy.yaml").read_text(encoding="utf-8")
