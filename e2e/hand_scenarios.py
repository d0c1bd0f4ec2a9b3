"""Done by hand to Scenarios and their arms; and to all things with the operator away."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from e2e.cluster_tools import SYSTEM, Observer, ask, empty, items, kubectl, observing, run, until
from e2e.hand_ground import Ground
from e2e.hand_reactions import Play

Json = dict[str, Any]

FIRST, DOUBLE, TWIN, NEXT = "hands-a", "hands-b", "hands-c", "hands-d"
ALL = (FIRST, DOUBLE, TWIN, NEXT)
ARMS = ("probe", "dns", "rights", "region", "space")
KEEP = '{"metadata": {"finalizers": ["example.com/keep"]}}'
FREE = '{"metadata": {"finalizers": null}}'
AND = {
    "dns": ". No server answers, and none says that there is nothing",
    "rights": ". Enactors have no right to say so in the Region, either: the counter "
    "`holdfast_refusals_total` and the plans' lag do",
}
SETTLE_SECONDS = {
    "probe": 9,
    "dns": 9,
    "one": 9,
    "rights": 9,
    "region": 30,
    "space": 30,
    "endless": 90,
}
"""Others have 4. A plan has 5 s to become live before its arm has not converged."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one. `space`: whose answers count, "" if nobody asked; `wrong` as of a Row."""

    key: str
    done: str
    came: str
    space: str = ""
    since: float = 0.0
    till: float = 0.0
    wrong: str = ""
    may_be_empty: bool = False


KEYS = (
    "edited",
    "twice",
    "double",
    *(f"arm-{arm}" for arm in ARMS),
    "finalizer",
    "deleted",
)


def scenario(name: str, arms: tuple[str, ...]) -> Json:
    """Ordinary flips under `safe`, four a second."""
    guards = {"profile": "safe"}
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": name},
        "spec": {
            "deadlineSeconds": 120,
            "settleSeconds": 4,
            "region": {"planner": {"churnPerMinute": 240}, "planHistory": 20},
            "arms": [
                {
                    "name": arm,
                    "guards": guards,
                    "expect": "Either",
                    "keeps": ["Converges"],
                    "settleSeconds": SETTLE_SECONDS.get(arm, 4),
                }
                for arm in arms
            ],
        },
    }


@dataclass
class Story:
    observer: Observer
    told: list[Came] = field(default_factory=list)

    def tell(self, key: str, done: str, see: Callable[[], str], space: str = "") -> None:
        """See what comes, and go on whatever it is."""
        since, came, wrong = time.time(), "", ""
        try:
            came = see()
        except Exception as error:  # noqa: BLE001 - it is told, and the next is tried
            wrong = f"{type(error).__name__}: {error}"
        print(f"scenario/{key}: {came or wrong}", flush=True)
        ended = key in ("arm-space", "arm-dns")
        self.told.append(Came(key, done, came, space, since, time.time(), wrong, ended))

    def give_up(self, why: str) -> None:
        """What has not been told yet went wrong."""
        known = {came.key for came in self.told}
        self.told += [
            Came(key, "", "", wrong=f"not tried: {why}") for key in KEYS if key not in known
        ]

    def empties(self, came: Came) -> int | None:
        if not came.space:
            return None
        seen = self.observer.of(came.space)
        return len(empty([s for s in seen if came.since <= s.at <= came.till]))


def status(name: str) -> Json:
    done = run("kubectl", "get", "scenario", name, "-o", "json")
    found: Json = json.loads(done.stdout).get("status", {}) if done.returncode == 0 else {}
    return found


def arm(name: str, which: str) -> Json:
    return next((a for a in status(name).get("arms", ()) if a["name"] == which), {})


def play() -> list[tuple[Came, int | None]]:
    """All of it, in order, with the answers without an address that customers got; the Scenarios
    are gone at the end."""
    try:
        with observing(0.02) as observer:
            story = Story(observer)
            try:
                _tell(story)
            except Exception as error:  # noqa: BLE001 - what was told so far is
                story.give_up(f"{type(error).__name__}: {error}")
        return [(came, story.empties(came)) for came in story.told]
    finally:
        remove()


