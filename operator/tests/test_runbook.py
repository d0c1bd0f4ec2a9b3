"""The runbook's way with kubectl alone, where a drill does not lead: no address to give."""

import os
import subprocess
from pathlib import Path

import pytest

from e2e.runbook import RUNBOOK, with_kubectl

KUBECTL = """#!/bin/sh
case "$*" in
  "get dnsplans "*) printf '9\\n11\\n10\\n' ;;
  "get dnsplan plan-0000000011 "*range*) printf "$ADDRESSES" ;;
  "get dnsplan plan-0000000011 "*) echo '[{"name": "dynamodb"}]' ;;
  "create "*) cat ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize("addresses", ["", "10.0.0.1\\n10.0.0.2\\n"])
def test_by_hand_no_plan_is_made_without_addresses(tmp_path: Path, addresses: str) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    block = next(b for b in with_kubectl(RUNBOOK.read_text()) if "kind: DNSPlan" in b.script)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    told = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", block.script],
        env={"PATH": path, "NS": "ns", "ADDRESSES": addresses},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
    assert ("name: plan-0000000012" in told.stdout) == bool(addresses)
