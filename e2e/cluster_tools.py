"""What the tests on the cluster look with: kubectl and DNS queries, and nothing of holdfast's own.

A verdict is checked against what anybody could see, not against the code that gave it.
"""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import orjson

from e2e.cluster.kindconfig import AUDIT_LOGS, CLUSTER

AUTHORITATIVE, RESOLVER = 30053, 30054
NAME = "dynamodb.us-east-1.cloud.test"
SYSTEM = "holdfast-system"


def run(*command: str, stdin: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """A finished command, whatever its exit code."""
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )


def kubectl(*words: str, stdin: str = "", timeout: float = 300) -> str:
    """Output of a kubectl command that succeeds."""
    done = run("kubectl", *words, stdin=stdin, timeout=timeout)
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


def get(*words: str) -> Any:
    return json.loads(kubectl("get", *words, "-o", "json"))


def items(*words: str) -> list[Any]:
    found: list[Any] = get(*words)["items"]
    return found


def metrics(pod: str, namespace: str = SYSTEM) -> str:
    """What a Pod's /metrics says, through the API server."""
    return kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/metrics")


def counted(role: str, line: str) -> float:
    """A sample of the /metrics of a role of one Pod; 0 where there is none."""
    (pod,) = items("pods", "-n", SYSTEM, "-l", f"holdfast.dev/process=holdfast-{role}")
    found = re.search(f"^{re.escape(line)} (.*)$", metrics(pod["metadata"]["name"]), re.MULTILINE)
    return float(found[1]) if found else 0.0


def audit_events(since: float = 0.0) -> Iterator[dict[str, Any]]:
    """What the API server's audit log has of this time (seconds since the epoch) and later, one by
    one: of a long session it is some hundred megabytes.

    Which requests are in it, e2e/cluster/files/audit-policy.yaml says. Read through the container
    engine: nobody in the cluster may see it.
    """
    engine = os.environ["KIND_EXPERIMENTAL_PROVIDER"]
    words = [engine, "exec", f"{CLUSTER}-control-plane", "sh", "-c", f"cat {AUDIT_LOGS}/*.log"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        for line in reading.stdout:
            event: dict[str, Any] = orjson.loads(line)
            if datetime.fromisoformat(event["stageTimestamp"]).timestamp() >= since:
                yield event
    assert reading.returncode == 0, f"{' '.join(words)}: {reading.returncode}"


def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def until_alone() -> None:
    """Wait until what came before is gone. `kubectl delete scenario --wait` does not: it returns
    while the namespaces are being emptied, which takes the API server away from who comes next."""

    def are_all_active() -> bool:
        return all(n["status"]["phase"] == "Active" for n in items("namespaces"))

    until(are_all_active, "no namespace is on its way out", 120)


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: `space` is the arm's namespace in the CNAME, "" without one."""

    at: float
    rcode: str
    addresses: tuple[str, ...]
    target: str
    space: str


def ask(port: int = AUTHORITATIVE, name: str = NAME, kind: str = "A", tcp: bool = False) -> Seen:
    """One query on loopback; rcode "" if none came."""
    query = dns.message.make_query(name, kind)
    at = time.time()
    send = dns.query.tcp if tcp else dns.query.udp
    try:
        answer = send(query, "127.0.0.1", port=port, timeout=1.0)
    except (dns.exception.DNSException, OSError):
        return Seen(at, "", (), "", "")
    addresses: list[str] = []
    labels: list[str] = ["", ""]
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.CNAME:
            labels = str(rrset[0].target).split(".")
        else:
            addresses += [r.address for r in rrset]
    rcode = dns.rcode.to_text(answer.rcode())
    return Seen(at, rcode, tuple(sorted(addresses)), labels[0], labels[1])


@dataclass
class Observer:
    """A customer on the host: asks in a loop and keeps every answer."""

    answers: list[Seen] = field(default_factory=list)
    interval: float = 0.05

    def of(self, space: str) -> list[Seen]:
        """The answers of one arm. An empty answer belongs to the arm that answered last; "no such
        name" is the server of the next arm, before its alias is born."""
        found: list[Seen] = []
        current = ""
        for seen in self.answers:
            current = "" if seen.rcode == "NXDOMAIN" else seen.space or current
            if current == space and seen.rcode:
                found.append(seen)
        return found


@contextmanager
def observing(interval: float = 0.05) -> Iterator[Observer]:
    observer = Observer(interval=interval)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            observer.answers.append(ask())
            stop.wait(observer.interval)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield observer
    finally:
        stop.set()
        thread.join()


def empty(answers: list[Seen]) -> list[Seen]:
    """The incident's own signature: NOERROR, no addresses."""
    return [s for s in answers if s.rcode == "NOERROR" and not s.addresses]


def while_probed(answers: list[Seen], tally: Mapping[str, Any]) -> list[Seen]:
    """The answers to the end of the probe's own: an arm's server answers on while the arm is being
    closed. The two are laid upon each other at the first empty answer."""
    found = empty(answers)
    if not found or "firstEmptyAt" not in tally:
        return answers
    end = found[0].at + tally["endedAt"] - tally["firstEmptyAt"]
    return [s for s in answers if s.at <= end]
