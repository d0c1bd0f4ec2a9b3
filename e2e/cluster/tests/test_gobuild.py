from __future__ import annotations

import pytest

from e2e.cluster.gobuild import go_mod, staging_replacements
from e2e.cluster.programs import COREDNS, KIND, NODE
from e2e.cluster.versions import staging_version

KUBERNETES_GO_MOD = """\
module k8s.io/kubernetes

go 1.24.0

require k8s.io/api v0.0.0

replace (
\tk8s.io/api => ./staging/src/k8s.io/api
\tk8s.io/client-go => ./staging/src/k8s.io/client-go
\texample.test/fork => example.test/other v1.0.0
)
"""


def test_staging_modules_are_replaced_by_what_is_published() -> None:
    replace = staging_replacements(KUBERNETES_GO_MOD, staging_version("v1.34.4"))
    assert replace == [
        "k8s.io/api => k8s.io/api v0.34.4",
        "k8s.io/client-go => k8s.io/client-go v0.34.4",
    ]
    assert go_mod("x", "1.24.0", "k8s.io/kubernetes v1.34.4", replace).splitlines() == [
        "module holdfast.invalid/x",
        "",
        "go 1.24.0",
        "",
        "require k8s.io/kubernetes v1.34.4",
        "",
        *(f"replace {line}" for line in replace),
    ]


def test_a_version_that_is_not_v1_has_no_staging_version() -> None:
    with pytest.raises(ValueError, match="v2"):
        staging_version("v2.0.0")


def test_binaries_are_named_by_version_and_by_source_where_it_is_our_own() -> None:
    assert KIND.file == f"kind-{KIND.version}"
    assert COREDNS.file.startswith(f"coredns-{COREDNS.version}-")
    files = [program.file for program in NODE]
    assert len(set(files)) == len(files)
