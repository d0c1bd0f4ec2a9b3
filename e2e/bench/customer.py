"""Customers on the host: one who waits for a changed answer, and one who asks without a pause."""

import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dns.message

from holdfast.live.resolver import Server

PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.001
"""Between two queries of the customer whose clock it is: without it the customer takes a core."""
ASKED_PER_SECOND = 1250
MISSING_AFTER_SECONDS = 2.0
IDS = 1 << 16


class NoAnswer(Exception):
    """The name does not answer as it should."""


class Customer:
    """One UDP socket that asks one name and returns the raw answer: cheap enough to poll with."""

    def __init__(self, server: Server, name: str) -> None:
        self._packet = dns.message.make_query(name, "A").to_wire()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1.0)
        self._socket.connect((server.address, server.port))

    def ask(self) -> bytes:
        """The answer, b"" if none came."""
        try:
            self._socket.send(self._packet)
            return self._socket.recv(4096)
        except OSError:
            return b""

    def until(self, label: bytes, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Ask until the answer's CNAME begins with this label. NoAnswer after a while."""
        wanted = bytes([len(label)]) + label
        end = time.monotonic() + patience_seconds
        while wanted not in self.ask():
            time.sleep(POLL_SECONDS)
            if time.monotonic() > end:
                raise NoAnswer(f"no answer with {label!r} in {patience_seconds} s")


class Crowd:
    """Asks at a steady rate, whether answers come or not, and counts them by what they hold."""

    def __init__(self, server: Server, name: str) -> None:
        self._query = dns.message.make_query(name, "A").to_wire()[2:]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((server.address, server.port))
        self._open: dict[int, float] = {}
        self._began = time.monotonic()
        self.asked = self.good = self.empty = self.missing = 0
        self.empty_at: list[float] = []

    def ask(self) -> None:
        """What is due by now, and hear what has come."""
        now = time.monotonic()
        while self.asked < (now - self._began) * ASKED_PER_SECOND:
            number = self.asked % IDS
            self.missing += self._open.pop(number, None) is not None
            self._open[number] = now
            with suppress(OSError):  # then there is no answer either
                self._socket.send(number.to_bytes(2) + self._query)
            self.asked += 1
        self.hear()

    def hear(self) -> None:
        with suppress(OSError):
            while True:
                answer = self._socket.recv(4096)
                if self._open.pop(int.from_bytes(answer[:2]), None) is None:
                    continue
                if answer[3] & 0x0F == 0 and int.from_bytes(answer[6:8]) >= 2:
                    self.good += 1  # NOERROR with a CNAME and at least one address
                else:
                    self.empty += 1
                    self.empty_at.append(round(time.monotonic() - self._began, 3))

    def told(self) -> dict[str, Any]:
        seconds = time.monotonic() - self._began
        time.sleep(MISSING_AFTER_SECONDS)
        self.hear()
        return {
            "queries": self.asked,
            "queriesPerSecond": round(self.asked / seconds),
            "good": self.good,
            "empty": self.empty,
            "missing": self.missing + len(self._open),
            "firstEmptyAtSeconds": self.empty_at[:5],
        }


def _ask_for_ever(server: Server, name: str, stop: Any, told: Any) -> None:
    crowd = Crowd(server, name)
    while not stop.is_set():
        crowd.ask()
        time.sleep(POLL_SECONDS / 2)
    told.put(crowd.told())


@contextmanager
def crowd(server: Server, name: str) -> Iterator[dict[str, Any]]:
    """Somebody asks, in a process of his own; what he saw is in the dict at the end."""
    stop = multiprocessing.Event()
    queue: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_ask_for_ever, args=(server, name, stop, queue))
    process.start()
    seen: dict[str, Any] = {}
    try:
        yield seen
    finally:
        stop.set()
        seen |= queue.get(timeout=MISSING_AFTER_SECONDS + 10)
        process.join()
