"""Questions in a thread of their own: Ctrl-C is heard at once, and how far they are is shown.

DuckDB looks for signals between the parts of a query, and a part may take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from procwire.cli.progress import shown_progress

if TYPE_CHECKING:
    from procwire.cli.progress import OnProgress
    from procwire.lake.engines import Connection

__all__ = ["Asking", "asking"]

T = TypeVar("T")

_TICK_S = 0.2


class Asking:
    """Runs what asks `connection`, one thing after the other, and interrupts it when a signal comes."""

    def __init__(self, connection: Connection, pool: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._pool = pool

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, or raises."""
        future = self._pool.submit(work)
        try:
            # Gone before anything is written: a terminal has one place for both.
            with shown_progress(hidden=False, unit="%") as on_progress:
                while not wait([future], timeout=_TICK_S).done:
                    self._show(on_progress)
        except BaseException:
            self._interrupt(future)
            raise
        return future.result()

    def each(self, rows: Iterable[T]) -> Iterator[T]:
        """One after the other, each asked for when it is wanted."""
        left = iter(rows)
        while found := self.run(lambda: list(islice(left, 1))):
            yield found[0]

    def _show(self, on_progress: OnProgress | None) -> None:
        done_percent = self._connection.query_progress()
        if on_progress is not None and done_percent >= 0:
            on_progress(int(done_percent), 100)

    def _interrupt(self, future: Future[T]) -> None:
        # Again and again: what comes before the query has begun interrupts nothing.
        while not future.done():
            self._connection.interrupt()
            wait([future], timeout=_TICK_S)


@contextmanager
def asking(connection: Connection) -> Iterator[Asking]:
    """Ask `connection` until the end of the block; on a terminal, what takes long shows how far it is."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield Asking(connection, pool)
