"""What a query asks of an engine, be it DuckDB on this machine or Spark on a cluster, and of whoever waits for it.

DuckDB's own connections fulfil `Connection`; so a hunt runs on either without knowing which.
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
"""Called with how much is done, and of how much; None if that is not known."""


class Progress(Protocol):
    """Shows how far something is, from the beginning of the block to its end."""

    def __call__(self, unit: Literal["bytes", "%"]) -> AbstractContextManager[OnProgress | None]:
        """Return what is entered for the time of the work; it gives what to call, or None to be told nothing."""
        ...


def no_progress(unit: Literal["bytes", "%"]) -> AbstractContextManager[None]:
    """Show nothing: the `Progress` of callers that want none."""
    del unit
    return nullcontext()


class Relation(Protocol):
    """The rows of a question that was asked."""

    def to_arrow_reader(self) -> pa.RecordBatchReader:
        """Return the rows, in batches."""
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
        """Return how much of the question that another thread asks is done, in percent; negative if not known."""
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
        """Return a connection to a lake's newest snapshot, which the end of the block closes.

        lake: its folder or URI; None for the default. memory_bytes: of the engine's process on this machine; None for
        the engine's default. Raises UsageError if there is no lake, or the engine cannot be reached.
        """
        ...


def duckdb_of(connection: Connection) -> duckdb.DuckDBPyConnection | None:
    """Return DuckDB's own connection, also of what `procwire.connect` gives; None for another engine's."""
    import duckdb

    own = getattr(connection, "duckdb", connection)
    return own if isinstance(own, duckdb.DuckDBPyConnection) else None
