"""Prometheus' own promtool on the rules that the chart ships: it accepts them, they fire in the
incident, and it agrees with our evaluation of them on random series."""

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_alerts import (
    BACK,
    END,
    RACE,
    REGION,
    STUCK,
    collapse,
    generation,
    incident,
    ordinary,
    points,
)

from e2e.cluster.command import ClusterError
from e2e.promtool import promtool
from holdfast.cli.reference import RUNBOOKS
from holdfast.core.alerts import (
    ALERTS,
    API_ERRORS,
    APPLY_ERRORS,
    BY_CODE,
    SCRAPE_SECONDS,
    UNANSWERED,
    WITH_ADDRESSES,
    Alert,
    Green,
    Key,
    Labels,
    Points,
    series,
)

RULES = Path(__file__).resolve().parents[2] / "charts/holdfast/files/rules.yaml"
ROUNDS = series("holdfast_rounds_total", region="dns-race-aws-2025", outcome="Applied")
CASES = 80


@pytest.fixture(scope="module")
def tool() -> Path:
    try:
        return promtool()
    except ClusterError as problem:
        pytest.skip(f"no promtool: {problem}")


def run(tool: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool, *words], capture_output=True, text=True, check=False, timeout=300)


def passes(tool: Path, folder: Path, *groups: dict[str, Any]) -> str:
    """ "" if promtool finds all that the test groups expect; else what it said."""
    file = folder / "tests.yaml"
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "5s", "tests": list(groups)}
    file.write_text(yaml.safe_dump(whole))
    done = run(tool, "test", "rules", file)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def spelt(key: Key) -> str:
    metric, labels = key
    told = ", ".join(f'{k}="{v}"' for k, v in sorted(labels))
    return f"{metric}{{{told}}}"


def inputs(samples: dict[Key, Points], end: int) -> list[dict[str, str]]:
    """`_` where nothing was scraped."""
    found = []
    for key, there in samples.items():
        at = dict(there)
        words = [f"{at[t]:g}" if t in at else "_" for t in range(0, end + 1, SCRAPE_SECONDS)]
        found.append({"series": spelt(key), "values": " ".join(words)})
    return found


def expected(alert: Alert, groups: frozenset[Labels]) -> list[dict[str, Any]]:
    return [
        {
            "exp_labels": {"severity": alert.severity, **dict(group)},
            "exp_annotations": {
                "summary": alert.summary,
                "description": f"{alert.beats.name} stays at {alert.beats.value:g} meanwhile.",
                "runbook": f"{RUNBOOKS}/{alert.page}",
            },
        }
        for group in groups
    ]


def firing_as_ours(samples: dict[Key, Points], end: int) -> dict[str, Any]:
    """A test group that expects of promtool what our evaluation says, at every evaluation."""
    return {
        "interval": f"{SCRAPE_SECONDS}s",
        "input_series": inputs(samples, end),
        "alert_rule_test": [
            {
                "eval_time": f"{t:.0f}s",
                "alertname": alert.name,
                "exp_alerts": expected(alert, groups),
            }
            for alert in ALERTS
            for t, groups in alert.firing(samples, 0, end)
        ],
    }


def stays(green: Green, labels: dict[str, str], *times: int) -> list[dict[str, Any]]:
    """That a recorded series is green at these times."""
    told = ", ".join(f'{k}="{v}"' for k, v in labels.items())
    sample = {"labels": f"{green.name}{{{told}}}", "value": green.value}
    return [
        {"expr": f"{green.name}{{{told}}}", "eval_time": f"{t}s", "exp_samples": [sample]}
        for t in times
    ]


