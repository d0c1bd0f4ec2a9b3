"""Bad input, and what the API server says to it: the cases of test_admission, and of a page.

`python -m e2e.bad_input` asks the API server and writes the page (docs/bad-input.md); the test
fails when a message there is not the one of today.
"""

import argparse
import copy
import json
from pathlib import Path
from typing import Any

from e2e.cluster_tools import run

SHOWN = 260
UNCHECKED = " * <nil>: Invalid value: null: some validation rules were not checked"
PAGE = Path(__file__).parent.parent / "docs" / "bad-input.md"

REGION: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Region",
    "metadata": {"name": "us-east-1", "namespace": "default"},
    "spec": {},
}
SCENARIO: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Scenario",
    "metadata": {"name": "bad"},
    "spec": {"arms": [{"name": "one", "expect": "OutagePrevented"}]},
}
PLAN: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "DNSPlan",
    "metadata": {"name": "plan-0000000007", "namespace": "default"},
    "spec": {
        "planGeneration": 7,
        "endpoints": [{"name": "dynamodb", "addresses": [{"address": "10.0.0.1", "weight": 1}]}],
    },
}

LEASE: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "DropletLease",
    "metadata": {"name": "us-east-1a-r1-d1", "namespace": "default"},
    "spec": {
        "droplet": "us-east-1a-r1-d1",
        "zone": "us-east-1a",
        "rack": 1,
        "holder": "us-east-1a/00000000-0000-0000-0000-000000000000",
        "acquired": "2025-10-20T06:48:00.000000Z",
        "renewed": "2025-10-20T06:48:03.000000Z",
        "durationSeconds": 9,
        "heartbeatMilliseconds": 3000,
        "timeoutMilliseconds": 1000,
        "transitions": 4,
    },
}
RACK: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "RackLease",
    "metadata": {"name": "us-east-1a-r1", "namespace": "default"},
    "spec": {"zone": "us-east-1a", "rack": 1, "droplets": 3, "transitions": 4, "packed": "aabbcc"},
}
INSTANCE: dict[str, Any] = {
    "apiVersion": "holdfast.dev/v1alpha1",
    "kind": "Instance",
    "metadata": {"name": "i-1", "namespace": "default"},
    "spec": {"zone": "us-east-1a", "action": "Run"},
}


def refusal(obj: dict[str, Any]) -> str:
    """What kubectl prints; "" if the object is taken."""
    done = run("kubectl", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(obj))
    return done.stderr if done.returncode else ""


def refusal_of_change(was: dict[str, Any], obj: dict[str, Any]) -> str:
    """The same, of one that is to take the place of another, which stands there meanwhile."""
    it = (str(was["kind"]), str(was["metadata"]["name"]), "-n", str(was["metadata"]["namespace"]))
    run("kubectl", "delete", *it, "--ignore-not-found")
    made = run("kubectl", "create", "-f", "-", stdin=json.dumps(was))
    assert made.returncode == 0, made.stderr
    try:
        done = run("kubectl", "replace", "--dry-run=server", "-f", "-", stdin=json.dumps(obj))
        return done.stderr if done.returncode else ""
    finally:
        run("kubectl", "delete", *it)


def gist(printed: str) -> str:
    """A refusal in a line: without what kubectl says of every object, and of rules that it did not
    come to."""
    line = " ".join(printed.split()).partition(UNCHECKED)[0]
    for noise in (" is invalid: ", "strict decoding error: "):
        line = line.partition(noise)[2] or line
    line = line.removeprefix("* ")
    return line[:SHOWN] + ("..." if len(line) > SHOWN else "")


def shown(value: Any) -> str:
    """An input as the table has it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} characters)"


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `base` with the value at a dotted path, list indexes included."""
    obj = copy.deepcopy(base)
    where: Any = obj
    *parents, last = path.split(".")
    for key in parents:
        where = where[int(key)] if key.isdecimal() else where.setdefault(key, {})
    where[int(last) if last.isdecimal() else last] = value
    return obj


