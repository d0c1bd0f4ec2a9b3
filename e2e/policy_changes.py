"""Changes of an endpoint's objects as kubectl commands, forbidden by `dns.admission` and legal."""

import json
from dataclasses import dataclass
from typing import Any

from e2e.policy_spaces import ENDPOINT, GENERATION, OLD_TREE, PIN, REGION, TREE, piece
from holdfast.core.names import (
    ENDPOINT_LABEL,
    GENERATION_ANNOTATION,
    KIND_LABEL,
    MANAGED_LABEL,
    SERVICE_NAME_LABEL,
    pin_annotation,
    service_fqdn,
    tree_name,
)
from holdfast.core.objects import Alias, Slice, Tree
from holdfast.core.policy import LEAP_MAX
from holdfast.live.wire import render

UID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Change:
    """A kubectl command. {space}, {slice} stand for the namespace and the live tree's slice;
    `body`, if there is one, is what kubectl reads. `only_dry`: in earnest, it would take away what
    it may, too."""

    name: str
    words: tuple[str, ...]
    says: str = ""
    body: Any = None
    only_dry: bool = False


def target(generation: int, space: str = "{space}", zone: str = REGION) -> str:
    return service_fqdn(tree_name(ENDPOINT, generation), space, zone)


def annotate(text: str) -> tuple[str, ...]:
    return ("annotate", "--overwrite", "service", ENDPOINT, text)


def generation(text: str) -> tuple[str, ...]:
    return annotate(f"{GENERATION_ANNOTATION}={text}")


def flip(to: int, named: str = "", *more: str) -> tuple[str, ...]:
    """One patch of both, as an enactor's write is."""
    notes = {GENERATION_ANNOTATION: str(to)}
    spec = {"externalName": named or target(to)}
    return patch("service", ENDPOINT, {"metadata": {"annotations": notes}, "spec": spec}, *more)


def patch(kind: str, name: str, what: Any, *more: str) -> tuple[str, ...]:
    how = "json" if isinstance(what, list) else "merge"
    return ("patch", kind, name, f"--type={how}", "-p", json.dumps(what), *more)


def label(kind: str, name: str, *texts: str) -> tuple[str, ...]:
    return ("label", "--overwrite", kind, name, *texts)


def labels(kind: str, name: str = ENDPOINT) -> dict[str, str]:
    return {MANAGED_LABEL: "true", KIND_LABEL: kind, ENDPOINT_LABEL: name}


def alias(name: str, notes: dict[str, str], marks: dict[str, str], named: str) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": notes, "labels": marks},
        "spec": {"type": "ExternalName", "externalName": named},
    }


def second_slice(name: str, owner: str) -> Any:
    body = render(piece(TREE, owner), "any", REGION)
    body["metadata"]["name"] = name
    return body


