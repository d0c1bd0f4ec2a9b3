"""`holdfast leases throttle|restart|status`: what a person on call enters, of one Region."""

import argparse
from typing import Any


def add(verbs: Any) -> None:
    _add_status(verbs)
    _add_throttle(verbs)
    _add_restart(verbs)


def _add_status(verbs: Any) -> None:
    status = verbs.add_parser("status", help="what each zone's manager holds, and how it fares")
    _add_where(status)
    status.set_defaults(do=_status)


def _add_throttle(verbs: Any) -> None:
    throttle = verbs.add_parser(
        "throttle",
        help="bound the managers' queues by hand",
        description="Of all zones, whatever the guards say. What waits already stays: restart "
        "drops it. Exit code: 0 done, 2 not done.",
    )
    throttle.add_argument(
        "--at-most",
        type=int,
        required=True,
        metavar="N",
        help="state checks that wait or are under way, in each zone; 0 lifts it",
    )
    _add_who(throttle)
    throttle.set_defaults(do=_throttle)


def _add_restart(verbs: Any) -> None:
    restart = verbs.add_parser(
        "restart",
        help="have the managers drop what they have in memory",
        description="Their queues are gone, and they begin anew as the guard leases.onStart has "
        "it. No process is ended. Exit code: 0 done, 2 not done.",
    )
    restart.add_argument("--zone", help="whose manager; default: all of the Region")
    _add_who(restart)
    restart.set_defaults(do=_restart)


def _add_who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--who", metavar="NAME", help="default: your account or user")
    _add_where(parser)


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", help="default: of the arm that was created last")
    parser.add_argument("--kubeconfig", help="default: what kubectl would use")


def _status(arguments: argparse.Namespace) -> int:
    from holdfast.cli.leases_status import leases_status  # frameworks are imported with it

    return leases_status(arguments.namespace, arguments.kubeconfig)


def _throttle(arguments: argparse.Namespace) -> int:
    from holdfast.cli import leases_acts as acts

    at_most = acts.bound_of(arguments.at_most)
    return acts.run(lambda desk: acts.throttle(desk, at_most), _wish(arguments))


def _restart(arguments: argparse.Namespace) -> int:
    from holdfast.cli import leases_acts as acts

    return acts.run(lambda desk: acts.restart(desk, arguments.zone), _wish(arguments))


def _wish(arguments: argparse.Namespace) -> Any:
    from holdfast.cli.desk import Wish

    return Wish(who=arguments.who, namespace=arguments.namespace, kubeconfig=arguments.kubeconfig)