def test_the_rules_are_rules(tool: Path) -> None:
    done = run(tool, "check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 rules found" in done.stdout


@pytest.mark.parametrize("story", [ordinary, incident, collapse])
def test_promtool_sees_the_stories_as_we_do(tool: Path, story: Any, tmp_path: Path) -> None:
    assert passes(tool, tmp_path, firing_as_ours(story(), END)) == ""


def test_success_by_response_code_stays_at_100_percent_through_the_outage(
    tool: Path, tmp_path: Path
) -> None:
    """And the other dashboards that everybody has stay as green as in an ordinary run."""
    region = {"region": "dns-race-aws-2025"}
    told: dict[str, Any] = {"interval": "5s"}
    told["input_series"] = inputs(incident() | {ROUNDS: points(lambda t: t)}, END)
    after = (RACE - 5, RACE, RACE + 5, RACE + 30, RACE + 60, END)
    told["promql_expr_test"] = [
        *stays(BY_CODE, {"server": "authoritative"}, *after),
        *stays(BY_CODE, {"server": "resolver"}, *after),
        *stays(API_ERRORS, region, *after),
        *stays(APPLY_ERRORS, region, *after),
    ]
    assert passes(tool, tmp_path, told) == ""


def test_an_answer_of_yesterday_has_addresses_too(tool: Path, tmp_path: Path) -> None:
    """A regression alone, as behind PinLive: every answer has addresses, and only one alert says
    what they are."""
    back = ordinary() | {generation("served"): points(lambda t: t if t < RACE else t - 20)}
    told = firing_as_ours(back, END)
    times = (RACE, RACE + 5, END)
    told["promql_expr_test"] = stays(WITH_ADDRESSES, {"server": "authoritative"}, *times)
    assert passes(tool, tmp_path, told) == ""


def test_state_checks_are_answered_while_every_one_of_them_is_too_late(
    tool: Path, tmp_path: Path
) -> None:
    """And the share of those that are not can rise: while the store is gone it is 1."""
    zone = {"region": REGION, "zone": "us-east-1a"}
    told: dict[str, Any] = {"interval": "5s", "input_series": inputs(collapse(), END)}
    told["promql_expr_test"] = stays(UNANSWERED, zone, BACK + 25, BACK + 60, END)
    assert passes(tool, tmp_path, told) == ""
    told["promql_expr_test"] = stays(UNANSWERED, zone, BACK)
    assert passes(tool, tmp_path, told) != ""


def test_the_success_ratio_can_fall(tool: Path, tmp_path: Path) -> None:
    """Where every answer is a SERVFAIL it is 0: its being green is no accident of the rule."""
    key = series("holdfast_answers_total", server="authoritative", answer="servfail")
    told: dict[str, Any] = {"interval": "5s"}
    told["input_series"] = inputs({key: points(lambda t: t)}, END)
    told["promql_expr_test"] = stays(BY_CODE, {"server": "authoritative"}, END)
    assert passes(tool, tmp_path, told) != ""


def some(chance: random.Random, curve: Points, gaps: float) -> Points:
    """A series with scrapes missing."""
    return [p for p in curve if chance.random() >= gaps]


def counter(chance: random.Random, times: range, rate: float) -> Points:
    """It rises now and then, and begins anew with its process."""
    value, found = 0.0, []
    for t in times:
        value += chance.choice((1.0, 3.0, 40.0)) if chance.random() < rate else 0.0
        value = 0.0 if chance.random() < 0.03 else value
        found.append((float(t), value))
    return found


def gauge(chance: random.Random, times: range, rate: float) -> Points:
    value, found = 5.0, []
    for t in times:
        value += chance.choice((1.0, 2.0)) if chance.random() < rate else 0.0
        value = max(1.0, value - 4.0) if chance.random() < 0.04 else value
        found.append((float(t), value))
    return found


def weather(number: int) -> dict[Key, Points]:
    """Random series: several servers, regions and endpoints, counters that restart, gauges that
    fall, scrapes that are missing; zones that hardly renew a lease."""
    chance = random.Random(f"alerts/{number}")
    times = range(0, 150, SCRAPE_SECONDS)
    gaps = chance.choice((0.0, 0.1, 0.4))
    found: dict[Key, Points] = {}
    for server in ("authoritative", "resolver"):
        for answer, rate in (("ok", 0.9), ("stale", 0.05), ("empty", 0.08)):
            key = series("holdfast_answers_total", server=server, answer=answer)
            found[key] = some(chance, counter(chance, times, rate), gaps)
    for region in ("r1", "r2"):
        for reason in ("RollbackMissing", "PolicyRefused", "LockLost"):
            key = series("holdfast_refusals_total", region=region, reason=reason)
            found[key] = some(chance, counter(chance, times, chance.choice((0.1, 0.9))), gaps)
        key = series("holdfast_writes_total", region=region, result="flipped")
        found[key] = some(chance, counter(chance, times, chance.choice((0.1, 0.6))), gaps)
        for stage, rate in (("proposed", 0.5), ("served", chance.choice((0.3, 0.6)))):
            for endpoint in ("dynamodb", "s3"):
                labels = {"region": region, "endpoint": endpoint, "stage": stage}
                key = series("holdfast_plan_generation", **labels)
                found[key] = some(chance, gauge(chance, times, rate), gaps)
        for zone, rate in (("a", 0.05), ("b", 0.6)):
            for result, often in (("held", rate), ("late", 0.5)):
                labels = {"region": region, "zone": zone, "result": result}
                key = series("holdfast_lease_attempts_total", **labels)
                found[key] = some(chance, counter(chance, times, often), gaps)
    return {key: there for key, there in found.items() if there}


def test_our_evaluation_and_promtools_agree_on_random_series(tool: Path, tmp_path: Path) -> None:
    cases = [firing_as_ours(weather(n), 145) for n in range(CASES)]
    fired = {t["alertname"] for case in cases for t in case["alert_rule_test"] if t["exp_alerts"]}
    assert fired == {a.name for a in ALERTS}, "each has fired somewhere, or nothing is compared"
    assert passes(tool, tmp_path, *cases) == ""


def test_promtool_would_say_so_if_we_were_wrong(tool: Path, tmp_path: Path) -> None:
    """One scrape less, and the two see different worlds."""
    whole = weather(1)
    case = firing_as_ours(whole, 145)
    less = {k: v[: len(v) // 2] for k, v in whole.items() if k != STUCK}
    case["input_series"] = inputs(less, 145)
    assert passes(tool, tmp_path, case) != ""
