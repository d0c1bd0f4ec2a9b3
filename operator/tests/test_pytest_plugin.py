"""The plugin, in pytest runs of its own. It comes by its entry point, as it does to strangers."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _without_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run within this one would import it again, for a second."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


MODEL = """
from dataclasses import dataclass
import pytest
from holdfast.check import Actor, Budgets, Create, List, Model, all_of, invariants, remember

@dataclass(frozen=True)
class Pod:
    name: str
    uid: str = ""
    resource_version: str = ""

def careless(identity, made):
    pods = yield List(Pod)
    if not pods.items:
        made += 1
        yield Create(Pod(f"p{made}"))
    return made

def one(objects):
    return len(all_of(objects, Pod)) < 2

def model(**budgets):
    return Model(
        actors=(Actor("ctl", careless, 0, remember),),
        broken=invariants(AtMostOne=one),
        budgets=Budgets(**budgets),
    )
"""


def test_a_model_that_holds_passes_and_is_counted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODEL + "def test_a(explore):\n    assert explore(model()).exhaustive\n"
        "def test_b(explore):\n    explore(model()); explore(model(stale_reads=1), "
        "breaks='AtMostOne')\n"
        "def test_c():\n    pass\n"
    )
    result = pytester.runpytest("--strict-markers")
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines([r"holdfast: 3 models explored, \d+ states, \d+ transitions, 0\."])


def test_a_model_that_breaks_fails_with_its_trace_and_nothing_else(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(MODEL + "def test_a(explore):\n    explore(model(stale_reads=1))\n")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "AtMostOne breaks; 5 moves, and no way is shorter:",
            "   who  asks for     gets*Pod",
            "5  ctl  POST pod p2  done*p1, p2",
            "exhaustive within crashes 0, lost replies 0, stale reads 1, expiries 0",
            "holdfast: 1 model explored, *",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_model_that_should_break_and_holds_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MODEL + "def test_a(explore):\n    explore(model(), breaks='AtMostOne')\n")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["AtMostOne should break, and held"])


def test_the_limit_is_the_calls_then_the_markers_then_the_options(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        MODEL + "def test_option(explore):\n    explore(model())\n"
        "@pytest.mark.holdfast(max_states=50)\n"
        "def test_marker(explore):\n    explore(model())\n"
        "@pytest.mark.holdfast(max_states=1)\n"
        "def test_call(explore):\n    explore(model(), max_states=50)\n"
    )
    result = pytester.runpytest("--holdfast-max-states=1", "--strict-markers")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*test_option*", "more than 1 states.*larger than it needs*"])
    pytester.runpytest().assert_outcomes(passed=3)


def test_the_marker_needs_its_argument(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODEL + "@pytest.mark.holdfast\ndef test_a(explore):\n    explore(model())\n"
    )
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*holdfast(max_states)*"])


def test_the_option_is_a_number_above_none(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--holdfast-max-states=0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--holdfast-max-states: invalid*'0'*"])


def test_a_run_that_explores_nothing_has_no_line_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a():\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("holdfast:*")


def test_other_runs_import_no_checker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test_a():\n"
        "    ours = {m for m in sys.modules if m.split('.')[0] == 'holdfast'}\n"
        "    assert ours == {'holdfast', 'holdfast.pytest_plugin'}\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_checker_needs_no_framework() -> None:
    program = (
        "import sys, holdfast.pytest_plugin, holdfast.check\n"
        "heavy = {'aiohttp', 'dns', 'kopf', 'kubernetes', 'prometheus_client', 'rich', 'yaml'}\n"
        "print(*heavy & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")
