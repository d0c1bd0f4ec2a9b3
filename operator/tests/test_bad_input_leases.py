"""Bad input about leases: what `simulate` and `check` refuse as the API server does, and what no
schema can see, which is refused where a Scenario is read, on a cluster by the scenario role."""

import re
from typing import Any

import pytest

from holdfast.cli import main
from holdfast.cli.check import load
from holdfast.cli.files import ForPeople
from holdfast.cli.strict import admit
from holdfast.core.leases.fleet import Fleet, broken_rules, fleet_of
from holdfast.core.scenario import scenario_of

A = "us-east-1a"
SCALE = {"scale": {"role": "store", "replicas": 0}}
AT_WRITE = {"role": "leases", "zone": A, "at": "write"}
SOON = {"afterSeconds": 1}


def scenario(**spec: Any) -> dict[str, Any]:
    arms = [{"name": "one", "expect": "OutagePrevented"}]
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "bad"},
        "spec": {"arms": arms, **spec},
    }


def fleet(**fields: Any) -> dict[str, Any]:
    return scenario(region={"fleet": fields})


def own(fields: dict[str, Any], **of_region: Any) -> dict[str, Any]:
    arm = {"name": "one", "expect": "Either", "fleet": fields}
    return scenario(arms=[arm], **({"region": {"fleet": of_region}} if of_region else {}))


def with_leases(*timeline: dict[str, Any]) -> dict[str, Any]:
    return scenario(region={"fleet": {}}, timeline=list(timeline))


def refused(raw: dict[str, Any]) -> str:
    with pytest.raises(ForPeople) as error:
        admit(raw, "file.yaml")
    return str(error.value)


def order(**told: Any) -> dict[str, Any]:
    return {"operator": told, "when": SOON}


def hold(**told: Any) -> dict[str, Any]:
    return {"hold": {**AT_WRITE, **told}, "until": SOON}


# --- as the API server


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"heartbeatMilliseconds": 3001}, "3.001 s is more than a third of durationSeconds, 9"),
        ({"durationSeconds": 8}, "3 s is more than a third of durationSeconds, 8"),
        ({"timeoutMilliseconds": 9000}, "9 s is not below durationSeconds, 9"),
        ({"renewMilliseconds": 501}, "0.501 s is more than establishMilliseconds, 0.5 s"),
        ({"racks": 126}, "5040 in all are more than 5000, the most in mode Droplet"),
        (
            {"mode": "Rack", "durationSeconds": 4095},
            "4095 s is more than 4094, the most in mode Rack",
        ),
        ({"restarts": {"us-east-1z": 1}}, "'us-east-1z' is no zone of the region"),
        ({"restarts": {A: -1}}, "restarts.us-east-1a: -1 is less than 0"),
        ({"restarts": {A: 10**7}}, "restarts.us-east-1a: 10000000 is more than 1000000"),
        ({"restarts": {A: "once"}}, "restarts.us-east-1a: 'once' is not of type integer"),
        ({"restarts": {A: None}}, "restarts.us-east-1a: None is not of type integer"),
        ({"restarts": {f"z{n}": 1 for n in range(11)}}, "11 fields, at most 10"),
        ({"dropelts": 40}, "dropelts: unknown field"),
        ({"admitAtMost": 0}, "admitAtMost: 0 is less than 1"),
        ({"mode": "Racks"}, "'Racks' is none of Droplet, Rack"),
    ],
)
def test_a_fleet_out_of_bounds_is_refused(fields: dict[str, Any], why: str) -> None:
    assert why in refused(fleet(**fields))


def test_a_fleet_at_its_bounds_is_taken() -> None:
    at_bounds = {
        "racks": 125,
        "heartbeatMilliseconds": 3000,
        "timeoutMilliseconds": 8999,
        "renewMilliseconds": 500,
        "restarts": {A: 0, "us-east-1c": 1000000},
    }
    assert admit(fleet(**at_bounds), "file.yaml")["spec"]["region"]["fleet"]["droplets"] == 40
    admit(fleet(mode="Rack", racks=126), "file.yaml")
    for duration in range(1, 100):
        admit(fleet(durationSeconds=duration * 3, heartbeatMilliseconds=duration * 1000), "f")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (order(command="throttle"), "throttle, and nothing else, has an admitAtMost"),
        (order(command="freeze", admitAtMost=9), "throttle, and nothing else"),
        (order(command="throttle", admitAtMost=-1), "-1 is less than 0"),
        (order(command="thaw", zone=A), "restart, and nothing else, names a zone"),
        (order(command="throttle", admitAtMost=1, zone=A), "restart, and nothing else"),
        (order(command="restart", zone="us-east-1z"), "'us-east-1z' is no zone of the region"),
        ({**SCALE, "when": {"leasesLost": 101}}, "101 is more than 100"),
        ({"scale": {"role": "leases", "replicas": 3}, "when": SOON}, "3 is more than 2"),
        (hold(at="turn"), "lease managers are held at write"),
        (hold(role="enactor"), "enactors at the other steps"),
        (hold(role="enactor", at="turn", droplet="d"), "belong to role leases"),
        (hold(role="enactor", at="turn", when={"leasesHeld": 1}), "belong to role leases"),
        (hold(endpoint="dynamodb"), "an endpoint belongs to tree"),
        (hold(droplet="Ä"), "does not match"),
        ({"lostReply": {"role": "leases", "zone": A, "at": "turn"}}, "'leases' is none of"),
    ],
)
def test_an_entry_that_the_api_server_would_refuse_is_refused(
    entry: dict[str, Any], why: str
) -> None:
    assert why in refused(with_leases(entry))