def remove() -> None:
    for name in (*ALL, "hands-down"):
        run("kubectl", "patch", "scenario", name, "--type=merge", "-p", FREE)
    run("kubectl", "delete", "scenario", *ALL, "hands-down", "--ignore-not-found", "--wait")
    until(lambda: not _spaces("hands-"), "their namespaces are gone", 90)


def _spaces(start: str) -> list[str]:
    found = items("namespaces", "-l", "holdfast.dev/scenario")
    return [n["metadata"]["name"] for n in found if n["metadata"]["name"].startswith(start)]


def _tell(story: Story) -> None:
    both = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [scenario(FIRST, ARMS), scenario(TWIN, ("one",))],
    }
    kubectl("create", "-f", "-", stdin=json.dumps(both))
    until(lambda: status(FIRST).get("phase") == "Running", f"{FIRST} runs", 60)
    edit = f'kubectl patch scenario {FIRST} --type=merge -p \'{{"spec": {{"seed": 7}}}}\''
    story.tell("edited", f"`{edit}`", _refused)
    kubectl("create", "-f", "-", stdin=json.dumps(scenario(DOUBLE, ("endless",))))
    story.tell(
        "double",
        f"`kubectl create -f - # Scenario {FIRST} once more, as {DOUBLE}, while it runs`",
        lambda: _waits(DOUBLE),
    )
    for which, words in (
        ("probe", ("delete", "deployment", "probe")),
        ("dns", ("delete", "deployment", "authoritative")),
        ("rights", ("delete", "rolebinding", "holdfast-enactor")),
        ("region", ("delete", "region", "us-east-1")),
        ("space", ("delete", "namespace", f"{FIRST}-space", "--wait=false")),
    ):
        space = f"{FIRST}-{which}"
        shown = f"`kubectl {' '.join(words)}` while the arm runs"
        until(lambda s=space: _is_served(s), f"{space} is served", 90)  # type: ignore[misc]
        where = () if words[1] == "namespace" else ("-n", space)
        kubectl(*words, *where, timeout=60)
        story.tell(f"arm-{which}", shown, lambda w=which: _verdict(w), space)  # type: ignore[misc]
    story.tell(
        "twice", f"`kubectl create -f - # two Scenarios, {FIRST} and {TWIN}, at once`", _both
    )
    kubectl("create", "-f", "-", stdin=json.dumps(scenario(NEXT, ("endless",))))
    until(lambda: _is_served(f"{DOUBLE}-endless"), f"{DOUBLE} is served", 90)
    done = f"`kubectl patch scenario {DOUBLE} --type=merge -p '{KEEP}'` · "
    done += f"`kubectl delete scenario {DOUBLE} --wait=false` while it runs"
    story.tell("finalizer", done, _hangs)
    story.tell("deleted", f"`kubectl delete scenario {NEXT}` while it runs", _goes)


def _refused() -> str:
    words = ("patch", "scenario", FIRST, "--type=merge", "-p", '{"spec": {"seed": 7}}')
    done = run("kubectl", *words)
    said = "a Scenario cannot be changed: delete it and apply it again"
    assert done.returncode, "it was taken"
    assert said in done.stderr
    return f"refused: {said}"


def _waits(name: str) -> str:
    until(lambda: status(name).get("phase") == "Waiting", f"{name} waits", 20)
    until(lambda: bool(status(name).get("message")), "and says so", 20)
    return f"phase Waiting: {status(name)['message']}; then it runs"


def _is_served(space: str) -> bool:
    seen = ask()
    return seen.space == space and bool(seen.addresses)


def _verdict(which: str) -> str:
    until(lambda: arm(FIRST, which).get("phase") == "Complete", f"the verdict of {which}", 60)
    found = arm(FIRST, which)
    assert found["verdict"] != "Pass", found["message"]
    more = AND.get(which, "")
    return f"{found['verdict']}: {found['message']}{more}"