DOWN = "the live generation never goes down: alias dynamodb is at 7 and would go to 6"
LEAP = "goes up by 100000 at most: alias dynamodb is at 7 and would go to"
NUMBER = "must be a whole number"
NAMES = "an alias names the tree of its own generation: dynamodb"
BEARS = "alias dynamodb bears the labels"
STAYS = "an alias is never deleted while its namespace stays"
EITHER = "denied request: "
"""By the policy of what it was, or of what it would be: the API server tells of one."""
PINNED = f"a pinned tree is never deleted: {TREE} bears 1 pin(s): {pin_annotation(PIN)}"
HEADLESS = f"tree {TREE} is a headless Service without a selector"
TREE_BEARS = f"tree {TREE} bears the labels"
COLLECTED = "is deleted by the garbage collector alone, not by"
SAME = "the addresses of a tree never change"
OWNED = "an EndpointSlice is named and owned by its tree"
SERVED = "keeps its label holdfast.dev/managed=true"
SELECTING = {"selector": {"app": "x"}, "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}
TO_NUMBER = {"spec": {"type": "ClusterIP", "externalName": None, "ports": [{"port": 80}]}}
STRIPPED = {"metadata": {"labels": {MANAGED_LABEL: None}}}
REWOUND = {"metadata": {"annotations": {GENERATION_ANNOTATION: "6"}}}
COLLECTION = "/api/v1/namespaces/{space}/services?labelSelector=holdfast.dev/kind%3D"

FORBIDDEN = [
    Change("annotation goes down", generation("6"), DOWN),
    Change("alias goes down whole", flip(6), DOWN),
    Change("alias leaps", flip(GENERATION + LEAP_MAX + 1), f"{LEAP} 100008"),
    Change("highest there is", flip(2**31 - 1), f"{LEAP} 2147483647"),
    Change("no generation", annotate(f"{GENERATION_ANNOTATION}-"), f'is "": it {NUMBER}'),
    *(
        Change(f"generation {text!r}", generation(text), f'is "{text}": it {NUMBER}')
        for text in ("abc", "-1", "7.0", "1e3", "007", "٧", "7 ", "", "99999999999999999999")
    ),
    Change("generation without target", generation("8"), f"{NAMES} at 8 must"),
    Change("target without generation", flip(7, target(8)), f"{NAMES} at 7 must"),
    Change("names nothing", flip(7, "nowhere"), f"{NAMES} at 7 must be of type ExternalName"),
    Change("another namespace", flip(8, target(8, "elsewhere")), NAMES),
    Change("another zone", flip(8, target(8, zone="us-east-2")), NAMES),
    Change("alias of another type", patch("service", ENDPOINT, TO_NUMBER), NAMES),
    Change("alias stripped of kind", label("service", ENDPOINT, f"{KIND_LABEL}-"), BEARS),
    Change("alias as a tree", label("service", ENDPOINT, f"{KIND_LABEL}=tree"), EITHER),
    Change("alias unserved", label("service", ENDPOINT, f"{MANAGED_LABEL}-"), BEARS),
    Change("alias half served", label("service", ENDPOINT, f"{MANAGED_LABEL}=True"), BEARS),
    Change("alias of another", label("service", ENDPOINT, f"{ENDPOINT_LABEL}=s3"), BEARS),
    Change(
        "alias stripped by its status",
        patch("service", ENDPOINT, STRIPPED, "--subresource=status"),
        BEARS,
    ),
    Change(
        "alias rewound by its status",
        patch("service", ENDPOINT, REWOUND, "--subresource=status"),
        DOWN,
    ),
    Change("alias deleted", ("delete", "service", ENDPOINT), STAYS),
    Change(
        "alias deleted by force", ("delete", "service", ENDPOINT, "--force", "--now=false"), STAYS
    ),
    Change("aliases deleted together", ("delete", "--raw", f"{COLLECTION}alias"), STAYS),
    Change(
        "alias born without generation",
        ("create", "-f", "-"),
        NUMBER,
        alias("s3", {}, labels("alias", "s3"), "s3-p1.{space}.svc.us-east-1.cloud.test"),
    ),
    Change(
        "alias born with another's tree",
        ("create", "-f", "-"),
        "an alias names the tree of its own generation: s3 at 1 must",
        alias("s3", {GENERATION_ANNOTATION: "1"}, labels("alias", "s3"), target(7)),
    ),
    Change(
        "alias born unserved",
        ("create", "-f", "-"),
        "alias s3 bears the labels",
        alias(
            "s3",
            {GENERATION_ANNOTATION: "1"},
            {KIND_LABEL: "alias"},
            "s3-p1.{space}.svc.us-east-1.cloud.test",
        ),
    ),
    Change("pinned tree deleted", ("delete", "service", TREE), PINNED),
    Change("all Services deleted", ("delete", "services", "--all"), PINNED, only_dry=True),
    Change(
        "trees deleted together", ("delete", "--raw", f"{COLLECTION}tree"), PINNED, only_dry=True
    ),
    Change("tree unserved", label("service", TREE, f"{MANAGED_LABEL}-"), TREE_BEARS),
    Change("tree without kind", label("service", TREE, f"{KIND_LABEL}-"), TREE_BEARS),
    Change("tree as an alias", label("service", TREE, f"{KIND_LABEL}=alias"), EITHER),
    Change("tree of another", label("service", TREE, f"{ENDPOINT_LABEL}=dynamo"), TREE_BEARS),
    Change(
        "tree stripped by its status",
        patch("service", TREE, STRIPPED, "--subresource=status"),
        TREE_BEARS,
    ),
    Change(
        "tree with a selector",
        patch("service", TREE, {"spec": SELECTING}),
        HEADLESS,
    ),
    Change(
        "tree of another type",
        patch(
            "service",
            TREE,
            {
                "spec": {
                    "type": "ExternalName",
                    "externalName": "a.b",
                    "clusterIP": None,
                    "clusterIPs": None,
                    "ipFamilies": None,
                    "ipFamilyPolicy": None,
                    "internalTrafficPolicy": None,
                }
            },
        ),
        HEADLESS,
    ),
    Change("slice deleted", ("delete", "endpointslice", "{slice}"), COLLECTED),
    *(
        Change(
            f"slice {name}",
            patch("endpointslice", "{slice}", [{"op": "replace", "path": path, "value": value}]),
            SAME,
        )
        for name, path, value in (
            ("of another address", "/endpoints/0/addresses/0", "10.0.0.9"),
            ("not ready", "/endpoints/0/conditions/ready", False),
            ("empty", "/endpoints", []),
        )
    ),
    Change("slice unserved", label("endpointslice", "{slice}", f"{MANAGED_LABEL}-"), SERVED),
    Change(
        "slice of another tree",
        label("endpointslice", "{slice}", f"{SERVICE_NAME_LABEL}={OLD_TREE}"),
        OWNED,
    ),
    Change("slice of no tree", label("endpointslice", "{slice}", f"{SERVICE_NAME_LABEL}-"), OWNED),
    Change(
        "slice of another owner",
        patch(
            "endpointslice",
            "{slice}",
            [{"op": "replace", "path": "/metadata/ownerReferences/0/uid", "value": UID}],
        ),
        OWNED,
    ),
    Change(
        "slice of no owner",
        patch("endpointslice", "{slice}", [{"op": "remove", "path": "/metadata/ownerReferences"}]),
        OWNED,
    ),
    Change("second slice", ("create", "-f", "-"), OWNED, second_slice(f"{TREE}-more-v4", UID)),
    Change("stray slice served", label("endpointslice", "stray", f"{MANAGED_LABEL}=true"), OWNED),
]

LEGAL = [
    Change("alias flipped", flip(8)),
    Change("alias at the same generation", flip(7)),
    Change("alias as far as it goes", flip(GENERATION + LEAP_MAX)),
    Change("alias locked", annotate("holdfast.dev/lock=freeze/alice 253402300799.000")),
    Change("alias frozen", annotate("holdfast.dev/frozen=alice")),
    Change("alias of a foreign label", label("service", ENDPOINT, "team=dns")),
    Change("tree pinned", ("annotate", "service", TREE, "pin.holdfast.dev/us-east-1b.x=")),
    Change("tree unpinned", ("annotate", "service", TREE, f"{pin_annotation(PIN)}-")),
    Change("tree without a pin deleted", ("delete", "service", OLD_TREE)),
    Change("slice of a foreign label", label("endpointslice", "{slice}", "team=dns")),
    Change("plain Service changed", label("service", "plain", "team=dns")),
    Change("plain Service deleted", ("delete", "service", "plain")),
    Change("stray slice deleted", ("delete", "endpointslice", "stray")),
    Change("guard taken away", patch("region", REGION, {"spec": {"guards": {"dns": {}}}})),
    Change(
        "alias born",
        ("create", "-f", "-"),
        body=render(Alias("s3", "s3-p400000", 400_000), "{space}", REGION),
    ),
    Change("tree born", ("create", "-f", "-"), body=render(Tree("s3-p1", "s3", 1), "any", REGION)),
    Change(
        "slice born",
        ("create", "-f", "-"),
        body=render(Slice(f"s3-p1-{UID[:8]}-v6", "s3-p1", UID, "IPv6", ("fd00::1",)), "", REGION),
    ),
]
