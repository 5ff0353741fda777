"""Progress of a reading on stderr, once it takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["OnProgress", "ProgressLine", "shown_progress"]

OnProgress = Callable[[int, int | None], None]

_PATIENCE_S = 1.0


class ProgressLine:
    """A line with the bytes read, their rate and the time left; it vanishes at the end."""

    def __init__(self) -> None:
        self._since_s = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown[0].stop()

    def update(self, bytes_read: int, bytes_total: int | None) -> None:
        """Show where the reading stands."""
        if self._shown is None and time.monotonic() - self._since_s > _PATIENCE_S:
            self._shown = _start()
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=bytes_read, total=bytes_total)


@contextmanager
def shown_progress(hidden: bool) -> Iterator[OnProgress | None]:
    """What to tell the progress to; None where it is hidden (rows that scroll past show enough) or stderr is a file."""
    if hidden or not sys.stderr.isatty():
        yield None
        return
    with ProgressLine() as line:
        yield line.update


def _start() -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.start()
    return progress, progress.add_task("reading", total=None)
