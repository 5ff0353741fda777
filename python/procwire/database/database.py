"""The connection that Python gets: DuckDB's, of which each statement is checked before it runs."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from procwire.engine import one_query

if TYPE_CHECKING:
    import duckdb

__all__ = ["Database"]

_PASSED_ON = frozenset((
    "arrow", "close", "columns", "description", "df", "fetch_arrow_table", "fetch_df", "fetch_record_batch",
    "fetchall", "fetchdf", "fetchmany", "fetchnumpy", "fetchone", "interrupt", "pl", "query_progress", "register",
    "rowcount", "table", "to_arrow_reader", "to_arrow_table", "unregister", "view",
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
