"""The command `holdfast`: what people run, and what the image's containers run."""

import argparse
import sys
from collections.abc import Sequence

from holdfast import __version__
from holdfast.cli import ablate, check, leases, people, processes, reference, simulate, sweep
from holdfast.cli.files import ForPeople

EXIT_ERROR = 2


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="holdfast",
        description="Reproduces the DNS outage of 20 October 2025 on a Kubernetes cluster, "
        "and shows which guards prevent it.",
    )
    root.add_argument("--version", action="version", version=f"holdfast {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    people.add_commands(commands)
    check.add_command(commands)
    ablate.add_command(commands)
    simulate.add_command(commands)
    sweep.add_command(commands)
    leases.add_command(commands)
    reference.add_command(commands)
    processes.add_commands(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 Pass, 1 Fail, 2 Error, Inconclusive, or a command that could not be done."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.do(arguments))
    except KeyboardInterrupt:
        return 130
    except ForPeople as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return EXIT_ERROR


if __name__ == "__main__":
    raise SystemExit(main())
