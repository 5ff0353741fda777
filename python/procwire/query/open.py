"""Opening of logs or a lake for queries, with DuckDB or another engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from procwire.engine import TIMEOUT_S, Limits, sql_errors
from procwire.engine.limits import default_memory_bytes, default_spill_bytes
from procwire.errors import UsageError
from procwire.ledger import Ledger
from procwire.period import check_period
from procwire.query.from_lake import connect_lake
from procwire.query.from_logs import connect_logs
from procwire.query.protocol import no_progress
from procwire.query.runner import AbandonedError, QueryRunner, Rows
from procwire.sources.limits import UnpackLimits

if TYPE_CHECKING:
    import duckdb

    from procwire.query.protocol import Connection, Engine, Progress

__all__ = ["OpenSource", "QuerySource", "open_source"]

T = TypeVar("T")

# Connections that are busy with abandoned queries. They stay open until the process ends: closing them would block.
_ABANDONED: list[object] = []


@dataclass(frozen=True, slots=True)
class QuerySource:
    """Describe what to query, and the limits of the queries.

    logs: paths of logs, and of Parquet and Arrow files; None or empty for the lake. lake: its folder or URI; None for
    the default. since, until: start (included) and end (excluded) of the period, in UTC unless they have a zone.
    engine: the engine that reads the lake; None for DuckDB. memory_bytes, spill_bytes: limits of the engine's memory
    and of its temporary files; None for the engine's default. timeout_s: time limit of all queries together, in
    seconds; None for no limit. unpack: limits for packed logs; None for the default.
    """

    logs: Sequence[str | os.PathLike[str]] | None = None
    lake: str | os.PathLike[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    engine: Engine | None = None
    memory_bytes: int | None = None
    spill_bytes: int | None = None
    timeout_s: float | None = TIMEOUT_S
    unpack: UnpackLimits | None = None

    def check(self, names: Mapping[str, str] = MappingProxyType({})) -> None:
        """Raise UsageError for values that contradict each other, and for an empty period.

        names: the user's names of the attributes, for the message; the attributes' own names by default.
        """
        logs, lake, engine, spill, unpack = (
            names.get(name, name) for name in ("logs", "lake", "engine", "spill_bytes", "unpack")
        )
        if self.logs and self.lake is not None:
            raise UsageError(f"found {logs} and {lake}, expected one of them")
        if self.logs and self.engine is not None:
            raise UsageError(
                f"found {logs} and {engine}, expected a lake, which the cluster can read: `read --to lake`"
            )
        if self.unpack is not None and not self.logs:
            raise UsageError(f"found {unpack}, expected {logs} with it: a lake is not packed")
        if self.engine is not None and self.spill_bytes is not None:
            raise UsageError(f"found {spill} and {engine}, which has no such limit; expected one of them")
        check_period(self.since, self.until)

    @property
    def limits(self) -> Limits:
        """Return the limits of a query, with defaults filled in."""
        return Limits(
            default_memory_bytes() if self.memory_bytes is None else self.memory_bytes,
            default_spill_bytes() if self.spill_bytes is None else self.spill_bytes,
            self.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class OpenSource:
    """Hold an open source: `ask` and `sql` run queries on its `connection`."""

    connection: Connection
    ledger: Ledger | None
    """The ledger of the logs read; None for a lake."""
    _runner: QueryRunner

    @property
    def nothing_read(self) -> bool:
        """Return whether there are logs but none could be read."""
        return self.ledger is not None and self.ledger.nothing_read

    def check_read(self) -> None:
        """Raise InputError, with the reasons, if there are logs but none could be read."""
        if self.ledger is not None:
            self.ledger.check_read()

    def ask(self, question: Callable[[], pa.RecordBatchReader]) -> Rows:
        """Run a query of `connection` in another thread, and return its rows.

        question: runs the query and returns a reader of its rows. Raises what it raises, and LimitError when it exceeds
        a limit, now and as the rows are read.
        """
        return self._runner.ask(question)

    def work(self, task: Callable[[], T]) -> T:
        """Run a task that asks `connection` many questions, in a thread of its own, and return its result.

        Raises what the task raises. No limits apply: it takes as long as it has questions.
        """
        return self._runner.without_limits().run(task)

    def sql(self, query: str) -> Rows:
        """Run a query that `engine.one_query` returned, and return its rows. Raises as `ask` does."""
        return self.ask(lambda: self.connection.sql(query).to_arrow_reader())


def open_source(
    source: QuerySource, *, progress: Progress = no_progress, names: Mapping[str, str] = MappingProxyType({})
) -> AbstractContextManager[OpenSource]:
    """Return a context manager that opens a source, and closes it at the end of the block.

    progress: shows the progress of reading logs, and of each query. names: the user's names of `QuerySource`'s
    attributes. Raises UsageError, at once, for a source that contradicts itself; on entry, UsageError if there is no
    lake, and DamageError for a damaged file.
    """
    source.check(names)
    return _opened(source, progress)


@contextmanager
def _opened(source: QuerySource, progress: Progress) -> Iterator[OpenSource]:
    # For every query: a file may be damaged, which DuckDB reports as its own error.
    with sql_errors(), _connected(source, progress) as (connection, ledger):
        yield OpenSource(connection, ledger, QueryRunner(connection, source.limits, progress))


@contextmanager
def _connected(source: QuerySource, progress: Progress) -> Iterator[tuple[Connection, Ledger | None]]:
    since, until = source.since, source.until
    # The runner enforces the time limit, not the engine, because consumers of the rows may be slow.
    limits = Limits(source.limits.memory_bytes, source.limits.spill_bytes, timeout_s=None)
    if source.logs:
        ledger = Ledger()
        with progress("bytes") as on_progress:
            connection = connect_logs(
                source.logs,
                since=since,
                until=until,
                limits=limits,
                ledger=ledger,
                on_progress=on_progress,
                unpack=source.unpack,
            )
        with _closed(connection):
            yield connection, ledger
    elif source.engine is not None:
        cluster = source.engine.connect(source.lake, since=since, until=until, memory_bytes=source.memory_bytes)
        with cluster as other:
            yield other, None
    else:
        with _closed(connect_lake(source.lake, since=since, until=until, limits=limits)) as database:
            yield database, None


@contextmanager
def _closed(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Close a connection at the end of the block, unless it is still busy with an abandoned query."""
    try:
        yield connection
    except AbandonedError:
        _ABANDONED.append(connection)
        raise
    except BaseException:
        connection.close()
        raise
    connection.close()
