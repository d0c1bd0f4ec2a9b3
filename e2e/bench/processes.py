"""The operator's processes as the nodes see them: what they use, and how they die."""

import os
from dataclasses import dataclass
from typing import Any

from e2e.cluster_tools import SYSTEM, items, kubectl, run, until

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """`pid` is that of the container's first process, on its node."""

    name: str
    pod: str
    node: str
    container: str
    pid: int


@dataclass(frozen=True, slots=True)
class Use:
    """Megabytes of memory now and at most so far, seconds of CPU since it began."""

    rss_mb: float
    peak_mb: float
    cpu_seconds: float


def of_operator() -> list[Process]:
    """Planner, enactors and scenario role."""
    pods = items("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/part-of=holdfast")
    return sorted(
        (_process(p, p["metadata"]["labels"]["holdfast.dev/process"]) for p in pods if _runs(p)),
        key=lambda p: p.name,
    )


def of_namespace(space: str) -> list[Process]:
    """What else runs for a Region: its DNS server."""
    pods = items("pods", "-n", space)
    return [
        _process(p, p["metadata"]["labels"]["app.kubernetes.io/name"]) for p in pods if _runs(p)
    ]


def _runs(pod: Any) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return bool(statuses) and all("running" in s["state"] for s in statuses)


def _process(pod: Any, name: str) -> Process:
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    node = pod["spec"]["nodeName"]
    listed = on_node(node, "ctr -n k8s.io task ls")
    pid = next(int(row.split()[1]) for row in listed.splitlines() if row.startswith(container))
    return Process(name, pod["metadata"]["name"], node, container, pid)


def use(process: Process) -> Use:
    told = on_node(process.node, f"cat /proc/{process.pid}/status /proc/{process.pid}/stat")
    kilobytes = {
        key: int(line.split()[1])
        for line in told.splitlines()
        for key in ("VmRSS", "VmHWM")
        if line.startswith(key)
    }
    after_name = told.splitlines()[-1].rpartition(")")[2].split()
    ticks = int(after_name[11]) + int(after_name[12])
    return Use(
        round(kilobytes["VmRSS"] / 1024, 1), round(kilobytes["VmHWM"] / 1024, 1), ticks / TICKS
    )


def kill(process: Process) -> None:
    """SIGKILL."""
    on_node(process.node, f"kill -9 {process.pid}")


def renew(process: Process) -> None:
    """A new Pod in its place at once: a container that is killed again and again would wait longer
    each time."""
    words = ("delete", "pod", process.pod, "-n", SYSTEM, "--wait=false", "--ignore-not-found")
    kubectl(*words, "--grace-period=0", "--force")


def on_node(node: str, script: str) -> str:
    engine = os.environ["KIND_EXPERIMENTAL_PROVIDER"]
    done = run(engine, "exec", node, "sh", "-c", script)
    assert done.returncode == 0, f"{node}: {script}: {done.stderr}"
    return done.stdout


def enactor(zone: str) -> Process:
    """The one of this zone, once it runs."""
    found: list[Process] = []

    def runs() -> bool:
        found[:] = [p for p in of_operator() if p.name.endswith(f"enactor-{zone}")]
        return len(found) == 1

    until(runs, f"an enactor runs in {zone}")
    return found[0]


def scale(zone: str, replicas: int) -> None:
    name = f"deployment/holdfast-enactor-{zone}"
    kubectl("scale", name, "-n", SYSTEM, f"--replicas={replicas}")
    if replicas:
        kubectl("rollout", "status", name, "-n", SYSTEM, "--timeout=120s")
        return
    selector = f"holdfast.dev/process=holdfast-enactor-{zone}"
    kubectl("wait", "pod", "-n", SYSTEM, "-l", selector, "--for=delete", "--timeout=60s")
