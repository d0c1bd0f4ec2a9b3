"""`holdfast dns freeze|thaw|override`: what they write, in which order, and what they say."""

import asyncio
import base64
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from human_shelf import Shelf
from rich.console import Console

from holdfast.cli import dns, parser, servers, word
from holdfast.cli.cluster import cluster, explained, home_of
from holdfast.cli.desk import Desk, Wish
from holdfast.cli.files import ForPeople
from holdfast.cli.freezer import operations
from holdfast.cli.servers import Servers, find
from holdfast.cli.teller import Teller
from holdfast.core.acts import Order
from holdfast.core.freeze import FOREVER, parse_freeze
from holdfast.core.objects import Alias, EndpointPlan, FrontEnd, Plan
from holdfast.core.override import pin_of
from holdfast.live.api import Answer
from holdfast.live.arm_manifests import Installation, order_pod
from holdfast.live.resolver import Response, Server
from holdfast.live.wire import GROUP_PATH, path_of, render

SPACE = "drill-practice"
REGIONS = f"{GROUP_PATH}/namespaces/{SPACE}/regions"
REGION = f"{REGIONS}/us-east-1"
SERVICES = f"/api/v1/namespaces/{SPACE}/services"
ALIAS = f"{SERVICES}/dynamodb"
NOW = 1_700_000_000.0


def region(**spec: Any) -> tuple[str, dict[str, Any]]:
    meta = {"name": "us-east-1", "namespace": SPACE}
    return REGIONS, {"metadata": meta, "spec": {"endpoints": ["dynamodb"], **spec}}


def alias(**fields: Any) -> tuple[str, dict[str, Any]]:
    made = replace(Alias("dynamodb", "dynamodb-p1", 1), **fields)
    return SERVICES, render(made, SPACE, "us-east-1")


def plan(generation: int, *addresses: str) -> tuple[str, dict[str, Any]]:
    fleet = tuple(FrontEnd(a, 100) for a in addresses)
    made = Plan(generation, (EndpointPlan("dynamodb", fleet),))
    return path_of(Plan, SPACE), render(made, SPACE, "us-east-1")


def shelf(*more: tuple[str, dict[str, Any]], **spec: Any) -> Shelf:
    """A Region whose alias names a tree that is gone, locked by an enactor; two plans."""
    locked = alias(lock="us-east-1a/a 99999999999.000")
    return Shelf(region(**spec), locked, plan(1, "10.0.0.1"), plan(2, "10.0.0.2"), *more)


def act(api: Shelf, verb: str, who: str = "alice", **wish: Any) -> tuple[int, str]:
    """Exit code, and what was said."""
    out = io.StringIO()
    asked = Wish(namespace=SPACE, proves=False, waits=False, **wish)

    async def do() -> int:
        home = await home_of(api, SPACE)
        teller = Teller(Console(file=out, width=60))
        return await dns.ACTS[verb](Desk(api, home, who, asked, teller))

    return asyncio.run(do()), out.getvalue()


def frozen(api: Shelf) -> Any:
    return api.objects[REGION]["spec"].get("freeze")


def notes(api: Shelf) -> Any:
    return api.objects[ALIAS]["metadata"]["annotations"]


def said_on_record(api: Shelf) -> str:
    """The Event that was left."""
    (message,) = [body["message"] for _, path, body in api.calls if path.endswith("/events")]
    return str(message)


# --- what is written, and in which order ----------------------------------------------------------


def test_a_freeze_begins_with_the_region_and_leaves_who_why_and_until_when() -> None:
    api = shelf()
    code, said = act(api, "freeze", why="it is empty", until="2h")
    assert code == 0
    assert api.writes == [("PATCH", "us-east-1"), ("PUT", "dynamodb"), ("POST", "events")]
    assert (frozen(api)["who"], frozen(api)["why"]) == ("alice", "it is empty")
    there = parse_freeze(notes(api)["holdfast.dev/frozen"])
    assert there is not None
    assert word.stamp(there.until) == frozen(api)["until"]
    assert 7190 < there.until - time.time() <= 7200
    assert notes(api)["holdfast.dev/lock"].startswith("freeze/alice ")
    assert "the lock of us-east-1a/a was taken over" in said


def test_a_lock_that_a_hand_took_away_is_taken_over_from_nobody() -> None:
    api = shelf()
    del notes(api)["holdfast.dev/lock"]
    _, said = act(api, "freeze", why="it is empty")
    assert notes(api)["holdfast.dev/lock"].startswith("freeze/alice ")
    assert "took over" not in said_on_record(api)
    assert "taken over" not in said


