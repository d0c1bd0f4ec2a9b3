"""The commands that people run."""

import argparse
from collections.abc import Callable
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
    _add_kubeconfig(run)
    run.add_argument(
        "--timeout", type=float, default=1800, metavar="SECONDS", help="default: %(default)s"
    )
    run.set_defaults(do=_run)

    drill = commands.add_parser(
        "drill",
        help="break a throw-away Region in the incident's way, and time the person on call",
        description="Exit code: 0 recovered with every step of the runbook that can be observed, "
        "1 not, 2 the drill could not be held.",
    )
    drill.add_argument(
        "--timeout",
        type=_drill_seconds,
        default=540,
        metavar="SECONDS",
        help="from the first empty answer; 10 to 570, default: %(default)s",
    )
    drill.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    _add_kubeconfig(drill)
    drill.set_defaults(do=_drill)

    dns = commands.add_parser("dns", help="the DNS loops: status, freeze, override, thaw")
    verbs = dns.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_status(verbs)
    _add_freeze(verbs)
    _add_override(verbs)
    _add_thaw(verbs)


def _add_kubeconfig(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", help="default: what kubectl would use")


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", help="default: of the arm that was created last")
    _add_kubeconfig(parser)


def _add_status(verbs: Any) -> None:
    status = verbs.add_parser("status", help="plan → enactor → alias → tree → answers")
    _add_where(status)
    _add_server(status)
    status.set_defaults(do=_dns_status)


def _add_freeze(verbs: Any) -> None:
    freeze = verbs.add_parser(
        "freeze",
        help="keep the automation's hands off a Region",
        description="Freezes the Region, then every alias. Nothing of ours has to run for it.",
    )
    freeze.add_argument("--why", required=True, help="for those who find it")
    _add_word(freeze)
    freeze.set_defaults(do=_act("freeze"))


def _add_override(verbs: Any) -> None:
    override = verbs.add_parser(
        "override",
        help="give a name an answer by hand",
        description="Makes a plan above all others, builds and proves its tree, and turns the "
        "alias to it. Freezes first. Nothing of ours has to run for it. Exit code: 0 done and "
        "served, 1 done and not seen served, 2 not done.",
    )
    override.add_argument("endpoint", metavar="ENDPOINT", help="such as dynamodb")
    content = override.add_mutually_exclusive_group(required=True)
    content.add_argument("--plan", metavar="N", help="whose content to copy: a generation, newest")
    content.add_argument("--addresses", metavar="A,B", help="what to answer instead")
    override.add_argument("--why", help="for those who find it")
    _add_word(override)
    override.add_argument("--no-freeze", action="store_true", help="let the next plan overtake it")
    override.add_argument("--unproved", action="store_true", help="ask no server before the turn")
    override.add_argument("--no-wait", action="store_true", help="do not follow the answers")
    _add_server(override)
    override.set_defaults(do=_act("override"))


def _add_thaw(verbs: Any) -> None:
    thaw = verbs.add_parser(
        "thaw",
        help="give a Region back to its automation",
        description="Thaws every alias, then the Region: the newest plan goes live.",
    )
    thaw.add_argument("--why", help="for the record")
    thaw.add_argument("--who", metavar="NAME", help="default: your account or user")
    thaw.add_argument("--take-over", action="store_true", help="although somebody else froze it")
    _add_where(thaw)
    thaw.set_defaults(do=_act("thaw"))


def _add_word(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", metavar="T", help="90s, 30m, 2h, 1d, an RFC 3339 time, or forever (the default)"
    )
    parser.add_argument("--who", metavar="NAME", help="default: your account or user")
    parser.add_argument("--take-over", action="store_true", help="although somebody else froze it")
    _add_where(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dns-server",
        metavar="HOST:PORT",
        help="an authoritative server; default: in a Pod all that are ready, elsewhere the node "
        "port on 127.0.0.1",
    )


def _drill_seconds(text: str) -> int:
    """The arm that is broken stays for ten minutes."""
    if not text.isdecimal() or not 10 <= int(text) <= 570:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 10 to 570")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    from holdfast.cli.run import run

    document = read_scenario(arguments.scenario)
    return run(document, arguments.json, arguments.kubeconfig, arguments.timeout)


def _drill(arguments: argparse.Namespace) -> int:
    from holdfast.cli.drill import drill

    return drill(arguments.timeout, arguments.json, arguments.kubeconfig)


def _dns_status(arguments: argparse.Namespace) -> int:
    from holdfast.cli.status import dns_status

    return dns_status(arguments.namespace, arguments.kubeconfig, arguments.dns_server)


def _act(verb: str) -> Callable[[argparse.Namespace], int]:
    """Frameworks are imported when a command begins: `--help` starts without them."""

    def do(arguments: argparse.Namespace) -> int:
        from holdfast.cli import desk, dns

        given = vars(arguments)
        wish = desk.Wish(
            **{
                k: given.get(k)
                for k in ("who", "why", "until", "namespace", "kubeconfig", "plan", "addresses")
            },
            take_over=arguments.take_over,
            endpoint=given.get("endpoint", ""),
            freezes=not given.get("no_freeze", False),
            proves=not given.get("unproved", False),
            waits=not given.get("no_wait", False),
            dns_server=given.get("dns_server"),
        )
        return dns.run(verb, wish)

    return do
