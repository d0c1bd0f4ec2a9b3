"""Control is gone and answers stay: the API server really stopped, and a DNS server taken away."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from e2e.cluster.kindconfig import CLUSTER
from e2e.cluster_tools import (
    SYSTEM,
    Observer,
    Seen,
    ask,
    empty,
    items,
    kubectl,
    observing,
    run,
    until,
)

pytestmark = pytest.mark.cluster

NAME = "outage"
SPACE = f"{NAME}-arm"
MANIFEST, ASIDE = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/aside.yaml"
DOWN_SECONDS = 30.0
FLIP_WITHIN_SECONDS = 90.0
PATIENCE_SECONDS = 300.0
"""What was missed is to be told as a number. CoreDNS's client waits 30 to 60 s between two tries by
then, and a flip waits for both watches. A server that was started anew tells each at its first try
that it knows nothing of before, and the second wait is as long; on CI both were over 130 s."""
CUT = "INPUT ! -i lo -p tcp --dport 6443 -j REJECT --reject-with tcp-reset"
"""On the control plane's node: nobody from elsewhere reaches the API server, and it goes on."""
INTERVAL_SECONDS = 0.02


def scenario(guards: dict[str, object]) -> str:
    """Ordinary flips, two a second, for longer than any test here takes."""
    return yaml.safe_dump(
        {
            "apiVersion": "holdfast.dev/v1alpha1",
            "kind": "Scenario",
            "metadata": {"name": NAME},
            "spec": {
                "deadlineSeconds": 600,
                "settleSeconds": 500,
                "region": {"planner": {"churnPerMinute": 120}, "planHistory": 20},
                "arms": [{"name": "arm", "guards": guards, "expect": "OutagePrevented"}],
            },
        }
    )


@contextmanager
def running(guards: dict[str, object]) -> Iterator[Observer]:
    """An arm with a customer who has seen it served."""
    remove()
    kubectl("create", "-f", "-", stdin=scenario(guards))
    try:
        until(lambda: bool(ask().addresses), "the name is served", 120)
        with observing(INTERVAL_SECONDS) as observer:
            until(lambda: len(generations(observer.answers)) > 5, "plans are enacted")
            yield observer
    finally:
        remove()


def remove() -> None:
    run("kubectl", "delete", "scenario", NAME, "--ignore-not-found", "--wait")
    until(
        lambda: SPACE not in {n["metadata"]["name"] for n in items("namespaces")},
        "the namespace is gone",
        120,
    )


def generation(seen: Seen) -> int:
    """Of the tree that answered; 0 if none did."""
    number = seen.target.rpartition("-p")[2]
    return int(number) if seen.addresses and number.isdecimal() else 0


def generations(answers: list[Seen]) -> set[int]:
    return {generation(s) for s in answers} - {0}


def newest(observer: Observer) -> int:
    return max(generations(observer.answers))


def on_the_control_plane(script: str) -> str:
    """What a shell on that node prints."""
    engine = os.environ["KIND_EXPERIMENTAL_PROVIDER"]
    done = run(engine, "exec", f"{CLUSTER}-control-plane", "sh", "-c", script)
    assert done.returncode == 0, f"{script}: {done.stderr}"
    return done.stdout


def answers() -> bool:
    """Whether the API server does."""
    asked = run("kubectl", "get", "--raw", "/readyz", "--request-timeout=2s", timeout=30)
    return asked.returncode == 0


def take_away(how: str) -> None:
    """Cut off: every connection is reset, and none from elsewhere can be made. Killed: no manifest,
    no process; the kubelet starts none again."""
    if how == "cut off":
        on_the_control_plane(f"iptables -I {CUT} && ss -K -Htn '( sport = :6443 )' > /dev/null")
    else:
        on_the_control_plane(f"mv {MANIFEST} {ASIDE}")
        script = "pkill -9 -x kube-apiserver; sleep 1; pgrep -x kube-apiserver || true"
        until(lambda: not on_the_control_plane(script).strip(), "no API server is left")
    assert not answers()


