"""The tables of docs/security.md, from the rendered chart and the waiver file."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from e2e.charts.findings import Waiver


def rights(objects: Iterable[Mapping[str, Any]]) -> str:
    """Every Role and ClusterRole, rule by rule."""
    rows = ["| role | resources | verbs |", "|---|---|---|"]
    roles = [o for o in objects if o["kind"] in ("Role", "ClusterRole")]
    for role in sorted(roles, key=lambda r: (str(r["metadata"]["name"]), str(r["kind"]))):
        name = f"`{role['metadata']['name']}`"
        for rule in role["rules"]:
            kinds = [_kind(g, r) for g in rule["apiGroups"] for r in rule["resources"]]
            only = f" ({', '.join(rule['resourceNames'])})" if "resourceNames" in rule else ""
            rows.append(f"| {name} | {', '.join(kinds)}{only} | {', '.join(rule['verbs'])} |")
            name = ""
    return "\n".join(rows)


def _kind(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def waived(waivers: Iterable[Waiver]) -> str:
    rows = ["| tool | check | where | why it stays |", "|---|---|---|---|"]
    rows += [f"| {w.tool} | {w.check} | `{w.where}` | {w.reason.strip()} |" for w in waivers]
    return "\n".join(rows)


def filled(text: str, name: str, table: str) -> str:
    """The page with one table put between its markers. ValueError if they are not there."""
    pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
    page, count = re.subn(pattern, lambda m: f"{m[1]}{table}\n{m[2]}", text, flags=re.S)
    if count != 1:
        raise ValueError(f"the page has {count} places for {name}")
    return page
