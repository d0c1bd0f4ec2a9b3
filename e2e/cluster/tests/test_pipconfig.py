from __future__ import annotations

from e2e.cluster.pipconfig import render, settings

LISTED = """\
:env:.index-url='https://env.test/simple'
:env:.cert='/somewhere/bundle.crt'
global.index-url='https://file.test/simple'
global.extra-index-url='https://one.test/simple\\nhttps://two.test/simple'
global.cache-dir='/not/carried'
freeze.timeout='10'
not a setting
"""


def test_the_environment_wins_and_only_what_reaches_an_index_is_carried() -> None:
    assert settings(LISTED) == {
        "index-url": "https://env.test/simple",
        "extra-index-url": "https://one.test/simple\nhttps://two.test/simple",
    }


def test_several_values_become_several_lines() -> None:
    text = render({"extra-index-url": "https://one.test\nhttps://two.test"})
    assert text.startswith("[global]\ncert = ")
    assert text.endswith("extra-index-url = https://one.test\n    https://two.test\n")
