"""What customers launch: the rules of `settle`, one by one, and over any course of things."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.guards import AWS_LEASES
from holdfast.core.invariants import Invariant
from holdfast.core.leases.chronicle import Chronicle
from holdfast.core.leases.fleet import Fleet
from holdfast.core.leases.instances import (
    INSUFFICIENT,
    LAUNCH_SECONDS,
    LAUNCHING,
    REBOOTED,
    REFUSED,
    Action,
    Change,
    Condition,
    Home,
    Instance,
    InstanceStatus,
    Phase,
    held_droplets,
    settle,
)
from holdfast.core.leases.launches import Launches
from holdfast.core.leases.lease import DropletLease, RackLease, pack

A, B = "us-east-1a", "us-east-1b"
HOME = Home(A, (A, B), 20)
D1, D2, D3 = (f"{A}-r1-d{n}" for n in (1, 2, 3))
NONE = frozenset[str]()
NOW = 100.0


def one(
    name: str = "web", phase: Phase = "Pending", droplet: str = "", action: Action = "Run"
) -> Instance:
    status = InstanceStatus(phase, droplet)
    return Instance(name, A, action, status, uid=name, resource_version="7")


def told(changes: tuple[Change, ...]) -> list[tuple[str, str, str]]:
    return [(i.name, s.phase, s.droplet) for i, s in changes]


def after(changes: tuple[Change, ...], name: str = "web") -> InstanceStatus:
    return next(s for i, s in changes if i.name == name)


def says(status: InstanceStatus, kind: str) -> tuple[str, str, str]:
    found = status.of(kind)
    return (found.status, found.reason, found.message) if found else ("", "", "")


def lives(
    instance: Instance, *held: frozenset[str], now: float = NOW, pace: float = 1.0
) -> Instance:
    """The instance after so many passes, `pace` seconds apart, each with these leases held."""
    for number, droplets in enumerate(held):
        for _, status in settle((instance,), droplets, now + number * pace, HOME):
            instance = replace(instance, status=status)
    return instance


# --- launching ------------------------------------------------------------------------------------


def test_it_is_launched_and_runs_a_second_later() -> None:
    both = frozenset({D1, D2})
    launching = lives(one(), both)
    assert (launching.status.phase, launching.status.droplet) == ("Launching", D1)
    assert launching.status.says(LAUNCHING)
    assert says(launching.status, INSUFFICIENT)[:2] == ("False", "DropletFound")
    early = NOW + LAUNCH_SECONDS - 0.01
    assert settle((launching,), both, early, HOME) == ()
    running = after(settle((launching,), both, NOW + LAUNCH_SECONDS, HOME))
    assert (running.phase, running.droplet) == ("Running", D1)
    assert not running.says(LAUNCHING)


def test_without_a_held_lease_it_waits_and_says_so_with_numbers_once() -> None:
    waiting = lives(one(), NONE)
    assert waiting.status.phase == "Pending"
    why = f"0 of 20 droplets of {A} have a held lease and are free"
    assert says(waiting.status, INSUFFICIENT) == ("True", "NoDropletFree", why)
    assert waiting.status.message == why
    assert settle((waiting,), NONE, NOW + 60, HOME) == ()
    found = after(settle((waiting,), frozenset({D2}), NOW + 61, HOME))
    assert (found.phase, found.droplet) == ("Launching", D2)
    assert found.of(INSUFFICIENT) == Condition(
        INSUFFICIENT, "False", "DropletFound", f"on {D2}, whose lease is held", NOW + 61
    )


def test_a_lease_that_is_lost_before_the_launch_is_done_takes_the_launch_with_it() -> None:
    launching = lives(one(), frozenset({D1}))
    lost = after(settle((launching,), NONE, NOW + 5, HOME))
    assert (lost.phase, lost.droplet) == ("Pending", "")
    assert says(lost, LAUNCHING)[:2] == ("False", "LeaseLost")
    assert lost.says(INSUFFICIENT)
    elsewhere = after(settle((launching,), frozenset({D2}), NOW + 5, HOME))
    assert (elsewhere.phase, elsewhere.droplet) == ("Launching", D2)
    since = elsewhere.of(LAUNCHING)
    assert since is not None
    assert since.since == NOW + 5, "the launch begins anew"


def test_the_oldest_are_served_first_each_with_a_droplet_of_its_own() -> None:
    names = ["c", "a", "b"]
    asked = [replace(one(n), created=float(i)) for i, n in enumerate(names)]
    found = settle(asked[::-1], frozenset({D2, D1}), NOW, HOME)
    assert told(found) == [("c", "Launching", D1), ("a", "Launching", D2), ("b", "Pending", "")]


def test_who_has_stopped_or_gone_frees_its_droplet_but_not_in_the_pass_that_writes_it() -> None:
    stopping, waiting = one("old", "Running", D1, "Stop"), one("new")
    held = frozenset({D1})
    first = settle((stopping, waiting), held, NOW, HOME)
    assert told(first) == [("new", "Pending", ""), ("old", "Stopped", "")]
    stopped = replace(stopping, status=after(first, "old"))
    assert ("new", "Launching", D1) in told(settle((stopped, waiting), held, NOW, HOME))
    assert told(settle((waiting,), held, NOW, HOME)) == [("new", "Launching", D1)]


def test_one_made_anew_under_an_old_name_is_another() -> None:
    old = one("web", "Running", D1)
    new = replace(one("web"), uid="another", created=5.0)
    found = settle((old, new), frozenset({D1, D2}), NOW, HOME)
    assert [(i.uid, s.droplet) for i, s in found] == [("another", D2)]
    claims = replace(new, status=old.status)
    found = settle((old, claims), frozenset({D1, D2}), NOW, HOME)
    assert [(i.uid, s.droplet) for i, s in found] == [("another", D2)]


# --- whose it is ----------------------------------------------------------------------------------


def test_one_without_a_zone_is_the_first_zones_and_others_are_left_to_theirs() -> None:
    bare, theirs = replace(one("bare"), zone=""), replace(one("theirs"), zone=B)
    assert told(settle((bare, theirs), frozenset({D1}), NOW, HOME)) == [("bare", "Launching", D1)]
    there = frozenset({f"{B}-r1-d1"})
    found = settle((bare, theirs), there, NOW, replace(HOME, zone=B))
    assert told(found) == [("theirs", "Launching", f"{B}-r1-d1")]


def test_a_zone_that_the_region_does_not_have_is_told_by_the_first_and_never_given_a_droplet() -> (
    None
):
    stray = replace(one(), zone="us-west-9z")
    found = after(settle((stray,), frozenset({D1}), NOW, HOME))
    assert found.message == "0 of 20 droplets of us-west-9z have a held lease and are free"
    assert settle((stray,), NONE, NOW, replace(HOME, zone=B)) == ()


def test_one_whose_customer_names_another_zone_stays_where_it_runs_and_is_stopped_there() -> None:
    moved = replace(one("web", "Running", D1), zone=B)
    held, there = frozenset({D1}), frozenset({f"{B}-r1-d1"})
    assert settle((moved,), held, NOW, HOME) == ()
    asked = replace(moved, action="Stop")
    assert told(settle((asked,), held, NOW, HOME)) == [("web", "Stopped", "")]
    assert settle((asked,), there, NOW, replace(HOME, zone=B)) == ()
    assert told(settle((moved, one("new")), held, NOW, HOME)) == [("new", "Pending", "")]


# --- stop and reboot ------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["Stop", "Reboot"])
def test_what_is_asked_of_a_droplet_without_a_lease_is_refused_and_done_later(
    action: Action,
) -> None:
    asked = lives(one("web", "Running", D1, action), NONE)
    why = f"{action} is not done: the lease of {D1} is not held"
    assert says(asked.status, REFUSED) == ("True", "LeaseNotHeld", why)
    assert (asked.status.phase, asked.status.droplet) == ("Running", D1)
    assert settle((asked,), NONE, NOW + 9, HOME) == ()
    done = after(settle((asked,), frozenset({D1}), NOW + 10, HOME))
    assert says(done, REFUSED)[:2] == ("False", "Done")
    assert done.phase == ("Stopped" if action == "Stop" else "Running")
    assert done.says(REBOOTED) is (action == "Reboot")


def test_a_reboot_is_done_once_for_each_time_that_it_is_asked_for() -> None:
    held = frozenset({D1})
    asked = replace(one("web", "Running", D1, "Reboot"), generation=2)
    rebooted = lives(asked, held)
    done = rebooted.status.of(REBOOTED)
    assert done is not None
    assert (done.generation, done.since) == (2, NOW)
    assert settle((rebooted,), held, NOW + 5, HOME) == ()
    assert settle((rebooted,), NONE, NOW + 5, HOME) == (), "nothing is asked for any more"
    again = after(settle((replace(rebooted, generation=4),), held, NOW + 9, HOME)).of(REBOOTED)
    assert again is not None
    assert (again.generation, again.since) == (4, NOW + 9)


def test_a_refused_action_that_is_taken_back_is_refused_no_more() -> None:
    asked = lives(one("web", "Running", D1, "Stop"), NONE)
    back = after(settle((replace(asked, action="Run"),), NONE, NOW, HOME))
    assert (back.phase, back.droplet) == ("Running", D1)
    assert says(back, REFUSED)[:2] == ("False", "NotAsked")


def test_what_runs_nowhere_is_stopped_without_anybodys_lease() -> None:
    stopped = lives(replace(one(), action="Stop"), NONE)
    assert stopped.status.phase == "Stopped"
    assert settle((stopped,), frozenset({D1}), NOW, HOME) == ()
    waited = replace(lives(one(), NONE), action="Stop")
    assert not after(settle((waited,), NONE, NOW, HOME)).says(INSUFFICIENT)
    launching = replace(lives(one(), frozenset({D1})), action="Stop")
    assert told(settle((launching,), NONE, NOW, HOME)) == [("web", "Stopped", "")]


@pytest.mark.parametrize("action", ["Run", "Reboot"])
def test_a_stopped_one_is_launched_again_where_a_lease_is_held(action: Action) -> None:
    stopped = one("web", "Stopped", action=action)
    assert lives(stopped, NONE).status.says(INSUFFICIENT)
    held = frozenset({D3})
    running = lives(stopped, held, held)
    assert (running.status.phase, running.status.droplet) == ("Running", D3)
    assert running.status.says(REBOOTED) is (action == "Reboot")


# --- hands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        InstanceStatus("Stopped"),
        InstanceStatus("Running", D2),
        InstanceStatus("Pending", D1),
        InstanceStatus("Running", D1, conditions=(Condition(REFUSED, "True", "", "", 0.0),)),
        InstanceStatus(),
    ],
)
def test_a_hands_edit_is_answered_with_what_is_known(edit: InstanceStatus) -> None:
    known = InstanceStatus("Running", D1, f"on {D1}")
    edited = replace(one(), status=edit, known=known)
    for held in (NONE, frozenset({D1, D2})):
        assert [s for _, s in settle((edited,), held, NOW, HOME)] == [known]


def test_a_droplet_that_a_hand_has_written_is_not_given_away_before_it_is_mended() -> None:
    known = InstanceStatus("Running", D1)
    edited = replace(one("old"), status=InstanceStatus("Running", D2), known=known)
    found = settle((edited, one("new")), frozenset({D1, D2}), NOW, HOME)
    assert told(found) == [("new", "Pending", ""), ("old", "Running", D1)]


@pytest.mark.parametrize(
    ("found", "droplet"),
    [
        (InstanceStatus("Running"), D1),
        (InstanceStatus("Launching"), D1),
        (InstanceStatus("Pending", D1), D2),
        (InstanceStatus("Stopped", D1), D2),
    ],
)
def test_what_cannot_be_is_mended_by_who_knows_nothing(found: InstanceStatus, droplet: str) -> None:
    """What is stored is nobody else's until it is mended, nor its own."""
    odd, both = replace(one(), status=found), frozenset({D1, D2})
    assert told(settle((odd,), both, NOW, HOME)) == [("web", "Launching", droplet)]


