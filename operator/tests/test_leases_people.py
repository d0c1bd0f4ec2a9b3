"""`holdfast leases throttle|restart|status`: what they write, and what they say."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from human_shelf import Shelf
from rich.console import Console

from holdfast.cli import leases_acts as acts
from holdfast.cli import main, parser
from holdfast.cli.cluster import home_of
from holdfast.cli.desk import Desk, Wish
from holdfast.cli.files import ForPeople
from holdfast.cli.leases_status import show, silent_for, story, wasted_share
from holdfast.cli.teller import Teller
from holdfast.core.acts import Order
from holdfast.core.guards import AWS_LEASES
from holdfast.core.leases.fleet import Fleet, Mode
from holdfast.core.leases.manager import Manager
from holdfast.core.leases.report import report
from holdfast.live.api import Answer
from holdfast.live.lease_wire import stamp
from holdfast.live.wire import GROUP_PATH

SPACE = "lease-collapse-aws-2025"
REGIONS = f"{GROUP_PATH}/namespaces/{SPACE}/regions"
REGION = f"{REGIONS}/us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


def shelf(
    fleet: dict[str, Any] | None = None, leases: dict[str, Any] | None = None, **spec: Any
) -> Shelf:
    """A Region with a fleet of the default size, unless `fleet` is empty."""
    whole = {"racks": 1, "droplets": 40} if fleet is None else fleet
    meta = {"name": "us-east-1", "namespace": SPACE}
    given = {"endpoints": ["dynamodb"], "zones": list(ZONES), **spec}
    raw = {"metadata": meta, "spec": given | ({"fleet": whole} if whole else {})}
    return Shelf((REGIONS, raw | {"status": {"leases": leases or {}}}))


def at_desk(api: Shelf, act: Callable[[Desk], Awaitable[int]]) -> tuple[int, str]:
    """Exit code, and what was said."""
    out = io.StringIO()

    async def do() -> int:
        home = await home_of(api, SPACE)
        teller = Teller(Console(file=out, width=200))
        return await act(Desk(api, home, "alice", Wish(namespace=SPACE), teller))

    return asyncio.run(do()), out.getvalue()


def throttle(api: Shelf, at_most: int) -> tuple[int, str]:
    return at_desk(api, lambda desk: acts.throttle(desk, at_most))


def restart(api: Shelf, zone: str | None = None) -> tuple[int, str]:
    return at_desk(api, lambda desk: acts.restart(desk, zone))


def fleet_of(api: Shelf) -> dict[str, Any]:
    found: dict[str, Any] = api.objects[REGION]["spec"]["fleet"]
    return found


def patch_of(api: Shelf) -> list[dict[str, Any]]:
    (body,) = [body for verb, _, body in api.calls if verb == "PATCH"]
    found: list[dict[str, Any]] = body
    return found


def recorded(api: Shelf) -> list[tuple[str, str]]:
    """The Events that were left."""
    posted = [body for _, path, body in api.calls if path.endswith("/events")]
    return [(body["reason"], body["message"]) for body in posted]


# --- throttle -------------------------------------------------------------------------------------


def test_a_throttle_bounds_the_queues_under_a_test_of_what_was_read() -> None:
    api = shelf()
    uid = api.objects[REGION]["metadata"]["uid"]
    code, said = throttle(api, 6)
    assert code == 0
    assert patch_of(api) == [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/spec/fleet/admitAtMost", "value": None},
        {"op": "add", "path": "/spec/fleet/admitAtMost", "value": 6},
    ]
    assert fleet_of(api) == {"racks": 1, "droplets": 40, "admitAtMost": 6}
    told = "at most 6 state checks wait or are under way in each zone"
    assert recorded(api) == [("OperatorThrottled", f"alice: {told}")]
    assert told in said
    assert f"holdfast leases restart -n {SPACE} drops it" in said


def test_zero_lifts_it() -> None:
    api = shelf({"admitAtMost": 6})
    code, said = throttle(api, 0)
    assert (code, fleet_of(api)) == (0, {})
    assert "the bound of 6 is lifted" in said
    assert "leases.admission=Unlimited" in said
    assert recorded(api) == [("OperatorThrottled", "alice: bound lifted")]


def test_another_bound_takes_the_place_of_the_first() -> None:
    api = shelf({"admitAtMost": 30})
    throttle(api, 6)
    assert patch_of(api)[1] == {"op": "test", "path": "/spec/fleet/admitAtMost", "value": 30}
    assert fleet_of(api)["admitAtMost"] == 6


@pytest.mark.parametrize(
    ("fleet", "at_most", "says"),
    [({"admitAtMost": 6}, 6, "and did before"), ({"racks": 1}, 0, "there was no bound")],
)
def test_what_stands_already_is_not_written_again(
    fleet: dict[str, Any], at_most: int, says: str
) -> None:
    api = shelf(fleet)
    code, said = throttle(api, at_most)
    assert (code, api.writes) == (0, [])
    assert says in said


@pytest.mark.parametrize("at_most", [-1, 100_001, 10**30])
def test_a_bound_that_is_none_is_refused_with_its_limits(at_most: int) -> None:
    with pytest.raises(ForPeople, match=rf"--at-most {at_most}: from 1 to 100000 .* 0 to lift"):
        acts.bound_of(at_most)


def test_it_is_refused_before_any_cluster_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["leases", "throttle", "--at-most=-1", "--kubeconfig", "/nonexistent"]
    assert main(words) == 2
    assert "--at-most -1: from 1 to 100000" in capsys.readouterr().err


# --- restart --------------------------------------------------------------------------------------


def test_a_restart_raises_the_number_of_every_zone() -> None:
    api = shelf({"racks": 1, "restarts": {"us-east-1b": 2}})
    code, said = restart(api)
    assert code == 0
    assert fleet_of(api)["restarts"] == {"us-east-1a": 1, "us-east-1b": 3, "us-east-1c": 1}
    assert patch_of(api)[1] == {
        "op": "test",
        "path": "/spec/fleet/restarts",
        "value": {"us-east-1b": 2},
    }
    names = "us-east-1a, us-east-1b, us-east-1c"
    assert f"the managers of {names} drop what they have in memory" in said
    assert "every lease is queued at once (leases.onStart=RelistAll)" in said
    assert recorded(api) == [("OperatorRestarted", f"alice: memory of {names} dropped")]


def test_a_restart_of_one_zone_leaves_the_others() -> None:
    api = shelf({"racks": 1, "restarts": {"us-east-1b": 2}}, guards={"profile": "safe"})
    _, said = restart(api, "us-east-1a")
    assert fleet_of(api)["restarts"] == {"us-east-1a": 1, "us-east-1b": 2}
    assert "every lease once, spread over 3 s (leases.onStart=Spread)" in said


def test_a_zone_that_the_region_has_not_is_refused() -> None:
    api = shelf()
    with pytest.raises(ForPeople, match=r"'us-east-1x' is no zone .* there are: us-east-1a, "):
        restart(api, "us-east-1x")
    assert api.writes == []


def test_a_number_at_its_bound_is_not_raised() -> None:
    api = shelf({"racks": 1, "restarts": {"us-east-1a": 1_000_000}})
    with pytest.raises(ForPeople, match="us-east-1a is at 1000000: set it to 0"):
        restart(api)
    assert api.writes == []


# --- both -----------------------------------------------------------------------------------------


ACTS = [lambda api: throttle(api, 6), restart]


@pytest.mark.parametrize("act", ACTS)
def test_a_region_without_a_fleet_has_no_leases(act: Callable[[Shelf], Any]) -> None:
    api = shelf({})
    with pytest.raises(ForPeople, match=r"has no leases: its spec has no fleet.*-n NAMESPACE"):
        act(api)
    assert api.writes == []


@pytest.mark.parametrize("act", ACTS)
def test_of_two_people_neither_overwrites_what_the_other_did(act: Callable[[Shelf], Any]) -> None:
    """Bob's act comes between our read and our write: the test misses, and we read again."""
    api = shelf()
    raced = False

    def bob(verb: str, path: str) -> Answer | None:
        nonlocal raced
        if (verb, path) == ("PATCH", REGION) and not raced:
            raced = True
            fleet_of(api).update(admitAtMost=30, restarts={"us-east-1c": 1})
        return None

    api.refuse = bob
    code, _ = act(api)
    assert code == 0
    theirs = fleet_of(api)
    if theirs["admitAtMost"] == 6:
        assert theirs["restarts"] == {"us-east-1c": 1}
    else:
        assert theirs["restarts"] == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 2}
    assert [verb for verb, _ in api.writes].count("PATCH") == 2


