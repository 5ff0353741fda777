"""The lake's tables: columns, and how they are kept on disk."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA, LOGGED

__all__ = ["CONFIGURATION", "DAY", "KEY", "SCHEMA", "SORT", "STATISTICS", "TABLE_SCHEMA", "days", "parquet", "widened"]

DAY = "day"
SCHEMA: pa.Schema = pa.schema([kept for kept in LIVE_SCHEMA if kept.name != LOGGED.name])
"""What a Parquet file of the lake holds."""
TABLE_SCHEMA: pa.Schema = SCHEMA.append(pa.field(DAY, pa.date32()))
"""The Delta table's columns: `day`, the date of the event in UTC, partitions it."""

KEY = ("computer_name", "provider_name", "channel", "record_id", "event_recorded_time")
"""What an event is known by, in whatever log it is met."""
STATISTICS = ("event_creation_time", "event_recorded_time", "record_id", "computer_name")
"""Columns whose least and greatest values the table keeps for each file."""
SORT = ("computer_name", "process_name", "event_creation_time", "record_id")
"""Order of rows within compacted files. Destinations before the time would cost more in times and record ids than they
save in destinations (benchmarks/README.md)."""

CONFIGURATION: dict[str, str | None] = {
    "delta.dataSkippingStatsColumns": ",".join(STATISTICS),
    # How long a query, begun before a compaction, still finds its files.
    "delta.deletedFileRetentionDuration": "interval 1 days",
    # A recorder commits 8,640 times a day.
    "delta.logRetentionDuration": "interval 2 days",
    "delta.checkpointInterval": "100",
}

# Numbers that hardly repeat: a dictionary of them costs more than their differences.
_DIFFERENCES = ("event_creation_time", "event_recorded_time", "record_id", "source_offset", "source_line",
                "connection_id", "duration_us", "sent_bytes", "received_bytes")  # fmt: skip


def parquet(*, level: int, whole_statistics: bool) -> dict[str, Any]:
    """How pyarrow writes a file of the lake, at a level of zstd; with the least and greatest values of all columns, or
    of few."""
    return {
        "compression": "zstd",
        "compression_level": level,
        "write_statistics": True if whole_statistics else list(STATISTICS),
        "use_dictionary": [name for name in SCHEMA.names if name not in _DIFFERENCES],
        # `verify` holds the pages to them.
        "write_page_checksum": True,
        # Its types are those of Parquet; Arrow's own would say which texts were dictionaries when it was written.
        "store_schema": False,
        "column_encoding": dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
    }


def widened(rows: pa.Table) -> pa.Table:
    """Rows of `event.SCHEMA` or `event.LIVE_SCHEMA` as the lake has them: those of a log are connections."""
    columns = []
    for kept in SCHEMA:
        if kept.name in rows.schema.names:
            columns.append(rows[kept.name])
        elif kept.name == "record_kind":
            columns.append(pa.repeat(pa.scalar("connection"), rows.num_rows))
        else:
            columns.append(pa.nulls(rows.num_rows, kept.type))
    return pa.table(columns, schema=SCHEMA)


def days(rows: pa.Table) -> pa.ChunkedArray:
    """The date in UTC of each row; null where the event has no time."""
    time = pc.coalesce(rows["event_creation_time"], rows["event_recorded_time"])
    return time.cast(pa.timestamp("us")).cast(pa.date32(), safe=False)