@pytest.mark.parametrize("freezes", [True, False])
def test_whose_lock_an_override_took_over_is_on_record(freezes: bool) -> None:
    api = shelf()
    act(api, "override", endpoint="dynamodb", plan="1", why="back to 1", freezes=freezes)
    turned = "alice: dynamodb from dynamodb-p1 to dynamodb-p3: back to 1"
    assert said_on_record(api) == f"{turned}; took over the lock of us-east-1a/a at dynamodb"


def test_a_freeze_without_an_end_has_none_in_the_region() -> None:
    api = shelf()
    act(api, "freeze", why="it is empty")
    assert frozen(api) == {"who": "alice", "why": "it is empty"}


def test_a_thaw_ends_with_the_region_and_takes_all_of_it_away() -> None:
    api = shelf()
    act(api, "freeze", why="it is empty")
    api.calls.clear()
    code, _ = act(api, "thaw", why="done")
    assert code == 0
    assert api.writes == [("PUT", "dynamodb"), ("PATCH", "us-east-1"), ("POST", "events")]
    assert frozen(api) is None
    assert "holdfast.dev/frozen" not in notes(api)
    assert notes(api)["holdfast.dev/lock"] == ""


def test_a_thaw_of_nothing_writes_nothing() -> None:
    api = shelf()
    code, said = act(api, "thaw")
    assert (code, api.writes) == (0, [])
    assert "nothing was frozen" in said


def test_an_override_freezes_first_and_turns_the_alias_last() -> None:
    api = shelf()
    code, said = act(api, "override", endpoint="dynamodb", plan="1", why="back to 1")
    assert code == 0
    names = [name for _, name in api.writes]
    assert names == [
        *("us-east-1", "dynamodb", "dnsplans", "services", "endpointslices"),
        *("dynamodb-p3", "dynamodb", "events"),
    ]
    assert api.objects[ALIAS]["spec"]["externalName"].startswith("dynamodb-p3.")
    assert notes(api)["holdfast.dev/enacted-by"] == "operator/alice"
    assert notes(api)["holdfast.dev/plan-generation"] == "3"
    assert notes(api)["holdfast.dev/rollback"] == "dynamodb-p3"
    content = api.objects[f"{path_of(Plan, SPACE)}/plan-0000000003"]["spec"]["endpoints"]
    assert [a["address"] for a in content[0]["addresses"]] == ["10.0.0.1"]
    for line in (
        "alias dynamodb names dynamodb-p1, which does not exist, lock us-east-1a/a",
        "Region us-east-1 frozen",
        "frozen, the lock of us-east-1a/a was taken over",
        "plan-0000000003 made: dynamodb 1 address (10.0.0.1)",
        "tree dynamodb-p3 made",
        "alias dynamodb: dynamodb-p1 → dynamodb-p3, generation 1 → 3",
    ):
        assert line in said


def test_the_newest_plan_is_the_newest_that_has_addresses() -> None:
    api = shelf(plan(3))
    act(api, "override", endpoint="dynamodb", plan="newest")
    content = api.objects[f"{path_of(Plan, SPACE)}/plan-0000000004"]["spec"]["endpoints"]
    assert [a["address"] for a in content[0]["addresses"]] == ["10.0.0.2"]


def test_addresses_instead_of_a_plans() -> None:
    api = shelf()
    act(api, "override", endpoint="dynamodb", addresses="192.0.2.9, 192.0.2.8,192.0.2.9")
    content = api.objects[f"{path_of(Plan, SPACE)}/plan-0000000003"]["spec"]["endpoints"]
    assert [a["address"] for a in content[0]["addresses"]] == ["192.0.2.8", "192.0.2.9"]


def test_an_override_without_a_freeze_leaves_none() -> None:
    api = shelf()
    code, _ = act(api, "override", endpoint="dynamodb", plan="1", freezes=False)
    assert code == 0
    assert frozen(api) is None
    assert "holdfast.dev/frozen" not in notes(api)


def test_an_override_keeps_the_reason_of_ones_own_freeze() -> None:
    api = shelf()
    act(api, "freeze", why="it is empty", until="2h")
    before = dict(frozen(api))
    _, said = act(api, "override", endpoint="dynamodb", plan="1", why="back to 1")
    assert frozen(api) == before
    assert "frozen, and was before" in said


