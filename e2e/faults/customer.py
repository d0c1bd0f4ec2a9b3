"""Customers: each asks for one name twenty times a second and remembers what was not an answer.
All of them ask over one socket, which costs the host little, and the node one flow."""

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype

from holdfast.core.names import tree_generation
from holdfast.live.resolver import Server

INTERVAL_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
TURNS = 5
"""In how many parts all of them ask, one after the other: a burst of answers would be lost."""
_BUFFER = 2**22


@dataclass(slots=True)
class Customer:
    """Counts from the first answer on: before it there is no name. `lapses` are the times of
    answers that were none (no address, or no such name), `missing` counts questions without any;
    `generations` are those served, in order of the change."""

    name: str
    answered: int = 0
    missing: int = 0
    lapses: list[float] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)
    _parsed: dict[bytes, tuple[int | None, int]] = field(default_factory=dict)

    def take(self, packet: bytes) -> None:
        body = packet[2:]
        if body not in self._parsed:
            self._parsed[body] = _read(packet)
        generation, addresses = self._parsed[body]
        if addresses:
            self.answered += 1
            if generation is not None and self.generations[-1:] != [generation]:
                self.generations.append(generation)
        elif self.answered:
            self.lapses.append(time.monotonic())


def _read(packet: bytes) -> tuple[int | None, int]:
    """The generation of the tree that answers, and how many addresses it has."""
    message = dns.message.from_wire(packet)
    generation, addresses = None, 0
    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.CNAME:
            generation = tree_generation(str(rrset[0].target).partition(".")[0])
        elif rrset.rdtype == dns.rdatatype.A:
            addresses += len(rrset)
    return generation, addresses


class Customers:
    """All who ask one server. `async with Customers(server) as them`; then `join` and `leave`."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.connect((server.address, server.port))
        self._asking: dict[str, tuple[Customer, bytes]] = {}
        self._open: dict[int, tuple[Customer, float]] = {}
        self._id = 0

    async def __aenter__(self) -> "Customers":
        asyncio.get_running_loop().add_reader(self._socket, self._hear)
        self._task = asyncio.create_task(self._ask_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def join(self, name: str) -> Customer:
        found = Customer(name)
        self._asking[name] = (found, dns.message.make_query(name, "A").to_wire()[2:])
        return found

    def leave(self, customer: Customer) -> None:
        self._asking.pop(customer.name)

    async def _ask_for_ever(self) -> None:
        due, turn = time.monotonic(), 0
        while True:
            now = time.monotonic()
            for number in [n for n, (_, at) in self._open.items() if now - at > PATIENCE_SECONDS]:
                customer, _ = self._open.pop(number)
                customer.missing += customer.answered > 0
            for customer, query in list(self._asking.values())[turn::TURNS]:
                self._id = (self._id + 1) % 65536
                self._open[self._id] = (customer, now)
                with contextlib.suppress(OSError):  # then there is no answer either
                    self._socket.send(self._id.to_bytes(2, "big") + query)
            turn = (turn + 1) % TURNS
            due = max(due + INTERVAL_SECONDS / TURNS, now)
            await asyncio.sleep(due - time.monotonic())

    def _hear(self) -> None:
        """Everything that has come: more may have than the loop has turns."""
        with contextlib.suppress(OSError):
            while True:
                packet = self._socket.recv(4096)
                waiting = self._open.pop(int.from_bytes(packet[:2], "big"), None)
                if waiting is not None:
                    waiting[0].take(packet)