def _both() -> str:
    for name in (FIRST, TWIN):
        until(lambda n=name: status(n).get("phase") == "Complete", f"{name} ends", 90)  # type: ignore[misc]
    assert status(TWIN)["verdict"] == "Pass", status(TWIN)["message"]
    return "one waits for the other; both get a verdict"


def _hangs() -> str:
    """The Scenario that waits behind it runs, although this one and its namespace are there."""
    kubectl("patch", "scenario", DOUBLE, "--type=merge", "-p", KEEP)
    kubectl("delete", "scenario", DOUBLE, "--wait=false")
    until(lambda: _is_served(f"{NEXT}-endless"), "the next Scenario runs", 60)
    assert _spaces(f"{DOUBLE}-") == [f"{DOUBLE}-endless"]
    began = time.time()
    kubectl("patch", "scenario", DOUBLE, "--type=merge", "-p", FREE)
    until(lambda: not _spaces(f"{DOUBLE}-"), "it is gone", 60)
    took = time.time() - began
    return (
        "it hangs, and its namespace with it; its arm ends, and the next Scenario runs; "
        f"gone with its namespace {took:.1f} s after `kubectl patch scenario {DOUBLE} "
        f"--type=merge -p '{FREE}'`"
    )


def _goes() -> str:
    assert arm(NEXT, "endless").get("phase") == "Running", status(NEXT)
    began = time.time()
    kubectl("delete", "scenario", NEXT)
    until(lambda: not _spaces(f"{NEXT}-"), "it is gone", 60)
    return f"it, its namespace and all in it are gone after {time.time() - began:.1f} s"


# --- with every process of ours away

DOWN = f"kubectl scale deployment -n {SYSTEM} --all --replicas=0"
AWAY = ("service $TREE", "service dynamodb", "dnsplan $OLDPLAN", "region us-east-1")


def play_down(ground: Ground) -> Came:
    """What a foreign finalizer keeps, and lets go, with the operator away."""
    began = time.time()
    names = [*AWAY, "scenario hands-down"]
    done = f"`{DOWN}`, then `kubectl delete` of a tree, an alias, a DNSPlan, a Region and a "
    done += "Scenario with foreign finalizers"
    try:
        came = _down(ground, names)
        return Came("operator-down", done, came, ground.space, began, time.time(), "", True)
    except Exception as error:  # noqa: BLE001 - it is told
        wrong = f"{type(error).__name__}: {error}"
        return Came("operator-down", done, "", ground.space, began, time.time(), wrong, True)
    finally:
        kubectl("scale", "deployment", "-n", SYSTEM, "--all", "--replicas=1")
        with suppress(AssertionError):
            until(_is_back, "the operator is back", 90)


def _down(ground: Ground, names: list[str]) -> str:
    ground.begin()
    play = Play.begin(ground, None)
    kubectl("scale", "deployment", "-n", SYSTEM, "--all", "--replicas=0")
    until(lambda: not items("pods", "-n", SYSTEM, "-l", "holdfast.dev/process"), "it is away")
    body = scenario("hands-down", ("one",))
    kubectl("create", "-f", "-", stdin=json.dumps(body))
    for name in names:
        play.cure((f"kubectl patch {name} --type=merge -p '{KEEP}'",))
        play.cure((f"kubectl delete {name} --wait=false",))
    held = [n for n in names if play.do(f"kubectl get {n}") == ""]
    assert held == names, f"only these hang: {held}"
    assert ground.customer.last(ground.space).addresses, "and answer"
    began = time.time()
    for name in names:
        play.cure((f"kubectl patch {name} --type=merge -p '{FREE}'",))
    until(lambda: all(play.do(f"kubectl get {n}") for n in names), "all are gone", 30)
    took = time.time() - began
    return (
        f"each hangs alone, the name is answered; each goes when its finalizer does ({took:.1f} s)"
    )


def _is_back() -> bool:
    found = items("deployments", "-n", SYSTEM)
    return bool(found) and all(d["status"].get("availableReplicas") for d in found)
