"""Conversion of query results for the output formats, which support fewer types than SQL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import pyarrow as pa

from procwire.errors import UsageError
from procwire.sinks.formats import format_named

__all__ = ["ExportableRows", "FirstRows"]


class ExportableRows:
    """Iterate over the rows of a query, in types that an output format supports and with unique column names.

    Text formats support text, booleans, numbers, times and bytes; lists, maps and structs become JSON. Parquet and
    Arrow support all types. schema: that of `rows`. format: the name of an output format. Raises UsageError for rows
    that the format cannot hold.
    """

    def __init__(self, rows: Iterable[pa.RecordBatch], schema: pa.Schema, format: str) -> None:
        self._rows = rows
        if format_named(format).sysmon_events:
            self.schema = _events(schema)
            return
        names = _distinct(schema.names)
        kinds = [field.type if format_named(format).binary else _kind(field.type) for field in schema]
        self.schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=True)])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._rows:
            if len(self.schema) < len(batch.schema):
                batch = batch.select(self.schema.names)
            columns = [_shaped(column, field.type) for column, field in zip(batch.columns, self.schema, strict=True)]
            yield pa.record_batch(columns, schema=self.schema)


class FirstRows:
    """The first `limit` rows of batches, in batches that are not empty; None for all. Can be iterated over once."""

    def __init__(self, batches: Iterable[pa.RecordBatch], limit: int | None) -> None:
        self._batches = batches
        self._limit = limit
        self.has_more = False
        """Whether there are more rows than these; known at the end."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        left = self._limit
        for batch in self._batches:
            if left is not None and batch.num_rows > left:
                self.has_more = True
                batch = batch.slice(0, left)
            if batch.num_rows:
                yield batch
            if self.has_more:
                return
            if left is not None:
                left -= batch.num_rows


def _distinct(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        distinct.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return distinct


def _kind(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(kind):
        # Sums of integers are decimals.
        return pa.int64() if kind.scale == 0 else pa.float64()
    if pa.types.is_floating(kind):
        return pa.float64()
    plain = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_timestamp, pa.types.is_binary)
    return kind if any(is_kind(kind) for is_kind in plain) else pa.string()


def _shaped(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_nested(column.type) or pa.types.is_interval(column.type):
        values = column.to_pylist(maps_as_pydicts="lossy") if pa.types.is_nested(column.type) else column.to_pylist()
        return pa.array([None if value is None else _json(value) for value in values], pa.string())
    try:
        return column.cast(kind, safe=not pa.types.is_floating(kind))
    except pa.ArrowInvalid as error:
        raise UsageError(f"SQL: found a number beyond 64 bits, expected CAST(... AS DOUBLE): {error}") from error


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _events(result: pa.Schema) -> pa.Schema:
    from procwire.event import LIVE_SCHEMA, SCHEMA

    missing = [name for name in SCHEMA.names if name not in result.names]
    if missing:
        raise UsageError(
            f"found a result without {missing[0]}, expected whole events for xml: SELECT * FROM connections"
        )
    for column in result:
        is_time = pa.types.is_timestamp(column.type) and column.name in SCHEMA.names
        if is_time and column.type.tz is None:
            # Times in the event's XML are explicitly in UTC.
            raise UsageError(f"found {column.name} without a time zone, expected a TIMESTAMPTZ for xml")
    return LIVE_SCHEMA if set(LIVE_SCHEMA.names) <= set(result.names) else SCHEMA
