"""Progress of a reading or a query on stderr, once it takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Literal

from procwire.cli.terminal import styled

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["OnProgress", "ProgressLine", "query_progress", "shown_progress"]

Unit = Literal["bytes", "%"]
OnProgress = Callable[[int, int | None], None]

_PATIENCE_S = 1.0


class ProgressLine:
    """Show a line with the progress, for bytes also the rate, and the time left; it vanishes at the end."""

    def __init__(self, unit: Unit = "bytes") -> None:
        self._unit = unit
        self._since_s = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def update(self, done: int, total: int | None) -> None:
        """Show the current progress."""
        if self._shown is None and time.monotonic() - self._since_s > _PATIENCE_S:
            self._shown = _start(self._unit)
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=done, total=total)


@contextmanager
def shown_progress(hidden: bool, unit: Unit = "bytes") -> Iterator[OnProgress | None]:
    """Return a function to report progress to; None if it is hidden (scrolling rows are enough) or stderr is a file."""
    if hidden or not sys.stderr.isatty():
        yield None
        return
    with ProgressLine(unit) as line:
        yield line.update


def query_progress(unit: Unit) -> AbstractContextManager[OnProgress | None]:
    """Show the progress of reading for a query, or of the query: the command line's `query.protocol.Progress`."""
    return shown_progress(hidden=False, unit=unit)


def _start(unit: Unit) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as SpeedColumn

    amount = (DownloadColumn(), SpeedColumn()) if unit == "bytes" else (TaskProgressColumn(),)
    console = Console(file=styled(sys.stderr))
    progress = Progress(BarColumn(), *amount, TimeRemainingColumn(), console=console, transient=True)
    progress.start()
    return progress, progress.add_task("", total=None)
