"""Every case, on the cluster: `make test-faults`; with `-k`, those of a name."""

import pytest
import uvloop

from e2e.faults.cases import CASES, Case
from e2e.faults.sweep import Sweep, sweep

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Sweep:
    """All that were chosen are played at once, and then judged one by one."""
    names = {item.name for item in request.session.items}
    return uvloop.run(sweep([c for c in CASES if any(f"[{c.name}]" in name for name in names)]))


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_the_end_is_that_of_a_life_without_the_fault(run: Sweep, case: Case) -> None:
    result = next(r for r in run.results if r.case == case)
    assert result.verdict.failures == ()


def test_lives_without_a_fault_are_as_the_cases_suppose(run: Sweep) -> None:
    assert run.complaints == ()
