"""Running of queries in another thread, so that Ctrl-C works at once, progress is shown, and limits are enforced.

DuckDB checks for signals between the parts of a query, and a part may take minutes. Some of its functions cannot be
interrupted at all, and use memory that it does not count: so this module watches time and memory itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from procwire.engine import exceeded
from procwire.errors import LimitError
from procwire.query.protocol import no_progress

if TYPE_CHECKING:
    from procwire.engine import Limits
    from procwire.query.protocol import Connection, OnProgress, Progress

__all__ = ["AbandonedError", "QueryRunner", "Rows"]

T = TypeVar("T")

_TICK_S = 0.2
# How long a query that exceeded a limit may take to end before it is abandoned.
_GRACE_S = 5.0
# Memory beside DuckDB's data: Python, Arrow, and results in transit.
_OTHER_BYTES = 1 << 30


class AbandonedError(LimitError):
    """A query exceeded a limit and does not end: closing its connection would block."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Iterate over the rows of a query, which are computed on request and can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches

    def read_all(self) -> pa.Table:
        """Return the remaining rows as a table."""
        return pa.Table.from_batches(self.batches, self.schema)


class QueryRunner:
    """Run queries of `connection` one after the other, and interrupt them when a signal arrives.

    limits: limits of all queries together; None for none. Time in which the caller handles rows does not count.
    progress: shows the progress of each query, in percent. Use it from one thread only.
    """

    def __init__(self, connection: Connection, limits: Limits | None = None, progress: Progress = no_progress) -> None:
        self._connection = connection
        self._left_s = None if limits is None else limits.timeout_s
        self._most_bytes = None if limits is None else limits.memory_bytes + _OTHER_BYTES
        self._progress = progress

    def without_limits(self) -> QueryRunner:
        """Return a runner of the same connection that keeps no limits."""
        return QueryRunner(self._connection, progress=self._progress)

    def ask(self, question: Callable[[], pa.RecordBatchReader]) -> Rows:
        """Return the rows of a query. Raises as `run` does, now and as they are read."""
        reader = self.run(question)
        return Rows(reader.schema, self.each(reader))

    def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises. Raises LimitError when it exceeds a limit."""
        start_s = time.monotonic()
        future: Future[T] = Future()
        # Daemon thread: the process need not wait for a query that cannot be interrupted.
        threading.Thread(target=_fulfil, args=(future, work), daemon=True).start()
        try:
            # Remove the progress display before anything is written: both may use the same terminal.
            with self._progress("%") as on_progress:
                while not wait([future], timeout=_TICK_S).done:
                    self._check(time.monotonic() - start_s)
                    self._show(on_progress)
        except LimitError as error:
            if not self._interrupted(future, _GRACE_S):
                raise AbandonedError(str(error)) from error
            raise
        except BaseException:
            self._interrupted(future)
            raise
        if self._left_s is not None:
            self._left_s = max(self._left_s - (time.monotonic() - start_s), 0.0)
        return future.result()

    def each(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield the items of `rows`, each computed by `run` when it is requested."""
        left = iter(rows)
        while found := self.run(lambda: list(islice(left, 1))):
            yield found[0]

    def _check(self, spent_s: float) -> None:
        if self._left_s is not None and spent_s > self._left_s:
            raise exceeded("time")
        if self._most_bytes is not None and _resident_bytes() > self._most_bytes:
            raise exceeded("memory")

    def _show(self, on_progress: OnProgress | None) -> None:
        done_percent = self._connection.query_progress()
        if on_progress is not None and done_percent >= 0:
            on_progress(int(done_percent), 100)

    def _interrupted(self, future: Future[T], timeout_s: float = float("inf")) -> bool:
        """Interrupt the running query, and return whether it ended in time."""
        end_s = time.monotonic() + timeout_s
        # Repeatedly, because an interrupt before the query starts has no effect.
        while not future.done() and time.monotonic() < end_s:
            self._connection.interrupt()
            wait([future], timeout=_TICK_S)
        return future.done()


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _resident_bytes() -> int:
    """Return this process's resident memory in bytes; 0 if it is unknown."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0
