"""A whole Scenario in virtual time: every arm, and the result document."""

from collections.abc import Mapping
from typing import Any

from holdfast.core.document import result_document
from holdfast.core.scenario import scenario_of
from holdfast.sim.arm import Weather, run_arm


def simulate(
    raw: Mapping[str, Any], seed: int | None = None, weather: Weather | None = None
) -> dict[str, Any]:
    """Run a Scenario (`kind: Scenario`, as its file has it). `seed`: instead of the Scenario's own.
    Raises ValueError or KeyError naming the field for what no engine can run."""
    scenario = scenario_of(raw["metadata"]["name"], "simulated", raw["spec"])
    chosen = scenario.seed if seed is None else seed
    arms = [run_arm(scenario, arm, chosen, weather or Weather()) for arm in scenario.arms]
    return result_document(scenario.name, "simulate", chosen, arms)
