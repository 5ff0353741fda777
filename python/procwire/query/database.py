"""The database that Python users get: DuckDB over a lake, logs, or a table, each statement checked before it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pyarrow as pa

from procwire.engine import TIMEOUT_S, Limits, one_query
from procwire.engine import connect as connect_engine
from procwire.lake.location import is_remote
from procwire.ledger import Ledger
from procwire.period import check_period
from procwire.query.from_lake import connect_lake
from procwire.query.from_logs import connect_logs
from procwire.query.views import prepare
from procwire.sources.limits import UnpackLimits

if TYPE_CHECKING:
    import duckdb

__all__ = ["Database", "connect"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@runtime_checkable
class ArrowRows(Protocol):
    """Rows of the event's columns: an Arrow table or reader, what `scan` gives, or another library's frame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a stream of Arrow's C interface."""
        ...


_PASSED_ON = frozenset((
    "abort", "arrow", "close", "columns", "complete", "description", "df", "fetch_arrow_table", "fetch_df",
    "fetch_record_batch", "fetchall", "fetchdf", "fetchmany", "fetchnumpy", "fetchone", "interrupt", "pl",
    "query_progress", "register", "rowcount", "table", "to_arrow_reader", "to_arrow_table", "unregister", "view",
))  # fmt: skip


class Database:
    """A database to ask, as DuckDB's connections are: `sql` and `execute` take one query each, which only reads.

    What DuckDB's own connection can besides, such as tables of one's own in memory, is there under `duckdb`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.duckdb = connection

    def sql(self, query: str, *, alias: str = "", params: object = None) -> duckdb.DuckDBPyRelation:
        """Return what a query gives; it runs when its rows are asked for. `params` are the values of `$name` or `?`.

        Raises UsageError for what is not one query that only reads; DuckDB's errors for what it finds wrong.
        """
        return self.duckdb.sql(one_query(query), alias=alias, params=params)

    query = sql

    def execute(self, query: str, parameters: object = None) -> Database:
        """Run a query; its rows are fetched from what is returned. Raises as `sql` does."""
        self.duckdb.execute(one_query(query), parameters)
        return self

    def cursor(self) -> Database:
        """Return another connection to the same database."""
        return Database(self.duckdb.cursor())

    def __getattr__(self, name: str) -> Any:
        if name not in _PASSED_ON:
            raise AttributeError(f"found {name!r}, expected what reads; DuckDB's own connection is under `duckdb`")
        return getattr(self.duckdb, name)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.duckdb.close()


def connect(
    source: Paths | ArrowRows | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    unpack: UnpackLimits | None = None,
    memory_bytes: int | None = None,
    spill_bytes: int | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> Database:
    """Return a database with the views `connections`, `processes`, `destinations`, `pairs`, `process_creations`,
    `dns_queries` and `enriched`, and the functions on addresses (docs/sql.md).

    It is in memory and only reads: each statement is one query, no SQL reads another file, writes one, reaches the
    network or changes a setting.

    source: the folder or URI of a lake; logs, as `read` takes them, and Parquet and Arrow files that `read` and
    `record` wrote; or rows of the event's columns that Arrow takes: a table, a reader, what `scan` gives. Without one
    the lake that PROCWIRE_LAKE names, or else the user's own. since, until: events from then on, and before then;
    without a zone in UTC. unpack: limits of what packed logs may become; beyond them is damage. memory_bytes,
    spill_bytes: limits of DuckDB's memory and of its temporary files; None for half of what there is. timeout_s: how
    long a query may take, in seconds; None for no limit.

    Raises UsageError if there is no lake, or for a period in which nothing can be; InputError if not one of the logs
    could be read.

    >>> import procwire
    >>> database = procwire.connect("examples/sysmon.evtx")
    >>> database.sql("SELECT count(*) FROM connections WHERE ip_in(dst_ip, '10.0.0.0/8')").fetchall()
    [(0,)]
    """
    check_period(since, until)
    limits = _limits(memory_bytes, spill_bytes, timeout_s)
    if isinstance(source, ArrowRows):
        connection = connect_engine(limits=limits)
        prepare(connection, pa.table(source), since=since, until=until)
        return Database(connection)
    if source is None or (isinstance(source, str | os.PathLike) and _is_lake(source)):
        return Database(connect_lake(source, since=since, until=until, limits=limits))
    ledger = Ledger()
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    connection = connect_logs(paths, since=since, until=until, limits=limits, ledger=ledger, unpack=unpack)
    ledger.check_read()
    return Database(connection)


def _limits(memory_bytes: int | None, spill_bytes: int | None, timeout_s: float | None) -> Limits:
    given = {"memory_bytes": memory_bytes, "spill_bytes": spill_bytes}
    return replace(Limits(), **{name: value for name, value in given.items() if value is not None}, timeout_s=timeout_s)


def _is_lake(source: str | os.PathLike[str]) -> bool:
    return is_remote(os.fspath(source)) or Path(source, "connections", "_delta_log").is_dir()
