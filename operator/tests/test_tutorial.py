"""docs/your-own-controller.md says what the examples are and print: it cannot go stale."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.check import Budgets, Create, Flow, TimedOut, Written, explore

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "your-own-controller.md").read_text()
CODE = re.findall(r"^```python title=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SESSIONS = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
UNSHOWN = {"test_disks.py"}


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def test_every_example_is_on_the_page() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert {name for name, _ in CODE} == files - UNSHOWN
    assert {"python " + name for name in files if not name.startswith("test_")} < {
        command for command, _ in SESSIONS
    }


@pytest.mark.parametrize("name", sorted({name for name, _ in CODE}))
def test_whoever_copies_the_page_has_the_example(name: str) -> None:
    copied = "".join(code for of, code in CODE if of == name)
    assert lines(copied) == lines((EXAMPLES / name).read_text())


@pytest.mark.parametrize(("command", "printed"), SESSIONS, ids=[c for c, _ in SESSIONS])
def test_what_is_printed_is_what_the_page_says(command: str, printed: str) -> None:
    program, *arguments = command.split()
    module = [] if program == "python" else ["-m", program]
    quick = {"PYTEST_ADDOPTS": "-p no:cacheprovider -p no:hypothesispytest"}
    done = subprocess.run(
        [sys.executable, *module, *arguments],
        cwd=EXAMPLES,
        env=os.environ | quick,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert without_times(done.stdout) == without_times(printed)


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d+ ?s\b", "? s", text).strip()


def test_the_exercise_comes_out_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expecting what timed out is safe, and waits for ever for what never was."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import expectations
    import replicas

    def patient(identity: str, memory: expectations.Memory) -> Flow:
        flow = expectations.expecting(identity, memory)
        asked = next(flow)
        try:
            while True:
                reply = yield asked
                if isinstance(asked, Create) and isinstance(reply, TimedOut):
                    reply = Written(asked.obj, 0.0)
                asked = flow.send(reply)
        except StopIteration as stop:
            return stop.value

    budgets = Budgets(stale_reads=1, lost_replies=1)
    model = replicas.model(patient, expectations.Memory(), budgets)
    assert explore(model).broken == {"goal"}
