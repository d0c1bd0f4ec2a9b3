"""For pytest: the fixture `explore`, which fails a test with the shortest trace to what breaks.

pytest imports this module wherever holdfast is installed: the checker is imported by the first test
that explores, and nothing else ever is.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from holdfast.check import Findings, Model
    from holdfast.check.findings import Describe

MARKER = "holdfast(max_states): how many states `explore` visits in this test at most"
COUNTED = ("states", "transitions", "seconds")


class Explore:
    """The fixture: called with a model, it explores. `counts` takes what was visited."""

    def __init__(self, max_states: int | None, counts: list[tuple[str, object]]) -> None:
        self._max_states, self._counts = max_states, counts

    def __call__(
        self,
        model: "Model",
        *,
        breaks: str | Iterable[str] = (),
        stop: bool | Collection[str] = False,
        max_states: int | None = None,
        liveness: bool = True,
        describe: "Describe | None" = None,
    ) -> "Findings":
        """As `holdfast.check.explore`. The test fails unless exactly the invariants `breaks` break,
        or if there are too many states; `max_states` goes before the marker's and the option's."""
        __tracebackhide__ = True
        from holdfast import check

        options: dict[str, Any] = {"stop": stop, "liveness": liveness}
        if describe is not None:
            options["describe"] = describe
        limit = max_states or self._max_states
        if limit is not None:
            options["max_states"] = limit
        try:
            findings = check.explore(model, **options)
            self._counts.extend((f"holdfast_{n}", getattr(findings, n)) for n in COUNTED)
            return findings.check(breaks)
        except (AssertionError, check.TooLarge) as error:
            message = str(error)
        pytest.fail(message, pytrace=False)


@pytest.fixture
def explore(request: pytest.FixtureRequest) -> Explore:
    """Explore a model of controllers: `explore(model)` fails with a shortest trace to what breaks,
    `explore(model, breaks="Name")` if that does not break."""
    marker = request.node.get_closest_marker("holdfast")
    limit = request.config.getoption(OPTION)
    if marker:
        if marker.args or set(marker.kwargs) != {"max_states"}:
            raise pytest.UsageError(f"a marker is {MARKER}")
        limit = marker.kwargs["max_states"]
    return Explore(limit, request.node.user_properties)


OPTION = "holdfast_max_states"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is less than 1")
    return number


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("holdfast").addoption(
        "--holdfast-max-states",
        dest=OPTION,
        type=_positive,
        metavar="N",
        help="how many states the fixture `explore` visits at most (default: 1,000,000)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line of what was explored, if anything was. Reports bring it, from other processes too."""
    totals: dict[str, float] = dict.fromkeys(COUNTED, 0)
    models = 0
    for outcome in ("passed", "failed", "xfailed", "xpassed"):
        for report in terminalreporter.getreports(outcome):
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                counted = name.removeprefix("holdfast_")
                if name.startswith("holdfast_") and counted in totals:
                    totals[counted] += float(value)
                    models += counted == "states"
    if models:
        terminalreporter.write_line(
            f"holdfast: {models} model{'s' * (models > 1)} explored, {totals['states']:,.0f} "
            f"states, {totals['transitions']:,.0f} transitions, {totals['seconds']:.2f} s"
        )
