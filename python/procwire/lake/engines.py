"""What a question asks of an engine, be it DuckDB on this machine or Spark on a cluster.

DuckDB's own connections fulfil it; so a hunt runs on either without knowing which.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

__all__ = ["Connection", "Relation"]


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
