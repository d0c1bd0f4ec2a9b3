"""Which DNS servers a command asks, from where it runs.

A proof has to ask every authoritative server, for each hears of a tree by watches of its own. In a
Pod that is every ready endpoint. From outside there is one node port, behind which each question
goes to any of them: it is asked several times in a row, which makes a server that lags unlikely to
be missed, not impossible.
"""

from dataclasses import dataclass

from holdfast.core.names import SERVICE_NAME_LABEL
from holdfast.live.api import SERVICE_ACCOUNT, Api
from holdfast.live.authority import SERVICE, path_of_slices, servers_of
from holdfast.live.resolver import Server, ask

TIMES = 5
TRIES = 2
"""Before a server is said not to answer."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Servers:
    """`authoritative` may name one server several times: so often it is asked. `how` says it."""

    authoritative: tuple[Server, ...] = ()
    resolver: Server | None = None
    how: str = "no authoritative server is known"

    def __call__(self) -> tuple[Server, ...]:
        return self.authoritative


async def find(api: Api, space: str, given: Server | None = None) -> Servers:
    """The servers of a namespace, as far as there is a way to them."""
    inside = SERVICE_ACCOUNT.exists()
    resolver = await (_service(api, space) if inside else _published(api, space, "resolver"))
    if given is not None:
        return Servers((given,) * TIMES, resolver, f"{_name(given)}, {TIMES} times")
    if inside:
        selector = f"{SERVICE_NAME_LABEL}={SERVICE}"
        answer = await api.get(path_of_slices(space), labelSelector=selector)
        ready = servers_of(answer.body["items"]) if answer.ok else ()
        return Servers(ready, resolver, f"{len(ready)} ready: " + ", ".join(map(_name, ready)))
    port = await _published(api, space, SERVICE)
    if port is None:
        how = f"Service {SERVICE}-nodeport is not there: nothing is published on this machine"
        return Servers((), resolver, how)
    return Servers((port,) * TIMES, resolver, f"{_name(port)}, {TIMES} times")


async def reachable(servers: Servers, name: str) -> bool:
    """Whether each of them says anything at all. One question may be lost on its way."""
    asked = dict.fromkeys(servers.authoritative)
    return bool(asked) and all([await _says_anything(server, name) for server in asked])


async def _says_anything(server: Server, name: str) -> bool:
    for _ in range(TRIES):
        if (await ask(server, name, "IPv4")).rcode:
            return True
    return False


def _name(server: Server) -> str:
    host = f"[{server.address}]" if ":" in server.address else server.address
    return f"{host}:{server.port}"


async def _service(api: Api, space: str) -> Server | None:
    """The resolver as Pods ask it."""
    found = await api.get(f"/api/v1/namespaces/{space}/services/resolver")
    return Server(found.body["spec"]["clusterIP"], 53) if found.ok else None


async def _published(api: Api, space: str, label: str) -> Server | None:
    """A server's port on every node, which kind publishes on loopback."""
    found = await api.get(f"/api/v1/namespaces/{space}/services/{label}-nodeport")
    return Server(LOOPBACK, found.body["spec"]["ports"][0]["nodePort"]) if found.ok else None
