"""Simulator against cluster on one Scenario: `make compare-sim`.

Runs it several times on each, and puts the medians of when the name went empty side by side, and
the generations that were live and served, in their order. Nothing is asserted: figures are printed
and written.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from holdfast.cli.files import read_scenario
from holdfast.cli.strict import admit
from holdfast.sim.scenario import simulate

HOLDFAST = Path(sys.executable).with_name("holdfast")
Json = dict[str, Any]
EVENTS = ("staleFlip", "liveTreeDeleted", "aliasNamesNothing", "dropped", "refused")


def on_cluster(name: str) -> Json:
    """One run of `holdfast run`. It takes minutes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [str(HOLDFAST), "run", name, "--json", str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not file.exists():
            raise SystemExit(f"holdfast run {name} gave no result: {done.stderr or done.stdout}")
        document: Json = json.loads(file.read_text())
        return document


def gist(arm: Json) -> Json:
    """What is compared of one arm of one run; times in seconds since the first plan. What did not
    happen is absent."""
    dns = arm["dns"]
    found: Json = {
        "outcome": arm["outcome"],
        "invariantsBroken": arm["invariantsBroken"],
        "liveGenerations": _changes([g for _, _, g in dns["liveGenerations"]]),
        "servedGenerations": {
            server: _changes([g for _, g in seen])
            for server, seen in dns["servedGenerations"].items()
        },
    }
    for server in ("authoritative", "resolver"):
        at = (dns.get(server) or {}).get("firstEmptyAt")
        if at is not None:
            found[f"firstEmptyAt.{server}"] = at
    for event in EVENTS:
        times = [line["t"] for line in arm["timeline"] if line["event"] == event]
        if times:
            found[f"{event}At"] = times[0]
    return found


def _changes(generations: list[int]) -> list[int]:
    """Up to the tenth: the later ones only say how long the arm went on."""
    return generations[:10]


def compare(cluster: list[Json], simulated: list[Json]) -> list[Json]:
    """Arm by arm: medians and how far apart they are, and the sequences that were seen."""
    arms = []
    for number, arm in enumerate(cluster[0]["arms"]):
        ours = [gist(d["arms"][number]) for d in simulated]
        theirs = [gist(d["arms"][number]) for d in cluster]
        times = sorted({k for g in (*ours, *theirs) for k in g if "At" in k})
        arms.append(
            {
                "name": arm["name"],
                "times": {k: _times(k, theirs, ours) for k in times},
                "same": {
                    k: set(_tally(k, theirs)) == set(_tally(k, ours))
                    for k in ("outcome", "invariantsBroken", "liveGenerations")
                },
                "liveGenerations": {
                    "cluster": _tally("liveGenerations", theirs),
                    "simulated": _tally("liveGenerations", ours),
                },
                "servedGenerations": {
                    "cluster": _tally("servedGenerations", theirs),
                    "simulated": _tally("servedGenerations", ours),
                },
            }
        )
    return arms


def _times(key: str, theirs: list[Json], ours: list[Json]) -> Json:
    one = [g[key] for g in theirs if key in g]
    other = [g[key] for g in ours if key in g]
    found: Json = {"runsCluster": len(one), "runsSimulated": len(other)}
    if one and other:
        cluster, simulated = statistics.median(one), statistics.median(other)
        found |= {
            "clusterMedian": round(cluster, 3),
            "simulatedMedian": round(simulated, 3),
            "clusterSpread": [min(one), max(one)],
            "simulatedSpread": [min(other), max(other)],
            "differencePercent": round(100 * (simulated - cluster) / cluster, 2),
        }
    return found


def _tally(key: str, gists: list[Json]) -> dict[str, int]:
    """How often each value was seen."""
    return dict(sorted(Counter(json.dumps(g[key]) for g in gists).items()))


def show(arms: list[Json]) -> None:
    console = Console()
    table = Table("arm", "cluster", "simulated", "difference", title="seconds, medians")
    table.add_column("what", no_wrap=True)
    for arm in arms:
        for key, found in arm["times"].items():
            if "clusterMedian" in found:
                table.add_row(
                    arm["name"],
                    f"{found['clusterMedian']:.3f}",
                    f"{found['simulatedMedian']:.3f}",
                    f"{found['differencePercent']:+.2f} %",
                    key,
                )
    console.print(table)
    for arm in arms:
        for where in ("cluster", "simulated"):
            for sequence, runs in arm["liveGenerations"][where].items():
                console.print(f"{arm['name']}, {where}: live {sequence} in {runs} run(s)")
        console.print(f"{arm['name']}: the same {arm['same']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenario", default="dns-race")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument(
        "--cluster-results",
        type=Path,
        nargs="*",
        help="result documents of former runs, instead of running on the cluster",
    )
    arguments = parser.parse_args()
    raw = admit(read_scenario(arguments.scenario), arguments.scenario)
    simulated = [simulate(raw, raw["spec"]["seed"] + i) for i in range(arguments.runs)]
    if arguments.cluster_results:
        cluster = [json.loads(f.read_text()) for f in arguments.cluster_results]
    else:
        runs = track(range(arguments.runs), "on the cluster")
        cluster = [on_cluster(arguments.scenario) for _ in runs]
    arms = compare(cluster, simulated)
    document = {
        "scenario": arguments.scenario,
        "clusterRuns": len(cluster),
        "simulatedRuns": len(simulated),
        "arms": arms,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    show(arms)


if __name__ == "__main__":
    main()
