"""Live batches from what a test says of their rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from procwire.event import LIVE_SCHEMA

__all__ = ["batch", "column"]


def batch(*rows: Mapping[str, object]) -> pa.RecordBatch:
    """A batch with all columns of a recording; what a row does not say is null."""
    return pa.RecordBatch.from_pylist(list(rows), schema=LIVE_SCHEMA)


def column(batch: pa.RecordBatch, name: str) -> list[object]:
    values: list[object] = batch.column(name).to_pylist()
    return values
