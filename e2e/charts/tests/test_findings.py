import copy
from typing import Any

import pytest
import yaml

from e2e.charts.__main__ import WAIVERS
from e2e.charts.findings import Finding, Waiver, judge, of_checkov, of_kube_score, waivers

CHECKOV: dict[str, Any] = {
    "summary": {"parsing_errors": 0, "passed": 7},
    "results": {
        "failed_checks": [
            {
                "check_id": "CKV_K8S_43",
                "check_name": "Image should use digest",
                "resource": "Deployment.holdfast-system.holdfast-planner",
            }
        ]
    },
}


def scored(grade: int, skipped: bool = False) -> list[dict[str, Any]]:
    check = {
        "check": {"id": "pod-networkpolicy"},
        "grade": grade,
        "skipped": skipped,
        "comments": [{"summary": "no matching policy"}],
    }
    kind = {"kind": "Deployment", "apiVersion": "apps/v1"}
    return [{"type_meta": kind, "object_meta": {"name": "holdfast-planner"}, "checks": [check]}]


DIGEST = Finding("checkov", "CKV_K8S_43", "Deployment/holdfast-planner", "Image should use digest")


def test_both_reports_are_read_into_one_form() -> None:
    assert of_checkov(CHECKOV) == [DIGEST]
    assert of_kube_score(scored(1)) == [
        Finding(
            "kube-score", "pod-networkpolicy", "Deployment/holdfast-planner", "no matching policy"
        )
    ]


def test_a_warning_counts_and_what_is_passed_or_skipped_does_not() -> None:
    assert of_kube_score(scored(5))
    assert of_kube_score(scored(10)) == []
    assert of_kube_score(scored(1, skipped=True)) == []


def test_a_report_over_nothing_is_no_clean_report() -> None:
    unread = copy.deepcopy(CHECKOV)
    unread["summary"]["parsing_errors"] = 1
    empty = {"summary": {"parsing_errors": 0, "passed": 0}, "results": {"failed_checks": []}}
    for report in (unread, empty):
        with pytest.raises(ValueError, match="could not read"):
            of_checkov(report)
    with pytest.raises(ValueError, match="nothing"):
        of_kube_score(None)


@pytest.mark.parametrize(
    ("waiver", "covers"),
    [
        (Waiver("checkov", "CKV_K8S_43", "*", ""), True),
        (Waiver("checkov", "CKV_K8S_43", "Deployment/*", ""), True),
        (Waiver("checkov", "CKV_K8S_43", "Pod/*", ""), False),
        (Waiver("checkov", "CKV_K8S_15", "*", ""), False),
        (Waiver("kube-score", "CKV_K8S_43", "*", ""), False),
    ],
)
def test_a_waiver_covers_its_tools_check_on_its_objects_only(waiver: Waiver, covers: bool) -> None:
    left, stale = judge([DIGEST], [waiver])
    assert left == ([] if covers else [DIGEST])
    assert stale == ([] if covers else [waiver])


def test_a_waiver_has_a_reason_in_words() -> None:
    entry = {"tool": "checkov", "check": "CKV_K8S_43", "where": "*", "reason": "later"}
    with pytest.raises(ValueError, match="needs a reason"):
        waivers([entry])


def test_the_waiver_file_can_be_read() -> None:
    assert waivers(yaml.safe_load(WAIVERS.read_text(encoding="utf-8")))
