import pytest

from e2e.charts.findings import Waiver
from e2e.charts.page import filled, rights, waived

ROLE = {
    "kind": "ClusterRole",
    "metadata": {"name": "holdfast-enactor"},
    "rules": [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
        {
            "apiGroups": ["x.dev"],
            "resources": ["a", "b"],
            "verbs": ["bind"],
            "resourceNames": ["n"],
        },
    ],
}


def test_a_role_has_a_row_for_each_rule() -> None:
    assert rights([ROLE, {"kind": "Deployment"}]).splitlines()[2:] == [
        "| `holdfast-enactor` | services | get, list |",
        "|  | a.x.dev, b.x.dev (n) | bind |",
    ]


def test_a_waiver_is_told_with_its_reason() -> None:
    table = waived([Waiver("checkov", "CKV_1", "Pod/*", "because it is so\n")])
    assert table.splitlines()[-1] == "| checkov | CKV_1 | `Pod/*` | because it is so |"


def test_a_table_takes_the_place_of_the_old_one_and_needs_a_place() -> None:
    text = "a\n<!-- t -->\nold\nrows\n<!-- /t -->\nb\n"
    new = filled(text, "t", "new")
    assert new == "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n"
    assert filled(new, "t", "new") == new
    with pytest.raises(ValueError, match="0 places"):
        filled("a", "t", "new")