def test_of_two_that_run_on_one_droplet_the_older_keeps_it() -> None:
    old = replace(one("z", "Running", D1), created=1.0)
    young = replace(one("a", "Running", D1), created=2.0)
    both = frozenset({D1, D2})
    assert told(settle((young, old), both, NOW, HOME)) == [("a", "Launching", D2)]
    alone = after(settle((young, old), frozenset({D1}), NOW, HOME), "a")
    assert (alone.phase, alone.droplet) == ("Pending", "")
    assert says(alone, LAUNCHING) == ("False", "DropletOfAnother", f"{D1} is z's")


def test_one_that_runs_keeps_its_droplet_before_an_older_one_that_does_not() -> None:
    old = replace(one("z", "Launching", D1), created=1.0)
    young = replace(one("a", "Running", D1), created=2.0)
    assert told(settle((young, old), frozenset({D1}), NOW, HOME)) == [("z", "Pending", "")]


# --- over any course of things --------------------------------------------------------------------

DROPLETS = [f"{zone}-r1-d{n}" for zone in (A, B) for n in (1, 2, 3)]
HOMES = [Home(zone, (A, B), 3) for zone in (A, B)]
HELD = st.frozensets(st.sampled_from(DROPLETS))
ACTIONS = st.sampled_from(["Run", "Stop", "Reboot"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("held"), HELD),
        st.tuples(st.just("ask"), st.tuples(st.integers(0, 4), ACTIONS)),
        st.tuples(st.just("anew"), st.tuples(st.integers(0, 4), st.sampled_from([A, B, ""]))),
        st.tuples(st.just("move"), st.tuples(st.integers(0, 4), st.sampled_from([A, B]))),
        st.tuples(st.just("lose"), st.integers(0, 3)),
    ),
    max_size=30,
)