@pytest.mark.parametrize("act", ACTS)
def test_what_is_changed_again_and_again_is_given_up(act: Callable[[Shelf], Any]) -> None:
    api = shelf()
    api.refuse = lambda verb, _: Answer(409, {"message": "x"}) if verb == "PATCH" else None
    with pytest.raises(ForPeople, match="changed 5 times meanwhile"):
        act(api)


@pytest.mark.parametrize("act", ACTS)
def test_no_rights_names_the_role_to_bind(act: Callable[[Shelf], Any]) -> None:
    api = shelf()
    no = Answer(403, {"message": "cannot patch regions"})
    api.refuse = lambda verb, _: no if verb == "PATCH" else None
    with pytest.raises(ForPeople, match=f"--clusterrole=holdfast-oncall --user=NAME -n {SPACE}"):
        act(api)


def test_what_the_schema_refuses_is_not_tried_again() -> None:
    api = shelf()
    bad = Answer(422, {"message": "too much", "details": {"causes": [{"message": "max"}]}})
    api.refuse = lambda verb, _: bad if verb == "PATCH" else None
    with pytest.raises(ForPeople, match="422: too much"):
        throttle(api, 6)
    assert len(api.writes) == 1


def test_what_a_scenario_enters_is_understood() -> None:
    for order in (
        Order("throttle", admit_at_most=6),
        Order("throttle"),
        Order("restart"),
        Order("restart", zone="us-east-1a"),
    ):
        given = parser().parse_args([order.group, *order.words(), "-n", SPACE])
        assert (given.verb, given.namespace) == (order.command, SPACE)


