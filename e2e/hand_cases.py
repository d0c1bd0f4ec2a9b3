"""What hands do to a Region that runs, as the commands that people enter, and what comes of each.

In a command `$TREE` is the tree that the alias names, `$SLICE` its slice, `$GENERATION` its number,
`$OLDER` the number before, `$NEXT` that of the next plan, `$PINS` the pins on the tree, each with
the `-` that takes it off; `-n` is left out. What follows a `#` says what kubectl reads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e.hand_ground import ENDPOINT, REGION
from e2e.hand_reactions import (
    Hangs,
    Ignored,
    Play,
    Reaction,
    Refused,
    Repaired,
    Said,
    Shown,
    born,
    conditions_whole,
    dropped,
    goes_on,
    guards_told,
    in_force,
    kept_while_pinned,
    orphan_kept,
    orphan_lost,
    retained,
    stopped,
)

Json = dict[str, Any]

ALIAS = f"service {ENDPOINT}"
NOTE = "holdfast.dev"
KEEP = "example.com/keep"
FAR, HIGHEST = 2_147_483_646, 2_147_483_647


@dataclass(frozen=True, slots=True)
class Case:
    """`does`, then `then`; `body` is what kubectl reads. `empties`: the name may be without an
    answer meanwhile. `note`: what the table says besides."""

    name: str
    does: tuple[str, ...]
    then: Reaction
    body: Callable[[Play], Json] | None = None
    empties: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that are played one after the other, in one namespace. `regular` as of a Ground;
    `long`: it is begun before others."""

    name: str
    guards: Json
    cases: tuple[Case, ...]
    regular: int = 0
    spec: Json = field(default_factory=dict)
    long: bool = False

    @property
    def space(self) -> str:
        return f"hands-{self.name}"


def patch(what: str, text: str, *more: str) -> str:
    return " ".join(("kubectl patch", what, "--type=merge", *more, f"-p '{text}'"))


def annotate(what: str, *notes: str) -> str:
    return f"kubectl annotate --overwrite {what} {' '.join(notes)}"


def names(target: str) -> str:
    return patch(ALIAS, f'{{"spec": {{"externalName": "{target}"}}}}')


def generation(text: str) -> str:
    return annotate(ALIAS, f"{NOTE}/plan-generation{text}")


def lock(text: str) -> str:
    return annotate(ALIAS, f"{NOTE}/lock{text}")


def finalizer(what: str, text: str = f'["{KEEP}"]') -> str:
    return patch(what, f'{{"metadata": {{"finalizers": {text}}}}}')


def free(what: str) -> str:
    return finalizer(what, "null")


def region(text: str, *more: str) -> str:
    return patch(f"region {REGION}", text, *more)


def status(text: str) -> str:
    return region(f'{{"status": {text}}}', "--subresource=status")


BARE = 'kubectl patch service dynamodb --type=json -p \'[{"op": "remove", "path": "/metadata/annotations"}]\''  # noqa: E501
UNLABEL = f"kubectl label {{what}} {NOTE}/managed- {NOTE}/kind-"
FORGE = patch(
    ALIAS,
    f'{{"metadata": {{"annotations": {{"{NOTE}/plan-generation": "$FORGED"}}}}, '
    f'"spec": {{"externalName": "{ENDPOINT}-p$FORGED.$SPACE.svc.{REGION}.cloud.test"}}}}',
)
CREATE, REPLACE = "kubectl create -f -", "kubectl replace --force -f -"
THAW = "holdfast dns thaw --who alice --why 'a slip' --take-over"
RECREATE = f"{CREATE} # the same Region"


# --- what kubectl reads


def cluster_ip(_: Play) -> Json:
    spec = {"type": "ClusterIP", "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": ENDPOINT}, "spec": spec}


