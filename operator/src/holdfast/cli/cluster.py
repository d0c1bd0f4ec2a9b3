"""The cluster as people's commands meet it, and what is said of one that will not do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from kubernetes.aio.config.config_exception import ConfigException

from holdfast.cli.files import ForPeople
from holdfast.core.region import Region, age, region_of
from holdfast.live.api import Answer, Api, ApiError, Json, connect
from holdfast.live.wire import GROUP_PATH

ROLE = "holdfast-oncall"
"""The chart's ClusterRole for who is on call, in a release called holdfast."""


@dataclass(frozen=True, slots=True)
class Home:
    """A Region where it lives. `freeze`: that field of its spec as it is stored, which is the
    precondition of a patch. `beside`: the younger Regions of its namespace, which nobody serves."""

    region: Region
    uid: str
    freeze: Json | None
    status: Json
    beside: tuple[str, ...] = ()

    @property
    def space(self) -> str:
        return self.region.namespace

    @property
    def path(self) -> str:
        return f"{GROUP_PATH}/namespaces/{self.space}/regions/{self.region.name}"

    @property
    def also(self) -> str:
        """What else is there, for people; "" if nothing."""
        younger = ", ".join(self.beside)
        return f" (younger, and not served: {younger})" if younger else ""


@asynccontextmanager
async def cluster(kubeconfig: str | None) -> AsyncIterator[Api]:
    """An Api; ForPeople for what goes wrong with it."""
    try:
        async with connect("holdfast-cli", kubeconfig) as api:
            yield api
    except ConfigException as error:
        raise ForPeople(f"no cluster: {error}. `make cluster` creates one") from error
    except ApiError as error:
        raise ForPeople(explained(Answer(error.status, dict(error.body)))) from error


def explained(answer: Answer, space: str = "") -> str:
    """What an answer that is no success means for a person, and the way out."""
    message = str(answer.body.get("message", ""))
    match answer.status:
        case 0:
            return (
                f"the API server does not answer: {message}. Until it does nothing can be changed, "
                "and names keep their last answers: look at the control plane, or at --kubeconfig"
            )
        case 401:
            return f"the API server does not know you: {message}: mend what --kubeconfig names"
        case 403:
            return f"{message}. {way_in(space)}"
        case status:
            return f"{status}: {message}"


def way_in(space: str) -> str:
    """How to get the rights of who is on call."""
    return (
        f"Who is on call needs the ClusterRole {ROLE}: kubectl create rolebinding oncall-NAME "
        f"--clusterrole={ROLE} --user=NAME -n {space or 'NAMESPACE'}"
    )


async def need(api: Api, path: str, space: str, **query: str) -> Json:
    """What is read there. ForPeople for anything else."""
    answer = await api.get(path, **query)
    if not answer.ok:
        raise ForPeople(explained(answer, space))
    return answer.body


async def latest_arm(api: Api) -> str:
    """The namespace of the arm that was created last."""
    answer = await api.get("/api/v1/namespaces", labelSelector="holdfast.dev/arm")
    if answer.status == 403:
        raise ForPeople("you may not list namespaces: say which one, with -n NAMESPACE")
    if not answer.ok:
        raise ForPeople(explained(answer))
    alive = [
        n["metadata"] for n in answer.body["items"] if "deletionTimestamp" not in n["metadata"]
    ]
    if not alive:
        raise ForPeople("no arm is there: holdfast run dns-race makes some")
    latest: Json = max(alive, key=lambda m: m["creationTimestamp"])
    return str(latest["name"])


async def home_of(api: Api, namespace: str | None) -> Home:
    """The Region that is served in a namespace; in that of the arm that was created last if none is
    named."""
    space = namespace or await latest_arm(api)
    listing = await need(api, f"{GROUP_PATH}/namespaces/{space}/regions", space)
    if not listing["items"]:
        raise ForPeople(f"namespace {space} holds no Region: say which one does, with -n NAMESPACE")
    alive = [r for r in listing["items"] if "deletionTimestamp" not in r["metadata"]]
    first, *others = sorted(alive or listing["items"], key=age)
    return replace(home(first), beside=tuple(r["metadata"]["name"] for r in others))


def home(raw: Json) -> Home:
    """ForPeople for guards that this version does not know."""
    meta, spec = raw["metadata"], raw["spec"]
    try:
        region = region_of(meta["namespace"], meta["name"], spec)
    except ValueError as error:
        raise ForPeople(f"Region {meta['name']} in {meta['namespace']}: {error}") from error
    return Home(region, meta["uid"], spec.get("freeze"), raw.get("status") or {})
