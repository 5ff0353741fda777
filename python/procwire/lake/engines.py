"""What a question asks of an engine, be it DuckDB on this machine or Spark on a cluster.

DuckDB's own connections fulfil it; so a hunt runs on either without knowing which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

__all__ = ["Connection", "Relation", "duckdb_of"]


class Relation(Protocol):
    """The rows of a question that was asked."""

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """The rows, in batches."""
        ...


class Connection(Protocol):
    """An engine that has the view `connections` and what goes with it."""

    def sql(self, query: str, *, params: object = None) -> Relation:
        """Ask a question in DuckDB's SQL; `params` maps names to the values of `$name`."""
        ...

    def interrupt(self) -> None:
        """End the question that another thread asks; nothing, if there is none."""
        ...

    def query_progress(self) -> float:
        """How much of the question that another thread asks is done, in percent; negative where that is not known."""
        ...


def duckdb_of(connection: Connection) -> duckdb.DuckDBPyConnection | None:
    """Return DuckDB's own connection, also of what `procwire.connect` gives; None for another engine's."""
    import duckdb

    own = getattr(connection, "duckdb", connection)
    return own if isinstance(own, duckdb.DuckDBPyConnection) else None
