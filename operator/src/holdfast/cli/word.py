"""What a person says on the command line: who, why, until when, which addresses, which server."""

import base64
import binascii
import ipaddress
import json
import os
import re
import socket
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import yaml

from holdfast.cli.files import ForPeople
from holdfast.core.freeze import FOREVER
from holdfast.core.objects import Family, family_of
from holdfast.live.api import SERVICE_ACCOUNT
from holdfast.live.resolver import Server

WHO_MAX, WHY_MAX = 100, 500
"""Of Region.spec.freeze."""
ADDRESSES_MAX = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def until(text: str, now: float) -> float:
    """Whole seconds of the epoch: `2h` from now, a time with its date and zone, or `forever`."""
    if text == "forever":
        return FOREVER
    if span := re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text):
        return float(int(now) + int(span[1]) * _UNITS[span[2]])
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no time zone")
        seconds = float(int(at.timestamp()))
    except (ValueError, OverflowError):
        raise ForPeople(
            f"--until: {text!r} is neither a span (90s, 30m, 2h, 1d), nor a time with its zone "
            "(2025-10-20T09:25:00Z), nor forever"
        ) from None
    if seconds <= now:
        raise ForPeople(f"--until: {text} has passed, it is {stamp(now)} now")
    return min(seconds, FOREVER)


def stamp(seconds: float) -> str:
    """As RFC 3339 has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def said_until(seconds: float) -> str:
    return "until it is thawed" if seconds >= FOREVER else f"until {stamp(seconds)}"


def why(text: str) -> str:
    """One line."""
    line = " ".join(text.split())
    if not line or len(line) > WHY_MAX:
        raise ForPeople(f"--why: 1 to {WHY_MAX} characters are wanted, {len(line)} are there")
    return line


def who(given: str | None, kubeconfig: str | None) -> str:
    """As told; or a Pod's account, or the user of this machine, or that of the kubeconfig."""
    if given is not None:
        if not re.fullmatch(r"\S*[A-Za-z0-9]\S*", given) or len(given) > WHO_MAX:
            raise ForPeople(
                f"--who: {given!r}: 1 to {WHO_MAX} characters are wanted, without white space"
            )
        return given
    host = socket.gethostname().partition(".")[0]
    name = _account() or os.environ.get("USER") or os.environ.get("LOGNAME") or _user(kubeconfig)
    found = re.sub(r"\s+", "-", name if "@" in name else f"{name}@{host}")
    return found[:WHO_MAX]


def _account(token: Path = SERVICE_ACCOUNT) -> str:
    """`oncall@namespace`, by the token of a Pod's ServiceAccount: the same in its next Pod."""
    try:
        claims = token.read_text().split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        subject = str(json.loads(base64.urlsafe_b64decode(padded))["sub"])
        *_, space, account = subject.split(":")
    except (OSError, IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return ""
    return f"{account}@{space}"


def _user(kubeconfig: str | None) -> str:
    """The user of the kubeconfig's current context."""
    path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        config = yaml.safe_load(Path(path.partition(os.pathsep)[0]).expanduser().read_text())
        contexts = {c["name"]: c["context"]["user"] for c in config["contexts"]}
        return str(contexts[config["current-context"]])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return "somebody"


def addresses(text: str, families: Collection[Family]) -> tuple[str, ...]:
    """Those of a list with commas, each once. ForPeople for what no answer may say."""
    found = []
    for word in filter(None, (w.strip() for w in text.split(","))):
        try:
            ip = ipaddress.ip_address(word)
        except ValueError:
            raise ForPeople(f"--addresses: {word!r} is no IPv4 or IPv6 address") from None
        if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            raise ForPeople(
                f"--addresses: {word} is loopback, link-local, multicast or unspecified: "
                "customers could not reach it, and an EndpointSlice takes none"
            )
        if family_of(str(ip)) not in families:
            raise ForPeople(
                f"--addresses: {word} is {family_of(str(ip))}; the Region's spec.families has "
                f"{', '.join(families)}"
            )
        found.append(str(ip))
    if not 1 <= len(set(found)) <= ADDRESSES_MAX:
        raise ForPeople(
            f"--addresses: 1 to {ADDRESSES_MAX} are wanted, {len(set(found))} are there"
        )
    return tuple(sorted(set(found)))


def plan(text: str) -> int:
    """A generation; 0 for `newest`."""
    if text == "newest":
        return 0
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise ForPeople(f"--plan: {text!r} is neither a generation, such as 7, nor newest")
    return int(text)


def server(text: str) -> Server:
    """HOST:PORT, HOST or [IPv6]:PORT."""
    found = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\s]+))(?::(?P<port>\d{1,5}))?", text)
    port = int(found["port"] or 53) if found else 0
    if found is None or not 0 < port < 65536:
        raise ForPeople(f"--dns-server: {text!r} is not HOST:PORT, such as 127.0.0.1:30053")
    host = found["six"] or found["host"]
    try:
        return Server(str(socket.getaddrinfo(host, port)[0][4][0]), port)
    except OSError as error:
        raise ForPeople(f"--dns-server: {host}: {error.strerror}") from error
