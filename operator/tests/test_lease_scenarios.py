"""The packaged Scenarios of leases, in virtual time: what comes of each, whatever the seed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from holdfast.cli.strict import admit
from holdfast.core.guards import AWS_2025, AWS_LEASES, LEASE_PROFILES, SAFE_LEASES, effective
from holdfast.core.intents import Intent, Replace
from holdfast.core.invariants import Invariant
from holdfast.core.leases.lease import DropletLease
from holdfast.core.leases.rules import recovery_seconds
from holdfast.core.replies import Conflict, Reply, Written
from holdfast.core.scenario import scenario_of
from holdfast.core.verdict import HOLDS
from holdfast.fake import Lost
from holdfast.sim.scenario import simulate
from holdfast.sim.server import Server

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/result.schema.json").read_text())
NAMES = [
    "lease-collapse",
    "lease-restart",
    "lease-throttle",
    "lease-cost",
    "rack-loss",
    "split-holder",
    "dns-to-leases",
    "zombie-manager",
]


COLLAPSED = {"Stuck": {"HoldfastLeaseCollapse"}, "RecoveredByItself": set()}


def load(name: str) -> dict[str, Any]:
    file = ROOT / f"scenarios/{name}.yaml"
    return admit(yaml.safe_load(file.read_text()), str(file))


def arms(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {arm["name"]: arm for arm in document["arms"]}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_passes_whatever_the_seed(name: str, seed: int) -> None:
    result = simulate(load(name), seed)
    assert result["verdict"] == "Pass", result["message"]
    jsonschema.validate(result, SCHEMA)


def test_a_seed_reproduces_everything() -> None:
    assert simulate(load("lease-restart"), 7) == simulate(load("lease-restart"), 7)


def test_the_load_is_the_same_before_and_after() -> None:
    """The collapse comes from the queue: what is offered has not changed."""
    aws = arms(simulate(load("lease-collapse")))["aws-2025"]["leases"]
    assert aws["offered"]["renewLoad"] < 0.2
    before = [n for t, n in aws["goodput"] if 11 < t < 15]
    after = [n for t, n in aws["goodput"] if t > aws["faultEndedAt"] + 15]
    assert min(before) > 90, "every lease is renewed in every period"
    assert max(after) == 0


def test_who_does_not_come_back_is_told_of_and_nobody_else() -> None:
    """No sooner than twenty seconds after the store's return: who comes back alone has by then."""
    for arm in simulate(load("lease-collapse"))["arms"]:
        told, leases = arm["dns"]["alerts"], arm["leases"]
        assert set(told) == COLLAPSED[leases["metastability"]], arm["name"]
        assert all(20 < alert["afterFaultSeconds"] <= 60 for alert in told.values())


def test_one_zone_that_collapses_is_told_of_beside_two_that_are_well() -> None:
    raw = load("lease-collapse")
    (aws,) = (arm for arm in raw["spec"]["arms"] if arm["name"] == "aws-2025")
    raw["spec"]["arms"] = [{**aws, "expect": "Either"}]
    raw["spec"]["settleSeconds"] = 60
    gone, back = raw["spec"]["timeline"]
    racks = {"role": "rack", "zone": "us-east-1a"}
    gone["scale"], back["scale"] = {**racks, "replicas": 0}, {**racks, "replicas": 2}
    back["when"] = {"leasesLost": 30}
    (arm,) = simulate(raw)["arms"]
    assert arm["leases"]["heldLeast"] == arm["leases"]["heldAtEnd"] == 80
    assert set(arm["dns"]["alerts"]) == {"HoldfastLeaseCollapse"}


@pytest.mark.parametrize("guard", HOLDS[Invariant.ALL_RECOVER])
def test_the_guards_that_are_named_lead_out_alone(guard: str) -> None:
    name, _, rung = guard.removeprefix("leases.").partition("=")
    assert metastability({name: rung}) == "RecoveredByItself"


def test_the_others_do_not() -> None:
    named = {g.removeprefix("leases.").partition("=")[0] for g in HOLDS[Invariant.ALL_RECOVER]}
    safe = effective(AWS_2025, SAFE_LEASES)["leases"]
    for name, rung in safe.items():
        if name not in named:
            assert metastability({name: rung}) == "Stuck", name


def metastability(guards: dict[str, str]) -> str:
    raw = load("lease-collapse")
    raw["spec"]["arms"] = [
        {
            "name": "a",
            "expect": "Either",
            "guards": {"profile": "safe", "leases": {"profile": "aws-2025", **guards}},
        }
    ]
    (arm,) = simulate(raw)["arms"]
    return str(arm["leases"]["metastability"])


