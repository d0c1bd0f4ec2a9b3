"""Names of objects, labels and annotations: how the incident's nouns are spelt on a cluster.

A tree of endpoint `dynamodb` and plan generation 7 is the Service `dynamodb-p7`; the alias is the
Service `dynamodb`. A Service name is a DNS label of at most 63 characters, so an endpoint's name
is bounded by what the longest suffix leaves (see `ENDPOINT_NAME_MAX`).
"""

import re

API_GROUP = "holdfast.dev"
API_VERSION = "v1alpha1"

MANAGED_LABEL = "holdfast.dev/managed"
KIND_LABEL = "holdfast.dev/kind"
ENDPOINT_LABEL = "holdfast.dev/endpoint"
GENERATION_LABEL = "holdfast.dev/plan-generation"
ZONE_LABEL = "holdfast.dev/zone"
AGENT_LABEL = "holdfast.dev/agent"
"""Of a rack's Pod: which agent of its zone it is, from 1."""
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
"""As Kubernetes' own controller has it on slices of headless Services: kube-proxy leaves them
out, which on every node would else go through its rules for each tree."""

GENERATION_ANNOTATION = "holdfast.dev/plan-generation"
ROLLBACK_ANNOTATION = "holdfast.dev/rollback"
LOCK_ANNOTATION = "holdfast.dev/lock"
WRITER_ANNOTATION = "holdfast.dev/enacted-by"
FROZEN_ANNOTATION = "holdfast.dev/frozen"
CAPACITY_ANNOTATION = "holdfast.dev/capacity"
ADDRESSES_ANNOTATION = "holdfast.dev/addresses"
PIN_PREFIX = "pin.holdfast.dev/"
LEADER_LEASE = "holdfast-enactor"

GENERATION_MAX = 2**31 - 1
_SUFFIX_MAX = len(f"-p{GENERATION_MAX}-00000000-v4")
ENDPOINT_NAME_MAX = 63 - _SUFFIX_MAX  # 39
ZONE_NAME_MAX = 63 - len(".00000000-0000-0000-0000-000000000000")  # 26: see `pin_annotation`

_TREE = re.compile(r"^(?P<endpoint>[a-z](?:[-a-z0-9]*[a-z0-9])?)-p(?P<generation>[1-9][0-9]{0,9})$")


def tree_name(endpoint: str, generation: int) -> str:
    """The Service that is the record tree of one endpoint of one plan."""
    return f"{endpoint}-p{generation}"


def tree_generation(name: str) -> int | None:
    """The plan generation in a tree's name; None when `name` is no tree's name."""
    match = _TREE.match(name)
    return int(match["generation"]) if match else None


def slice_name(tree: str, tree_uid: str, family: str) -> str:
    """An EndpointSlice's name, which bears its tree's uid.

    With a fixed name, a tree deleted and created again would meet the dying slice of its former
    self, take "already exists" for success, and lose its addresses to the garbage collector.
    """
    return f"{tree}-{tree_uid[:8]}-{'v6' if family == 'IPv6' else 'v4'}"


def plan_name(generation: int) -> str:
    """A plan's name is its generation: creating the object is the compare-and-swap."""
    return f"plan-{generation:010d}"


def pin_annotation(holder: str) -> str:
    """The annotation of a tree that is one process's pin. `holder` is `<zone>/<pod uid>`: with the
    zone alone, a second incarnation would take the first one's pin for its own and remove it."""
    return PIN_PREFIX + holder.replace("/", ".", 1)


def pin_holder(annotation: str) -> str | None:
    """Whose pin an annotation is; None when it is none."""
    if not annotation.startswith(PIN_PREFIX):
        return None
    return annotation.removeprefix(PIN_PREFIX).replace(".", "/", 1)


def service_zone(region: str) -> str:
    """The zone in which CoreDNS serves a Region's Services, without the final dot."""
    return f"{region}.cloud.test"


def service_fqdn(service: str, namespace: str, region: str) -> str:
    """A Service's full name inside its Region's zone, without the final dot."""
    return f"{service}.{namespace}.svc.{service_zone(region)}"


def customer_name(endpoint: str, region: str) -> str:
    """The name customers ask for, the same in every arm, without the final dot."""
    return f"{endpoint}.{service_zone(region)}"
