"""What the audit log of the API server proves, as pure functions over its events.

Nothing here asks the operator what it did: the API server wrote down who asked for what, and which
role allowed it.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from holdfast.core.guards import Cleanup, DnsGuards, Fence, dns_guards

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
LEASES = frozenset({"dropletleases", "rackleases"})
SCENARIO_LABEL = "holdfast.dev/scenario"
RBAC = "rbac.authorization.k8s.io"
_ALLOWED_BY = re.compile(r' of (?:Cluster)?Role "([^"]+)" ')
_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


class Right(NamedTuple):
    """`resource` bears its subresource after a slash; `name` is "" where all are meant."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {what}" + (f" {self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a ServiceAccount, or of a person, whose `space` is "". `role` is the one that
    allowed it, "" if it was forbidden; `body` is None where the audit policy keeps none."""

    at: float
    space: str
    account: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    role: str
    code: int
    body: Any = None

    @property
    def forbidden(self) -> bool:
        return not self.role

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}".strip("/")
        return f"{self.account} {Right(self.verb, self.group, self.resource)} {where} ({self.code})"


def request_of(event: Mapping[str, Any]) -> Request | None:
    """None for what is about no resource, and for the end of a watch, whose start is told."""
    if "objectRef" not in event:
        return None
    if event["verb"] == "watch" and event["stage"] != "ResponseStarted":
        return None
    user = event["user"]["username"]
    account = _ACCOUNT.fullmatch(user)
    about, notes = event["objectRef"], event.get("annotations") or {}
    allowed = notes.get("authorization.k8s.io/decision") == "allow"
    role = _ALLOWED_BY.search(notes.get("authorization.k8s.io/reason", "")) if allowed else None
    sub = about.get("subresource")
    return Request(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
        space=account[1] if account else "",
        account=account[2] if account else user,
        verb=event["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", "") + (f"/{sub}" if sub else ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        role=(role[1] if role else "?") if allowed else "",
        code=(event.get("responseStatus") or {}).get("code", 0),
        body=event.get("requestObject"),
    )


def requests_of(events: Iterable[Mapping[str, Any]]) -> list[Request]:
    """In the order in which they came."""
    found = (request_of(event) for event in events)
    return sorted((r for r in found if r is not None), key=lambda r: r.at)


# --- rights ---------------------------------------------------------------------------------------


def granted(role: Mapping[str, Any]) -> set[Right]:
    """The rights of a Role or ClusterRole, one by one. ValueError for a wildcard."""
    found = set()
    for rule in role.get("rules") or ():
        for group in rule.get("apiGroups") or [""]:
            for resource in rule.get("resources") or ():
                for verb in rule["verbs"]:
                    if "*" in (group, resource, verb):
                        raise ValueError(f"{role['metadata']['name']} grants a wildcard: {rule}")
                    names = rule.get("resourceNames") or [""]
                    found |= {Right(verb, group, resource, name) for name in names}
    return found


def used(requests: Iterable[Request]) -> dict[str, set[Right]]:
    """For each role the rights that a request was allowed by.

    No request asks for `bind`; creating a binding does, for the role that the binding names.
    """
    found: dict[str, set[Right]] = {}
    for request in requests:
        if request.forbidden:
            continue
        rights = found.setdefault(request.role, set())
        rights.add(Right(request.verb, request.group, request.resource))
        if request.group == RBAC and request.verb == "create" and request.ok:
            name = request.body["roleRef"]["name"]
            rights.add(Right("bind", RBAC, "clusterroles", name))
    return found


def never_used(
    roles: Mapping[str, set[Right]],
    requests: Iterable[Request],
    waived: Mapping[tuple[str, str], str],
) -> list[str]:
    """What was granted and never asked for, without a waiver: role and right.

    A right for single names is also used by requests that are for one of these names.
    """
    requests = list(requests)
    exercised = used(requests)
    for request in requests:
        if not request.forbidden and request.name:
            right = Right(request.verb, request.group, request.resource, request.name)
            exercised[request.role].add(right)
    return sorted(
        f"{role}: {right}"
        for role, rights in roles.items()
        for right in rights - exercised.get(role, set())
        if (role, str(right)) not in waived
    )


def not_granted(roles: Mapping[str, set[Right]], requests: Iterable[Request]) -> list[str]:
    """What was allowed by one of these roles without being a right of it now: a role had more once,
    or something else than these roles gives rights."""
    plain = {
        role: {Right(r.verb, r.group, r.resource) for r in rights} for role, rights in roles.items()
    }
    return sorted(
        f"{role}: {right}"
        for role, rights in used(requests).items()
        for right in rights
        if right not in plain.get(role, set()) | roles.get(role, set())
    )


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one account may be told no, for one right in one namespace, before the authoriser
    has heard of a new binding."""

    times: int
    seconds: float


def forbidden(
    roles: Mapping[str, set[Right]], requests: Iterable[Request], patience: Patience
) -> list[str]:
    """Requests that were forbidden, unless each of three holds: the account has this right by a
    role that allows it things; it was told no few times, and within a short while.

    In a namespace that is no Scenario's, and where a person took a binding away, only the first is
    asked: whoever makes a Region without the roles' rights there has them told no for as long as it
    lives.
    """
    requests = list(requests)
    judged = {"", *arms(requests)} - _taken(requests)
    of_account: dict[tuple[str, str], set[Right]] = {}
    for request in requests:
        if not request.forbidden:
            rights = of_account.setdefault((request.space, request.account), set())
            rights |= {Right(r.verb, r.group, r.resource) for r in roles.get(request.role, ())}
    refusals: dict[tuple[str, str, Right, str], list[Request]] = {}
    for request in requests:
        if request.space and request.forbidden:
            right = Right(request.verb, request.group, request.resource)
            key = (request.space, request.account, right, request.namespace)
            refusals.setdefault(key, []).append(request)
    found = []
    for (space, account, right, namespace), told in refusals.items():
        if right not in of_account.get((space, account), set()):
            found.append(f"{account}: {right} in {namespace!r} was never granted")
            continue
        seconds = told[-1].at - told[0].at
        if namespace in judged and (len(told) > patience.times or seconds > patience.seconds):
            spell = f"{len(told)} times in {seconds:.1f} s"
            found.append(f"{account}: {right} in {namespace!r} was forbidden {spell}")
    return sorted(found)


def _taken(requests: Iterable[Request]) -> set[str]:
    """The namespaces in which a person deleted a binding."""
    return {r.namespace for r in _bindings_of_people(requests, "delete")}


def _bindings_of_people(requests: Iterable[Request], verb: str) -> Iterator[Request]:
    """The bindings that people made, or took away."""
    what = (verb, "rolebindings")
    return (r for r in requests if not r.space and (r.verb, r.resource) == what and r.ok)


# --- preconditions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, by verb, and what of it was wrong."""

    seen: Counter[str]
    wrong: list[str]


def preconditions(
    requests: Iterable[Request], enactors: Collection[str], people: Collection[str] = ()
) -> Proof:
    """Every write of a Service by one of these accounts, where the guards in force ask for one.

    With `Generation` a PUT bears uid and resourceVersion, with `PinLive` a DELETE does. A patch
    begins with a test under any guards: lock and pin are nothing else. A creation needs none: the
    name is its own. Guards are those of the Region that was created last in the namespace; in
    `people`'s namespaces they are not in the log, and nothing is judged.
    """
    guards: dict[str, DnsGuards] = {}
    seen: Counter[str] = Counter()
    wrong = []
    for request in requests:
        if (request.verb, request.resource) == ("create", "regions") and request.ok:
            guards[request.namespace] = dns_guards(request.body["spec"].get("guards") or {})
        if request.account not in enactors or request.resource != "services":
            continue
        if request.forbidden or request.verb not in WRITES or request.verb == "create":
            continue
        if request.namespace in people:
            continue
        if request.namespace not in guards:
            wrong.append(f"{request}: no Region was created in its namespace")
            continue
        if not _asks(guards[request.namespace], request.verb):
            continue
        seen[request.verb] += 1
        missing = _missing(request)
        if missing:
            wrong.append(f"{request}: {missing}")
    return Proof(seen, wrong)


def _asks(guards: DnsGuards, verb: str) -> bool:
    """Whether a write has to bear a precondition under these guards."""
    if verb == "delete":
        return guards.cleanup is Cleanup.PIN_LIVE
    return verb == "patch" or guards.fence is Fence.GENERATION


def of_leases(requests: Iterable[Request], managers: Collection[str], system: str) -> Proof:
    """Every write of a lease by one of these accounts of the namespace `system`, under any guards:
    a lease is replaced under the uid and resourceVersion that were read, and in no other way. A
    creation needs neither, and what was forbidden changed nothing. Seen is told by resource.
    """
    seen: Counter[str] = Counter()
    wrong = []
    for request in requests:
        if (request.space, request.resource) not in {(system, of) for of in LEASES}:
            continue
        if request.account not in managers or request.forbidden:
            continue
        if request.verb not in WRITES or request.verb == "create":
            continue
        seen[request.resource] += 1
        is_put = request.verb == "update"
        missing = _missing(request) if is_put else f"a lease is replaced, by no {request.verb}"
        if missing:
            wrong.append(f"{request}: {missing}")
    return Proof(seen, wrong)


def blind(requests: Iterable[Request], enactors: Collection[str]) -> list[Request]:
    """Writes of Services without a precondition, whatever guards ask for: where none asks, they
    are to be seen, or the log could not tell one from the other."""
    return [
        request
        for request in requests
        if request.account in enactors
        and request.resource == "services"
        and request.verb in WRITES - {"create"}
        and _missing(request)
    ]


def _missing(request: Request) -> str:
    """What is wrong with a write's precondition, "" if nothing is."""
    match request.verb, request.body:
        case "update", {"metadata": {"uid": str(uid), "resourceVersion": str(version)}}:
            return "" if uid and version not in ("", "0") else "an empty precondition"
        case "update", _:
            return "a PUT without uid and resourceVersion"
        case "patch", [{"op": "test"}, *_]:
            return ""
        case "patch", _:
            return "a patch that does not begin with a test"
        case "delete", {"preconditions": {"uid": str(uid), "resourceVersion": str(version)}}:
            return "" if uid and version not in ("", "0") else "an empty precondition"
        case "delete", _:
            return "a DELETE without uid and resourceVersion"
    return f"{request.verb} can bear no precondition"


# --- where is written -----------------------------------------------------------------------------


def arms(requests: Iterable[Request]) -> set[str]:
    """The namespaces that were created for Scenarios."""
    return {
        request.body["metadata"]["name"]
        for request in requests
        if (request.verb, request.resource) == ("create", "namespaces")
        and request.ok
        and SCENARIO_LABEL in request.body["metadata"].get("labels", {})
    }


def given(requests: Iterable[Request], system: str) -> set[str]:
    """The namespaces in which a person bound a role to an account of ours: it may write there."""
    return {
        bound.namespace
        for bound in _bindings_of_people(requests, "create")
        if any(s.get("namespace") == system for s in bound.body.get("subjects") or ())
    }


def strays(
    requests: Iterable[Request], system: str, elsewhere: Collection[tuple[str, str, Right]]
) -> list[str]:
    """Writes outside the namespaces of Scenarios and those that a person gave us, forbidden ones
    too, for nobody is to try: who, what, where and how often.

    `elsewhere` is what an account may write in a namespace that is none of these; "" stands for
    no namespace. An account of any other namespace than `system` is an arm's: it writes in its own.
    """
    requests = list(requests)
    inside = arms(requests) | given(requests, system)
    found = []
    for request in requests:
        if not request.space or request.verb not in WRITES:
            continue
        right = Right(request.verb, request.group, request.resource)
        if request.space != system:
            if request.namespace != request.space:
                found.append(f"{request.space}: {request.account} {right} in {request.namespace!r}")
            continue
        if request.namespace in inside:
            continue
        if (request.account, request.namespace, right) not in elsewhere:
            found.append(f"{request.account} {right} in {request.namespace!r}")
    return [f"{what}, {times} times" for what, times in sorted(Counter(found).items())]
