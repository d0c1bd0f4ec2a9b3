"""`python3 -m e2e.cluster up|down|env|status|image|load`."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from types import FrameType

from . import command, imageload, lock, operatorimage, state
from .choice import Choice, Engine, NodeImage
from .command import ClusterError
from .engine import environment
from .health import Health
from .kindcluster import Cluster
from .log import LOG
from .paths import Cache, find_cache
from .progress import say
from .up import up


def _present(cache: Cache) -> Cluster:
    """The cluster as it was made; without one, the way in which one would be made offline."""
    made = state.load(cache)
    choice = made.choice if made else Choice(Engine.PODMAN, NodeImage.OWN)
    return Cluster(cache, choice)


def _existing(cache: Cache) -> Cluster:
    if state.load(cache) is None:
        raise ClusterError("there is no cluster; `python3 -m e2e.cluster up` makes one")
    return _present(cache)


def _up(cache: Cache, _: argparse.Namespace) -> int:
    with lock.held(cache):
        LOG.start(cache.logs / "up.log")
        up(cache)
    say('to use it from a shell: eval "$(make -s env)"')
    return 0


def _down(cache: Cache, _: argparse.Namespace) -> int:
    with lock.held(cache):
        LOG.start(cache.logs / "down.log")
        if not (cache.bin / "kind").exists():
            say("there is no cluster")  # nothing but this program's own kind makes one
            return 0
        _present(cache).delete()
    say("there is no cluster any more; caches are kept")
    return 0


def _env(cache: Cache, _: argparse.Namespace) -> int:
    for name, value in environment(cache, _present(cache).choice).items():
        if name == "PATH":
            print(f"export PATH={shlex.quote(str(cache.bin))}:$PATH")
        else:
            print(f"export {name}={shlex.quote(value)}")
    return 0


def _status(cache: Cache, _: argparse.Namespace) -> int:
    LOG.start(cache.logs / "status.log")
    made = state.load(cache)
    if made is None:
        print("absent")
        return 1
    found = Cluster(cache, made.choice).condition()
    how = f"{made.choice.engine.value}, {made.choice.image.value} node image"
    print(f"{found.health.value} ({how}): {found.nodes or 'no node answers'}")
    return 0 if found.health is Health.HEALTHY else 1


def _image(cache: Cache, arguments: argparse.Namespace) -> int:
    with lock.held(cache):
        LOG.start(cache.logs / "image.log")
        print(operatorimage.make(cache, _existing(cache), arguments.tag))
    return 0


def _load(cache: Cache, arguments: argparse.Namespace) -> int:
    with lock.held(cache):
        LOG.start(cache.logs / "load.log")
        for image in arguments.image:
            imageload.load(cache, _existing(cache), image)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m e2e.cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, run, text in (
        ("up", _up, "makes the cluster, or leaves a healthy one as it is"),
        ("down", _down, "deletes the cluster; caches are kept"),
        ("env", _env, "prints the exports with which a shell uses it"),
        ("status", _status, "one line; exit code 0 only if it is healthy"),
        ("image", _image, "builds and loads the operator's image; prints its name"),
        ("load", _load, "loads images of the engine onto the nodes"),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.set_defaults(run=run)
        if name == "image":
            verb.add_argument("--tag", help="instead of a hash over the image's inputs")
        if name == "load":
            verb.add_argument("image", nargs="+")
    return parser


def _interrupted(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> int:
    arguments = _parser().parse_args()
    cache = find_cache()
    cache.make()
    os.environ["PATH"] = f"{cache.bin}:{os.environ.get('PATH', os.defpath)}"
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        code: int = arguments.run(cache, arguments)
    except ClusterError as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        command.end_all()
        say("interrupted")
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
