"""The commands that people run."""

import argparse
from pathlib import Path
from typing import Any

from holdfast.cli.files import read_scenario


def add_commands(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="apply a Scenario, follow it, print what customers saw",
        description="Exit code: 0 Pass, 1 Fail, 2 Error or Inconclusive.",
    )
    run.add_argument("scenario", help="a file, or the name of a Scenario that comes with holdfast")
    run.add_argument("--json", type=Path, metavar="FILE", help="write the result document there")
    run.add_argument("--kubeconfig", help="default: what kubectl would use")
    run.add_argument(
        "--timeout", type=float, default=1800, metavar="SECONDS", help="default: %(default)s"
    )
    run.set_defaults(do=_run)

    dns = commands.add_parser("dns", help="the DNS loops: status")
    verbs = dns.add_subparsers(dest="verb", required=True, metavar="VERB")
    status = verbs.add_parser("status", help="plan → enactor → alias → tree → answers")
    status.add_argument("-n", "--namespace", help="default: of the arm that ran last")
    status.add_argument("--kubeconfig", help="default: what kubectl would use")
    status.set_defaults(do=_dns_status)


def _run(arguments: argparse.Namespace) -> int:
    from holdfast.cli.run import run

    document = read_scenario(arguments.scenario)
    return run(document, arguments.json, arguments.kubeconfig, arguments.timeout)


def _dns_status(arguments: argparse.Namespace) -> int:
    from holdfast.cli.status import dns_status

    return dns_status(arguments.namespace, arguments.kubeconfig)