def placed(instances: dict[str, Instance]) -> list[str]:
    return [i.status.droplet for i in instances.values() if i.status.droplet]


@given(EVENTS)
def test_never_two_on_one_droplet_and_leases_never_change_what_runs(
    events: list[tuple[str, object]],
) -> None:
    """Whatever leases, customers and lost writes do, with a manager in each zone."""
    instances: dict[str, Instance] = {}
    held, lost, serial, now = NONE, 0, 0, 0.0
    for event in events:
        match event:
            case ("held", frozenset() as droplets):
                held = droplets
            case ("lose", int(number)):
                lost = number
            case ("ask", (int(number), action)) if f"i{number}" in instances:
                asked = instances[f"i{number}"]
                generation = asked.generation + (asked.action != action)
                found = replace(asked, action=action, generation=generation)
                instances[f"i{number}"] = found
            case ("move", (int(number), zone)) if f"i{number}" in instances:
                instances[f"i{number}"] = replace(instances[f"i{number}"], zone=zone)
            case ("anew", (int(number), zone)):
                serial += 1
                made = Instance(f"i{number}", zone, created=now, uid=f"u{serial}")
                instances[f"i{number}"] = made
        for home in HOMES:
            there = frozenset(d for d in held if d.startswith(home.zone))
            for instance, status in settle(tuple(instances.values()), there, now, home):
                if lost:
                    lost -= 1
                    continue
                if instance.status.phase == "Running" and instance.action == "Run":
                    assert (status.phase, status.droplet) == ("Running", instance.status.droplet)
                if (status.phase, status.droplet) != (
                    instance.status.phase,
                    instance.status.droplet,
                ) and instance.status.phase in ("Running", "Launching"):
                    is_lost = instance.status.droplet not in there
                    assert not is_lost or instance.status.phase == "Launching"
                assert not status.droplet or status.droplet in there | {instance.status.droplet}
                instances[instance.name] = replace(instance, status=status)
            assert len(set(placed(instances))) == len(placed(instances))
        now += 0.6


