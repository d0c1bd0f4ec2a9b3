"""`holdfast reference`: pages about metrics, events, conditions and alerts, made from the code.

With `--write` also the chart's rules. A test fails when what is in the repository is stale.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from holdfast.core.alerts import ALERTS, EVALUATE_SECONDS, GREENS, SCRAPE_SECONDS, Alert
from holdfast.core.leases.notices import LOUD_SECONDS
from holdfast.core.planner_notices import LASTING
from holdfast.core.reasons import MEANINGS, Meaning, Reason

MADE = "<!-- Made by `make reference` from the code: changes here are lost. -->\n"
RULES = Path("charts/holdfast/files/rules.yaml")
PAGES = Path("docs/reference")
RUNBOOKS = "docs/failures"
NAMES = ("metrics", "events", "conditions", "alerts")


def add_command(commands: Any) -> None:
    reference = commands.add_parser(
        "reference", help="what metrics, events, conditions and alerts there are"
    )
    reference.add_argument("page", nargs="?", choices=NAMES, help="default: all of them")
    reference.add_argument(
        "--write",
        type=Path,
        metavar="CHECKOUT",
        help=f"write the pages to {PAGES}, and the chart's {RULES}, there",
    )
    reference.set_defaults(do=_reference)


def _reference(arguments: argparse.Namespace) -> int:
    if arguments.write is not None:
        for path, text in files().items():
            target = arguments.write / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return 0
    chosen = [arguments.page] if arguments.page else NAMES
    print("\n".join(pages()[page] for page in chosen))
    return 0


def files() -> dict[Path, str]:
    """All that is made from the code, by its path in a checkout."""
    return {RULES: rules_text()} | {PAGES / f"{n}.md": text for n, text in pages().items()}


def pages() -> dict[str, str]:
    made = (_metrics_page(), _events_page(), _conditions_page(), _alerts_page())
    return {name: f"{MADE}\n{page}" for name, page in zip(NAMES, made, strict=True)}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _metrics_page() -> str:
    rows = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text)
        for name, kind, labels, text in _metrics()
    ]
    return (
        "# Metrics\n\n"
        "Every role exports all of them on port 9090; those that are another role's have no series "
        "there.\n`region` is the Region's namespace. A histogram has `_bucket`, `_sum` and "
        "`_count` in Prometheus' way.\n\n" + _table(("metric", "type", "labels", "what"), rows)
    )


def _metrics() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name, type, labels and text of every metric of ours, by name."""
    from prometheus_client.metrics import MetricWrapperBase

    from holdfast.live import metrics

    found = []
    for value in vars(metrics).values():
        if isinstance(value, MetricWrapperBase):
            (family,) = value.describe()
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ("version",) if family.type == "info" else tuple(value._labelnames)
            kind = "gauge" if family.type == "info" else family.type
            found.append((family.name + suffix, kind, labels, family.documentation))
    yield from sorted(found)


def _events_page() -> str:
    def row(reason: Reason, meaning: Meaning) -> tuple[str, ...]:
        counted = "yes" if meaning.refuses else ""
        return f"`{reason}`", meaning.kind, meaning.who, counted, meaning.sentence

    said = [row(r, m) for r, m in MEANINGS.items() if m.is_said]
    return (
        "# Events\n\n"
        "Events stand on the Region (`kubectl describe region -n NAMESPACE`), with the numbers in "
        "their messages:\nplan and live generation, endpoint, resourceVersion, how often. What "
        "repeats is counted into one Event, which is\nwritten every 5 s at most. Nobody waits for "
        "an Event: where too much is to be said it is dropped, and\n"
        '`holdfast_events_total{result="dropped"}` says so. A reason that is counted is a label '
        "of\n`holdfast_refusals_total`, whether or not it was worth an Event.\n\n"
        + _table(("reason", "type", "of", "counted", "what happened"), said)
        + "\nOrdinary work makes no Event: a plan found old by the check right after `pick` is "
        "lag, a 409 against an\nalias that names the enactor's own tree already is redundancy. "
        "State checks of leases are many: a lease manager's\nEvent stands for all of its kind "
        f"since the one before, {LOUD_SECONDS:.0f} s ago at the earliest, and the counters have "
        "each.\n"
    )


