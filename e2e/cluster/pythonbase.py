"""The Python base of the operator's image where the public slim image cannot be had."""

from __future__ import annotations

from . import rootfs
from .command import run
from .engine import image_exists
from .kindcluster import Cluster
from .paths import Cache
from .progress import step

RECIPE = rootfs.Recipe(
    name="python",
    packages=("python3", "python3-venv", "ca-certificates"),
    removed=(
        *("usr/share/zoneinfo", "usr/share/perl5"),
        *("usr/lib/python3/dist-packages/__pycache__", "usr/lib/*/gconv", "usr/lib/*/perl-base"),
        *("usr/lib/apt", "usr/bin/perl*", "usr/lib/python3*/test", "usr/lib/systemd"),
        "var/cache/ldconfig/*",
    ),
)


def make(cache: Cache, cluster: Cluster) -> str:
    """The name of the base image, made once."""
    image = f"localhost/holdfast/python-base:{RECIPE.key}"
    engine = cluster.choice.engine
    if image_exists(engine, image, cluster.env):
        return image
    pristine = rootfs.make(cache, RECIPE)
    with rootfs.copy(cache, pristine) as root, step("making the Python base image"):
        # The public image has both names too.
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        # Builds mount this machine's pip configuration over it; they leave nothing behind.
        (root / "etc/pip.conf").touch()
        archive = root.with_name("base.tar")
        run(["tar", "--create", "--file", archive, "--directory", root, "."], timeout_seconds=300)
        change = "ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
        words = [engine.value, "import", "--change", change, "--change", 'CMD ["python3"]']
        run([*words, archive, image], timeout_seconds=300, env=cluster.env)
    return image