def test_lines_are_whole_where_there_is_no_terminal() -> None:
    _, said = act(shelf(), "override", endpoint="dynamodb", plan="1")
    assert all(line.startswith("[") for line in said.splitlines())
    assert "\x1b" not in said


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "wish"),
    [
        ("freeze", {"why": "x"}),
        ("thaw", {}),
        ("override", {"endpoint": "dynamodb", "plan": "1"}),
        ("override", {"endpoint": "dynamodb", "plan": "1", "freezes": False}),
    ],
)
@pytest.mark.parametrize("where", ["region", "alias"])
def test_somebody_elses_freeze_is_named_and_left(
    verb: str, wish: dict[str, Any], where: str
) -> None:
    until = word.stamp(time.time() + 3600)
    if where == "region":
        api = shelf(freeze={"who": "bob", "why": "mine", "until": until})
    else:
        api = Shelf(region(), alias(frozen=f"bob {until} mine"), plan(1, "10.0.0.1"))
    with pytest.raises(ForPeople, match=f"is frozen by bob, until {until}: mine.*--take-over"):
        act(api, verb, **wish)
    assert api.writes == []
    code, _ = act(api, verb, take_over=True, **wish)
    assert code == 0


def test_a_freeze_that_has_passed_is_nobodys() -> None:
    api = shelf(freeze={"who": "bob", "until": "2020-01-01T00:00:00Z"})
    code, _ = act(api, "freeze", why="x")
    assert code == 0
    assert frozen(api)["who"] == "alice"


def test_of_two_people_the_second_is_told_about_the_first() -> None:
    """Bob's freeze comes between our read and our write: the test misses, and we read again."""
    api = shelf()
    raced = False

    def bob(verb: str, path: str) -> Answer | None:
        nonlocal raced
        if (verb, path) == ("PATCH", REGION) and not raced:
            raced = True
            api.objects[REGION]["spec"]["freeze"] = {"who": "bob", "why": "first"}
        return None

    api.refuse = bob
    with pytest.raises(ForPeople, match="frozen by bob, until it is thawed: first"):
        act(api, "freeze", why="x")
    assert frozen(api)["who"] == "bob"
    assert "holdfast.dev/frozen" not in notes(api)


def test_the_regions_freeze_is_patched_under_a_test_of_what_was_read() -> None:
    api = shelf()
    home = asyncio.run(home_of(api, SPACE))
    assert operations(home, None)[:2] == [
        {"op": "test", "path": "/metadata/uid", "value": home.uid},
        {"op": "test", "path": "/spec/freeze", "value": None},
    ]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"endpoint": "dynamo", "plan": "1"}, "no endpoint of Region us-east-1.*are: dynamodb"),
        ({"endpoint": "dynamodb", "plan": "first"}, "neither a generation, such as 7, nor newest"),
        ({"endpoint": "dynamodb", "addresses": "10.0.0"}, "'10.0.0' is no IPv4 or IPv6 address"),
        ({"endpoint": "dynamodb", "addresses": "127.0.0.1"}, "127.0.0.1 is loopback"),
        ({"endpoint": "dynamodb", "addresses": "fd00::1"}, "is IPv6; .*spec.families has IPv4"),
        ({"endpoint": "dynamodb", "addresses": ","}, "1 to 1000 are wanted, 0 are there"),
        ({"endpoint": "dynamodb", "addresses": ""}, "1 to 1000 are wanted, 0 are there"),
        ({"endpoint": "dynamodb", "plan": ""}, "'' is neither a generation, such as 7, nor newest"),
        ({"endpoint": "dynamodb", "plan": "1", "why": "x" * 501}, "1 to 500 characters.* 501"),
        ({"endpoint": "dynamodb", "plan": "1", "until": "soon"}, "neither a span"),
        ({"endpoint": "dynamodb", "plan": "1", "until": "2020-01-01T00:00:00Z"}, "has passed"),
    ],
)
def test_what_will_not_do_is_named_before_anything_is_written(
    wish: dict[str, Any], says: str
) -> None:
    api = shelf()
    with pytest.raises(ForPeople, match=says):
        act(api, "override", **wish)
    assert api.writes == []


def test_a_plan_without_addresses_says_which_have_and_that_it_stays_frozen() -> None:
    api = shelf(plan(3))
    with pytest.raises(ForPeople) as error:
        act(api, "override", endpoint="dynamodb", plan="3")
    assert "plan 3 has no addresses for 'dynamodb'; plans that have: 1, 2" in str(error.value)
    assert "stays frozen, by alice" in str(error.value)


