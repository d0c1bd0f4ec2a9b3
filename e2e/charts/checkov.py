"""checkov in an environment of its own: its dependencies are many, and none of them ours."""

import shutil
import sys
from pathlib import Path

from e2e.cluster import lock
from e2e.cluster.command import run
from e2e.cluster.hashing import of_files, of_values
from e2e.cluster.paths import Cache
from e2e.cluster.progress import step

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def python(cache: Cache) -> Path:
    """The interpreter that has checkov, made once for each list of requirements."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache.venvs / f"checkov-{of_values([version, of_files([REQUIREMENTS])])}"
    ready, interpreter = folder / ".ready", folder / "bin/python"
    if not ready.exists():
        with lock.held(cache), step("installing checkov"):
            for old in cache.venvs.glob("checkov-*"):
                shutil.rmtree(old)
            run([sys.executable, "-m", "venv", folder], timeout_seconds=120)
            pip: list[str | Path] = [
                interpreter,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            run([*pip, "--requirement", REQUIREMENTS], timeout_seconds=900)
            ready.touch()
    return interpreter