def _conditions_page() -> str:
    ready = (
        Reason.PLANNED,
        Reason.EMPTY_PLAN_WITHHELD,
        Reason.EMPTY_PLAN_PUBLISHED,
        Reason.FROZEN,
        *LASTING,
    )
    blocked = [r for r, m in MEANINGS.items() if "enactor" in m.who and m.refuses and m.is_said]
    rows = [
        ("`Ready`", "planner", "there is a plan, made of front ends that are ready", _names(ready)),
        (
            "`Frozen`",
            "planner",
            "a human has the Region's automation off",
            _names((Reason.FROZEN, Reason.NOT_FROZEN)),
        ),
        (
            "`<zone>.holdfast.dev/Applied`",
            "the enactor of the zone",
            "plans get through there",
            _names((Reason.APPLIED, *blocked)),
        ),
        (
            "`<zone>.holdfast.dev/LeasesHeld`",
            "the lease manager of the zone",
            "every lease of the zone is held",
            _names((Reason.ALL_HELD, Reason.LEASES_LOST)),
        ),
    ]
    return (
        "# Conditions of a Region\n\n"
        "`kubectl get region`, `kubectl wait --for=condition=...`. Each writer applies its own "
        "types (server-side apply,\nthe status subresource) and leaves the others' alone.\n\n"
        + _table(("type", "written by", "True means", "reasons"), rows)
        + "\nA condition is written when its status or reason has changed, 5 s after the last "
        "write at the earliest, and when\nits message has, after 10 s. In a healthy steady state "
        "nothing is written: an ordinary flip costs no call, and the\nnumber in `plans are "
        "applied, since plan N` is where the good times began. What was refused before stands in "
        "the\nsame message. What each reason means is told in [events.md](events.md); these are "
        "states only:\n\n"
        + _table(
            ("reason", "what it means"),
            [(f"`{r}`", m.sentence) for r, m in MEANINGS.items() if not m.is_said],
        )
    )


def _names(reasons: Iterable[Reason]) -> str:
    return ", ".join(f"`{r}`" for r in reasons)


def _alerts_page() -> str:
    parts = [
        "# Alerts\n\n"
        f"For a scrape and an evaluation every {SCRAPE_SECONDS} s. The chart ships them as a "
        "PrometheusRule (value `prometheusRule.enabled`), and\n"
        f"[{RULES.name}](../../{RULES}) is the same for any Prometheus. The engines evaluate them "
        "too: `dns.alerts` of a result\nsays when each would have fired, and how long after the "
        "first empty answer; or, where only leases were hit, after the end of the fault.\n"
    ]
    parts += [_alert(alert) for alert in ALERTS]
    parts.append("\n## Series that stay green\n")
    parts += [f"\n`{g.name}`\n\n```promql\n{g.expr}\n```\n" for g in GREENS]
    return "".join(parts)


def _alert(alert: Alert) -> str:
    return (
        f"\n## {alert.name}\n\n{alert.summary} Severity `{alert.severity}`, for "
        f"{alert.for_seconds} s; runbook [{alert.page}](../failures/{alert.page}).\n\n"
        f"```promql\n{alert.expression.promql()}\n```\n\n"
        f"Beside it `{alert.beats.name}` stays at {alert.beats.value:g}: {alert.beats.sentence}\n"
    )


def rules() -> dict[str, Any]:
    """The rule file, as Prometheus reads it."""
    greens = [{"record": g.name, "expr": g.expr} for g in GREENS]
    alerts = [
        {
            "alert": a.name,
            "expr": a.expression.promql(),
            "for": f"{a.for_seconds}s",
            "labels": {"severity": a.severity},
            "annotations": {
                "summary": a.summary,
                "description": f"{a.beats.name} stays at {a.beats.value:g} meanwhile.",
                "runbook": f"{RUNBOOKS}/{a.page}",
            },
        }
        for a in ALERTS
    ]
    every = f"{EVALUATE_SECONDS}s"
    return {
        "groups": [
            {"name": "holdfast-green", "interval": every, "rules": greens},
            {"name": "holdfast-alerts", "interval": every, "rules": alerts},
        ]
    }


def rules_text() -> str:
    made = "# Made by `make reference` from operator/src/holdfast/core/alerts.py.\n"
    return made + yaml.safe_dump(rules(), sort_keys=False, width=1000)
