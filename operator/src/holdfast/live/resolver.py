"""DNS queries, and what their answers say. "Written" is not "served": proof is a query."""

import asyncio
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from holdfast.core.names import tree_generation
from holdfast.core.objects import Family

QUERY_TYPES: dict[Family, str] = {"IPv4": "A", "IPv6": "AAAA"}


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Response:
    """`rcode` as DNS spells it, "" when no answer came. `tree` is the first CNAME's first label,
    which names the tree that answered. `kept_seconds`: how long a cache may still keep an answer
    that says no."""

    rcode: str
    addresses: tuple[str, ...] = ()
    tree: str = ""
    kept_seconds: int = 0

    @property
    def generation(self) -> int | None:
        return tree_generation(self.tree)


async def ask(server: Server, name: str, family: Family, timeout: float = 1.0) -> Response:
    """One query over UDP. Never raises for what a network may do."""
    answered = await _ask(server, name, family, timeout)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # wait_for of Python 3.11, below dnspython, loses a cancellation that comes with an answer.
        raise asyncio.CancelledError
    return answered


async def _ask(server: Server, name: str, family: Family, timeout: float) -> Response:
    query = dns.message.make_query(name, QUERY_TYPES[family])
    try:
        message = await dns.asyncquery.udp(
            query, server.address, timeout=timeout, port=server.port, ignore_unexpected=True
        )
    except (dns.exception.DNSException, OSError, TimeoutError):
        return Response("")
    addresses: list[str] = []
    tree = ""
    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.CNAME:
            tree = tree or str(rrset[0].target).partition(".")[0]
        elif rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            addresses.extend(r.address for r in rrset)
    kept = max((r.ttl for r in message.authority if r.rdtype == dns.rdatatype.SOA), default=0)
    return Response(dns.rcode.to_text(message.rcode()), tuple(sorted(addresses)), tree, kept)


async def answers_exactly(
    servers: tuple[Server, ...], name: str, addresses: tuple[str, ...]
) -> str:
    """ "" if every server answers `name` with exactly these addresses; else what one said."""
    families: list[Family] = ["IPv4"] if any(":" not in a for a in addresses) else []
    families += ["IPv6"] if any(":" in a for a in addresses) else []
    for server in servers:
        replies = await asyncio.gather(*(ask(server, name, f) for f in families))
        seen = tuple(sorted(a for r in replies for a in r.addresses))
        if seen != tuple(sorted(addresses)):
            codes = ",".join(r.rcode or "no answer" for r in replies)
            return f"{server.address} says {codes} {list(seen)}"
    return "" if servers else "no authoritative server is ready"
