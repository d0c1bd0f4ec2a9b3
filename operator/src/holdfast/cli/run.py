"""`holdfast run`: apply a Scenario, follow it, print the table, write the document."""

import asyncio
import time
from pathlib import Path

import uvloop
from kubernetes.aio.config.config_exception import ConfigException
from rich.console import Console
from rich.status import Status

from holdfast.cli.files import ForPeople
from holdfast.cli.table import EXIT, print_result
from holdfast.core.verdict import Verdict
from holdfast.live.api import Api, ApiError, Json, connect, dumps
from holdfast.live.result import load
from holdfast.live.wire import GROUP_PATH

POLL_SECONDS = 0.5
SCENARIOS = f"{GROUP_PATH}/scenarios"


def run(document: Json, json_file: Path | None, kubeconfig: str | None, timeout: float) -> int:
    """Exit code by verdict. ForPeople where the cluster or the Scenario will not do."""
    result = uvloop.run(_run(document, kubeconfig, timeout))
    print_result(result)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(dumps(result) + "\n")
        Console().print(f"result document: {json_file}")
    return EXIT[Verdict(result["verdict"])]


async def _run(document: Json, kubeconfig: str | None, timeout: float) -> Json:
    name = document["metadata"]["name"]
    try:
        async with connect("holdfast-cli", kubeconfig) as api:
            await apply(api, name, document)
            await _follow(api, name, timeout)
            return await load(api, name)
    except ConfigException as error:
        raise ForPeople(f"no cluster: {error}. `make cluster` creates one") from error
    except ApiError as error:
        raise ForPeople(str(error)) from error


async def apply(api: Api, name: str, document: Json) -> None:
    """Create it anew: a Scenario that has run is deleted first, with its namespaces."""
    found = await api.get(f"{SCENARIOS}/{name}")
    if found.status == 0:
        raise ForPeople(f"the API server does not answer: {found.body['message']}")
    if found.ok:
        if (found.body.get("status") or {}).get("phase") not in ("Complete", None):
            raise ForPeople(
                f"Scenario {name} is running: wait for it, or kubectl delete scenario {name}"
            )
        with Console().status(f"deleting the former {name} and its namespaces"):
            uid = found.body["metadata"]["uid"]
            await api.delete(f"{SCENARIOS}/{name}", uid=uid)
            await _until_gone(api, name)
    answer = await api.create(SCENARIOS, document, fieldValidation="Strict")
    if not answer.ok:
        raise ForPeople(f"Scenario {name} was refused: {answer.body.get('message')}")


async def _until_gone(api: Api, name: str) -> None:
    """Namespaces of the former run vanish a few seconds after their owner."""
    for _ in range(240):
        listing = await api.need(
            "GET", "/api/v1/namespaces", labelSelector=f"holdfast.dev/scenario={name}"
        )
        if not listing["items"] and (await api.get(f"{SCENARIOS}/{name}")).status == 404:
            return
        await asyncio.sleep(POLL_SECONDS)
    raise ForPeople(f"the namespaces of the former {name} do not go away: kubectl get namespaces")


async def _follow(api: Api, name: str, timeout: float) -> None:
    console = Console()
    began = time.monotonic()
    line = ""
    with console.status(f"{name}: waiting for the scenario role") as status:
        while True:
            raw = await api.need("GET", f"{SCENARIOS}/{name}")
            state = raw.get("status") or {}
            elapsed = time.monotonic() - began
            if state.get("phase") == "Complete":
                return
            text = f"arm {state.get('progress', '0/?')}: {state.get('message', '')}"
            line = _show(console, status, elapsed, text, line)
            if elapsed > timeout:
                raise ForPeople(
                    f"{name} is not complete after {timeout:.0f} s: "
                    f"kubectl describe scenario {name}"
                )
            if not state and elapsed > 60:
                raise ForPeople(
                    "nothing takes the Scenario up: is the chart installed, and its Pod "
                    "with app.kubernetes.io/component=scenario running?"
                )
            await asyncio.sleep(POLL_SECONDS)


def _show(console: Console, status: Status, elapsed: float, text: str, last: str) -> str:
    """A live line on a terminal; elsewhere a line whenever the arm or its doing changes."""
    status.update(f"[{elapsed:4.0f} s] {text}")
    gist = "".join(c for c in text if not c.isdigit())
    if not console.is_terminal and gist != last:
        console.print(f"[{elapsed:4.0f} s] {text}", markup=False, highlight=False, soft_wrap=True)
    return gist
