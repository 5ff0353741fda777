"""The lake's tables: their columns, and how they are stored on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import DNS_QUERY, LIVE_SCHEMA, LOGGED, PROCESS_CREATION

__all__ = ["CONFIGURATION", "CONNECTIONS", "CONTEXT", "CREATION", "DAY", "KEY", "LAYOUTS", "LAYOUT_PROPERTY",
           "LAYOUT_VERSION", "READINGS", "SCHEMA", "SORT", "STATISTICS", "TABLE_SCHEMA", "TIMES", "WIDENED_PROPERTY",
           "Layout", "days", "in_milliseconds", "is_in_milliseconds", "parquet"]  # fmt: skip

LAYOUT_VERSION = 3
"""Version of a lake's layout on disk, stored with each table (`LAYOUT_PROPERTY`).

Raise it with every change of columns, and keep a golden lake of the previous one (tests/data/make_golden.py). 1 had no
version, digests or commit chain; 2 lacked the columns that identify a process's executable, its ancestors, and
addresses after translation."""
LAYOUT_PROPERTY = "procwire.layout"
WIDENED_PROPERTY = "procwire.widened"
"""Property of a table that got columns after its creation: its older files lack them."""
DAY = "day"
TIMES = ("event_creation_time", "event_recorded_time")
KEY = ("computer_name", "channel", "record_id", *TIMES)
"""Columns that identify an event in whatever log it appears; `duplicates` says how."""
STATISTICS = ("event_creation_time", "event_recorded_time", "record_id", "computer_name")
"""Columns whose least and greatest values a table stores for each file."""
SORT = ("computer_name", "process_name", "dst_port", "event_creation_time", "record_id")
"""Order of rows in compacted files. Sorting by addresses before the time would cost more in times and record ids than
it saves in addresses (benchmarks/README.md)."""


@dataclass(frozen=True)
class Layout:
    """Describe a table of the lake: a folder with events of one kind, partitioned by `day`, their date in UTC."""

    name: str
    """Name of the subfolder of the lake."""
    description: str
    schema: pa.Schema
    """Columns of its Parquet files, which include those of `KEY` and `STATISTICS`."""
    sort: tuple[str, ...]
    rows: str
    """Plural noun for its rows, for messages."""

    by_day: bool = True
    """Whether it is partitioned by day; only the ledger is not."""

    @property
    def table_schema(self) -> pa.Schema:
        """Return the columns of the Delta table, with `day` if it is partitioned."""
        return self.schema.append(pa.field(DAY, pa.date32())) if self.by_day else self.schema

    @property
    def partitions(self) -> list[str]:
        """Return the columns by which the table is partitioned."""
        return [DAY] if self.by_day else []

    @property
    def texts(self) -> list[str]:
        """Return the names of the columns with texts or bytes."""
        return [kept.name for kept in self.schema if pa.types.is_string(kept.type) or pa.types.is_binary(kept.type)]

    @property
    def sorted_schema(self) -> pa.Schema:
        """Return `schema` with texts as dictionaries; Parquet stores both alike."""
        texts = self.texts
        return pa.schema([_coded(kept) if kept.name in texts else kept for kept in self.schema])

    def widened(self, rows: pa.Table) -> pa.Table:
        """Return rows with all of the table's columns; those that the given rows lack are null.

        Texts that come as dictionaries stay dictionaries, in which each value then occurs once.
        """
        nulls = {kind: pa.nulls(rows.num_rows, kind) for kind in {kept.type for kept in self.schema}}
        fields, columns = [], []
        for kept in self.schema:
            if kept.name in rows.schema.names:
                column = _unified(rows[kept.name])
            else:
                column = _connections(rows.num_rows) if kept.name == "record_kind" else nulls[kept.type]
            fields.append(_coded(kept) if pa.types.is_dictionary(column.type) else kept)
            columns.append(column)
        return pa.table(columns, schema=pa.schema(fields))


def _coded(column: pa.Field) -> pa.Field:
    return column.with_type(pa.dictionary(pa.int32(), column.type))


def _connections(rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array(["connection"]))


def _unified(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose dictionary repeats no value: otherwise Parquet's writer would give cells wrong values."""
    if not pa.types.is_dictionary(column.type):
        return column
    column = column.unify_dictionaries()
    if column.num_chunks and len(pc.unique(column.chunk(0).dictionary)) < len(column.chunk(0).dictionary):
        # Arrow unifies dictionaries only if one differs from the first.
        empty = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], column.type.value_type))
        column = pa.chunked_array([empty, *column.chunks]).unify_dictionaries()
    return column.combine_chunks()


