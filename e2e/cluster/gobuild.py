"""Builds the programs this cluster is made of, from their published Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import apt, versions
from .command import ClusterError, output, run
from .paths import FILES, Cache
from .programs import COREDNS, ETCD, Program
from .progress import step

_FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOGC": "400"}  # memory is plentiful, cores are not
_BUILD_SECONDS = 3600


def staging_replacements(go_mod: str, version: str) -> list[str]:
    """Replace directives for the modules Kubernetes keeps in its own tree, as published.

    Its own go.mod says `k8s.io/api => ./staging/src/k8s.io/api`, which only its checkout has.
    """
    names = re.findall(r"^\s*(?:replace\s+)?(k8s\.io/\S+) => \./staging/\S+\s*$", go_mod, re.M)
    return [f"{name} => {name} {version}" for name in names]


def go_mod(module: str, go: str, require: str, replace: Sequence[str] = ()) -> str:
    lines = [f"module holdfast.invalid/{module}", "", f"go {go}", ""]
    if require:
        lines += [f"require {require}", ""]
    lines += [f"replace {replacement}" for replacement in replace]
    return "\n".join(lines).rstrip() + "\n"


def _download(module: str) -> Mapping[str, str]:
    text = output(["go", "mod", "download", "-json", module], timeout_seconds=900)
    found: dict[str, str] = json.loads(text)
    return found


def _go_mod_of(module: str) -> tuple[str, str]:
    """A published module's go.mod, and the Go version that it asks for."""
    text = Path(_download(module)["GoMod"]).read_text(encoding="utf-8")
    match = re.search(r"^go (\S+)", text, re.M)
    return text, match[1] if match else "1.24"


def _module_files(program: Program) -> dict[str, str]:
    if program.source is not None:
        main = (FILES / program.source).read_text(encoding="utf-8")
        if program is not COREDNS:
            return {"go.mod": go_mod(program.name, "1.24", ""), "main.go": main}
        published = f"github.com/coredns/coredns {program.version}"
        _, go = _go_mod_of(published.replace(" ", "@"))
        return {"go.mod": go_mod(program.name, go, published), "main.go": main}
    if program is ETCD:  # has replace directives, so `go install package@version` refuses
        _, go = _go_mod_of(f"{program.package}@{program.version}")
        return {"go.mod": go_mod(program.name, go, f"{program.package} {program.version}")}
    text, go = _go_mod_of(f"k8s.io/kubernetes@{program.version}")
    replace = staging_replacements(text, versions.staging_version(program.version))
    require = f"k8s.io/kubernetes {program.version}"
    return {"go.mod": go_mod("kubernetes", go, require, replace)}


def _compile(cache: Cache, program: Program, scratch: Path) -> Path:
    ldflags = " ".join(["-s -w", *program.stamp])
    if program.module is None:
        run(
            ["go", "install", *_FLAGS, "-ldflags", ldflags, f"{program.package}@{program.version}"],
            timeout_seconds=_BUILD_SECONDS,
            env={**_ENVIRONMENT, "GOBIN": str(scratch)},
            cwd=scratch,
        )
        return scratch / program.name
    module = cache.src / program.module
    module.mkdir(exist_ok=True)
    for name, text in _module_files(program).items():
        (module / name).write_text(text, encoding="utf-8")
    made = scratch / program.name
    words = ["go", "build", "-mod=mod", *_FLAGS, "-ldflags", ldflags, "-o", str(made)]
    run(
        [*words, program.package],
        timeout_seconds=_BUILD_SECONDS,
        env=_ENVIRONMENT,
        cwd=module,
    )
    return made


def require_go() -> None:
    if shutil.which("go") is None:
        apt.require(["golang-go"])
    version = output(["go", "env", "GOVERSION"], timeout_seconds=60).strip()
    match = re.match(r"go1\.(\d+)", version)
    if match is None or int(match[1]) < 21:
        # From 1.21 on, go fetches by itself the toolchain that a module asks for.
        raise ClusterError(f"Go 1.21 or newer is needed to build the cluster; here is {version}")


def build(cache: Cache, programs: Sequence[Program]) -> None:
    """Leaves every program in `cache.built`, whole or not at all."""
    missing = [program for program in programs if not (cache.built / program.file).exists()]
    if missing:
        require_go()
    for number, program in enumerate(missing, 1):
        with (
            step(f"building {program.name} {program.version} ({number}/{len(missing)})"),
            tempfile.TemporaryDirectory(dir=cache.scratch, prefix="go-") as scratch,
        ):
            made = _compile(cache, program, Path(scratch))
            os.replace(made, cache.built / program.file)


def put_on_path(cache: Cache, program: Program) -> None:
    """Links `bin/<name>` to the version that is wanted now."""
    link = cache.bin / program.name
    target = Path(os.path.relpath(cache.built / program.file, cache.bin))
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{program.name}.partial")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