@given(HELD, HELD)
def test_of_those_that_run_a_change_of_leases_is_no_news(
    before: frozenset[str], then: frozenset[str]
) -> None:
    running = tuple(
        lives(one(f"i{n}", "Running", d), before) for n, d in enumerate(DROPLETS[:3], start=1)
    )
    for held in (before, then, NONE):
        assert settle(running, held, NOW, HOME) == ()


@given(EVENTS)
def test_what_is_settled_stays_so(events: list[tuple[str, object]]) -> None:
    """Where nothing happens, nothing is written."""
    held = next((e[1] for e in events if e[0] == "held"), NONE)
    assert isinstance(held, frozenset)
    instances = tuple(one(f"i{n}") for n in range(len(events) % 5))
    for step in range(4):
        found = {i.uid: s for i, s in settle(instances, held, 2.0 * step, HOME)}
        instances = tuple(replace(i, status=found.get(i.uid, i.status)) for i in instances)
    assert settle(instances, held, 20.0, HOME) == ()


# --- whose lease is held --------------------------------------------------------------------------


def test_a_droplet_is_held_until_its_lease_runs_out_by_whomever() -> None:
    lease = DropletLease(D1, A, 1, 9.0, holder="any", renewed=100.0)
    assert held_droplets([lease], 108.9) == {D1}
    assert held_droplets([lease], 109.0) == NONE
    assert held_droplets([replace(lease, holder="")], 100.0) == NONE


