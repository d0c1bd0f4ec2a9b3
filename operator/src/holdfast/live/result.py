"""The result document: kept in the arms' namespaces, in parts; in status as far as it fits."""

from typing import Any

import orjson

from holdfast.core.document import result_document
from holdfast.live.api import Api, ApiError, Json
from holdfast.live.wire import GROUP_PATH

PART_BYTES = 900_000
"""An object of the API server may have 1.5 MB, a ConfigMap 1 MiB."""
KEY = "arm.json"
_OF_LEASES = ("leases", "heldAtEnd", "metastability", "recoverySeconds")


def arm_summary(document: Json) -> Json:
    """An arm in the Scenario's status: numbers only."""
    dns = document["dns"]
    authoritative = dns.get("authoritative") or {}
    summary = {
        "phase": "Complete",
        **{k: document[k] for k in ("verdict", "outcome", "expect", "message", "seconds")},
        "guards": document["guards"],
        "invariantsBroken": document["invariantsBroken"],
        "guardsMissing": document["guardsMissing"],
        "emptySeconds": authoritative.get("emptySeconds"),
        "firstEmptyAt": authoritative.get("firstEmptyAt"),
        "recoveredBy": dns.get("recoveredBy"),
        "staleWritesApplied": dns["staleWritesApplied"],
        "staleWritesRefused": dns["staleWritesRefused"]["conflict"],
        "staleDropped": dns["staleDropped"],
    }
    leases = document.get("leases")
    if leases:
        told = {key: leases.get(key) for key in _OF_LEASES}
        told |= {"attempts": leases["attempts"]["started"], "late": leases["attempts"]["late"]}
        summary["leases"] = {k: v for k, v in told.items() if v is not None}
    return {k: v for k, v in summary.items() if v is not None}


async def store_arm(api: Api, scenario: str, document: Json) -> None:
    """Write an arm's document into ConfigMaps `<scenario>-result[-n]` of its namespace."""
    text = orjson.dumps(document).decode()
    path = f"/api/v1/namespaces/{document['namespace']}/configmaps"
    parts = [text[i : i + PART_BYTES] for i in range(0, len(text), PART_BYTES)]
    for number, part in enumerate(parts):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _name(scenario, number)},
            "data": {KEY: part, "parts": str(len(parts))},
        }
        await api.need("POST", path, body)


async def load(api: Api, scenario: str) -> Json:
    """The whole result document of a Scenario that is complete. ApiError if it is not there."""
    raw = await api.need("GET", f"{GROUP_PATH}/scenarios/{scenario}")
    status = raw.get("status") or {}
    arms = [await _arm(api, scenario, arm) for arm in status.get("arms") or ()]
    verdict, message = status.get("verdict", ""), status.get("message", "")
    return result_document(scenario, "run", raw["spec"]["seed"], arms, verdict, message)


async def _arm(api: Api, scenario: str, arm: Json) -> Json:
    """An arm's document, or its summary where it could not be run."""
    path = f"/api/v1/namespaces/{arm.get('namespace', '')}/configmaps"
    try:
        first = await api.need("GET", f"{path}/{_name(scenario, 0)}")
        parts = [first["data"][KEY]]
        for number in range(1, int(first["data"]["parts"])):
            part = await api.need("GET", f"{path}/{_name(scenario, number)}")
            parts.append(part["data"][KEY])
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return {k: v for k, v in arm.items() if k != "phase"}
    document: dict[str, Any] = orjson.loads("".join(parts))
    return document


def _name(scenario: str, number: int) -> str:
    return f"{scenario}-result" + (f"-{number}" if number else "")
