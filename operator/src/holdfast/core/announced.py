"""Which addresses of a front end go into plans: one of each family that the Region wants.

A Pod's own address comes first. Where the cluster gives it none of a family, it may announce one in
an annotation: such an address is answered, and nobody can connect to it.
"""

import ipaddress
from collections.abc import Iterable

from holdfast.core.objects import Family, family_of


def addresses(
    own: Iterable[str], announced: Iterable[str], families: Iterable[Family]
) -> tuple[str, ...]:
    """The first of each family, in the one way of writing it that answers are compared in."""
    usable = [a for a in (*own, *announced) if is_usable(a)]
    first = (next((a for a in usable if family_of(a) == f), None) for f in families)
    return tuple(str(ipaddress.ip_address(a)) for a in first if a is not None)


def is_usable(address: str) -> bool:
    """Whether a name may answer with it: what an EndpointSlice takes."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and (ip.ipv4_mapped is not None or ip.scope_id is not None):
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
