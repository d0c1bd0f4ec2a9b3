"""DNS in virtual time: an authoritative server that follows the API server by two watches of its
own, and the customers' caching resolver."""

from dataclasses import dataclass

from holdfast.core.names import tree_generation
from holdfast.core.objects import Alias, Family, Slice, Tree, family_of
from holdfast.fake import Change, FakeApi
from holdfast.sim.server import Server

POSITIVE_SECONDS = 5.0
NEGATIVE_SECONDS = 60.0
"""How long the resolver keeps answers with and without addresses, as an arm's Corefile has it."""


@dataclass(frozen=True, slots=True)
class Response:
    """`rcode` as DNS spells it. `tree` is what the CNAME names, "" where there is none."""

    rcode: str
    addresses: tuple[str, ...] = ()
    tree: str = ""

    @property
    def generation(self) -> int | None:
        return tree_generation(self.tree)


class Authoritative:
    """Services and slices arrive by separate watches: nothing orders them."""

    def __init__(self, server: Server) -> None:
        self._seen = FakeApi()
        server.watch((Alias, Tree), self._take)
        server.watch((Slice,), self._take)

    def _take(self, change: Change) -> None:
        if change.obj is None:
            self._seen.objects.pop(change.key, None)
        else:
            self._seen.objects[change.key] = change.obj

    def ask(self, endpoint: str, family: Family) -> Response:
        """The customers' name. An alias that names nothing: NOERROR, and no addresses."""
        alias = self._seen.alias(endpoint)
        if alias is None:
            return Response("NXDOMAIN")
        addresses = tuple(a for a in self.served(alias.target) if family_of(a) == family)
        return Response("NOERROR", addresses, alias.target if addresses else "")

    def served(self, tree: str) -> tuple[str, ...]:
        """The tree's own name."""
        return self._seen.served(tree)


class Resolver:
    """Keeps every answer, the empty ones much longer: an empty answer outlives its cause."""

    def __init__(self, authoritative: Authoritative) -> None:
        self._authoritative = authoritative
        self._kept: dict[tuple[str, Family], tuple[float, Response]] = {}

    def ask(self, endpoint: str, now: float, family: Family) -> Response:
        until, kept = self._kept.get((endpoint, family), (0.0, Response("")))
        if now < until:
            return kept
        found = self._authoritative.ask(endpoint, family)
        seconds = POSITIVE_SECONDS if found.addresses else NEGATIVE_SECONDS
        self._kept[endpoint, family] = (now + seconds, found)
        return found
