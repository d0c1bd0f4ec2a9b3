"""What every process of the cluster takes, as its nodes see it: the API server and etcd as well as
our own, kubelets and container engines as well as what runs in Pods."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from e2e.bench.processes import TICKS, on_node
from e2e.cluster_tools import items

SCRIPT = """
cat /proc/[0-9]*/stat 2>/dev/null
grep -HoE '[0-9a-f]{64}' /proc/[0-9]*/cgroup 2>/dev/null
grep -HE '^Vm(RSS|HWM)' /proc/[0-9]*/status 2>/dev/null
true
"""
"""Every process of a node's namespace of processes, of Pods as well. The kernel's own threads are
not in it."""
_OF_POD = ("holdfast.dev/process", "component", "app.kubernetes.io/name", "k8s-app")
"""Labels that say what a Pod is, the first that is there."""
_CONTAINER = re.compile(r"/proc/(\d+)/cgroup:([0-9a-f]{64})$")
_MEMORY = re.compile(r"/proc/(\d+)/status:Vm(RSS|HWM):\s*(\d+) kB$")


@dataclass(frozen=True, slots=True)
class Seen:
    """A process: its command, its container's id or "", seconds of CPU since it began, megabytes of
    memory now and at most so far."""

    command: str
    container: str
    cpu_seconds: float
    rss_mb: float
    peak_mb: float


Processes = Mapping[tuple[str, int, int], Seen]
"""By node, pid and when it began, for a pid is used again."""


@dataclass(frozen=True, slots=True)
class Row:
    """All processes of a name. `cores`: over the time between two looks. `largest_mb`: the peak of
    the one that had most."""

    name: str
    processes: int
    cores: float
    rss_mb: float
    largest_mb: float

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "processes": self.processes,
            "cores": self.cores,
            "rssMb": self.rss_mb,
            "largestPeakMb": self.largest_mb,
        }


def look() -> Processes:
    """Every process of every node, now."""
    found: dict[tuple[str, int, int], Seen] = {}
    for node in items("nodes"):
        name = node["metadata"]["name"]
        found |= parse(name, on_node(name, SCRIPT))
    return found


def names() -> dict[str, str]:
    """What runs in each container, by its id."""
    found = {}
    for pod in items("pods", "-A"):
        labels = pod["metadata"].get("labels") or {}
        name = next((labels[key] for key in _OF_POD if key in labels), pod["metadata"]["name"])
        for status in pod["status"].get("containerStatuses") or ():
            found[str(status.get("containerID", "")).rpartition("/")[2]] = name
    return found


def parse(node: str, told: str) -> dict[tuple[str, int, int], Seen]:
    """From what `SCRIPT` says."""
    began: dict[int, tuple[int, str, float]] = {}
    containers: dict[int, str] = {}
    memory: dict[tuple[int, str], float] = {}
    for line in told.splitlines():
        if found := _CONTAINER.match(line):
            containers[int(found[1])] = found[2]
        elif found := _MEMORY.match(line):
            memory[int(found[1]), found[2]] = int(found[3]) / 1024
        elif ") " in line:
            pid, _, rest = line.partition(" (")
            command, _, after = rest.rpartition(") ")
            numbers = after.split()
            cpu = (int(numbers[11]) + int(numbers[12])) / TICKS
            began[int(pid)] = int(numbers[19]), command, cpu
    return {
        (node, pid, start): Seen(
            command, containers.get(pid, ""), cpu, memory[pid, "RSS"], memory[pid, "HWM"]
        )
        for pid, (start, command, cpu) in began.items()
        if (pid, "RSS") in memory
    }


def rows(before: Processes, after: Processes, seconds: float, of: Mapping[str, str]) -> list[Row]:
    """Those that were there at both looks, all of one name together, the busiest first. `of`: what
    runs in each container; whatever is in none goes by its command."""
    by_name: dict[str, list[tuple[float, Seen]]] = defaultdict(list)
    for key, now in after.items():
        if key in before:
            name = of.get(now.container, now.command)
            by_name[name].append((now.cpu_seconds - before[key].cpu_seconds, now))
    found = [
        Row(
            name,
            len(of_name),
            round(sum(cpu for cpu, _ in of_name) / seconds, 3),
            round(sum(seen.rss_mb for _, seen in of_name), 1),
            round(max(seen.peak_mb for _, seen in of_name), 1),
        )
        for name, of_name in by_name.items()
    ]
    return sorted(found, key=lambda row: (-row.cores, row.name))


def show(found: Iterable[Row], console: Console) -> None:
    table = Table()
    table.add_column("what", no_wrap=True)
    for title in ("processes", "cores", "memory, MB", "peak of the largest, MB"):
        table.add_column(title, justify="right")
    for row in found:
        numbers = f"{row.cores:.3f}", f"{row.rss_mb:.0f}", f"{row.largest_mb:.0f}"
        table.add_row(row.name, str(row.processes), *numbers)
    console.print(table)