def give_back() -> None:
    on_the_control_plane(f"if [ -e {ASIDE} ]; then mv {ASIDE} {MANIFEST}; fi")
    on_the_control_plane(f"while iptables -D {CUT} 2> /dev/null; do :; done")


def pods() -> dict[str, int]:
    """The operator's Pods and how often each has started again."""
    return {
        p["metadata"]["name"]: sum(c["restartCount"] for c in p["status"]["containerStatuses"])
        for p in items("pods", "-n", SYSTEM, "-l", "holdfast.dev/process")
    }


@pytest.mark.parametrize("how", ["cut off", "killed"])
def test_answers_stay_while_the_api_server_is_gone_and_flips_go_on_when_it_is_back(
    how: str,
) -> None:
    with running({"profile": "safe"}) as observer:
        processes = pods()
        assert len(processes) == 8
        try:
            take_away(how)
            gone = time.time()
            time.sleep(2)  # what had been written by then is served
            last = newest(observer)
            time.sleep(DOWN_SECONDS - 2)
            assert not answers()
            assert newest(observer) == last
        finally:
            give_back()
            until(answers, "the API server is back", 120)
        back = time.time()
        until(lambda: newest(observer) > last, "a new plan is served", PATIENCE_SECONDS)
        first = next(s.at for s in observer.answers if generation(s) > last)
        until(lambda: newest(observer) > last + 20, "and many after it", 60)
        assert pods() == processes, "no process of the operator was started again"
    meanwhile = [s for s in observer.answers if gone <= s.at <= back]
    missing = [s for s in observer.answers if not s.rcode]
    print(
        f"{how} for {back - gone:.1f} s, first new flip served {first - back:.1f} s after it was "
        f"back; {len(observer.answers)} questions, {len(missing)} without an answer"
    )
    assert len(meanwhile) > 500
    assert empty(observer.of(SPACE)) == []
    assert len([s for s in meanwhile if not s.rcode]) <= len(meanwhile) / 100
    if how == "killed" and first - back > FLIP_WITHIN_SECONDS:
        pytest.xfail(f"first flip after {first - back:.0f} s: CoreDNS's client waits twice")
    assert first - back <= FLIP_WITHIN_SECONDS


def test_a_dns_server_taken_away_during_flips_costs_no_empty_answer() -> None:
    """One of two, without grace; questions that were on their way to it may go without an answer,
    which is another matter."""
    with running({"profile": "safe"}) as observer:
        kubectl("scale", "deployment", "authoritative", "-n", SPACE, "--replicas=2")
        for _ in range(4):
            until(lambda: len(servers()) == 2, "two servers are ready")
            before = newest(observer)
            until(lambda before=before: newest(observer) > before + 4, "flips go on")  # type: ignore[misc]
            victim = servers()[0]
            kubectl(
                *("delete", "pod", victim, "-n", SPACE),
                *("--grace-period=0", "--force", "--wait=false"),
            )
            until(lambda victim=victim: victim not in servers(), "it is gone")  # type: ignore[misc]
            before = newest(observer)
            until(lambda before=before: newest(observer) > before + 4, "flips go on")  # type: ignore[misc]
    missing = [s for s in observer.answers if not s.rcode]
    print(f"{len(observer.answers)} questions, {len(missing)} without an answer")
    assert len(observer.of(SPACE)) > 300
    assert empty(observer.of(SPACE)) == []


def servers() -> list[str]:
    """The authoritative servers that are ready."""
    selector = "app.kubernetes.io/name=authoritative"
    return [
        p["metadata"]["name"]
        for p in items("pods", "-n", SPACE, "-l", selector)
        if "deletionTimestamp" not in p["metadata"]
        and any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in p["status"].get("conditions") or ()
        )
    ]