def test_without_a_server_to_prove_it_nothing_is_changed() -> None:
    api = shelf()

    async def do() -> int:
        asked = Wish(namespace=SPACE, endpoint="dynamodb", plan="1")
        teller = Teller(Console(file=io.StringIO()))
        return await dns.override(Desk(api, await home_of(api, SPACE), "alice", asked, teller))

    with pytest.raises(ForPeople, match=r"nothing was changed.*--dns-server.*--unproved"):
        asyncio.run(do())
    assert api.writes == []


def test_no_rights_names_the_role_to_bind() -> None:
    api = shelf()
    forbidden = Answer(403, {"reason": "Forbidden", "message": "cannot create dnsplans"})
    api.refuse = lambda verb, path: (
        forbidden if verb == "POST" and path.endswith("dnsplans") else None
    )
    with pytest.raises(ForPeople, match=f"--clusterrole=holdfast-oncall --user=NAME -n {SPACE}"):
        act(api, "override", endpoint="dynamodb", plan="1")


def test_no_rights_to_leave_an_event_are_no_reason_to_stop() -> None:
    api = shelf()
    forbidden = Answer(403, {"message": "cannot create events"})
    api.refuse = lambda _verb, path: forbidden if path.endswith("events") else None
    code, said = act(api, "freeze", why="x")
    assert code == 0
    assert "no Event was left on the Region: cannot create events" in said


def test_an_api_server_that_is_gone_is_said_to_be() -> None:
    said = explained(Answer(0, {"message": "ClientConnectorError: refused"}))
    assert "the API server does not answer: ClientConnectorError: refused" in said
    assert "names keep their last answers" in said


def test_a_kubeconfig_that_is_not_there_is_no_cluster() -> None:
    async def do() -> None:
        async with cluster("/nonexistent"):
            pass

    with pytest.raises(ForPeople, match="no cluster"):
        asyncio.run(do())


def test_a_namespace_without_a_region() -> None:
    with pytest.raises(ForPeople, match=f"namespace {SPACE} holds no Region.*-n NAMESPACE"):
        asyncio.run(home_of(Shelf(), SPACE))


def test_of_two_regions_it_is_the_one_that_the_operator_serves() -> None:
    """The oldest that is not on its way out, whatever the API server lists first."""

    def named(name: str, minute: int, **meta: str) -> tuple[str, dict[str, Any]]:
        there, raw = region()
        created = f"2025-10-20T01:{minute:02}:00Z"
        return there, raw | {
            "metadata": raw["metadata"] | {"name": name, "creationTimestamp": created} | meta
        }

    api = Shelf(
        named("ap-east-1", 0, deletionTimestamp="2025-10-20T02:00:00Z"),
        named("eu-west-1", 2),
        named("us-west-1", 1),
        named("us-east-1", 1),
    )
    found = asyncio.run(home_of(api, SPACE))
    assert found.region.name == "us-east-1"
    assert found.also == " (younger, and not served: us-west-1, eu-west-1)"


def test_without_a_namespace_it_is_the_youngest_arms() -> None:
    arms = [
        ("/api/v1/namespaces", {"metadata": {"name": n, "labels": {"holdfast.dev/arm": "x"}} | m})
        for n, m in (
            ("old", {"creationTimestamp": "2025-10-20T01:00:00Z"}),
            (SPACE, {"creationTimestamp": "2025-10-20T02:00:00Z"}),
            ("going", {"creationTimestamp": "2025-10-20T03:00:00Z", "deletionTimestamp": "x"}),
        )
    ]
    api = shelf(*arms)
    real = api._listed
    api._listed = lambda path, query: real(path, {} if path.endswith("namespaces") else query)  # type: ignore[method-assign]
    assert asyncio.run(home_of(api, None)).space == SPACE


# --- words of the command line --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", NOW + 90),
        ("2h", NOW + 7200),
        ("1d", NOW + 86400),
        ("2030-01-01T00:00:00Z", 1893456000.0),
        ("2030-01-01T01:00:00+01:00", 1893456000.0),
        ("9999-12-31T23:59:59Z", FOREVER),
        ("forever", FOREVER),
    ],
)
def test_until(text: str, seconds: float) -> None:
    assert word.until(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "2", "0h", "-1h", "2 h", "tomorrow", "2030-01-01T00:00:00"])
def test_an_until_that_is_none(text: str) -> None:
    with pytest.raises(ForPeople, match="neither a span"):
        word.until(text, NOW)


