"""The database for Python users: DuckDB over a lake, logs, or a table, with every statement checked before it runs."""

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
    """Rows with an event's columns: an Arrow table or reader, the result of `scan`, or another library's data frame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a stream of Arrow's C interface, wrapped in a capsule."""
        ...


_PASSED_ON = frozenset((
    "abort", "arrow", "close", "columns", "complete", "description", "df", "fetch_arrow_table", "fetch_df",
    "fetch_record_batch", "fetchall", "fetchdf", "fetchmany", "fetchnumpy", "fetchone", "interrupt", "pl",
    "query_progress", "register", "rowcount", "table", "to_arrow_reader", "to_arrow_table", "unregister", "view",
))  # fmt: skip


class Database:
    """Run queries like a DuckDB connection: `sql` and `execute` accept one query each, which only reads.

    Everything else that a DuckDB connection can do, such as creating tables in memory, is available through `duckdb`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.duckdb = connection

    def sql(self, query: str, *, alias: str = "", params: object = None) -> duckdb.DuckDBPyRelation:
        """Return the relation of a query, which runs when its rows are fetched. params: the values of `$name` or `?`.

        Raises UsageError unless it is one query that only reads, and DuckDB's errors for wrong SQL.
        """
        return self.duckdb.sql(one_query(query), alias=alias, params=params)

    query = sql

    def execute(self, query: str, parameters: object = None) -> Database:
        """Run a query, and return this database to fetch the rows from. Raises as `sql` does."""
        self.duckdb.execute(one_query(query), parameters)
        return self

    def cursor(self) -> Database:
        """Return another connection to the same database."""
        return Database(self.duckdb.cursor())

    def __getattr__(self, name: str) -> Any:
        if name not in _PASSED_ON:
            raise AttributeError(
                f"found {name!r}, expected a method that only reads; use the DuckDB connection in `duckdb` for others"
            )
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
    """Return a database with views over connections and functions on addresses (docs/sql.md).

    Its views are `connections`, `processes`, `destinations`, `pairs`, `process_creations`, `dns_queries` and
    `enriched`. It is in memory and only reads: each statement is one query, and no SQL reads another file, writes one,
    reaches the network or changes a setting.

    source: the folder or URI of a lake; logs, as for `read`, and Parquet and Arrow files that `read` and `record`
    wrote; or rows with the event's columns: an Arrow table, a reader, the result of `scan`. None for the lake that
    PROCWIRE_LAKE names, else the user's own. since, until: start (included) and end (excluded) of the period, in UTC
    unless they have a zone. unpack: limits for packed logs; what exceeds them counts as damage. memory_bytes,
    spill_bytes: limits of DuckDB's memory and of its temporary files; None for half of what is available. timeout_s:
    time limit of a query, in seconds; None for no limit.

    Raises UsageError if there is no lake, or for an empty period; InputError if no log could be read.

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
