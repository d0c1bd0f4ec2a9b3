"""Both families and several endpoints: plans, trees, answers, and a plan applied in part."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import jsonschema
import pytest
from drive import A, Driven, plan, rules

from holdfast.cli.files import ForPeople, read_scenario
from holdfast.cli.strict import admit
from holdfast.core.announced import addresses, is_usable
from holdfast.core.answers import Answer, Tally, told_families
from holdfast.core.document import arm_document, evidence_of, mixed_trees
from holdfast.core.enactor import enact
from holdfast.core.guards import AWS_2025
from holdfast.core.holds import ActorView, catcher, hold_of
from holdfast.core.intents import Create, Prove
from holdfast.core.ledger import AliasSeen, Ledger, SliceSeen, TreeSeen
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan, Slice, Tree
from holdfast.core.record import Record
from holdfast.core.scenario import Arm, scenario_of
from holdfast.fake import FakeApi
from holdfast.live.planner_role import front_ends
from holdfast.live.probe import Probe
from holdfast.live.resolver import Server
from holdfast.sim.scenario import simulate

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/result.schema.json").read_text())
V4, V6 = "10.0.1.1", "fd00::1:1"
NAMES = ("dynamodb", "kinesis", "sqs")


@pytest.mark.parametrize(
    ("own", "announced", "families", "found"),
    [
        (["10.0.0.1"], [V6], ["IPv4", "IPv6"], ("10.0.0.1", V6)),
        (["10.0.0.1"], [V6], ["IPv4"], ("10.0.0.1",)),
        (["10.0.0.1"], [V6], ["IPv6"], (V6,)),
        (["10.0.0.1"], [], ["IPv4", "IPv6"], ("10.0.0.1",)),
        (["10.0.0.1", "fd00::a"], [V6], ["IPv4", "IPv6"], ("10.0.0.1", "fd00::a")),
        (["10.0.0.1"], ["FD00:0:0::0001"], ["IPv6"], ("fd00::1",)),
        (["10.0.0.1"], ["fe80::1", "nonsense", V6], ["IPv6"], (V6,)),
    ],
)
def test_a_front_end_has_its_own_address_of_a_family_or_else_the_announced_one(
    own: list[str], announced: list[str], families: list[Any], found: tuple[str, ...]
) -> None:
    assert addresses(own, announced, families) == found


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::"),
        *("::ffff:10.0.0.1", "fe80::1%eth0", "fd00::1%1", "10.0.0.01", "10.0.0.1/24", "", "x"),
    ],
)
def test_what_no_name_may_answer_with_is_left_out(address: str) -> None:
    assert not is_usable(address)


def pod(announced: str = "", **status: Any) -> dict[str, Any]:
    notes = {"holdfast.dev/capacity": "50"}
    if announced:
        notes["holdfast.dev/addresses"] = announced
    ready = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"annotations": notes},
        "status": {"conditions": ready, "podIP": V4, **status},
    }


def test_a_pod_is_a_front_end_of_every_family_that_it_has_or_announces() -> None:
    both = ["IPv4", "IPv6"]
    assert front_ends(pod(f"{V6}, 10.9.9.9"), both) == (FrontEnd(V4, 50), FrontEnd(V6, 50))
    own = pod(podIPs=[{"ip": V4}, {"ip": "2001:db8::7"}])
    assert front_ends(own, both) == (FrontEnd(V4, 50), FrontEnd("2001:db8::7", 50))
    assert front_ends(pod(), both) == (FrontEnd(V4, 50),)


def test_a_tree_has_a_slice_of_each_family_and_is_proved_in_both() -> None:
    api = FakeApi()
    api.perform(Create(plan(1, addresses=(V4, V6))))
    proved = Driven(enact(A, rules()), api)
    proved.finish()
    (proof,) = (i for i in proved.intents if isinstance(i, Prove))
    assert proof.addresses == (V4, V6)
    pieces = {p.family: p.addresses for p in api.objects.values() if isinstance(p, Slice)}
    assert pieces == {"IPv4": (V4,), "IPv6": (V6,)}
    assert api.answer("dynamodb") == (V4, V6)


def test_a_family_counts_from_its_first_good_answer_on() -> None:
    tally = Tally()
    for t in range(3):
        tally.add(t, Answer.OK, 1, "IPv4")
        tally.add(t, Answer.EMPTY, None, "IPv6")
    assert (tally.queries, tally.empty_seconds()) == (3, 0.0)
    assert tally.families == {"IPv4"}
    tally.add(3.0, Answer.OK, 2, "IPv6")
    tally.add(4.0, Answer.EMPTY, None, "IPv6")
    assert (tally.queries, tally.counts[Answer.EMPTY]) == (5, 1)


def test_an_emptiness_ends_when_no_family_is_empty_any_more() -> None:
    tally = Tally()
    for family in ("IPv4", "IPv6"):
        tally.add(0.0, Answer.OK, 1, family)
        tally.add(1.0, Answer.EMPTY, None, family)
    tally.add(2.0, Answer.OK, 2, "IPv4")
    assert tally.empty_seconds() == 1.0
    tally.add(3.0, Answer.OK, 2, "IPv6")
    assert (tally.empty_seconds(), tally.recovered) == (2.0, 3.0)
    tally.add(4.0, Answer.EMPTY, None, "IPv6")
    tally.add(4.1, Answer.OK, 2, "IPv4")
    tally.add(4.5, Answer.OK, 2, "IPv6")
    assert tally.empty_seconds() == pytest.approx(2.5)


def test_the_family_that_was_asked_a_moment_earlier_is_not_stale_for_it() -> None:
    tally = Tally()
    for family in ("IPv4", "IPv6"):
        tally.add(0.0, Answer.OK, 1, family)
    tally.add(1.0, Answer.OK, 2, "IPv4")
    assert (tally.newest("IPv4"), tally.newest("IPv6")) == (2, 1)
    tally.add(1.0, Answer.OK, 1, "IPv6")
    tally.add(1.1, Answer.OK, 2, "IPv6")
    assert tally.generations == [(0.0, 1), (1.0, 2)]


def test_families_are_told_that_every_name_is_answered_in() -> None:
    both, one = Tally(families={"IPv4", "IPv6"}), Tally(families={"IPv4"})
    asked: list[Any] = ["IPv4", "IPv6"]
    assert told_families(asked, [{"a": both, "b": both}]) == asked
    assert told_families(asked, [{"a": both}, {"a": one}]) == ["IPv4"]
    assert told_families(asked, [{"a": Tally()}]) == asked


def a_plan(generation: int, *fleet: str) -> Plan:
    front_ends = tuple(FrontEnd(a, 1) for a in fleet)
    return Plan(generation, tuple(EndpointPlan(e, front_ends) for e in NAMES))


def a_record() -> Record:
    record = Record(Arm("x", AWS_2025, {}, None, ()), NAMES)
    record.planned(0.0, 1, plan=a_plan(1, V4, V6))
    return record


def told(empty: int = 0, began: bool = True) -> dict[str, Any]:
    server = {"ok": 100 - empty, "stale": 0, "empty": empty, "endedAt": 10.0}
    server |= {"beganAt": 0.0} if began else {}
    return {
        "servers": {"authoritative": server, "resolver": server},
        "servedGenerations": {"authoritative": [], "resolver": []},
    }


def a_probe(**others: dict[str, Any]) -> dict[str, Any]:
    return {
        "families": ["IPv4", "IPv6"],
        "intervalSeconds": 0.2,
        "endedAt": 10.0,
        **told(),
        "endpoints": {"dynamodb": told(), **others},
    }


def test_every_endpoint_is_evidence() -> None:
    record = a_record()
    healthy = evidence_of(record, a_probe(kinesis=told(), sqs=told()))
    assert (healthy.empty_answers, healthy.coverage, healthy.healthy_at_first) == (0, 1.0, True)
    assert evidence_of(record, a_probe(kinesis=told(empty=3))).empty_answers == 6
    assert not evidence_of(record, a_probe(kinesis=told(began=False))).healthy_at_first


def test_a_family_that_plans_have_and_nobody_was_answered_in_is_missing_evidence() -> None:
    record = a_record()
    probe = {**a_probe(), "families": ["IPv4"]}
    assert not evidence_of(record, probe).healthy_at_first
    record.said = {"dynamodb-p1": (V4,)}
    assert evidence_of(record, probe).healthy_at_first


def test_an_answer_is_held_against_the_plan_of_its_tree() -> None:
    said = {"dynamodb-p1": (V4, V6), "dynamodb-p2": (V4,)}
    assert mixed_trees(said, {"dynamodb-p1": [[V4], [V6]]}) == ()
    assert mixed_trees(said, {"dynamodb-p1": [[V4, "10.0.2.1"]]}) == ("dynamodb-p1",)
    assert mixed_trees(said, {"dynamodb-p2": [["fd00::9"]]}) == ("dynamodb-p2",)
    assert mixed_trees(said, {"dynamodb-p9": [["10.0.3.1"]]}) == (), "nobody knows that plan"


def flip(ledger: Ledger, t: float, endpoint: str, generation: int) -> None:
    name = f"{endpoint}-p{generation}"
    ledger.see(t, TreeSeen(Tree(name, endpoint, generation, uid=name)), whole=False)
    ledger.see(t, SliceSeen(Slice(f"{name}-v4", name, name, "IPv4", (V4,))), whole=False)
    ledger.see(t, AliasSeen(Alias(endpoint, name, generation, resource_version=f"{t}")))


def parts(ledger: Ledger) -> list[tuple[float, str, str]]:
    lines = [x for x in ledger.timeline if x["event"] in ("partial", "whole")]
    return [(x["t"], x["event"], x.get("message", "")) for x in lines]


def test_a_plan_that_is_live_in_part_for_long_is_told_and_so_is_its_end() -> None:
    ledger = Ledger()
    for endpoint in NAMES:
        flip(ledger, 0.0, endpoint, 1)
    for t, endpoint in ((2.0, "dynamodb"), (2.1, "kinesis"), (2.2, "sqs")):
        flip(ledger, t, endpoint, 2)
    ledger.judge(9.0)
    assert parts(ledger) == [], "an ordinary round takes its way through them"
    flip(ledger, 10.0, "dynamodb", 3)
    ledger.judge(10.9)
    assert parts(ledger) == []
    ledger.judge(11.0)
    ledger.judge(12.0)
    flip(ledger, 13.0, "kinesis", 3)
    assert parts(ledger) == [(10.0, "partial", "dynamodb 3, kinesis 2, sqs 2")]
    flip(ledger, 13.1, "sqs", 3)
    assert parts(ledger)[1:] == [(13.1, "whole", "")]


def test_a_hold_may_name_the_endpoint_at_which_it_catches() -> None:
    raw = {"name": "h", "zone": "z", "at": "turn", "endpoint": "kinesis", "until": {}}
    hold = hold_of(raw)
    at = ActorView("z", "turn", 2, endpoint="dynamodb")
    assert catcher((hold,), at, {}, 2) is None
    at = ActorView("z", "turn", 2, endpoint="kinesis")
    assert catcher((hold,), at, {}, 2) == hold
    anywhere = hold_of({**raw, "endpoint": ""})
    assert catcher((anywhere,), at, {}, 2) == anywhere


def partial() -> dict[str, Any]:
    return admit(read_scenario("partial"), "partial")


def test_a_holds_endpoint_gets_from_the_timeline_to_the_region() -> None:
    (arm, _) = scenario_of("partial", "uid", partial()["spec"]).arms
    assert [h.get("endpoint") for h in arm.holds] == [None, "kinesis", None, None]


@pytest.mark.parametrize(
    ("hold", "why"),
    [
        ({"endpoint": "s3"}, "'s3' is no endpoint of the region"),
        ({"endpoint": "sqs", "at": "list"}, "an endpoint belongs to tree, turn, read, flip"),
        ({"endpoint": "SQS"}, "does not match"),
    ],
)
def test_an_endpoint_that_cannot_be_held_at_is_refused(hold: dict[str, str], why: str) -> None:
    raw = read_scenario("partial")
    raw["spec"]["timeline"][1]["hold"] |= hold
    with pytest.raises(ForPeople, match=why):
        admit(raw, "file.yaml")


@pytest.mark.parametrize("seed", range(4))
def test_a_plan_cut_between_two_endpoints_is_seen_and_made_whole_by_others(seed: int) -> None:
    document = simulate(partial(), seed)
    jsonschema.validate(document, SCHEMA)
    assert document["verdict"] == "Pass", document["message"]
    for arm in document["arms"]:
        told = [x for x in arm["timeline"] if x["event"] in ("partial", "whole")]
        assert [x["event"] for x in told][:2] == ["partial", "whole"]
        assert told[0]["message"] == "dynamodb 2, kinesis 1, sqs 1"
        assert 3 < told[1]["t"] - told[0]["t"] < 5
        assert set(arm["dns"]["endpoints"]) == set(NAMES)
        for seen in arm["dns"]["endpoints"].values():
            assert seen["authoritative"]["empty"] == seen["resolver"]["empty"] == 0
        per_second = 2 * 10
        first = arm["dns"]["authoritative"]
        assert first["queries"] == pytest.approx(per_second * first["endedAt"], rel=0.05)
        live = [(e, g) for t, e, g in arm["dns"]["liveGenerations"] if told[0]["t"] < t < 6]
        assert live == [], "nobody moves anything meanwhile"
    aws, safe = document["arms"]
    assert (aws["dns"]["staleWritesApplied"], safe["dns"]["staleWritesApplied"]) == (2, 0)
    assert safe["dns"]["staleDropped"] >= 1


def test_an_answer_of_another_plan_breaks_whole_plan() -> None:
    for answered, broken in ((V6, False), ("fd00::9:9", True)):
        probe = {**a_probe(), "answered": {"dynamodb-p1": [[V4], [answered]]}}
        document = arm_document(a_record(), probe, 1.0)
        assert ("WholePlan" in document["invariantsBroken"]) is broken


class Nameserver(asyncio.DatagramProtocol):
    """Answers every name from its tree `p1`, in the families that it has."""

    def __init__(self, families: dict[str, str]) -> None:
        self.families = families

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        (question,) = query.question
        kind = dns.rdatatype.to_text(question.rdtype)
        label = str(question.name).partition(".")[0]
        tree = f"{label}-p1.space.svc.cloud.test."
        if kind in self.families:
            answer.answer = [
                dns.rrset.from_text(question.name, 5, "IN", "CNAME", tree),
                dns.rrset.from_text(tree, 5, "IN", kind, self.families[kind]),
            ]
        self.transport.sendto(answer.to_wire(), addr)


@contextmanager
def probing(families: dict[str, str], seconds: float) -> Iterator[dict[str, Any]]:
    async def go() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        servers = {}
        for label in ("authoritative", "resolver"):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: Nameserver(families), local_addr=("127.0.0.1", 0)
            )
            host, port = transport.get_extra_info("sockname")
            servers[label] = Server(host, port)
        names = [f"{e}.us-east-1.cloud.test" for e in ("dynamodb", "kinesis")]
        probe = Probe(names, ["IPv4", "IPv6"], servers, "space")
        task = asyncio.create_task(probe.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return probe.document(0.0)

    yield asyncio.run(go())


def test_the_probe_asks_every_endpoint_in_every_family() -> None:
    with probing({"A": "127.0.0.1", "AAAA": "::1"}, 1.0) as seen:
        assert seen["families"] == ["IPv4", "IPv6"]
        assert seen["name"] == "dynamodb.us-east-1.cloud.test"
        assert set(seen["endpoints"]) == {"dynamodb", "kinesis"}
        for told in seen["endpoints"].values():
            for server in told["servers"].values():
                assert server["ok"] == server["queries"] >= 12
        assert seen["answered"]["kinesis-p1"] == [["127.0.0.1"], ["::1"]]
        asked = sum(seen["connects"].values())
        resolved = sum(t["servers"]["resolver"]["queries"] for t in seen["endpoints"].values())
        assert asked == pytest.approx(resolved / 2, abs=3), "IPv4 alone is connected to"


def test_the_probe_takes_a_name_of_one_family_for_whole() -> None:
    with probing({"A": "127.0.0.1"}, 0.6) as seen:
        assert seen["families"] == ["IPv4"]
        for told in seen["endpoints"].values():
            for server in told["servers"].values():
                assert (server["empty"], server["emptySeconds"]) == (0, 0.0)
                assert server["ok"] == server["queries"]
