"""Questions in a thread of their own: Ctrl-C is heard at once, how far they are is shown, and limits are kept.

DuckDB looks for signals between the parts of a query, and a part may take minutes. Some of its functions cannot be
interrupted at all, and take memory that it does not count: so this process watches both itself.
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
# How long a question that exceeded a limit may take to end, before it is left alone.
_GRACE_S = 5.0
# Beside DuckDB's data: Python, Arrow, and the results on their way.
_OTHER_BYTES = 1 << 30


class AbandonedError(LimitError):
    """A question exceeded a limit, and does not end: its connection must not be closed, which would wait for it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a question, which are computed when they are asked for. They can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches

    def read_all(self) -> pa.Table:
        """Return the rows that are left, as a table."""
        return pa.Table.from_batches(self.batches, self.schema)


class QueryRunner:
    """Runs what asks `connection`, one thing after the other, and interrupts it when a signal comes.

    limits: of all that is asked together; None for none. Waiting for the rows to be taken does not count. progress:
    shows how far each is, in percent. It belongs to one thread.
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
        """Return the rows of a question; raises as `run` does, now and as they are read."""
        reader = self.run(question)
        return Rows(reader.schema, self.each(reader))

    def run(self, work: Callable[[], T]) -> T:
        """Return what `work` gives, or raise what it raises; LimitError when it exceeds a limit."""
        start_s = time.monotonic()
        future: Future[T] = Future()
        # A daemon: the process does not wait for what cannot be interrupted.
        threading.Thread(target=_fulfil, args=(future, work), daemon=True).start()
        try:
            # Gone before anything is written: a terminal has one place for both.
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
        """Yield one after the other, each asked for when it is wanted."""
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
        """Interrupt what runs, and return whether it ended in time."""
        end_s = time.monotonic() + timeout_s
        # Repeatedly: what comes before the query has begun interrupts nothing.
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
    """Return the memory that this process has, in bytes; 0 where that is unknown."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0
