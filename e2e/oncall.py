"""Whoever is on call: their rights, and the runbook's blocks as they would type them."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from e2e.cluster_tools import kubectl
from e2e.runbook import Block, kinds

HOLDFAST = Path(sys.executable).with_name("holdfast")


def as_oncall(folder: Path, space: str) -> dict[str, str]:
    """The environment of a person who has the rights of the arm's account `oncall`, and no more."""
    config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify", "-o", "yaml"))
    token = kubectl("create", "token", "oncall", "-n", space, "--duration=1h").strip()
    config["users"] = [{"name": "alice", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "alice"
    file = folder / "oncall.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    path = f"{HOLDFAST.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "KUBECONFIG": str(file), "USER": "alice", "PATH": path}


def perform(blocks: list[Block], environment: dict[str, str]) -> list[str]:
    """Run blocks in one shell, as somebody would type them. What each printed."""
    mark = "@@ block done"
    script = "".join(f"{block.script}echo '{mark}'\n" for block in blocks)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split(f"{mark}\n")[:-1]


def assert_prints(blocks: list[Block], printed: list[str], words: int) -> None:
    """Each block printed lines of the kinds that the runbook shows, and no other."""
    for block, text in zip(blocks, printed, strict=True):
        assert kinds(block.prints, words) == kinds(text, words), f"{block.section}:\n{text}"