CONNECTIONS = Layout(
    "connections",
    "Network connections, each with its process (Sysmon's event 3)",
    pa.schema([kept for kept in LIVE_SCHEMA if kept.name != LOGGED.name]),
    SORT,
    "connections",
)
_CONTEXT_SORT = ("computer_name", "process_name", "event_creation_time", "record_id")
CONTEXT: tuple[Layout, ...] = (
    Layout(PROCESS_CREATION.table, "Processes that were created (Sysmon's event 1)", PROCESS_CREATION.schema,
           _CONTEXT_SORT, PROCESS_CREATION.rows),
    Layout(DNS_QUERY.table, "Names that processes asked for (Sysmon's event 22)", DNS_QUERY.schema, _CONTEXT_SORT,
           DNS_QUERY.rows),
)  # fmt: skip
"""The tables beside connections; a lake has them once a log had rows for them."""
READINGS = Layout(
    "readings",
    "The ledger: a row for each log that was read, and each recording",
    pa.schema(
        [
            ("end_time", pa.timestamp("us", tz="UTC")),
            ("kind", pa.string()),
            ("source", pa.string()),
            ("name", pa.string()),
            ("bytes", pa.int64()),
            ("records", pa.int64()),
            ("events", pa.int64()),
            ("added", pa.int64()),
            ("duplicates", pa.int64()),
            ("left_out", pa.int64()),
            ("lost", pa.int64()),
            ("account", pa.string()),
        ]
    ),
    ("end_time", "name"),
    "readings",
    by_day=False,
)
LAYOUTS = (CONNECTIONS, *CONTEXT, READINGS)
"""The layout of every table that a lake may have."""
SCHEMA: pa.Schema = CONNECTIONS.schema
TABLE_SCHEMA: pa.Schema = CONNECTIONS.table_schema

CONFIGURATION: dict[str, str | None] = {
    LAYOUT_PROPERTY: str(LAYOUT_VERSION),
    "delta.dataSkippingStatsColumns": ",".join(STATISTICS),
    # How long a query that began before a compaction still finds its files.
    "delta.deletedFileRetentionDuration": "interval 1 days",
    # A recorder commits 8,640 times a day.
    "delta.logRetentionDuration": "interval 2 days",
    "delta.checkpointInterval": "100",
}

# Numbers that rarely repeat: a dictionary costs more than delta encoding.
_DIFFERENCES = ("event_creation_time", "event_recorded_time", "record_id", "source_offset", "source_line",
                "src_port", "connection_id", "duration_us", "sent_bytes", "received_bytes")  # fmt: skip
# In sorted rows their differences are nearly random, while zstd finds what their bytes have in common.
_PLAIN_IF_SORTED = ("event_creation_time", "event_recorded_time", "source_offset")
# Higher levels of zstd save nothing in the other columns, and take three times as long.
_PRESSED = ("record_id", "dst_ip", "dst_ip_bytes", "dst_host_name", "process_guid")
_USUAL = 9
CREATION = "event_creation_time"


def parquet(schema: pa.Schema, *, level: int, is_sorted: bool) -> dict[str, Any]:
    """Return pyarrow's options for writing a file of the lake.

    level: of zstd. is_sorted: store the least and greatest values of all columns, else of few.
    """
    differences = [name for name in _DIFFERENCES if name in schema.names]
    plain = _PLAIN_IF_SORTED if is_sorted else ()
    kept = STATISTICS + SORT if is_sorted else STATISTICS
    return {
        "compression": "zstd",
        "compression_level": {name: level if name in _PRESSED else min(level, _USUAL) for name in schema.names},
        "write_statistics": [name for name in dict.fromkeys(kept) if name in schema.names],
        "use_dictionary": [name for name in schema.names if name not in differences],
        # `verify` checks them.
        "write_page_checksum": True,
        # Longer pages compress better; a page still has at most 1 MB.
        "max_rows_per_page": 1 << 20,
        # Parquet's types are enough; Arrow's own would record which texts were dictionaries when written.
        "store_schema": False,
        "column_encoding": {name: "PLAIN" if name in plain else "DELTA_BINARY_PACKED" for name in differences},
    }


def in_milliseconds(schema: pa.Schema) -> pa.Schema:
    """Return a file's columns with the creation time in milliseconds.

    Sysmon writes milliseconds, and they take a byte less per event than microseconds. Every reader of Parquet unifies
    both types.
    """
    place = schema.get_field_index(CREATION)
    if place < 0:
        return schema
    return schema.set(place, schema.field(place).with_type(pa.timestamp("ms", tz="UTC")))


def is_in_milliseconds(rows: pa.Table) -> bool:
    """Return whether no creation time is finer than a millisecond."""
    try:
        rows[CREATION].cast(pa.timestamp("ms", tz="UTC"))
    except pa.ArrowInvalid:
        return False
    return True


def days(rows: pa.Table) -> pa.ChunkedArray:
    """Return the date in UTC of each row; null where the event has no time."""
    time = pc.coalesce(rows["event_creation_time"], rows["event_recorded_time"])
    return time.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
