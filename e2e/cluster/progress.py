"""What a person sees while waiting: one line for each step that is not over at once.

[ 12s] building kube-apiserver (3/7) ... 41s
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED = time.monotonic()
_SHOWN_AFTER_SECONDS = 1.5
_printing = threading.Lock()
_open_line: str | None = None


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _stamp(moment: float) -> str:
    return f"[{moment - _STARTED:3.0f}s]"


def say(text: str) -> None:
    """One line, at once."""
    global _open_line
    with _printing:
        if _open_line is not None:
            _write("\n")
            _open_line = None
        _write(f"{_stamp(time.monotonic())} {text}\n")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Shows the title once the step has lasted a moment, and how long it took when it is over.

    Steps may nest or run side by side: whoever finds another's line open starts a new one.
    """
    global _open_line
    began = time.monotonic()
    shown = threading.Event()

    def show() -> None:
        global _open_line
        with _printing:
            if _open_line is not None:
                _write("\n")
            _write(f"{_stamp(began)} {title} ...")
            _open_line = title
            shown.set()

    timer = threading.Timer(_SHOWN_AFTER_SECONDS, show)
    timer.daemon = True
    timer.start()
    failed = True
    try:
        yield
        failed = False
    finally:
        timer.cancel()
        with _printing:
            if shown.is_set():
                end = "failed after " if failed else ""
                took = f"{end}{time.monotonic() - began:.0f}s\n"
                if _open_line == title:
                    _write(f" {took}")
                else:
                    prefix = "" if _open_line is None else "\n"
                    _write(f"{prefix}{_stamp(began)} {title} ... {took}")
                _open_line = None
