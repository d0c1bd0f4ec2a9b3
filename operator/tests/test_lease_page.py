"""docs/failures/lease-collapse.md: its commands need no cluster, so they are run here."""

from pathlib import Path

import pytest

from e2e import pages

(PAGE,) = pages.pages_of("lease-collapse")
SHOWN = list(pages.shown(PAGE))


@pytest.mark.parametrize("told", SHOWN, ids=[f"{n}" for n in range(len(SHOWN))])
def test_it_prints_what_the_page_says(
    told: pages.Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told.printed
    assert pages.missing(told) == []