def test_of_a_rack_each_droplet_by_its_own_age() -> None:
    rack = RackLease(
        f"{A}-r1", A, 1, 9.0, holder="any", renewed=100.0, packed=pack([0, None, 4, 9])
    )
    assert held_droplets([rack], 100.0) == {D1, D3}
    assert held_droplets([rack], 105.0) == {D1}
    assert held_droplets([rack], 109.0) == NONE
    assert held_droplets([replace(rack, holder="")], 100.0) == NONE


# --- an arm's -------------------------------------------------------------------------------------


def test_customers_come_at_once_and_others_late_once_half_the_leases_are_lost() -> None:
    launches = Launches((A, B))
    assert [i.name for i in launches.due(False)] == [f"customer-{A}", f"customer-{B}"]
    launches.made(f"customer-{A}")
    assert [(i.name, i.zone) for i in launches.due(False)] == [(f"customer-{B}", B)]
    launches.made(f"customer-{B}")
    assert launches.due(False) == ()
    assert [i.name for i in launches.due(True)] == [f"late-{A}", f"late-{B}"]
    assert [i.name for i in launches.due(False)] == [f"late-{A}", f"late-{B}"], "until it is made"
    launches.made(f"late-{A}")
    launches.made(f"late-{B}")
    assert launches.due(True) == ()


def test_what_came_of_launches_is_told() -> None:
    launches, waiting = Launches((A,)), lives(one("late"), NONE)
    assert launches.document() == {"running": 0, "refused": 0}
    launches.seen(1.0, one("customer", "Running", D1), was_whole=False)
    launches.seen(40.0, one("late"), was_whole=True)
    launches.seen(41.0, waiting, was_whole=True)
    assert launches.document() == {"running": 1, "refused": 1}
    launches.seen(52.5, one("late", "Running", D2), was_whole=True)
    assert launches.document() == {"running": 2, "refused": 1, "launchedAfterSeconds": 12.5}
    launches.seen(60.0, one("late", "Running", D2), was_whole=True, gone=True)
    assert launches.document()["running"] == 1


@pytest.mark.parametrize(
    ("then", "breaks"),
    [
        (one("web", "Running", D1), False),
        (one("web", "Pending"), True),
        (one("web", "Running", D2), True),
        (one("web", "Stopped"), True),
        (one("web", "Stopped", action="Stop"), False),
    ],
)
def test_a_running_instance_that_changes_unasked_breaks_static_stability(
    then: Instance, breaks: bool
) -> None:
    chronicle = Chronicle(Fleet(), AWS_LEASES, (A,))
    chronicle.instance(3.0, one("web", "Running", D1))
    chronicle.instance(4.0, then)
    chronicle.judge(9.0)
    assert chronicle.broken == ({Invariant.STATIC_STABILITY: 4.0} if breaks else {})


def test_the_arms_own_come_when_half_of_what_was_held_is_lost() -> None:
    chronicle = Chronicle(Fleet(racks=1, droplets=2), AWS_LEASES, (A,))
    leases = [DropletLease(d, A, 1, 9.0, holder="any", renewed=0.0) for d in (D1, D2)]
    assert [i.name for i in chronicle.to_launch()] == [f"customer-{A}"]
    chronicle.launches.made(f"customer-{A}")
    chronicle.look(0.0)
    assert chronicle.to_launch() == (), "what was never held is not lost"
    for lease in leases:
        chronicle.seen(1.0, lease)
    chronicle.look(1.0)
    assert chronicle.to_launch() == ()
    chronicle.seen(2.0, replace(leases[0], renewed=5.0))
    chronicle.look(10.0)
    assert [i.name for i in chronicle.to_launch()] == [f"late-{A}"]
