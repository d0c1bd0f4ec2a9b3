"""Says what a command does while it does it: each step in a line as it is done, with its time."""

import time
from types import TracebackType

from rich.console import Console


class Teller:
    """On a terminal the line below the others says what is being waited for."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._began = time.monotonic()
        self._status = self._console.status("")

    def __enter__(self) -> "Teller":
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        line = f"[{self.elapsed:6.2f} s] {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def doing(self, text: str) -> None:
        self._status.update(text)
