"""What is waited for after a hand's edit, and in which words a table has it."""

import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Protocol

from e2e.cluster_tools import run, until
from e2e.hand_ground import ENDPOINT, REGION, Ground, State

Json = dict[str, Any]

HOLDFAST = Path(sys.executable).with_name("holdfast")
SELF_REPAIR_SECONDS = 1.5
"""What self-repair mends, it has begun to mend by then: see REPAIR_AFTER_SECONDS."""
STAYS_SECONDS = 1.5
DONE_SECONDS = 3.0
"""Nothing is written for so long once all enactors have had their turn. On a busy machine one may
come a second after the others, and mends what was edited meanwhile."""
DENIED = "denied request: "
ABOVE = "a plan above it"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SHOWN = 32
UID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass
class Play:
    """One case on its ground. `before` is what there was, `told` how often each reason of an Event
    had been said, `began` when the edit was begun."""

    ground: Ground
    body: Callable[["Play"], Json] | None
    before: State
    told: dict[str, int]
    began: float
    refusal: str = ""

    @classmethod
    def begin(cls, ground: Ground, body: Callable[["Play"], Json] | None) -> "Play":
        until(ground.is_newest, "the name is healthy before the edit", 30)
        if not ground.regular:
            _until_done(ground)
        told = dict[str, int]()
        for event in ground.events():
            reason = event["reason"]
            told[reason] = told.get(reason, 0) + int(event.get("count") or 1)
        return cls(ground, body, ground.state(), told, time.time())

    @property
    def words(self) -> dict[str, str]:
        """What stands for the `$` of commands."""
        state, live = self.before, self.before.generation
        tree = state.trees[live]["metadata"]
        pins = [p for p in tree.get("annotations") or () if p.startswith("pin.holdfast.dev/")]
        return {
            "SPACE": self.ground.space,
            "TREE": f"{ENDPOINT}-p{live}",
            "SLICE": state.slice_of(live),
            "GENERATION": str(live),
            "OLDER": str(live - 1),
            "NEXT": str(state.newest + 1),
            "FORGED": str(live + 50),
            "PLAN": f"plan-{state.newest:010d}",
            "OLDPLAN": f"plan-{min(state.plans):010d}",
            "PINS": " ".join(f"{p}-" for p in pins),
        }

    def do(self, command: str) -> str:
        """Enter a command. What it says if it is refused, else ""."""
        words = shlex.split(Template(command).substitute(self.words), comments=True)
        program = str(HOLDFAST) if words[0] == "holdfast" else words[0]
        text = json.dumps(self.body(self)) if "-f" in words and self.body else ""
        done = run(program, *words[1:], "-n", self.ground.space, stdin=text, timeout=60)
        return done.stderr if done.returncode else ""

    def edit(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            self.refusal = self.do(command)
            assert not self.refusal or command == commands[-1], self.refusal

    def since(self, began: float) -> str:
        return f"{time.time() - began:.1f} s"

    def taken(self) -> None:
        assert not self.refusal, f"it was refused: {self.refusal}"

    def cure(self, commands: tuple[str, ...]) -> None:
        for command in commands:
            said = self.do(command)
            assert not said, f"{command}: {said}"

    def go_on(self) -> None:
        """All is well, and a plan that is newer goes live."""
        self.ground.next_plan()

    def whose(self) -> str:
        """By whom the name was made whole again."""
        now = self.ground.state()
        if self.event("Overtaken"):
            return ABOVE
        return "self-repair" if now.generation == self.before.generation else "the next plan"

    def event(self, reason: str) -> str:
        """The message of an Event that has been said since; "" if none has."""
        if self.ground.told(reason) <= self.told.get(reason, 0):
            return ""
        said = [e for e in self.ground.events() if e["reason"] == reason]
        return str(max(said, key=lambda e: str(e.get("lastTimestamp")))["message"])


class Reaction(Protocol):
    """`see` waits for it and says what came. It fails if it does not come, and leaves the name
    healthy."""

    def see(self, play: Play) -> str: ...


@dataclass(frozen=True, slots=True)
class Refused:
    says: str

    def see(self, play: Play) -> str:
        assert DENIED in play.refusal, f"taken, or refused otherwise: {play.refusal}"
        said = " ".join(play.refusal.split()).partition(DENIED)[2]
        assert self.says in said, said
        until(play.ground.is_healthy, "all is as it was", 5)
        return f"refused: {short(said.partition(': pin.holdfast.dev/')[0])}"


@dataclass(frozen=True, slots=True)
class Repaired:
    """`by`: self-repair, the next plan, or a plan above it. `shows`: something is wrong before."""

    by: str
    shows: bool = True
    patience: float = 30

    def see(self, play: Play) -> str:
        play.taken()
        ground, began, told = play.ground, play.began, ""
        if self.by == "the next plan":
            if self.shows:
                wait_at_most(ground.is_newest, SELF_REPAIR_SECONDS)
                assert not ground.is_newest(), "it was repaired without a plan"
            if not ground.regular:
                began, told = time.time(), "stays until the next plan: "
                ground.append()
                newest = play.before.newest
                until(lambda: ground.state().newest > newest, "a plan is made")
        until(ground.is_newest, f"repaired by {self.by}", self.patience)
        took = play.since(began)
        if self.by == ABOVE:
            wait_at_most(lambda: bool(play.event("Overtaken")), 5.0)
        whose = play.whose()
        assert whose == self.by, f"repaired by {whose}"
        return f"{told}repaired after {took}, by {whose}"


@dataclass(frozen=True, slots=True)
class Said:
    """An Event of this reason on the Region, and conditions: `applied` of an enactor, `ready` of
    the planner. `region`: on another Region than ours. `pushes`: it is said when a plan is due.
    Then `cures` are entered."""

    event: str
    applied: str = ""
    ready: str = ""
    region: str = REGION
    cures: tuple[str, ...] = ()
    pushes: bool = True

    def see(self, play: Play) -> str:
        play.taken()
        ground = play.ground
        for _ in range(8):
            if self.pushes and not ground.regular:
                ground.append()
            wait_at_most(lambda: bool(play.event(self.event)), 4.0)
            if play.event(self.event):
                break
        assert play.event(self.event), f"Event {self.event} was not said"
        said = (
            f"Event `{self.event}` after {play.since(play.began)}: {short(play.event(self.event))}"
        )
        if self.applied:
            until(lambda: bool(self._zone(play)), f"condition {self.applied}", 30)
            said += f"; condition `<zone>.holdfast.dev/Applied` False, `{self.applied}`"
        ready = self.ready or (self.event if self.region != REGION else "")
        if ready:
            until(lambda: self._ready(play) == ready, f"condition Ready {ready}", 30)
            said += f"; condition `Ready` False, `{ready}`"
        began = time.time()
        play.cure(self.cures)
        if not ground.regular:
            ground.append()
        until(lambda: ground.state().newest > 0 and ground.is_newest(), "all is well again", 40)
        play.go_on()
        if self.cures:
            told = " and ".join(f"`{c}`" for c in self.cures)
            return f"{said}; cured by {told}, in {play.since(began)}"
        return f"{said}; the next plan goes above it"

    def _zone(self, play: Play) -> str:
        """A zone whose enactor says so."""
        for zone in ZONES:
            found = play.ground.condition(f"{zone}.holdfast.dev/Applied")
            if (found.get("status"), found.get("reason")) == ("False", self.applied):
                return zone
        return ""

    def _ready(self, play: Play) -> str:
        found = play.ground.condition("Ready", self.region)
        return str(found["reason"]) if found.get("status") == "False" else ""


@dataclass(frozen=True, slots=True)
class Ignored:
    why: str = ""

    def see(self, play: Play) -> str:
        play.taken()
        assert play.ground.customer.last(play.ground.space).addresses
        play.go_on()
        assert play.ground.state().generation > play.before.generation
        return f"ignored{': ' + self.why if self.why else ''}; plans go on"


@dataclass(frozen=True, slots=True)
class Shown:
    """`seen` waits for what is described, and may be followed by a cure and what is seen of it."""

    what: str
    seen: Callable[[Play], None]
    cures: tuple[str, ...] = ()
    cured: Callable[[Play], None] | None = None

    def see(self, play: Play) -> str:
        play.taken()
        self.seen(play)
        said = f"{self.what} (seen after {play.since(play.began)})"
        play.cure(self.cures)
        if self.cured is not None:
            self.cured(play)
        play.go_on()
        return said


@dataclass(frozen=True, slots=True)
class Hangs:
    """Its deletion is asked for and does not end, until a cure lets it go; meanwhile `goes`."""

    what: str
    goes: Callable[[Play], None] | None
    says: str
    cures: tuple[str, ...]

    def see(self, play: Play) -> str:
        play.taken()
        ground, name = play.ground, Template(self.what).substitute(play.words)
        if self.goes is None:  # it goes with the plans that come
            for _ in range(4):
                ground.next_plan()
        until(lambda: bool(_deleting(ground, name)), f"{name} is asked to go")
        if self.goes is not None:
            self.goes(play)
        assert _deleting(ground, name), "and has not gone"
        uid = _deleting(ground, name)
        began = time.time()
        play.cure(self.cures)
        until(lambda: _uid(ground, name) != uid, f"{name} has gone")
        said = f"hangs: {self.says}; gone {play.since(began)}"
        until(ground.is_newest, "all is well", 40)
        play.go_on()
        return f"{said} after `{self.cures[0]}`"


def short(text: str) -> str:
    """So many words, without uids: a line that is the same in every run but for its numbers."""
    words = re.sub(UID, "<uid>", text).split()
    return " ".join(words[:SHOWN]) + (" ..." if len(words) > SHOWN else "")


def wait_at_most(true: Callable[[], bool], seconds: float) -> None:
    """Until a condition, or until it has had its time."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)


def stays(true: Callable[[], bool], what: str) -> None:
    """A condition that is not to change for a while."""
    end = time.monotonic() + STAYS_SECONDS
    while time.monotonic() < end:
        assert true(), what
        time.sleep(0.1)


def _until_done(ground: Ground) -> None:
    """Until the slowest enactor has had its turn: behind some fences it writes after the others."""
    seen: list[tuple[object, float]] = [(None, 0.0)]

    def done() -> bool:
        state, now = ground.state(), time.monotonic()
        versions = [o["metadata"]["resourceVersion"] for o in (state.alias, *state.trees.values())]
        if versions != seen[0][0]:
            seen[0] = versions, now
        return now - seen[0][1] > DONE_SECONDS

    until(done, "all enactors are done", 30)


def _object(ground: Ground, name: str) -> Json:
    done = run("kubectl", "get", *name.split(), "-n", ground.space, "-o", "json")
    found: Json = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def _uid(ground: Ground, name: str) -> str:
    return str(_object(ground, name).get("metadata", {}).get("uid", ""))


def _deleting(ground: Ground, name: str) -> str:
    """The uid of what is about to go."""
    meta = _object(ground, name).get("metadata", {})
    return str(meta["uid"]) if "deletionTimestamp" in meta else ""


# --- what is seen of some


def dropped(play: Play) -> None:
    """The alias has lost a foreign finalizer."""
    if not play.ground.regular:
        play.ground.append()
    until(lambda: not play.ground.state().alias["metadata"].get("finalizers"), "it is gone", 30)


def kept_while_pinned(play: Play) -> None:
    ground, live = play.ground, play.before.generation
    later = 0
    for _ in range(5):
        ground.next_plan()
        later = later or ground.state().generation
    until(lambda: later not in ground.state().trees, "the tree after it is cleaned away")
    assert live in ground.state().trees, "the pinned one stays"
    assert not play.do("kubectl annotate service $TREE pin.holdfast.dev/somebody-")
    ground.next_plan()
    until(lambda: live not in ground.state().trees, "and goes when the pin is taken off")


def guards_told(play: Play) -> None:
    profile = play.ground.guards
    assert profile == {"profile": "safe"}
    until(lambda: _told(play.ground) == "Generation", "guards are told as they are")
    status = play.ground.region()["status"]
    assert status["newestPlan"] == play.ground.state().newest


def _told(ground: Ground) -> str:
    return str(ground.region().get("status", {}).get("guards", {}).get("dns", {}).get("fence", ""))


def conditions_whole(play: Play) -> None:
    wanted = {"Ready", "Frozen", *(f"{z}.holdfast.dev/Applied" for z in ZONES)}
    until(lambda: {c["type"] for c in play.ground.conditions()} == wanted, "all are back", 30)


def in_force(fence: str) -> Callable[[Play], None]:
    return lambda play: until(lambda: _told(play.ground) == fence, f"{fence} is in force")


def born(play: Play) -> None:
    until(lambda: _alias(play, "iam") == play.ground.state().newest, "iam is served")


def _alias(play: Play, name: str) -> int:
    found = _object(play.ground, f"service {name}").get("metadata", {}).get("annotations", {})
    return int(found.get("holdfast.dev/plan-generation", -1))


def orphan_kept(play: Play) -> None:
    named = _named(play, "iam")
    for _ in range(5):
        play.ground.next_plan()
    assert _named(play, "iam") == named
    assert _uid(play.ground, f"service {named}"), "its tree is there"


def orphan_lost(play: Play) -> None:
    named = _named(play, "iam")
    for _ in range(5):
        play.ground.next_plan()
    assert _named(play, "iam") == named
    assert not _uid(play.ground, f"service {named}"), "its tree is cleaned away"


def _named(play: Play, name: str) -> str:
    found = _object(play.ground, f"service {name}").get("spec", {}).get("externalName", "")
    return str(found).partition(".")[0]


def retained(play: Play) -> None:
    """With a retention of one: the live tree, the one before it, and one that is to go: pins are
    taken off by one plan's cleaning, and the tree goes with the next."""

    def few() -> bool:
        found = play.ground.state()
        return len([t for t in found.trees if t < found.generation]) <= 2

    for _ in range(4):
        play.ground.next_plan()
        wait_at_most(few, 1.0)
    assert few(), sorted(play.ground.state().trees)


def goes_on(play: Play) -> None:
    play.ground.next_plan()


def stopped(play: Play) -> None:
    """No plan is made any more."""
    newest = play.ground.state().newest
    play.ground.append()
    stays(lambda: play.ground.state().newest == newest, "its automation has ended")
