"""The commands that containers run: one process a role."""

import argparse
import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from holdfast.cli.files import ForPeople

R = TypeVar("R")
ROLES = ("planner", "enactor", "leases", "scenario")


def add_commands(commands: Any) -> None:
    operator = commands.add_parser("operator", help="run one role of the operator (in a Pod)")
    operator.add_argument("--role", required=True, choices=ROLES)
    operator.set_defaults(do=_operator)

    store = commands.add_parser("store", help="run a front end of the store (in a Pod)")
    store.add_argument("--capacity", type=float, default=100, help="requests per second")
    store.set_defaults(do=_store)

    rack = commands.add_parser("rack", help="run an agent that hosts droplets (in a Pod)")
    rack.add_argument("--zone", required=True)
    rack.add_argument("--racks", type=int, required=True, metavar="N", help="of the zone")
    rack.add_argument("--droplets", type=int, required=True, metavar="M", help="of a rack")
    rack.add_argument("--agents", type=int, default=1, metavar="A", help="of the zone")
    rack.add_argument("--agent", type=int, default=1, metavar="I", help="which of them, from 1")
    rack.set_defaults(do=_rack)

    probe = commands.add_parser("probe", help="run the customers' probe (in a Pod)")
    probe.add_argument("name", nargs="+", help="the names to ask for")
    probe.add_argument("--family", action="append", choices=("IPv4", "IPv6"))
    probe.add_argument(
        "--server", action="append", required=True, metavar="LABEL=ADDRESS", help="port 53"
    )
    probe.add_argument("--whole", action="store_true", help="count empty answers from the start")
    probe.set_defaults(do=_probe)

    selftest = commands.add_parser("selftest", help="prove an installation (helm test)")
    selftest.set_defaults(do=_selftest)
    leave = commands.add_parser("pre-delete", help="refuse helm uninstall while Scenarios exist")
    leave.set_defaults(do=_pre_delete)


def _run(work: Coroutine[Any, Any, R]) -> R:
    """Frameworks are imported when a process begins: other commands start without them."""
    import uvloop

    return uvloop.run(work)


def _begin(name: str) -> None:
    from holdfast.live import metrics

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    metrics.serve()
    logging.getLogger("holdfast").info("%s starts", name)


def _operator(arguments: argparse.Namespace) -> int:
    from holdfast.live.roles import run_role

    _begin(arguments.role)
    _run(run_role(arguments.role))
    return 0


def _store(arguments: argparse.Namespace) -> int:
    from holdfast.live.store import application, serve

    _begin("store")
    _run(serve(application(arguments.capacity)))
    return 0


def _rack(arguments: argparse.Namespace) -> int:
    from holdfast.live.rack import Racks, application
    from holdfast.live.store import serve

    try:
        racks = Racks(
            arguments.zone,
            arguments.racks,
            arguments.droplets,
            arguments.agents,
            arguments.agent,
        )
    except ValueError as error:
        raise ForPeople(str(error)) from error
    _begin("rack")
    _run(serve(application(racks)))
    return 0


def _probe(arguments: argparse.Namespace) -> int:
    from holdfast.live.probe import Probe, application
    from holdfast.live.resolver import Server
    from holdfast.live.store import serve

    _begin("probe")
    servers = dict(pair.split("=", 1) for pair in arguments.server)
    probe = Probe(
        arguments.name,
        arguments.family or ["IPv4"],
        {label: Server(address, 53) for label, address in servers.items()},
        os.environ.get("HOLDFAST_NAMESPACE", ""),
        arguments.whole,
    )

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(application(probe)))
            group.create_task(probe.run())

    _run(both())
    return 0


def _selftest(_: argparse.Namespace) -> int:
    from holdfast.live.selftest import selftest

    namespace, release = os.environ["HOLDFAST_NAMESPACE"], os.environ["HOLDFAST_RELEASE"]
    return 0 if _run(selftest(namespace, release)) else 1


def _pre_delete(_: argparse.Namespace) -> int:
    from holdfast.live.selftest import scenarios_left

    left = _run(scenarios_left())
    if left:
        print(f"delete these first: kubectl delete scenarios {' '.join(left)}")
    return 1 if left else 0
