"""`python -m e2e.charts`: renders the chart and lints it; 0 only if nothing unwaived is found and
the tables of docs/security.md tell what the chart says. With `--write` it writes them."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from e2e.charts import checkov, page
from e2e.charts.findings import Finding, Waiver, judge, of_checkov, of_kube_score, waivers
from e2e.cluster import gobuild, programs, versions
from e2e.cluster.command import ClusterError, execute, output
from e2e.cluster.log import LOG
from e2e.cluster.paths import CHECKOUT, Cache, find_cache

WAIVERS = Path(__file__).with_name("waivers.yaml")
CHART = CHECKOUT / "charts/holdfast"
PAGE = CHECKOUT / "docs/security.md"


def rendered(cache: Cache) -> str:
    """Every object that the chart makes with its own values, hooks and tests among them."""
    helm = cache.built / programs.HELM.file
    version = versions.KUBERNETES.removeprefix("v")
    words = [str(helm), "template", "holdfast", str(CHART), "--namespace", "holdfast-system"]
    return output([*words, "--kube-version", version], timeout_seconds=60)


def _checkov(cache: Cache, manifests: Path) -> list[Finding]:
    words: list[str | Path] = [checkov.python(cache), "-m", "checkov.main", "--file", manifests]
    # Without the download it asks nobody for anything.
    words += ["--framework", "kubernetes", "--output", "json", "--skip-download", "--soft-fail"]
    return of_checkov(_json(words))


def _kube_score(cache: Cache, manifests: Path) -> list[Finding]:
    score = cache.built / programs.KUBE_SCORE.file
    words: list[str | Path] = [score, "score", manifests]
    minor = versions.KUBERNETES.rpartition(".")[0]
    words += ["--output-format", "json", "--kubernetes-version", minor]
    return of_kube_score(_json(words))


def _json(words: list[str | Path]) -> Any:
    """What a program prints; its exit code says only that it found something."""
    _, text = execute(words, timeout_seconds=300, capture=True)
    try:
        return json.loads(text)
    except ValueError as bad:
        raise ClusterError(f"{words[0]} printed no JSON; its log: {LOG.path}") from bad


def _page_tells(chart: str, given: list[Waiver]) -> bool:
    """Whether docs/security.md is up to date; `--write` makes it so."""
    was = PAGE.read_text(encoding="utf-8")
    text = page.filled(was, "rights", page.rights(o for o in yaml.safe_load_all(chart) if o))
    text = page.filled(text, "waivers", page.waived(given))
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return True
    if text != was:
        print(f"{PAGE.relative_to(CHECKOUT)} is stale: `python -m e2e.charts --write` renews it")
    return text == was


def main() -> int:
    cache = find_cache()
    cache.make()
    LOG.start(cache.logs / "lint-chart.log")
    gobuild.build(cache, [programs.HELM, programs.KUBE_SCORE])
    with tempfile.TemporaryDirectory(dir=cache.scratch, prefix="chart-") as scratch:
        manifests = Path(scratch) / "chart.yaml"
        chart = rendered(cache)
        manifests.write_text(chart, encoding="utf-8")
        found = _checkov(cache, manifests) + _kube_score(cache, manifests)
    given = waivers(yaml.safe_load(WAIVERS.read_text(encoding="utf-8")))
    left, stale = judge(found, given)
    for finding in left:
        print(f"{finding.tool} {finding.check} {finding.where}: {finding.says}")
    for waiver in stale:
        print(f"waiver {waiver.tool} {waiver.check} {waiver.where}: no finding needs it any more")
    told = _page_tells(chart, given)
    print(f"chart: {len(left)} findings, {len(found) - len(left)} waived with a reason")
    return 1 if left or stale or not told else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as problem:
        sys.exit(f"error: {problem}")
