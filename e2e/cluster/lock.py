"""Keeps two programs from making the same cluster at the same time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .command import ClusterError
from .paths import Cache
from .progress import say

_WAIT_SECONDS = 3600


@contextmanager
def held(cache: Cache) -> Iterator[None]:
    """Waits, and says so, while another process holds it; the kernel frees a dead one's."""
    with cache.lock.open("a") as file:
        deadline = time.monotonic() + _WAIT_SECONDS
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"another process is at work on the cluster ({cache.lock}); waiting for it")
                    told = True
                if time.monotonic() > deadline:
                    raise ClusterError(
                        f"another process has held {cache.lock} for {_WAIT_SECONDS} s"
                    ) from None
                time.sleep(0.5)
        yield
