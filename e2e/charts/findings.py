"""What the linters find, in one form, and which of it a written reason takes away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

CHECKOV, KUBE_SCORE = "checkov", "kube-score"
_GOOD = 10
"""kube-score's grade of a check that is passed; a warning has 5, a critical finding 1."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`where` is `Kind/name`."""

    tool: str
    check: str
    where: str
    says: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """`where` is a pattern over a finding's `where`."""

    tool: str
    check: str
    where: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        same = (self.tool, self.check) == (finding.tool, finding.check)
        return same and fnmatchcase(finding.where, self.where)


def of_checkov(report: Mapping[str, Any]) -> list[Finding]:
    """From `checkov --output json`. A report that says nothing was looked at is no clean one."""
    if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise ValueError(f"checkov could not read the chart: {report['summary']}")
    found = []
    for failed in report["results"]["failed_checks"]:
        kind, _, name = failed["resource"].split(".", 2)
        found.append(Finding(CHECKOV, failed["check_id"], f"{kind}/{name}", failed["check_name"]))
    return found


def of_kube_score(report: Iterable[Mapping[str, Any]] | None) -> list[Finding]:
    """From `kube-score score --output-format json`, which is `null` where nothing was looked at."""
    if not report:
        raise ValueError("kube-score has looked at nothing")
    found = []
    for scored in report:
        where = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check in scored["checks"]:
            if check["skipped"] or check["grade"] >= _GOOD:
                continue
            says = "; ".join(c["summary"] for c in check["comments"] or [])
            found.append(Finding(KUBE_SCORE, check["check"]["id"], where, says))
    return found


def waivers(read: Any) -> list[Waiver]:
    """From the waiver file; raises ValueError for one without a reason."""
    found = [Waiver(**entry) for entry in read]
    for waiver in found:
        if len(waiver.reason.split()) < 5:
            raise ValueError(f"{waiver.tool} {waiver.check}: a waiver needs a reason, in words")
    return found


def judge(
    findings: Iterable[Finding], given: Iterable[Waiver]
) -> tuple[list[Finding], list[Waiver]]:
    """The findings that nothing waives, and the waivers that waive nothing."""
    findings, given = list(findings), list(given)
    left = sorted(f for f in findings if not any(w.covers(f) for w in given))
    stale = [w for w in given if not any(w.covers(f) for f in findings)]
    return left, stale
