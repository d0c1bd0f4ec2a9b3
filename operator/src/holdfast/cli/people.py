"""The commands that people run."""

import argparse
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from holdfast.core.document import Json
from holdfast.core.names import API_GROUP, API_VERSION

API = f"{API_GROUP}/{API_VERSION}"


class ForPeople(Exception):
    """Something a person can mend: the message says what and how."""


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


def read_scenario(name: str) -> Json:
    """A Scenario from a file, or one of those in the package. ForPeople if it is none."""
    path = Path(name)
    packaged = resources.files("holdfast") / "scenarios" / f"{name}.yaml"
    checkout = Path(__file__).parents[4] / "scenarios" / f"{name}.yaml"
    if path.is_file():
        text = path.read_text()
    elif packaged.is_file():
        text = packaged.read_text()
    elif checkout.is_file():
        text = checkout.read_text()
    else:
        raise ForPeople(f"{name}: no such file, and no Scenario of that name comes with holdfast")
    try:
        documents = [d for d in yaml.safe_load_all(text) if d]
    except yaml.YAMLError as error:
        raise ForPeople(f"{name}: not YAML: {error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ForPeople(f"{name}: one Scenario is wanted, {len(documents)} documents are there")
    document: Json = documents[0]
    if document.get("apiVersion") != API:
        raise ForPeople(f"{name}: apiVersion is {document.get('apiVersion')!r}, not {API!r}")
    if document.get("kind") != "Scenario":
        raise ForPeople(f"{name}: kind is {document.get('kind')!r}, not 'Scenario'")
    if not (document.get("metadata") or {}).get("name"):
        raise ForPeople(f"{name}: metadata.name is missing")
    return document


def _run(arguments: argparse.Namespace) -> int:
    from holdfast.cli.run import run

    document = read_scenario(arguments.scenario)
    return run(document, arguments.json, arguments.kubeconfig, arguments.timeout)


def _dns_status(arguments: argparse.Namespace) -> int:
    from holdfast.cli.status import dns_status

    return dns_status(arguments.namespace, arguments.kubeconfig)