def same_tree(play: Play) -> Json:
    tree: Json = play.before.trees[play.before.generation]
    meta = {k: tree["metadata"][k] for k in ("name", "labels", "annotations")}
    spec = {"clusterIP": "None", "ports": tree["spec"]["ports"]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def same_region(play: Play) -> Json:
    body: Json = play.ground.body()
    return body


def second_region(play: Play) -> Json:
    body: Json = play.ground.body("us-east-2")
    return body


def foreign_slice(play: Play) -> Json:
    tree = f"{ENDPOINT}-p{play.before.generation}"
    labels = {f"{NOTE}/managed": "true", "kubernetes.io/service-name": tree}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{tree}-foreign", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["203.0.113.66"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def owned_slice(play: Play) -> Json:
    body = foreign_slice(play)
    tree = play.before.trees[play.before.generation]["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": tree["name"], "uid": tree["uid"]}
    body["metadata"]["ownerReferences"] = [owner]
    return body


def plan(number: int | None, *addresses: str, name: str = ENDPOINT) -> Callable[[Play], Json]:
    """`number` None: the next one."""

    def body(play: Play) -> Json:
        of = number or play.before.newest + 1
        said = [{"address": a, "weight": 100} for a in addresses]
        return {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "DNSPlan",
            "metadata": {"name": f"plan-{of:010d}"},
            "spec": {"planGeneration": of, "endpoints": [{"name": name, "addresses": said}]},
        }

    return body


# --- guards


SAFE: Json = {"profile": "safe"}
MIXED: Json = {
    "profile": "aws-2025",
    "dns": {"fence": "Generation", "selfRepair": "Enabled", "lastKnownGood": "Enabled"},
}
AWS: Json = {"profile": "aws-2025"}

OWN = "names the tree of its own generation"
LABELS = "bears the labels"
STAYS = "an alias is never deleted while its namespace stays"
PINNED = "a pinned tree is never deleted"

SAFE_ALIAS = (
    Case("nowhere", (names("nowhere.example.com"),), Refused(OWN)),
    Case("older", (names(f"{ENDPOINT}-p$OLDER.$SPACE.svc.{REGION}.cloud.test"),), Refused(OWN)),
    Case("lowered", (generation("=$OLDER"),), Refused("the live generation never goes down")),
    Case("highest", (generation(f"={HIGHEST}"),), Refused("goes up by 100000 at most")),
    Case("no-generation", (generation("-"),), Refused("must be a whole number")),
    Case("garbage-generation", (generation("=seven"),), Refused("must be a whole number")),
    Case("bare", (BARE,), Refused("must be a whole number")),
    Case("unlabelled", (UNLABEL.format(what=ALIAS),), Refused(LABELS)),
    Case("deleted", (f"kubectl delete {ALIAS}",), Refused(STAYS)),
    Case(
        "cluster-ip", (f"{REPLACE} # a ClusterIP Service {ENDPOINT}",), Refused(STAYS), cluster_ip
    ),
    Case("lock-garbage", (lock("=garbage"),), Ignored()),
    Case("lock-9999", (lock("='us-east-1z/nobody 253402300799.000'"),), Ignored()),
    Case("lock-epoch", (lock("='us-east-1z/nobody 0.000'"),), Ignored()),
    Case("no-lock", (lock("-"),), Ignored()),
    Case(
        "rollback", (annotate(ALIAS, f"{NOTE}/rollback=nonsense"),), Ignored("written anew by it")
    ),
    Case(
        "frozen-garbage",
        (annotate(ALIAS, f"{NOTE}/frozen=%!?"),),
        Said("Frozen", applied="Frozen", cures=(THAW,)),
        note="what cannot be read holds until it is taken away",
    ),
    Case(
        "foreign-finalizer",
        (finalizer(ALIAS),),
        Shown("gone with the next flip, which writes the whole object", dropped),
    ),
    Case(
        "forged",
        (FORGE,),
        Repaired("a plan above it"),
        empties=True,
        note="a policy sees one object, and not that the tree is missing",
    ),
)

SAFE_TREE = (
    Case("tree-deleted", ("kubectl delete service $TREE",), Refused(PINNED)),
    Case("tree-unlabelled", (UNLABEL.format(what="service $TREE"),), Refused(LABELS)),
    Case("tree-anew", (f"{REPLACE} # the same tree, of another uid",), Refused(PINNED), same_tree),
    Case(
        "slice-deleted",
        ("kubectl delete endpointslice $SLICE",),
        Refused("deleted by the garbage collector alone"),
    ),
    Case(
        "slice-changed",
        (patch("endpointslice $SLICE", '{"endpoints": [{"addresses": ["203.0.113.66"]}]}'),),
        Refused("the addresses of a tree never change"),
    ),
    Case(
        "foreign-slice",
        (f"{CREATE} # another EndpointSlice for $TREE",),
        Refused("an EndpointSlice is named and owned by its tree"),
        foreign_slice,
    ),
    Case("unpinned", (annotate("service $TREE", "$PINS"),), Ignored("the next tree bears pins")),
    Case(
        "unpinned-and-deleted",
        (annotate("service $TREE", "$PINS"), "kubectl delete service $TREE"),
        Repaired("self-repair"),
        empties=True,
        note="a tree is kept by its pins: who takes them off first can delete it",
    ),
    Case(
        "foreign-pin",
        (annotate("service $TREE", "pin.holdfast.dev/somebody="),),
        Shown("that tree is cleaned away no more, until the pin is taken off", kept_while_pinned),
    ),
    Case("newest-plan-deleted", ("kubectl delete dnsplan $PLAN",), Ignored()),
    Case("old-plan-deleted", ("kubectl delete dnsplan $OLDPLAN",), Ignored()),
    Case(
        "empty-plan",
        (f"{CREATE} # DNSPlan $NEXT without addresses",),
        Said("PlanWithheld", pushes=False),
        plan(None),
        note="the last good answer stays",
    ),
    Case(
        "odd-plan",
        (f"{CREATE} # DNSPlan $NEXT with the address 203.0.113.66",),
        Repaired("a plan above it"),
        plan(None, "203.0.113.66"),
        note="a plan is a plan: until then its address is answered",
    ),
    Case(
        "multicast-plan",
        (f"{CREATE} # DNSPlan $NEXT with the address 224.0.0.1",),
        Said("WriteRejected", applied="WriteRejected", pushes=False),
        plan(None, "224.0.0.1"),
        note="no EndpointSlice takes it: the last good answer stays",
    ),
    Case(
        "far-plan",
        (f"{CREATE} # DNSPlan {FAR}",),
        Said(
            "PolicyRefused",
            applied="PolicyRefused",
            cures=(f"kubectl delete dnsplan plan-{FAR}",),
            pushes=False,
        ),
        plan(FAR, "203.0.113.66"),
        note="the newest plan is the one that enactors try: the last good answer stays until "
        "a hand takes it away again",
    ),
)

SAFE_REGION = (
    Case(
        "actors",
        (status('{"actors": {"us-east-1a": {"step": "x", "hold": "y"}, "mars": {}}}'),),
        Ignored(),
    ),
    Case(
        "status",
        (status('{"newestPlan": 99999, "guards": {"dns": {"fence": "None"}}}'),),
        Shown("written anew", guards_told),
    ),
    Case("conditions", (status('{"conditions": []}'),), Shown("written anew", conditions_whole)),
    Case(
        "zones",
        (region('{"spec": {"zones": ["mars"]}}'),),
        Ignored("zones say where an arm's front ends run, and every enactor serves every Region"),
    ),
    Case(
        "endpoint-added",
        (region('{"spec": {"endpoints": ["dynamodb", "iam"]}}'),),
        Shown("the next plan has it, and its name is born", born),
    ),
    Case(
        "endpoint-removed",
        (region('{"spec": {"endpoints": ["dynamodb"]}}'),),
        Shown("its alias stays, and its tree, which bears pins: with its last answer", orphan_kept),
    ),
    Case(
        "guards",
        (region('{"spec": {"guards": {"profile": "aws-2025"}}}'),),
        Shown(
            "in force, and said in the status",
            in_force("CheckOnce"),
            cures=(region('{"spec": {"guards": {"profile": "safe"}}}'),),
            cured=in_force("Generation"),
        ),
        note="the policies of the API server end with it too",
    ),
    Case(
        "retention",
        (region('{"spec": {"retention": 1}}'),),
        Shown("the next cleanings leave a tree less", retained),
    ),
    Case(
        "region-anew",
        (f"kubectl delete region {REGION}", RECREATE),
        Shown("answers stay; its plans go on", goes_on),
        same_region,
    ),
    Case(
        "second-region",
        (f"{CREATE} # a second Region, us-east-2, in the namespace",),
        Said(
            "SecondRegion",
            region="us-east-2",
            cures=("kubectl delete region us-east-2",),
            pushes=False,
        ),
        second_region,
        note="the older one is served",
    ),
    Case(
        "region-finalizer",
        (finalizer(f"region {REGION}"), f"kubectl delete region {REGION} --wait=false"),
        Hangs(
            f"region {REGION}",
            stopped,
            "its automation ends, answers stay",
            cures=(free(f"region {REGION}"), RECREATE),
        ),
        same_region,
    ),
)

MIXED_ALIAS = (
    Case("nowhere", (names("nowhere.example.com"),), Repaired("self-repair"), empties=True),
    Case(
        "older",
        (names(f"{ENDPOINT}-p$OLDER.$SPACE.svc.{REGION}.cloud.test"),),
        Repaired("the next plan"),
        note="an older tree of equal addresses is nothing that anybody misses",
    ),
    Case("lowered", (generation("=$OLDER"),), Repaired("the next plan")),
    Case(
        "highest",
        (generation(f"={HIGHEST}"),),
        Said("OutOfGenerations", ready="OutOfGenerations", cures=(generation("=$GENERATION"),)),
        note="the last good answer stays",
    ),
    Case("no-generation", (generation("-"),), Repaired("the next plan")),
    Case("garbage-generation", (generation("=seven"),), Repaired("the next plan")),
    Case("bare", (BARE,), Repaired("the next plan")),
    Case("unlabelled", (UNLABEL.format(what=ALIAS),), Repaired("self-repair"), empties=True),
    Case("deleted", (f"kubectl delete {ALIAS}",), Repaired("self-repair"), empties=True),
    Case(
        "cluster-ip",
        (f"{REPLACE} # a ClusterIP Service {ENDPOINT}",),
        Repaired("self-repair"),
        cluster_ip,
        empties=True,
    ),
    Case("lock-9999", (lock("='us-east-1z/nobody 253402300799.000'"),), Ignored()),
    Case(
        "frozen-garbage",
        (annotate(ALIAS, f"{NOTE}/frozen=%!?"),),
        Said("Frozen", applied="Frozen", cures=(THAW,)),
    ),
    Case("forged", (FORGE,), Repaired("a plan above it"), empties=True),
    Case(
        "deleted-with-a-finalizer",
        (finalizer(ALIAS), f"kubectl delete {ALIAS} --wait=false"),
        Repaired("the next plan", shows=False),
        empties=True,
        note="it answers while it hangs; the flip writes the whole object, so the finalizer goes, "
        "and then the alias is born anew",
    ),
)

MIXED_TREE = (
    Case("tree-deleted", ("kubectl delete service $TREE",), Repaired("self-repair"), empties=True),
    Case(
        "tree-unlabelled",
        (UNLABEL.format(what="service $TREE"),),
        Repaired("self-repair"),
        empties=True,
    ),
    Case(
        "tree-anew",
        (f"{REPLACE} # the same tree, of another uid",),
        Repaired("self-repair"),
        same_tree,
        empties=True,
    ),
    Case(
        "slice-deleted",
        ("kubectl delete endpointslice $SLICE",),
        Repaired("self-repair"),
        empties=True,
    ),
    Case(
        "slice-changed",
        (patch("endpointslice $SLICE", '{"endpoints": [{"addresses": ["203.0.113.66"]}]}'),),
        Repaired("self-repair"),
        note="until then the hand's address is answered",
    ),
    Case(
        "foreign-slice",
        (f"{CREATE} # another EndpointSlice for $TREE",),
        Repaired("the next plan"),
        foreign_slice,
        note="its address is answered besides: enactors may not delete slices, and the next tree "
        "has none but its own",
    ),
    Case("newest-plan-deleted", ("kubectl delete dnsplan $PLAN",), Ignored()),
    Case(
        "empty-plan",
        (f"{CREATE} # DNSPlan $NEXT without addresses",),
        Said("PlanWithheld", pushes=False),
        plan(None),
    ),
    Case(
        "far-plan",
        (f"{CREATE} # DNSPlan {FAR}",),
        Said(
            "OutOfGenerations",
            ready="OutOfGenerations",
            cures=(
                f"kubectl delete dnsplan plan-{FAR} plan-{HIGHEST}",
                annotate(f"services -l {NOTE}/kind=alias", f"{NOTE}/plan-generation=$GENERATION"),
            ),
        ),
        plan(FAR, "203.0.113.66"),
        note="it goes live; the planner goes above it once, and then has no number left",
    ),
    Case(
        "tree-finalizer",
        (finalizer("service $TREE"),),
        Hangs(
            "service $TREE",
            None,
            "cleaned away, and hangs; other trees go",
            cures=(free("service $TREE"),),
        ),
    ),
    Case(
        "plan-finalizer",
        (finalizer("dnsplan $OLDPLAN"), "kubectl delete dnsplan $OLDPLAN --wait=false"),
        Hangs("dnsplan $OLDPLAN", goes_on, "plans go on", cures=(free("dnsplan $OLDPLAN"),)),
    ),
    Case(
        "region-anew",
        (f"kubectl delete region {REGION}", f"kubectl delete {ALIAS}", RECREATE),
        Repaired("self-repair"),
        same_region,
        empties=True,
        note="enactors ask for the plans that there are: none newer has to come",
    ),
    Case(
        "endpoint-removed",
        (region('{"spec": {"endpoints": ["dynamodb"]}}'),),
        Shown(
            "its alias stays, and with `ByAge` its tree does not: delete the alias, too",
            orphan_lost,
        ),
    ),
    Case(
        "second-region",
        (f"{CREATE} # a second Region, us-east-2, in the namespace",),
        Said(
            "SecondRegion",
            region="us-east-2",
            cures=("kubectl delete region us-east-2",),
            pushes=False,
        ),
        second_region,
    ),
)

MIXED_SLICE = (
    Case(
        "owned-slice",
        (f"{CREATE} # another EndpointSlice for $TREE, owned by it",),
        Repaired("the next plan", patience=120),
        owned_slice,
        note="its address is answered besides; a repair cannot take it away, and looks for 90 s "
        "whether it goes, before it picks the newest plan",
    ),
)

AWS_ALIAS = (
    Case("lock-garbage", (lock("=garbage"),), Ignored("taken for one that has expired")),
    Case(
        "lock-epoch",
        (lock("='us-east-1z/nobody 0.000'"),),
        Ignored("it has expired"),
    ),
    Case("no-lock", (lock("-"),), Ignored("taken for one that has expired")),
    Case(
        "lock-9999",
        (lock("='us-east-1z/nobody 253402300799.000'"),),
        Said("LockLost", applied="LockLost", cures=(lock("="),)),
        note="as AWS ran it, a lock is honoured: the last good answer stays",
    ),
    Case("unlabelled", (UNLABEL.format(what=ALIAS),), Repaired("the next plan"), empties=True),
    Case("deleted", (f"kubectl delete {ALIAS}",), Repaired("the next plan"), empties=True),
    Case(
        "nowhere",
        (names("nowhere.example.com"),),
        Said(
            "RollbackMissing",
            applied="RollbackMissing",
            cures=(names(f"{ENDPOINT}-p$GENERATION.$SPACE.svc.{REGION}.cloud.test"),),
        ),
        empties=True,
        note="the incident's own end: no plan heals it",
    ),
)

SHORT = {"enactor": {"lockSeconds": 1, "backoffMaxMilliseconds": 200}}
"""Who is not the leader keeps the first plan until the Lease has run out, and then applies it."""
FENCES = ("None", "CheckOnce", "CheckEach", "LeaderOnly", "ResourceVersion", "CheckInLock")
GROUPS = (
    Group("safe-alias", SAFE, SAFE_ALIAS, regular=60),
    Group("safe-tree", SAFE, SAFE_TREE),
    Group("safe-region", SAFE, SAFE_REGION),
    Group("mixed-alias", MIXED, MIXED_ALIAS),
    Group("mixed-tree", MIXED, MIXED_TREE, spec={"endpoints": ["dynamodb", "iam"]}),
    Group("mixed-slice", MIXED, MIXED_SLICE, long=True),
    Group("aws", AWS, AWS_ALIAS),
    *(
        Group(
            f"fence-{fence.lower()}",
            {"dns": {"fence": fence}},
            (Case("bare", (BARE,), Repaired("the next plan")),),
            spec=SHORT if fence == "LeaderOnly" else {},
        )
        for fence in FENCES
    ),
)
