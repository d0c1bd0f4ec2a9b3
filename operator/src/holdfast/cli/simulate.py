"""`holdfast simulate`: a Scenario in virtual time, without a cluster; the same table and story."""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.strict import admit
from holdfast.cli.table import EXIT, print_result
from holdfast.core.verdict import Verdict
from holdfast.sim.scenario import simulate

SEED_MAX = 2**31 - 1


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "simulate",
        help="run a Scenario in virtual time; needs no cluster",
        description="The same decisions and the same Scenario as on a cluster, in virtual time: "
        "same seed, same run. Exit code: 0 Pass, 1 Fail, 2 Error or Inconclusive.",
    )
    parser.add_argument("scenario", help="a file, or the name of one that comes with holdfast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result document there")
    parser.add_argument("--seed", type=seed, metavar="N", help="default: the Scenario's own")
    parser.set_defaults(do=_simulate)


def seed(text: str) -> int:
    """A seed as the Scenario's own may be: 0 or more."""
    if not text.isdecimal() or int(text) > SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {SEED_MAX}")
    return int(text)


def _simulate(arguments: argparse.Namespace) -> int:
    raw = admit(read_scenario(arguments.scenario), arguments.scenario)
    try:
        with Console(stderr=True).status(f"{raw['metadata']['name']}: in virtual time"):
            result = simulate(raw, arguments.seed)
    except (KeyError, TypeError, ValueError) as error:
        raise ForPeople(f"{arguments.scenario}: {type(error).__name__}: {error}") from error
    print_result(result)
    write_json(arguments.json, result)
    return EXIT[Verdict(result["verdict"])]


def write_json(path: Path | None, document: dict[str, Any]) -> None:
    """Write a document where one is wanted. ForPeople if it cannot be written."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ForPeople(f"{path}: {error.strerror}") from error
    Console().print(f"result document: {path}", soft_wrap=True)
