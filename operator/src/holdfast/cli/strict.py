"""Checks a Scenario's file as strictly as the API server would, for engines that need no cluster.

The CRD is the source: its types, bounds and defaults are read from it, and a field that it does not
know is refused, never ignored: a misspelt guard would otherwise run unguarded. The rules that the
CRD has in CEL are repeated here. What no schema can see is refused in the end by the code that
reads a Scenario, whichever engine it is for.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from holdfast.cli.files import ForPeople
from holdfast.core.document import Json
from holdfast.core.leases.fleet import broken_rules, fleet_of
from holdfast.core.scenario import scenario_of

SHOWN = 10
AT_AN_ENDPOINT = ("tree", "turn", "read", "flip")
"""Steps that are of one endpoint."""
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@lru_cache(maxsize=1)
def schema() -> Json:
    packaged = resources.files("holdfast") / "crds" / "scenarios.yaml"
    checkout = Path(__file__).parents[4] / "crds" / "scenarios.yaml"
    text = packaged.read_text() if packaged.is_file() else checkout.read_text()
    found: Json = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found["properties"].pop("status", None)
    return found


def admit(document: Json, source: str) -> Json:
    """The Scenario with every default filled in. ForPeople naming each field that is wrong."""
    wrong: list[str] = []
    admitted: Json = _value(document, schema(), "", wrong)
    wrong = wrong or list(_rules(admitted)) or list(_unreadable(admitted))
    if wrong:
        more = [f"... and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise ForPeople("\n  ".join([f"{source}:", *wrong[:SHOWN], *more]))
    return admitted


def _unreadable(document: Json) -> Iterator[str]:
    """What is refused where it is read, on a cluster too, by the scenario role."""
    try:
        scenario_of(document["metadata"]["name"], "", document["spec"])
    except ValueError as error:
        yield f"spec: {error}"


def _value(value: Any, schema: Json, path: str, wrong: list[str]) -> Any:
    kind = schema["type"]
    is_bool = isinstance(value, bool) and kind != "boolean"
    if is_bool or not isinstance(value, _TYPES[kind]):
        wrong.append(f"{path or '.'}: {value!r} is not of type {kind}")
        return value
    wrong.extend(f"{path}: {why}" for why in _bounds(value, schema))
    if kind == "array":
        if schema.get("x-kubernetes-list-type") == "set":
            wrong.extend(f"{path}[{i}]: {v!r} is there twice" for i, v in _twice(value))
        items = schema["items"]
        return [_value(v, items, f"{path}[{i}]", wrong) for i, v in enumerate(value)]
    if kind == "object" and "properties" in schema:
        return _object(value, schema, path, wrong)
    if kind == "object" and "additionalProperties" in schema:
        of_all = schema["additionalProperties"]
        return {k: _value(v, of_all, f"{path}.{k}", wrong) for k, v in value.items()}
    return value


def _object(value: Json, schema: Json, path: str, wrong: list[str]) -> Json:
    known = schema["properties"]
    if path == ".metadata":  # the API server knows more of it than a CRD says
        known = {k: known[k] for k in value if k in known}
        value = {k: v for k, v in value.items() if k in known}
    wrong.extend(f"{path}.{k}: unknown field" for k in value if k not in known)
    # null means unset, as on a cluster.
    given = {k: v for k, v in value.items() if k in known and v is not None}
    for name, inner in known.items():
        if name not in given and "default" in inner:
            given[name] = inner["default"]
    wrong.extend(f"{path}.{k}: missing" for k in schema.get("required", ()) if k not in given)
    return {k: _value(v, known[k], f"{path}.{k}", wrong) for k, v in given.items()}


def _bounds(value: Any, schema: Json) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is none of {', '.join(map(str, schema['enum']))}"
    if "minimum" in schema and not value >= schema["minimum"]:
        yield f"{value} is less than {schema['minimum']}"
    if "maximum" in schema and not value <= schema["maximum"]:
        yield f"{value} is more than {schema['maximum']}"
    for least, most, noun in (
        ("minLength", "maxLength", "characters"),
        ("minItems", "maxItems", "items"),
        ("minProperties", "maxProperties", "fields"),
    ):
        if least in schema and len(value) < schema[least]:
            yield f"{len(value)} {noun}, at least {schema[least]} are needed"
        if most in schema and len(value) > schema[most]:
            yield f"{len(value)} {noun}, at most {schema[most]} are allowed"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{value!r} does not match {schema['pattern']}"


def _twice(items: list[Any]) -> Iterator[tuple[int, Any]]:
    """The items that an earlier one equals."""
    return ((i, v) for i, v in enumerate(items) if v in items[:i])


def _rules(document: Json) -> Iterator[str]:
    """What the CRD says in CEL."""
    spec, name = document["spec"], document["metadata"]["name"]
    region = spec["region"]
    entries = [("spec.timeline", h) for h in spec.get("timeline") or ()]
    names = [a["name"] for a in spec["arms"]]
    for arm in spec["arms"]:
        where = f"spec.arms: {arm['name']}"
        entries += [(f"{where}: timeline", h) for h in arm.get("timeline") or ()]
        if len(name) + 1 + len(arm["name"]) > 63:
            yield f"{where}: <scenario>-<arm> must not exceed 63 characters"
        if names.count(arm["name"]) > 1:
            yield f"{where}: two arms of one name"
    for where, entry in entries:
        yield from (f"{where}: {why}" for why in _entry(entry, region["zones"]))
        yield from (f"{where}: {why}" for why in _endpoint(entry, region["endpoints"]))
    if spec["mode"] == "Jitter" and (
        "timeline" in spec or any("timeline" in a for a in spec["arms"])
    ):
        yield "spec.timeline: mode Jitter has none: nobody is held"
    if region["retention"] >= region["planHistory"]:
        yield "spec.region.retention: must be below planHistory"
    yield from _fleet(region)
    enactor = region["enactor"]
    if enactor["backoffMilliseconds"] > enactor["backoffMaxMilliseconds"]:
        yield "spec.region.enactor.backoffMilliseconds: must not exceed backoffMaxMilliseconds"
    for endpoint in region["endpoints"]:
        if endpoint.removesuffix("-nodeport") in ("authoritative", "resolver"):
            yield f"spec.region.endpoints: {endpoint!r} is the name of a DNS server"
        if re.search("-p[0-9]+$", endpoint):
            yield f"spec.region.endpoints: {endpoint!r} must not end in -p<number>: trees do"


def _fleet(region: Json) -> Iterator[str]:
    fleet = fleet_of(region.get("fleet"))
    if fleet is None:
        return
    for field, why in broken_rules(fleet):
        yield f"spec.region.fleet.{field}: {why}"
    for zone in fleet.restarts or ():
        if zone not in region["zones"]:
            yield f"spec.region.fleet.restarts: {zone!r} is no zone of the region"


def _entry(entry: Json, zones: list[str]) -> Iterator[str]:
    """The CEL rules of one entry of a timeline."""
    kinds = [k for k in ("hold", "lostReply", "operator", "scale") if k in entry]
    if len(kinds) != 1:
        yield "exactly one of hold, lostReply, operator, scale"
        return
    kind, told = kinds[0], entry[kinds[0]]
    if (kind == "hold") != ("until" in entry):
        yield "a hold, and nothing else, has an until"
    if (kind in ("operator", "scale")) != ("when" in entry):
        yield "an operator and a scale, and nothing else, have a when of their own"
    if "reactionSeconds" in entry and "when" not in entry:
        yield "reactionSeconds belong to a when"
    if told.get("zone", zones[0]) not in zones:
        yield f"{told['zone']!r} is no zone of the region"
    if kind == "hold":
        yield from _hold(told)
    if kind == "operator":
        yield from _operator(told)


def _hold(told: Json) -> Iterator[str]:
    if (told["role"] == "leases") != (told["at"] == "write"):
        yield "lease managers are held at write, enactors at the other steps"
    if told["role"] != "leases" and {"droplet", "leasesHeld"} & {*told, *told.get("when", ())}:
        yield "a droplet, and a when of leasesHeld, belong to role leases"


def _operator(told: Json) -> Iterator[str]:
    if (told["command"] == "override") != ("endpoint" in told):
        yield "override, and nothing else, names an endpoint"
    if "plan" in told and "addresses" in told:
        yield "either a plan or addresses"
    if (told["command"] == "throttle") != ("admitAtMost" in told):
        yield "throttle, and nothing else, has an admitAtMost"
    if "zone" in told and told["command"] != "restart":
        yield "restart, and nothing else, names a zone"
    for address in told.get("addresses") or ():
        if not _is_ip(address):
            yield f"{address!r} must be an IPv4 or IPv6 address (no leading zeros)"


def _endpoint(entry: Json, endpoints: list[str]) -> Iterator[str]:
    """The CEL rules of the endpoint at which a hold catches, or which an operator overrides."""
    named = (entry.get("operator") or {}).get("endpoint", endpoints[0])
    if named not in endpoints:
        yield f"{named!r} is no endpoint of the region"
    hold = entry.get("hold") or entry.get("lostReply") or {}
    if "endpoint" not in hold:
        return
    if hold["endpoint"] not in endpoints:
        yield f"{hold['endpoint']!r} is no endpoint of the region"
    if hold["at"] not in AT_AN_ENDPOINT:
        yield f"an endpoint belongs to {', '.join(AT_AN_ENDPOINT)}, not to {hold['at']}"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