def test_a_safe_fleet_recovers_within_the_formula() -> None:
    """1.5 times backlog / capacity, and 1.2 times the formula, from the end of the fault, which is
    when the store's process is told to start."""
    for seed in range(5):
        told = arms(simulate(load("lease-collapse"), seed))["safe"]["leases"]
        fleet = scenario_of("s", "", load("lease-collapse")["spec"]).arms[0].fleet
        assert fleet is not None
        backlog = fleet.units * fleet.establish / fleet.workers
        assert told["recoverySeconds"] <= 1.5 * backlog
        formula = recovery_seconds(fleet)
        assert formula is not None
        assert told["recoverySeconds"] <= 1.2 * formula


def test_restart_and_throttle_together_are_the_quickest_way_out() -> None:
    found = {n: a["leases"].get("recoverySeconds") for n, a in arms(restart()).items()}
    assert (found["nothing"], found["relist-all"], found["spread"]) == (None, None, None)
    assert found["both"] < 0.5 * found["throttle"]


def restart() -> dict[str, Any]:
    return simulate(load("lease-restart"))


def test_two_managers_contend_and_the_resource_version_decides() -> None:
    for arm in simulate(load("split-holder"))["arms"]:
        assert arm["leases"]["attempts"]["theirs"] > 0
        assert "SingleHolder" not in arm["invariantsBroken"]


def test_a_lease_that_is_taken_from_its_holder_is_noticed(monkeypatch: Any) -> None:
    """The check must be able to fail: a manager that asks nobody breaks SingleHolder."""
    monkeypatch.setattr("holdfast.core.leases.attempt.may_take", lambda *_: True)
    (aws, _) = simulate(load("split-holder"))["arms"]
    assert "SingleHolder" in aws["invariantsBroken"]


Put = tuple[float, str, Reply]
"""When a lease was written, as whose, and what the API server said."""


def zombie(monkeypatch: Any, fenced: bool = True) -> list[tuple[dict[str, Any], list[Put]]]:
    """The arms of zombie-manager, each with its writes; not `fenced`: under whatever version the
    lease has when the write arrives, which is none."""
    puts: list[Put] = []

    def perform(server: Server, intent: Intent, lost: Lost | None = None) -> Reply:
        if not isinstance(intent, Replace) or not isinstance(intent.obj, DropletLease):
            return performed(server, intent, lost)
        if not fenced:
            there = server.api.objects[DropletLease, intent.obj.name]
            version = there.resource_version
            intent = Replace(replace(intent.obj, uid=there.uid, resource_version=version))
        reply = performed(server, intent, lost)
        puts.append((server._kernel.now, intent.obj.holder, reply))
        return reply

    performed = Server.perform
    monkeypatch.setattr(Server, "perform", perform)
    found = []
    document = load("zombie-manager")
    for arm in document["spec"]["arms"]:
        spec = {**document["spec"], "arms": [arm]}
        (told,) = simulate({**document, "spec": spec})["arms"]
        found.append((told, puts.copy()))
        puts.clear()
    return found


def test_what_a_zombie_had_decided_is_refused_by_the_version_it_bears(monkeypatch: Any) -> None:
    for arm, puts in zombie(monkeypatch):
        stands = {
            line["event"]: line["t"] for line in arm["timeline"] if line.get("actor") == "leases"
        }
        first = {who: t for t, who, _ in reversed(puts) if who.startswith("us-east-1a/")}
        (one, _), (two, began) = sorted(first.items(), key=lambda seen: seen[1])
        assert stands["held"] < began < stands["released"]
        late = [(t, reply) for t, who, reply in puts if who == one and t > began]
        assert late
        assert min(t for t, _ in late) > stands["released"], "nothing of it is written meanwhile"
        assert all(isinstance(reply, Conflict) for _, reply in late)
        assert arm["leases"]["attempts"]["conflicts"] == len(late), "and it tells so"
        assert arm["leases"]["heldLeast"] < arm["leases"]["heldAtEnd"] == 24
        assert [t for t, who, reply in puts if who == two and isinstance(reply, Written)]


def test_a_zombie_that_writes_without_a_version_takes_a_lease_from_its_holder(
    monkeypatch: Any,
) -> None:
    """The fence is what holds: without it the same Scenario is red, under either profile."""
    for arm, puts in zombie(monkeypatch, fenced=False):
        assert not [reply for _, _, reply in puts if isinstance(reply, Conflict)]
        assert "SingleHolder" in arm["invariantsBroken"]
        assert arm["verdict"] == "Fail"


def test_every_rung_of_the_profiles_is_told() -> None:
    for guards in LEASE_PROFILES.values():
        assert set(effective(AWS_2025, guards)["leases"]) == set(
            effective(AWS_2025, AWS_LEASES)["leases"]
        )
    assert effective(AWS_2025) == {"dns": effective(AWS_2025)["dns"]}
    assert replace(AWS_LEASES, expired=SAFE_LEASES.expired) != AWS_LEASES
