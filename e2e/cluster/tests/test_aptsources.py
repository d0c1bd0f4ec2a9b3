from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster.aptsources import debian_mirror, is_debian, uris_of_deb822, uris_of_list

DEB822 = """\
Types: deb
# a comment within a stanza
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
URIs: http://mirror.test/debian/
  http://second.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://disabled.test/debian
"""

LIST = """\
# deb http://commented.test/debian bookworm main
deb-src http://sources.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://packages.test/apt stable main
deb http://classic.test/debian bookworm main contrib
"""


def test_deb822_stanzas_with_comments_continuations_and_disabled_ones() -> None:
    assert uris_of_deb822(DEB822) == [
        "http://mirror.test/debian-security",
        "http://mirror.test/debian/",
        "http://second.test/debian",
    ]


def test_classic_lines_with_options() -> None:
    assert uris_of_list(LIST) == ["https://packages.test/apt", "http://classic.test/debian"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://mirror.test/debian", True),
        ("https://mirror.test/pub/debian/", True),
        ("http://mirror.test/debian-security", False),
        ("https://packages.test/apt", False),
        ("http://mirror.test/ubuntu", False),
        ("cdrom:[Debian]/debian", False),
    ],
)
def test_what_looks_like_debian(uri: str, expected: bool) -> None:
    assert is_debian(uri) is expected


def test_first_mirror_of_both_formats(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    assert debian_mirror(tmp_path) is None
    (parts / "debian.sources").write_text(DEB822)
    (parts / "ignored.sources.disabled").write_text("Types: deb\nURIs: http://no.test/debian\n")
    assert debian_mirror(tmp_path) == "http://mirror.test/debian"
    (tmp_path / "sources.list").write_text(LIST)
    assert debian_mirror(tmp_path) == "http://classic.test/debian"