def test_who_is_the_account_of_a_pod_whichever_pod_it_is(tmp_path: Path) -> None:
    claims = json.dumps({"sub": "system:serviceaccount:dns-race-override:oncall"}).encode()
    token = tmp_path / "token"
    token.write_text(f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.sig")
    assert word._account(token) == "oncall@dns-race-override"
    token.write_text("no token")
    assert word._account(token) == ""
    assert word._account(tmp_path / "none") == ""


def test_who_is_the_user_of_the_machine_or_of_the_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "alice smith")
    assert word.who(None, None).startswith("alice-smith@")
    monkeypatch.delenv("USER")
    monkeypatch.delenv("LOGNAME", raising=False)
    config = tmp_path / "config"
    config.write_text(
        "{current-context: c, contexts: [{name: c, context: {cluster: k, user: bob@example}}]}"
    )
    assert word.who(None, str(config)) == "bob@example"
    assert word.who(None, "/nonexistent").startswith("somebody@")


@pytest.mark.parametrize("text", ["", "two words", "x" * 101, "@"])
def test_a_who_that_is_none(text: str) -> None:
    with pytest.raises(ForPeople, match="1 to 100 characters"):
        word.who(text, None)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("127.0.0.1:30053", Server("127.0.0.1", 30053)),
        ("10.0.0.1", Server("10.0.0.1", 53)),
        ("[::1]:5353", Server("::1", 5353)),
    ],
)
def test_a_dns_server(text: str, server: Server) -> None:
    assert word.server(text) == server


@pytest.mark.parametrize("text", ["", ":53", "1.2.3.4:0", "1.2.3.4:70000", "a b"])
def test_a_dns_server_that_is_none(text: str) -> None:
    with pytest.raises(ForPeople, match="is not HOST:PORT"):
        word.server(text)


def test_from_outside_the_published_port_is_asked_several_times() -> None:
    port = {"metadata": {"name": "authoritative-nodeport"}, "spec": {"ports": [{"nodePort": 3}]}}
    found = asyncio.run(find(Shelf((SERVICES, port)), SPACE))
    assert found == Servers((Server("127.0.0.1", 3),) * 5, None, "127.0.0.1:3, 5 times")
    nowhere = asyncio.run(find(Shelf(), SPACE))
    assert nowhere.authoritative == ()
    assert "authoritative-nodeport is not there" in nowhere.how


@pytest.mark.parametrize(("lost", "answers"), [(0, True), (1, True), (2, False)])
def test_one_question_may_be_lost_before_a_server_is_said_not_to_answer(
    lost: int, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter([Response("")] * lost + [Response("NOERROR")])

    async def ask(*_: object) -> Response:
        return next(said)

    monkeypatch.setattr(servers, "ask", ask)
    found = Servers((Server("127.0.0.1", 3),) * 5)
    assert asyncio.run(servers.reachable(found, "dynamodb")) is answers


def test_a_pin_bears_only_what_the_name_of_an_annotation_takes() -> None:
    assert pin_of("alice@laptop.example") == "operator/alice-laptop.example"
    assert len(pin_of("x" * 100)) == 63
    assert pin_of("system:serviceaccount:a:b_") == "operator/system-serviceaccount-a-b"


def test_the_parsers_ask_for_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = (
        ["dns", "freeze"],
        ["dns", "override", "dynamodb"],
        ["dns", "override", "dynamodb", "--plan", "1", "--addresses", "10.0.0.1"],
        ["drill", "--timeout", "5"],
        ["drill", "--timeout", "600"],
    )
    for words in wrong:
        with pytest.raises(SystemExit) as error:
            parser().parse_args(words)
        assert error.value.code == 2
    said = capsys.readouterr().err
    assert "--why" in said
    assert "--plan --addresses" in said
    assert "not a whole number from 10 to 570" in said


def test_what_a_scenario_enters_is_understood() -> None:
    for order in (
        Order("freeze"),
        Order("thaw"),
        Order("override", "dynamodb"),
        Order("override", "dynamodb", plan=3, freeze=False),
        Order("override", "dynamodb", addresses=("10.0.0.1",)),
    ):
        given = parser().parse_args(["dns", *order.words(), "-n", SPACE])
        assert (given.verb, given.namespace) == (order.command, SPACE)


def test_a_scripted_operators_pod_has_the_token_of_its_account() -> None:
    """The account itself gives it to no Pod."""
    install = Installation("holdfast-system", "holdfast", "image", "coredns", "IfNotPresent", ())
    spec = order_pod("act-1", ["dns", "thaw"], install)["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("oncall", True)