def test_what_can_be_done_to_leases_is_taken() -> None:
    taken = [
        order(command="throttle", admitAtMost=0),
        order(command="restart"),
        order(command="restart", zone=A),
        hold(droplet="us-east-1a-r1-d1", when={"leasesHeld": 100}),
        {"scale": {"role": "rack", "replicas": 2}, "when": {"leasesHeld": 100}},
        {"scale": {"role": "leases", "replicas": 0}, "when": {"held": A}},
    ]
    admit(with_leases(*taken), "file.yaml")


# --- what no schema can see


@pytest.mark.parametrize(
    ("of_arm", "of_region", "why"),
    [
        ({"heartbeatMilliseconds": 4000}, {}, "fleet.heartbeatMilliseconds: 4 s is more than a"),
        ({"durationSeconds": 6}, {"heartbeatMilliseconds": 2500}, "a third of durationSeconds, 6"),
        ({"timeoutMilliseconds": 9000}, {"workers": 2}, "fleet.timeoutMilliseconds: 9 s is not"),
        ({"establishMilliseconds": 40}, {"workers": 2}, "fleet.renewMilliseconds: 0.05 s is more"),
        ({"racks": 20}, {"droplets": 300}, "fleet.droplets: 6000 in all are more than 5000"),
        ({"mode": "Droplet"}, {"mode": "Rack", "racks": 900}, "fleet.droplets: 36000 in all"),
        ({"restarts": {"us-east-1z": 1}}, {"racks": 1}, "us-east-1z is no zone of the region"),
    ],
)
def test_an_arms_fleet_is_bounded_together_with_its_regions(
    of_arm: dict[str, Any], of_region: dict[str, Any], why: str
) -> None:
    raw = own(of_arm, **of_region)
    with pytest.raises(ValueError, match=f"arm one: .*{re.escape(why)}"):
        scenario_of("bad", "", raw["spec"])
    assert why in refused(raw)


def test_either_alone_would_do() -> None:
    admit(fleet(heartbeatMilliseconds=2500), "file.yaml")
    admit(own({"durationSeconds": 6}, heartbeatMilliseconds=2000), "file.yaml")


NEEDS = [
    ({"scale": {"role": "rack", "replicas": 0}, "when": SOON}, "scale rack"),
    ({"scale": {"role": "leases", "replicas": 2}, "when": SOON}, "scale leases"),
    (order(command="throttle", admitAtMost=1), "operator throttle"),
    (order(command="restart"), "operator restart"),
    ({**SCALE, "when": {"leasesHeld": 100}}, "when.leasesHeld"),
    ({**SCALE, "when": {"leasesLost": 0}}, "when.leasesLost"),
    ({**hold(role="enactor", at="turn"), "until": {"leasesLost": 5}}, "until.leasesLost"),
    (hold(), "a hold of leases"),
]


@pytest.mark.parametrize(("entry", "what"), NEEDS)
def test_what_needs_leases_is_refused_where_there_are_none(
    entry: dict[str, Any], what: str
) -> None:
    told = f"arm one: timeline[1]: {what} needs a fleet, and there is none"
    raw = scenario(timeline=[{**SCALE, "when": SOON}, entry])
    with pytest.raises(ValueError, match=re.escape(told)):
        scenario_of("bad", "", raw["spec"])
    assert told in refused(raw)
    admit(with_leases(entry), "file.yaml")


def test_a_fleet_of_one_arm_is_no_other_arms() -> None:
    arms = [
        {"name": "with", "expect": "Either", "fleet": {"workers": 2}},
        {"name": "without", "expect": "Either"},
    ]
    raw = scenario(arms=arms, timeline=[NEEDS[0][0]])
    assert "arm without: timeline[0]" in refused(raw)
    arms[1]["timeline"] = []  # type: ignore[assignment]
    first, second = scenario_of("s", "", admit(raw, "file.yaml")["spec"]).arms
    assert (first.fleet, second.fleet) == (fleet_of({"workers": 2}), None)


def test_the_default_fleet_breaks_no_rule() -> None:
    assert list(broken_rules(Fleet())) == []


def test_every_command_refuses_with_a_sentence(tmp_path: Any, capsys: Any) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(str(scenario(timeline=[NEEDS[0][0]])))
    for command in ("simulate", "check"):
        assert main([command, str(file)]) == 2
        assert "needs a fleet" in capsys.readouterr().err
    with pytest.raises(ForPeople, match="needs a fleet"):
        load(str(file))
