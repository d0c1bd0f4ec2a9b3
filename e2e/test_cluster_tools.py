"""What a customer on the host saw, beside what the probe told."""

from e2e.cluster_tools import Seen, empty, while_probed

GOOD = ("10.0.0.1",)


def answers(good: float, bad: float) -> list[Seen]:
    """Ten answers a second: so many seconds with an address, then so many without."""
    count = round((good + bad) * 10)
    return [
        Seen(100 + i / 10, "NOERROR", GOOD if i < good * 10 else (), "tree", "space")
        for i in range(count)
    ]


def test_what_is_answered_while_an_arm_is_closed_is_not_compared_with_its_probe() -> None:
    """The probe is read, and the name stays empty for three seconds more."""
    seen = answers(good=5, bad=20)
    found = empty(while_probed(seen, {"firstEmptyAt": 3.0, "endedAt": 20.05}))
    assert (found[0].at, found[-1].at) == (105.0, 122.0)


def test_an_outage_that_the_probe_did_not_see_is_kept_whole() -> None:
    seen = answers(good=1, bad=1)
    assert while_probed(seen, {"endedAt": 1.5}) == seen


def test_answers_that_are_never_empty_are_kept_whole() -> None:
    seen = answers(good=2, bad=0)
    assert while_probed(seen, {"endedAt": 1.0}) == seen