def test_the_parsers_ask_for_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["throttle"], ["throttle", "--at-most", "few"], ["restart", "us-east-1a"]):
        with pytest.raises(SystemExit) as error:
            parser().parse_args(["leases", *words])
        assert error.value.code == 2
    assert "--at-most" in capsys.readouterr().err


# --- status ---------------------------------------------------------------------------------------


NOW = 1_800_000_000.0


def said(**fields: Any) -> dict[str, Any]:
    """Of a zone where all is well."""
    well: dict[str, Any] = {
        "units": 40,
        "held": 40,
        "queue": 0,
        "bound": None,
        "underWay": 1,
        "oldestSeconds": 0,
        "ageAtStartSeconds": 0.1,
        "started": 1001,
        "succeeded": 990,
        "late": 6,
        "failed": 4,
        "lastFailure": "",
        "reported": stamp(NOW - 3),
    }
    return well | fields


ILL = said(
    held=0,
    queue=311,
    oldestSeconds=41.26,
    ageAtStartSeconds=41.254,
    started=304,
    succeeded=60,
    underWay=4,
    late=140,
    failed=100,
    lastFailure="us-east-1a-r1-d7: Late: 40.1 s past its deadline",
)
BACK = said(held=12, bound=6, queue=3, lastFailure="us-east-1a-r1-d7: NameEmpty: 0 addresses")


def shown(api: Shelf) -> str:
    out = io.StringIO()
    show(Console(file=out, width=118, highlight=False), asyncio.run(home_of(api, SPACE)), NOW)
    return out.getvalue()


def test_a_zone_a_row() -> None:
    leases = {"us-east-1a": ILL, "us-east-1b": said(queue=2, bound=6)}
    text = shown(shelf({"racks": 1, "admitAtMost": 6}, leases))
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    for cell in ("0/40", "311+4/no bound", "41.3 s", "41.25 s > 1 s", "140", "100", "80 %"):
        assert cell in rows["us-east-1a"]
    for cell in ("40/40", "2+1/6", "0.0 s", "0.10 s of 1 s", "1 %"):
        assert cell in rows["us-east-1b"]
    assert "no report" in rows["us-east-1c"]
    assert "throttled by a human: at most 6 wait" in text
    assert "admission Unlimited" in text


