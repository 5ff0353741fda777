"""The ways out by name, and what they are for."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

import pyarrow as pa

from procwire.errors import UsageError
from procwire.sinks.arrow import ArrowSink
from procwire.sinks.connections import CONNECTION_COLUMNS
from procwire.sinks.csv import CsvSink
from procwire.sinks.live import RECORDING_COLUMNS
from procwire.sinks.ndjson import NdjsonSink
from procwire.sinks.parquet import ParquetSink
from procwire.sinks.protocol import Sink, Terminal, Way
from procwire.sinks.table import TableSink
from procwire.sinks.xml import XmlSink

__all__ = [
    "AT_A_GLANCE",
    "CONNECTION_COLUMNS",
    "RECORDING_COLUMNS",
    "SINKS",
    "open_sink",
    "sink_for_suffix",
]

SINKS: dict[str, Way] = {
    "table": Way(TableSink),
    "ndjson": Way(NdjsonSink, (".ndjson", ".json", ".jsonl")),
    "csv": Way(CsvSink, (".csv",)),
    "csv-safe": Way(partial(CsvSink, safe=True)),
    "parquet": Way(ParquetSink, (".parquet",), binary=True),
    "arrow": Way(ArrowSink, (".arrow",), binary=True),
    "xml": Way(XmlSink, (".xml",)),
}

AT_A_GLANCE: dict[str, tuple[str, ...]] = {
    "connection": CONNECTION_COLUMNS,
    "process-creation": ("event_creation_time", "process_base_name", "process_id", "user_name", "process_parent_name",
                         "process_command_line"),
    "dns-query": ("event_creation_time", "process_base_name", "process_id", "dns_query_name", "dns_query_status",
                  "dns_query_results"),
}  # fmt: skip
"""What a table for people shows of each event, by `procwire.event.Event.name`."""


def open_sink(name: str, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> Sink:
    """Open the sink called `name` on a stream of bytes.

    Raises UsageError where a binary format would go to a terminal.
    """
    way = SINKS[name]
    if way.binary and terminal is not None:
        raise UsageError(f"found a terminal, expected a file or a pipe for {name}: use -o FILE or |")
    return way.open(stream, schema, terminal)


def sink_for_suffix(suffix: str) -> str | None:
    """The sink that writes files of a suffix such as `.csv`."""
    return next((name for name, way in SINKS.items() if suffix.lower() in way.suffixes), None)
