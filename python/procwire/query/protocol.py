"""The protocols of query engines, such as DuckDB on this machine or Spark on a cluster, and of progress displays.

DuckDB's own connections implement `Connection`; so a hunt runs on any engine without knowing which.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    import os
    from datetime import datetime

    import duckdb

__all__ = ["Connection", "Engine", "OnProgress", "Progress", "Relation", "duckdb_of", "no_progress"]

OnProgress = Callable[[int, int | None], None]
"""Called with the amount done and the total; None if the total is unknown."""


class Progress(Protocol):
    """Show the progress of some work, from the beginning of a block to its end."""

    def __call__(self, unit: Literal["bytes", "%"]) -> AbstractContextManager[OnProgress | None]:
        """Return a context manager for the work; it returns a function to call, or None if it needs no calls."""
        ...


def no_progress(unit: Literal["bytes", "%"]) -> AbstractContextManager[None]:
    """Show nothing: the `Progress` of callers that need none."""
    del unit
    return nullcontext()


class Relation(Protocol):
    """The result of a query."""

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """Return the rows, in batches."""
        ...


class Connection(Protocol):
    """An engine's connection that has the view `connections` and the other views."""

    def sql(self, query: str, *, params: object = None) -> Relation:
        """Return the result of a query in DuckDB's SQL. params: maps names to the values of `$name`."""
        ...

    def interrupt(self) -> None:
        """Stop the query that another thread runs; do nothing if there is none."""
        ...

    def query_progress(self) -> float:
        """Return the progress of the query that another thread runs, in percent; negative if unknown."""
        ...


class Engine(Protocol):
    """An engine other than DuckDB that reads a lake; `procwire.spark.Cluster` is one."""

    def connect(
        self,
        lake: str | os.PathLike[str] | None,
        *,
        since: datetime | None,
        until: datetime | None,
        memory_bytes: int | None,
    ) -> AbstractContextManager[Connection]:
        """Return a connection to a lake's newest snapshot, which is closed at the end of the block.

        lake: its folder or URI; None for the default. since, until: start (included) and end (excluded) of the period.
        memory_bytes: memory limit of the engine's process on this machine; None for the engine's default. Raises
        UsageError if there is no lake, or the engine cannot be reached.
        """
        ...


def duckdb_of(connection: Connection) -> duckdb.DuckDBPyConnection | None:
    """Return the DuckDB connection of a connection or of a `Database`; None for another engine's."""
    import duckdb

    own = getattr(connection, "duckdb", connection)
    return own if isinstance(own, duckdb.DuckDBPyConnection) else None
