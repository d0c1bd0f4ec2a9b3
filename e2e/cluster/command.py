"""Runs other programs: always bounded, always logged, never left behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .log import LOG

_SHOWN_CHARACTERS = 300


class ClusterError(Exception):
    """Something a person has to read; the message is all there is to say."""


class CommandError(ClusterError):
    """A program failed or ran past its bound. The message has its last lines and the log."""


_running: set[subprocess.Popen[bytes]] = set()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group: a build's compilers go with it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):  # the second for children that outlive it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def end_all() -> None:
    """Ends what still runs, in whichever thread; for an interrupted program's way out."""
    for process in list(_running):
        _end(process)


def _communicate(process: subprocess.Popen[bytes], given: bytes | None, bound: float) -> bytes:
    _running.add(process)
    try:
        out, _ = process.communicate(given, bound)
    except BaseException:  # also KeyboardInterrupt: nothing may be left behind
        _end(process)
        raise
    finally:
        _running.discard(process)
    return out or b""


@dataclass(frozen=True, slots=True)
class _Call:
    words: list[str]
    log_start: int

    def failed(self, how: str) -> CommandError:
        shown = shlex.join(self.words)
        shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
        tail = LOG.tail(self.log_start)
        return CommandError(f"{shown}\n  {how}; last lines:\n{tail}\n  full log: {LOG.path}")


def _execute(
    argv: Sequence[str | Path],
    timeout_seconds: float,
    given: bytes | IO[bytes] | None,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    capture: bool,
) -> tuple[_Call, int, str]:
    words = [str(word) for word in argv]
    LOG.append(f"\n$ {shlex.join(words)}\n")
    call = _Call(words, LOG.size())
    began = time.monotonic()
    with LOG.path.open("ab") as log:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE if isinstance(given, bytes) else given or subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else log,
                stderr=log,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )
        except FileNotFoundError as missing:
            raise CommandError(f"{words[0]} is not installed") from missing
        try:
            text = given if isinstance(given, bytes) else None
            out = _communicate(process, text, timeout_seconds).decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            raise call.failed(f"ran past its bound of {timeout_seconds:.0f} s") from late
    LOG.append(f"{out}# exit {process.returncode}, {time.monotonic() - began:.1f} s\n")
    return call, process.returncode, out


def execute(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    given: bytes | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    capture: bool = False,
) -> tuple[int, str]:
    """Exit code and, where captured, standard output; standard error goes to the log.

    Raises `CommandError` if the program is not there or runs past its bound.
    """
    _, code, out = _execute(argv, timeout_seconds, given, env, cwd, capture)
    return code, out


def run(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    given: bytes | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    capture: bool = False,
) -> str:
    """Like `execute`, but anything other than exit code 0 raises `CommandError`."""
    call, code, out = _execute(argv, timeout_seconds, given, env, cwd, capture)
    if code != 0:
        raise call.failed(f"failed with exit code {code}")
    return out


def output(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
) -> str:
    """Standard output of a program that must succeed."""
    return run(argv, timeout_seconds=timeout_seconds, env=env, capture=True)


def succeeds(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
) -> bool:
    """Whether a program exits 0 within its bound; not being installed is a no."""
    try:
        code, _ = execute(argv, timeout_seconds=timeout_seconds, env=env, capture=True)
    except CommandError:
        return False
    return code == 0
