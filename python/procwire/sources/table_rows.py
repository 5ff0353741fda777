"""Read rows of Parquet and Arrow files as a log's: the event's columns and types, under standard names."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import CONNECTION, LIVE_FIELDS, LOGGED, Field
from procwire.event import field as field_named
from procwire.sources.tables import ERRORS, TableFile

__all__ = ["log_rows"]

_KIND = field_named("record_kind")
# The kinds of a recording that a log has; an alert belongs to a connection with a row of its own.
_CONNECTIONS, _ALERT = pa.array(["connection", "existing"]), "alert"
# The positions of the rows in the original log say nothing about this file.
_PLACES = ("source_offset", "source_line")
# Years 1 to 9999: neither Python nor every reader of a lake supports times beyond them.
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


def log_rows(table: TableFile, name: str, *, live: bool) -> Iterator[pa.RecordBatch]:
    """Read the rows of a file as those of a log called `name`; damage ends them, and is in the file's ledger.

    The ledger also counts rows that are left out.

    live: of connections, return all that a recording has, except alerts and the column `logged`; else what a log has.
    """
    stored = table.event.fields
    if live and table.event is CONNECTION:
        stored += tuple(field for field in LIVE_FIELDS if field is not LOGGED)
    schema = pa.schema([pa.field(field.name, field.type) for field in stored])
    try:
        for batch in table.raw_batches():
            kept = _of_kind(table, batch, live=live)
            rows = pa.record_batch([_column(table, field, kept, name) for field in stored], schema=schema)
            table.count(rows.num_rows)
            table.account.records += batch.num_rows - rows.num_rows
            table.account.other_events += batch.num_rows - rows.num_rows
            yield rows
    except ERRORS as error:
        table.damaged(error)


def _of_kind(table: TableFile, batch: pa.RecordBatch, *, live: bool) -> pa.RecordBatch:
    kind = _KIND.named(table.names)
    if table.event is not CONNECTION or kind not in batch.schema.names:
        return batch
    kinds = pc.fill_null(_as(batch[kind], pa.string()), "connection")
    return batch.filter(pc.not_equal(kinds, _ALERT) if live else pc.is_in(kinds, _CONNECTIONS))


def _column(table: TableFile, field: Field, batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column of the rows, with its type; null where the file does not have it."""
    own = field.named(table.names)
    if field.name == "source_file":
        return pa.repeat(pa.scalar(name), batch.num_rows)
    if field.name in _PLACES:
        return pa.nulls(batch.num_rows, field.type)
    if own in batch.schema.names:
        try:
            return (_times if pa.types.is_timestamp(field.type) else _plain)(table, field, batch[own])
        except ERRORS as error:
            raise pa.ArrowInvalid(f"column {own}: {error}") from error
    if field.group == "address":
        text = next(other for other in table.event.fields if other.name == field.name.removesuffix("_bytes"))
        return _address_bytes(_column(table, text, batch, name))
    if field is _KIND:
        return pa.repeat(pa.scalar("connection"), batch.num_rows)
    if field.name == "recovered":
        return pa.repeat(pa.scalar(False), batch.num_rows)
    return pa.nulls(batch.num_rows, field.type)


def _plain(table: TableFile, field: Field, column: pa.Array) -> pa.Array:
    del table
    column = _as(column, field.type)
    return pc.fill_null(column, "connection") if field is _KIND else column


def _times(table: TableFile, field: Field, column: pa.Array) -> pa.Array:
    """Return times in UTC, in microseconds; null, and a warning, for those that cannot be converted."""
    times = pa.nulls(len(column), field.type) if field in table.local_times else _as(column, field.type)
    numbers = times.cast(pa.int64())
    times = pc.if_else(pc.or_(pc.less(numbers, _FIRST_US), pc.greater(numbers, _LAST_US)), None, times)
    if lost := times.null_count - column.null_count:
        table.unreadable(field, lost, "times in UTC, of the years 1 to 9999")
    return times


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column as another type, whatever its layout or unit.

    Raises pa.ArrowException where a value does not fit.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = pc.floor_temporal(column, unit="microsecond")
        return column.cast(kind, safe=False)
    return column if column.type == kind else column.cast(kind)


def _address_bytes(texts: pa.StringArray) -> pa.BinaryArray:
    distinct = texts.dictionary_encode()
    return pa.array(map(_packed, distinct.dictionary.to_pylist()), pa.binary()).take(distinct.indices)


def _packed(text: str) -> bytes | None:
    """Return an address as 16 bytes, IPv4 as ::ffff:a.b.c.d; None for any other text."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.packed if isinstance(address, IPv6Address) else bytes(10) + b"\xff\xff" + address.packed