def test_a_region_without_a_fleet_has_no_status_of_leases() -> None:
    with pytest.raises(ForPeople, match="has no leases"):
        shown(shelf({}))


def tale(told: dict[str, Any], fleet: Fleet | None = None) -> str:
    return story(fleet or Fleet(), ZONES, told, SPACE, silent_for(told, NOW))


def test_healthy() -> None:
    assert tale(dict.fromkeys(ZONES, said())) == "healthy: all 120 leases are held"


def test_collapsing_where_work_begins_past_its_deadline_and_what_to_enter() -> None:
    assert tale({ZONES[0]: ILL, ZONES[1]: said(), ZONES[2]: BACK}) == (
        "collapsing in us-east-1a: 52 of 120 leases are held, and state checks are begun up to "
        "41.3 s after they were queued, past their 1 s, so they win nothing back; the last "
        "that won nothing: us-east-1a-r1-d7: Late: 40.1 s past its deadline. Once what they need "
        f"answers, let less wait: holdfast leases throttle --at-most 6 -n {SPACE}, then holdfast "
        f"leases restart -n {SPACE}"
    )


def test_work_that_begins_late_while_all_is_held_is_no_collapse() -> None:
    late = said(ageAtStartSeconds=1.4)
    assert tale(dict.fromkeys(ZONES, late)).startswith("healthy")


def test_recovering_where_it_begins_in_time() -> None:
    assert tale({ZONES[0]: BACK, ZONES[1]: said(), ZONES[2]: said()}) == (
        "recovering: 92 of 120 leases are held, and state checks are begun in time; the last that "
        "won nothing: us-east-1a-r1-d7: NameEmpty: 0 addresses"
    )


def test_a_zone_without_a_report_is_named() -> None:
    assert tale({ZONES[0]: said()}) == (
        "unknown: all 40 leases are held of the zones that report; no report of us-east-1b, "
        "us-east-1c"
    )
    assert tale({}) == f"unknown: no lease manager reports: {', '.join(ZONES)}"


def test_the_last_words_of_a_manager_that_is_gone_are_not_taken_for_its_state() -> None:
    gone = said(reported=stamp(NOW - 42))
    told = dict.fromkeys(ZONES, said()) | {ZONES[1]: gone}
    assert tale(told) == (
        "unknown: all 80 leases are held of the zones that report; no report of us-east-1b (its "
        "manager was heard 42 s ago)"
    )
    assert tale(dict.fromkeys(ZONES, gone)).startswith("unknown: no lease manager reports: ")
    rows = [line for line in shown(shelf(None, told)).splitlines() if ZONES[1] in line]
    assert "silent for 42 s" in rows[0]
    assert "40/40" not in rows[0]


def test_a_region_whose_arm_is_over_is_as_it_was_left() -> None:
    told = dict.fromkeys(ZONES, said(reported=stamp(NOW - 4200)))
    text = shown(shelf(None, told, paused=True))
    assert "silent" not in text
    assert "healthy: all 120 leases are held" in text


def test_racks_are_counted_as_racks() -> None:
    racks = Fleet(racks=5, mode=Mode.RACK)
    told = dict.fromkeys(ZONES, said(units=5, held=5))
    assert tale(told, racks) == "healthy: all 15 racks are held"


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({"started": 0, "succeeded": 0, "underWay": 0}, 0.0),
        ({"started": 4, "succeeded": 0, "underWay": 4}, 0.0),
        ({"started": 14, "succeeded": 5, "underWay": 4}, 0.5),
        ({"started": 10, "succeeded": 11, "underWay": 4}, 0.0),
    ],
)
def test_wasted_is_what_ended_and_won_nothing(fields: dict[str, int], share: float) -> None:
    assert wasted_share(said(**fields)) == share


def test_every_field_that_is_read_is_one_that_a_manager_reports() -> None:
    manager = Manager(Fleet(), AWS_LEASES, ("a",), 0.0, lambda: 0.5)
    assert set(said()) - {"reported"} <= set(report(manager, 0.0, "us-east-1a/pod"))
