"""The full record of one run: every command, its output as it comes, its exit code."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

_TAIL_LINES = 25


@dataclass(slots=True)
class Log:
    """Written to by several threads at once."""

    path: Path = Path(os.devnull)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, path: Path) -> None:
        """Begins a new file; what an earlier run of the same verb wrote is kept once, as `.old`."""
        if path.exists():
            path.replace(path.with_suffix(".old"))
        path.touch()
        self.path = path

    def append(self, text: str) -> None:
        with self.lock, self.path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)

    def size(self) -> int:
        return self.path.stat().st_size

    def tail(self, start: int) -> str:
        """The last lines of what was logged from byte `start` on."""
        with self.path.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])


LOG = Log()
"""Of this process: it runs one verb."""
