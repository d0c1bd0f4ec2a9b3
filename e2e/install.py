"""Puts the operator onto the cluster of `make cluster`: image, CRDs, chart. Safe to repeat."""

import json
import os
import subprocess
import sys
from pathlib import Path

from e2e.cluster.versions import HOLDFAST_COREDNS_IMAGE

ROOT = Path(__file__).resolve().parent.parent
RELEASE, NAMESPACE = "holdfast", "holdfast-system"


def run(*command: str) -> str:
    """Standard output of a command; its errors go to the terminal. Ends the program if it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {' '.join(command)}\n{done.stdout[-2000:]}")
    return done.stdout


def use_cluster() -> None:
    """Take over the environment that makes kubectl and helm use this cluster."""
    script = f'eval "$({sys.executable} -m e2e.cluster env)" && {sys.executable} -c '
    script += "'import json, os; print(json.dumps(dict(os.environ)))'"
    os.environ.update(json.loads(run("bash", "-c", script)))


def install() -> None:
    """Build and load the image, bring the CRDs up to date (helm never does), install the chart."""
    image = run(sys.executable, "-m", "e2e.cluster", "image").strip().splitlines()[-1]
    use_cluster()
    repository, _, tag = image.rpartition(":")
    print(f"installing the chart with {image}", flush=True)
    run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "crds")
    values = [
        f"image.repository={repository}",
        f"image.tag={tag}",
        f"coredns.image={HOLDFAST_COREDNS_IMAGE}",
    ]
    settings = [word for value in values for word in ("--set", value)]
    run(
        *("helm", "upgrade", "--install", RELEASE, "charts/holdfast", "-n", NAMESPACE),
        *("--create-namespace", "--wait", "--timeout", "180s", *settings),
    )


if __name__ == "__main__":
    install()