def hold(**more: Any) -> dict[str, Any]:
    return {"name": "h", "zone": "us-east-1a", "at": "turn", "until": {"afterSeconds": 1}, **more}


def many(count: int) -> list[dict[str, Any]]:
    return [{"address": f"10.0.{n // 250}.{n % 250 + 1}", "weight": 1} for n in range(count)]


def wide(endpoints: int, addresses: int) -> list[dict[str, Any]]:
    return [{"name": f"e{n}", "addresses": many(addresses)} for n in range(endpoints)]


def act(scale: dict[str, Any]) -> dict[str, Any]:
    return {"scale": scale, "when": {"afterSeconds": 1}}


def order(**operator: Any) -> dict[str, Any]:
    return {"operator": operator, "when": {"afterSeconds": 1}}


def fleet(**fields: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    return REGION, "spec.fleet", fields


def of_leases(**rungs: Any) -> tuple[dict[str, Any], str, dict[str, Any]]:
    return REGION, "spec.guards", {"leases": rungs}


AT_TURN = {"role": "enactor", "zone": "us-east-1a", "at": "turn"}
SCALE = {"role": "planner", "replicas": 0}
ADDRESS = "spec.endpoints.0.addresses.0.address"
BAD = [
    (REGION, "spec.guards", {"dns": {"fence": "Generatoin"}}, ["fence", "Generation"]),
    (REGION, "spec.guards", {"dns": {"fence": "off"}}, ["spec.guards.dns.fence"]),
    (REGION, "spec.guards", {"dns": {"fence": False}}, ["spec.guards.dns.fence", "string"]),
    (REGION, "spec.guards", {"dns": {"fnece": "Generation"}}, ["unknown field", "fnece"]),
    (REGION, "spec.guards", {"profile": "aws"}, ["spec.guards.profile", "aws-2025"]),
    (REGION, "spec.retnetion", 2, ["unknown field", "retnetion"]),
    (REGION, "spec.retention", 0, ["spec.retention", "greater than or equal to 1"]),
    (REGION, "spec.retention", -1, ["spec.retention", "greater than or equal to 1"]),
    (REGION, "spec.retention", 10**9, ["spec.retention", "less than or equal to 1000"]),
    (REGION, "spec.retention", 100, ["spec.retention", "must be below planHistory"]),
    (REGION, "spec.retention", "two", ["spec.retention", "integer"]),
    (REGION, "spec.planHistory", 1, ["spec.planHistory", "greater than or equal to 2"]),
    (REGION, "spec.endpoints", [], ["spec.endpoints", "at least 1"]),
    (REGION, "spec.endpoints", ["a" * 40], ["spec.endpoints[0]", "39"]),
    (REGION, "spec.endpoints", ["Dynamo"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["*"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["ünicode"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["a.b"], ["spec.endpoints[0]", "should match"]),
    (REGION, "spec.endpoints", ["a", "a"], ["spec.endpoints[1]", "Duplicate"]),
    (REGION, "spec.endpoints", ["dynamodb-p7"], ["must not end in -p<number>"]),
    (REGION, "spec.endpoints", ["resolver"], ["names of DNS servers"]),
    (REGION, "spec.zones", [], ["spec.zones", "at least 1"]),
    (REGION, "spec.zones", ["a" * 27], ["spec.zones[0]", "26"]),
    (REGION, "spec.planner", {"churnPerMinute": -1}, ["churnPerMinute", "equal to 0"]),
    (REGION, "spec.planner", {"churnPerMinute": 10**9}, ["churnPerMinute", "6000"]),
    (REGION, "spec.enactor", {"lockSeconds": 0}, ["lockSeconds", "equal to 1"]),
    (REGION, "spec.enactor", {"lockSeconds": "∞"}, ["lockSeconds", "integer"]),
    (REGION, "spec.enactor", {"backoffMilliseconds": 3000}, ["must not exceed"]),
    (REGION, "spec.store", {"capacity": 0}, ["capacity", "equal to 1"]),
    (REGION, "spec.families", ["IPv5"], ["families", "IPv4"]),
    (REGION, "spec.holds", [hold(at="trun")], ["spec.holds[0].at", "turn"]),
    (REGION, "spec.holds", [hold(zone="us-east-1z")], ["zone that the Region does not have"]),
    (REGION, "spec.holds", [hold(until={})], ["a hold needs an until"]),
    (REGION, "spec.holds", [hold(role="leases")], ["lease managers are held at write"]),
    (REGION, "spec.holds", [hold(at="write")], ["lease managers are held at write"]),
    (REGION, "spec.holds", [hold(droplet="us-east-1a-r1-d1")], ["belong to role leases"]),
    (REGION, "spec.holds", [hold(when={"leasesHeld": 100})], ["belong to role leases"]),
    (REGION, "spec.holds", [hold(when={"leasesHeld": 0})], ["leasesHeld", "equal to 1"]),
    (REGION, "spec.holds", [hold(until={"leasesLost": 101})], ["leasesLost", "100"]),
    (REGION, "spec.holds", [hold(at="pick", endpoint="dynamodb")], ["an endpoint belongs to tree"]),
    (REGION, "metadata.name", "a" * 41, ["metadata.name", "40"]),
    (PLAN, "spec.planGeneration", 0, ["planGeneration", "equal to 1"]),
    (PLAN, "spec.planGeneration", 2**31, ["planGeneration", "2147483647"]),
    (PLAN, "spec.planGeneration", 8, ["a plan is named plan-<planGeneration, 10 digits>"]),
    (PLAN, "metadata.name", "plan-7", ["a plan is named plan-<planGeneration, 10 digits>"]),
    (PLAN, "spec.endpoints", [], ["spec.endpoints", "at least 1"]),
    (PLAN, "spec.endpoints.0.name", "*", ["spec.endpoints[0].name"]),
    (PLAN, "spec.endpoints.0.name", "dynamodb-p7", ["must not end in -p<number>"]),
    (PLAN, "spec.endpoints.0.name", "resolver", ["names of DNS servers"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", 0, ["weight", "equal to 1"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", -1, ["weight", "equal to 1"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", 1e308, ["weight"]),
    (PLAN, ADDRESS, "01.2.3.4", ["address", "no leading zeros"]),
    (PLAN, ADDRESS, "dynamodb", ["address", "must be an IPv4 or IPv6 address"]),
    (PLAN, ADDRESS, "127.0.0.1", ["address", "loopback"]),
    (PLAN, ADDRESS, "::1", ["address", "loopback"]),
    (PLAN, ADDRESS, "169.254.1.1", ["address", "link-local"]),
    (PLAN, ADDRESS, "fe80::1", ["address", "link-local"]),
    (PLAN, ADDRESS, "0.0.0.0", ["address", "unspecified"]),  # noqa: S104 - an input
    (PLAN, "spec.endpoints.0.addresses", [{"address": "10.0.0.1", "weight": 1}] * 2, ["Duplicate"]),
    (SCENARIO, "spec.arms", [], ["spec.arms", "at least 1"]),
    (SCENARIO, "spec.arms.0.expect", "Outage", ["expect", "OutagePrevented"]),
    (SCENARIO, "spec.arms.0.guards", {"dns": {"fence": "no"}}, ["guards.dns.fence"]),
    (SCENARIO, "spec.arms.0.name", "x" * 41, ["name", "40"]),
    (SCENARIO, "spec.arms.0.name", "Fenced!", ["name", "should match"]),
    (SCENARIO, "spec.deadlineSeconds", 0, ["deadlineSeconds", "equal to 10"]),
    (SCENARIO, "spec.settleSeconds", -1, ["settleSeconds", "equal to 1"]),
    (SCENARIO, "spec.region", {"retention": 0}, ["spec.region.retention", "equal to 1"]),
    (SCENARIO, "spec.region", {"retention": 500}, ["must be below planHistory"]),
    (SCENARIO, "spec.sede", 1, ["unknown field", "sede"]),
    (SCENARIO, "spec.check", {"enactors": 0}, ["spec.check.enactors", "equal to 1"]),
    (SCENARIO, "spec.check", {"enactors": 6}, ["spec.check.enactors", "equal to 5"]),
    (SCENARIO, "spec.check", {"plans": 9}, ["spec.check.plans", "equal to 8"]),
    (SCENARIO, "spec.check", {"plans": "all"}, ["spec.check.plans", "integer"]),
    (SCENARIO, "spec.check", {"retention": 6}, ["spec.check.retention", "equal to 5"]),
    (SCENARIO, "spec.check", {"endpoints": 4}, ["spec.check.endpoints", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"crashes": 4}, ["budgets.crashes", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"lostReplies": -1}, ["budgets.lostReplies", "equal to 0"]),
    (SCENARIO, "spec.check.budgets", {"staleReads": 4}, ["budgets.staleReads", "equal to 3"]),
    (SCENARIO, "spec.check.budgets", {"lockExpiries": 1e9}, ["budgets.lockExpiries"]),
    (SCENARIO, "spec.check.budgets", {"crahses": 1}, ["unknown field", "crahses"]),
    (SCENARIO, "metadata.name", "a" * 41, ["metadata.name", "40"]),
    (
        SCENARIO,
        "spec.timeline",
        [{"hold": {"role": "enactor", "zone": "nowhere", "at": "turn"}, "until": {"tried": "a"}}],
        ["zone that the region does not have"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [{"scale": {"role": "store", "zone": "nowhere", "replicas": 0}, "when": {"held": "a"}}],
        ["a scale names a zone, or an operator an endpoint, that the region does not have"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [{"operator": {"command": "override", "endpoint": "sqs"}, "when": {"held": "a"}}],
        ["a scale names a zone, or an operator an endpoint, that the region does not have"],
    ),
    (REGION, "spec.guards", {"dns": {"selfRepair": "Enbaled"}}, ["selfRepair", "Enabled"]),
    (REGION, "spec.guards", {"dns": {"admission": True}}, ["guards.dns.admission", "string"]),
    (REGION, "spec.guards", {"dns": {"lastKnownGood": "on"}}, ["lastKnownGood", "Disabled"]),
    (REGION, "spec.families", ["IPv4", "IPv4"], ["families[1]", "Duplicate"]),
    (REGION, "spec.endpoints", [f"e{n}" for n in range(1001)], ["spec.endpoints", "1000"]),
    (REGION, "spec.planner", {"churnPerMinute": 1000.5}, ["churnPerMinute", "integer"]),
    (REGION, "spec.planner", {"churnPerMinute": "1e3"}, ["churnPerMinute", "integer"]),
    (REGION, "spec.retention", "2025-10-20", ["spec.retention", "integer"]),
    (REGION, "spec.enactor", {"lockSeconds": 10**9}, ["lockSeconds", "3600"]),
    (REGION, "spec.enactor", {"lockSeconds": -1}, ["lockSeconds", "equal to 1"]),
    (REGION, "spec.freeze", {"why": "the name is empty"}, ["spec.freeze.who", "Required"]),
    (REGION, "spec.freeze", {"who": "on call"}, ["spec.freeze.who", "should match"]),
    (
        REGION,
        "spec.freeze",
        {"who": "alice", "until": "tomorrow"},
        ["spec.freeze.until", "date-time"],
    ),
    (REGION, "spec.seed", -1, ["spec.seed", "equal to 0"]),
    (REGION, "spec.holds", [hold(losesReply="yes")], ["losesReply", "boolean"]),
    (REGION, "metadata.name", "a" * 254, ["metadata.name"]),
    (REGION, "metadata.labels", {"zone": "a" * 64}, ["metadata.labels", "63"]),
    (PLAN, "spec.endpoints.0.name", "a" * 40, ["spec.endpoints[0].name", "39"]),
    (PLAN, "spec.endpoints.0.addresses.0.weight", "NaN", ["weight", "integer"]),
    (PLAN, ADDRESS, "::", ["address", "unspecified"]),
    (PLAN, ADDRESS, "*", ["address", "must be an IPv4 or IPv6 address"]),
    (PLAN, "spec.endpoints.0.addresses", many(101), ["addresses", "100"]),
    (PLAN, "spec.endpoints", wide(101, 100), ["10,000 addresses"]),
    (PLAN, "spec.endpoints", wide(1001, 1), ["spec.endpoints", "1000"]),
    (SCENARIO, "spec.mode", "Chaos", ["spec.mode", "Jitter"]),
    (SCENARIO, "spec.seed", 2**31, ["spec.seed", "2147483647"]),
    (SCENARIO, "spec.arms.0.start", "Broken", ["start", "LockOfTheDead"]),
    (SCENARIO, "spec.arms.0.recoveredBy", "luck", ["recoveredBy", "selfRepair"]),
    (SCENARIO, "spec.arms.0.keeps", ["NonEmtpy"], ["keeps[0]", "NonEmpty"]),
    (SCENARIO, "spec.arms.0.settleSeconds", 601, ["settleSeconds", "600"]),
    (SCENARIO, "spec.check", {"enactors": -1}, ["spec.check.enactors", "equal to 1"]),
    (SCENARIO, "spec.check", {"enactors": 10**9}, ["spec.check.enactors", "equal to 5"]),
    (SCENARIO, "spec.check", {"barePlans": 3}, ["spec.check.barePlans", "equal to 2"]),
    (SCENARIO, "spec.timeline", [{}], ["exactly one of hold, lostReply, operator, scale"]),
    (SCENARIO, "spec.timeline", [{"hold": AT_TURN}], ["a hold, and nothing else, has an until"]),
    (SCENARIO, "spec.timeline", [{"scale": SCALE}], ["a when of their own"]),
    (SCENARIO, "spec.timeline", [act({"role": "resolver", "replicas": 0})], ["role", "planner"]),
    (
        SCENARIO,
        "spec.timeline",
        [act({"role": "planner", "replicas": 3})],
        ["replicas", "equal to 2"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [act({"role": "planner", "replicas": -1})],
        ["replicas", "equal to 0"],
    ),
    (SCENARIO, "spec.timeline", [order(command="reboot")], ["command", "override"]),
    (SCENARIO, "spec.timeline", [order(command="override")], ["names an endpoint"]),
    (
        SCENARIO,
        "spec.timeline",
        [order(command="override", endpoint="dynamodb", plan=1, addresses=["10.0.0.1"])],
        ["either a plan or addresses"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [order(command="override", endpoint="dynamodb", addresses=["10.0.0.256"])],
        ["must be an IPv4 or IPv6 address"],
    ),
    (
        SCENARIO,
        "spec",
        {**SCENARIO["spec"], "mode": "Jitter", "timeline": [act(SCALE)]},
        ["mode Jitter has no timeline"],
    ),
    (
        SCENARIO,
        "spec.arms",
        [{"name": "a", "expect": "OutagePrevented"}] * 2,
        ["spec.arms[1]", "Duplicate"],
    ),
    (
        changed(SCENARIO, "metadata.name", "s" * 30),
        "spec.arms.0.name",
        "x" * 40,
        ["is a namespace's name and must not exceed 63 characters"],
    ),
    (*fleet(durationSeconds=0), ["fleet.durationSeconds", "equal to 1"]),
    (*fleet(durationSeconds=-9), ["fleet.durationSeconds", "equal to 1"]),
    (*fleet(durationSeconds=10**12), ["fleet.durationSeconds", "86400"]),
    (*fleet(durationSeconds="∞"), ["fleet.durationSeconds", "integer"]),
    (*fleet(durationSeconds="9s"), ["fleet.durationSeconds", "integer"]),
    (*fleet(durationSeconds=0.5), ["fleet.durationSeconds", "integer"]),
    (*fleet(durationSeconds="2025-10-20"), ["fleet.durationSeconds", "integer"]),
    (*fleet(heartbeatMilliseconds=0), ["fleet.heartbeatMilliseconds", "equal to 100"]),
    (*fleet(heartbeatMilliseconds=3001), ["must not exceed a third of durationSeconds"]),
    (*fleet(durationSeconds=2), ["must not exceed a third of durationSeconds"]),
    (*fleet(timeoutMilliseconds=-1), ["fleet.timeoutMilliseconds", "equal to 10"]),
    (*fleet(timeoutMilliseconds=9000), ["timeoutMilliseconds must be below durationSeconds"]),
    (*fleet(timeoutMilliseconds="1e3"), ["fleet.timeoutMilliseconds", "integer"]),
    (*fleet(renewMilliseconds=501), ["must not exceed establishMilliseconds"]),
    (*fleet(establishMilliseconds=10**9), ["fleet.establishMilliseconds", "600000"]),
    (*fleet(workers=0), ["fleet.workers", "equal to 1"]),
    (*fleet(workers="NaN"), ["fleet.workers", "integer"]),
    (*fleet(racks=0), ["fleet.racks", "equal to 1"]),
    (*fleet(racks=10001, mode="Rack"), ["fleet.racks", "10000"]),
    (*fleet(racks=126), ["fleet.droplets", "must not exceed 5000 in mode Droplet"]),
    (
        *fleet(mode="Rack", durationSeconds=4095),
        ["fleet.durationSeconds", "must not exceed 4094 in mode Rack"],
    ),
    (*fleet(droplets=501), ["fleet.droplets", "500"]),
    (*fleet(agents=21), ["fleet.agents", "20"]),
    (*fleet(mode="Racks"), ["fleet.mode", '"Rack"']),
    (*fleet(mode=True), ["fleet.mode", "string"]),
    (*fleet(costOf="Latency"), ["fleet.costOf", "QueueDepth"]),
    (*fleet(admitAtMost=0), ["fleet.admitAtMost", "equal to 1"]),
    (*fleet(restarts={"us-east-1z": 1}), ["zone that the region does not have"]),
    (*fleet(restarts={"us-east-1a": -1}), ["fleet.restarts.us-east-1a", "equal to 0"]),
    (*fleet(restarts={"us-east-1a": "once"}), ["fleet.restarts.us-east-1a", "integer"]),
    (*fleet(dropelts=40), ["unknown field", "dropelts"]),
    (*of_leases(admission="QueueBuond"), ["leases.admission", "QueueBound"]),
    (*of_leases(expired="drop"), ["leases.expired", "DoAnyway"]),
    (*of_leases(dedupe=True), ["leases.dedupe", "string"]),
    (*of_leases(retry=0), ["leases.retry", "string"]),
    (*of_leases(order="Lifo"), ["leases.order", "RenewalsFirst"]),
    (*of_leases(concurrency=4), ["leases.concurrency", "string"]),
    (*of_leases(grace=False), ["leases.grace", "string"]),
    (*of_leases(onStart="on"), ["leases.onStart", "Spread"]),
    (*of_leases(onstart="Spread"), ["unknown field", "onstart"]),
    (*of_leases(profile="aws"), ["leases.profile", "aws-2025"]),
    (SCENARIO, "spec.region", {"fleet": {"timeoutMilliseconds": 9000}}, ["below durationSeconds"]),
    (SCENARIO, "spec.region", {"fleet": {"restarts": {"a": 1}}}, ["that the region does not have"]),
    (
        SCENARIO,
        "spec.arms.0.fleet",
        {"heartbeatMilliseconds": 5000, "durationSeconds": 9},
        ["must not exceed a third of durationSeconds"],
    ),
    (SCENARIO, "spec.arms.0.fleet", {"workers": 0}, ["arms[0].fleet.workers", "equal to 1"]),
    (SCENARIO, "spec.arms.0.guards", {"leases": {"order": "Lifo"}}, ["leases.order", "Fifo"]),
    (SCENARIO, "spec.arms.0.keeps", ["GoodPut"], ["keeps[0]", "Goodput"]),
    (SCENARIO, "spec.timeline", [act({"role": "agent", "replicas": 0})], ["scale.role", "rack"]),
    (SCENARIO, "spec.timeline", [order(command="throttle")], ["has an admitAtMost"]),
    (
        SCENARIO,
        "spec.timeline",
        [order(command="throttle", admitAtMost=-1)],
        ["operator.admitAtMost", "equal to 0"],
    ),
    (SCENARIO, "spec.timeline", [order(command="freeze", admitAtMost=9)], ["has an admitAtMost"]),
    (
        SCENARIO,
        "spec.timeline",
        [order(command="thaw", zone="us-east-1a")],
        ["restart, and nothing else, names a zone"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [order(command="restart", zone="us-east-1z")],
        ["a restart names a zone that the region does not have"],
    ),
    (
        SCENARIO,
        "spec.timeline",
        [{"scale": SCALE, "when": {"leasesLost": 101}}],
        ["when.leasesLost", "equal to 100"],
    ),
    (LEASE, "spec.droplet", "dröplet", ["spec.droplet", "should match"]),
    (LEASE, "spec.droplet", "us-east-1a-r1-d2", ["metadata.name must be spec.droplet"]),
    (LEASE, "metadata.name", "d" * 64, ["metadata.name", "63"]),
    (LEASE, "metadata.name", "d" * 254, ["metadata.name"]),
    (LEASE, "spec.zone", "", ["spec.zone", "should match"]),
    (LEASE, "spec.rack", "first", ["spec.rack", "integer"]),
    (LEASE, "spec.holder", "h" * 101, ["spec.holder", "100"]),
    (LEASE, "spec.renewed", "yesterday", ["spec.renewed", "date-time"]),
    (LEASE, "spec.renewed", "2025-10-20", ["spec.renewed", "date-time"]),
    (LEASE, "spec.renewed", 1760942880, ["spec.renewed", "date-time"]),
    (LEASE, "spec.renewed", "", ["spec.renewed", "date-time"]),
    (LEASE, "spec.renewed", "1970-01-01T00:00:00Z", ["acquired must not be later than renewed"]),
    (LEASE, "spec.acquired", "9999-12-31T23:59:59Z", ["acquired must not be later than renewed"]),
    (LEASE, "spec.durationSeconds", 0, ["spec.durationSeconds", "equal to 1"]),
    (LEASE, "spec.durationSeconds", 10**9, ["spec.durationSeconds", "86400"]),
    (LEASE, "spec.heartbeatMilliseconds", 10_000, ["must not exceed a third of durationSeconds"]),
    (LEASE, "spec.timeoutMilliseconds", 9000, ["must be below durationSeconds"]),
    (LEASE, "spec.transitions", -1, ["spec.transitions", "equal to 0"]),
    (LEASE, "spec.transitoins", 5, ["unknown field", "transitoins"]),
    (LEASE, "status", {"phase": "Lost"}, ["status.phase", "Expired"]),
    (RACK, "spec.packed", "aabb", ["packed must have two characters for each of droplets"]),
    (RACK, "spec.packed", "a" * 1501, ["spec.packed", "1500"]),
    (RACK, "spec.packed", "ä1€2--", ["spec.packed", "should match"]),
    (RACK, "spec.droplets", 0, ["spec.droplets", "equal to 1"]),
    (RACK, "spec.droplets", 4, ["packed must have two characters for each of droplets"]),
    (RACK, "spec.durationSeconds", 4095, ["spec.durationSeconds", "must not exceed 4094"]),
    (RACK, "spec.rack", 2, ["a rack's lease is named <zone>-r<rack>"]),
    (RACK, "metadata.name", "rack-1", ["a rack's lease is named <zone>-r<rack>"]),
    (INSTANCE, "spec.action", "Launch", ["spec.action", "Reboot"]),
    (INSTANCE, "spec.action", False, ["spec.action", "string"]),
    (INSTANCE, "spec.zone", "üs-east", ["spec.zone", "should match"]),
    (INSTANCE, "metadata.name", "I-1", ["metadata.name"]),
]
FLEET = changed(
    REGION,
    "spec",
    {
        "paused": True,
        "fleet": {
            "racks": 2,
            "droplets": 40,
            "mode": "Droplet",
            "agents": 1,
            "durationSeconds": 9,
        },
    },
)
BAD_CHANGES = [
    (FLEET, "spec.fleet.racks", 3, ["spec.fleet", "a fleet is made once", "racks"]),
    (FLEET, "spec.fleet.droplets", 41, ["spec.fleet", "a fleet is made once", "droplets"]),
    (FLEET, "spec.fleet.mode", "Rack", ["spec.fleet", "a fleet is made once", "mode"]),
    (FLEET, "spec.fleet.agents", 2, ["spec.fleet", "a fleet is made once", "agents"]),
    (FLEET, "spec.fleet.durationSeconds", 90, ["a fleet is made once", "durationSeconds"]),
    (FLEET, "spec.fleet", None, ["a Region that has a fleet keeps it"]),
    (LEASE, "spec.transitions", 3, ["spec.transitions", "must not be below what it was"]),
    (LEASE, "spec.droplet", "us-east-1a-r1-d2", ["droplet cannot be changed"]),
    (LEASE, "spec.zone", "us-east-1b", ["zone cannot be changed"]),
    (RACK, "spec.transitions", 0, ["spec.transitions", "must not be below what it was"]),
    (RACK, "spec.rack", 2, ["rack cannot be changed"]),
]
"""Of objects that are there."""


Row = tuple[str, str, str, str]
"""Kind, field, input, and the refusal."""


def row_of(base: dict[str, Any], path: str, value: Any, printed: str) -> Row:
    return str(base["kind"]), path, shown(value), gist(printed)


def row_of_change(base: dict[str, Any], path: str, value: Any, printed: str) -> Row:
    was: Any = base
    for key in path.split("."):
        was = was[key]
    return str(base["kind"]), path, f"{shown(value)}, was {shown(was)}", gist(printed)


def rows() -> list[Row]:
    """Of each case, asked for now."""
    found = []
    for number, (base, path, value, _) in enumerate(BAD, start=1):
        print(f"\r{number}/{len(BAD)}", end="", flush=True)
        found.append(row_of(base, path, value, refusal(changed(base, path, value))))
    print()
    for base, path, value, _ in BAD_CHANGES:
        printed = refusal_of_change(base, changed(base, path, value))
        found.append(row_of_change(base, path, value, printed))
    return found


def table(found: list[Row]) -> str:
    lines = ["| object | field | input | what the API server says |", "|---|---|---|---|"]
    lines += [f"| {k} | `{p}` | `{_cell(v)}` | {_cell(said)} |" for k, p, v, said in found]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


BEGIN, END = "<!-- begin: refused -->\n", "<!-- end: refused -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the table of refusals into the page.")
    parser.add_argument("--write", type=Path, default=PAGE, metavar="FILE")
    page: Path = parser.parse_args().write
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + table(rows()) + END + after)


if __name__ == "__main__":
    main()
