"""DuckDB over logs, which are loaded into it, and over Parquet files, which it reads itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import Limits, Served
from procwire.engine import connect as connect_engine
from procwire.event import CONNECTION, DNS_QUERY, EVENTS, PROCESS_CREATION, Event
from procwire.ledger import Ledger
from procwire.period import check_period
from procwire.query.from_files import selections
from procwire.query.views import prepare
from procwire.sources import read_events
from procwire.sources.inputs import Input, TableError
from procwire.sources.limits import UnpackLimits
from procwire.sources.tables import find_tables

if TYPE_CHECKING:
    import duckdb

    from procwire.sources.logs import OnProgress

__all__ = ["connect_logs"]

_STORED_ROWS = 1 << 17
"""Number of rows inserted at a time: a multiple of DuckDB's row groups."""


def connect_logs(
    paths: Sequence[str | os.PathLike[str]],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    connections: Sequence[Event] = (CONNECTION,),
    limits: Limits | None = None,
    ledger: Ledger,
    on_progress: OnProgress | None = None,
    unpack: UnpackLimits | None = None,
) -> duckdb.DuckDBPyConnection:
    """Read logs into DuckDB, and return a connection with the views over them; the caller closes it.

    Data that does not fit in memory goes to a temporary folder. Parquet files among the paths are queried in place.
    since, until: start (included) and end (excluded) of the period, in UTC unless they have a zone. connections: the
    events that are rows of `connections`; Parquet files have Sysmon's alone. ledger: filled by the reading; if nothing
    could be read, no error is raised here. unpack: limits for packed logs; None for the default. Raises UsageError for
    an empty period.
    """
    check_period(since, until)
    tables, accounts = find_tables(paths)
    served = Served()
    connection = connect_engine(served=served, limits=limits)
    # Separate schema: users query the views instead.
    connection.execute("CREATE SCHEMA stored")
    asked = (*connections, PROCESS_CREATION, DNS_QUERY)
    events = read_events(paths, events=asked, ledger=ledger, on_progress=on_progress, through=_logs, unpack=unpack)
    with closing(events) as batches:
        _store(connection, batches)
    rows = {event: [f"FROM stored.{event.table}"] for event in EVENTS}
    for event, selection in selections(connection, served, tables):
        rows[event].append(selection)
    ledger.files += accounts
    relations = {event.table: f"({' UNION ALL BY NAME '.join(parts)})" for event, parts in rows.items()}
    prepare(connection, relations.pop(CONNECTION.table), context=relations, since=since, until=until)
    return connection


def _logs(inputs: Iterator[Input]) -> Iterator[Input]:
    return (entry for entry in inputs if not isinstance(entry.source, TableError))


def _store(connection: duckdb.DuckDBPyConnection, batches: Iterator[tuple[Event, pa.RecordBatch]]) -> None:
    """Append each batch to the table of its event, which several events may share."""
    for event in EVENTS:
        connection.register("rows", event.schema.empty_table())
        connection.execute(f"CREATE TABLE stored.{event.table} AS FROM rows")
    of_table = {event.table: event for event in EVENTS}
    waiting: dict[Event, list[pa.RecordBatch]] = {event: [] for event in EVENTS}
    for found, batch in batches:
        event = of_table[found.table]
        waiting[event].append(batch)
        if sum(part.num_rows for part in waiting[event]) >= _STORED_ROWS:
            _append(connection, event, waiting[event])
    for event, parts in waiting.items():
        _append(connection, event, parts)


def _append(connection: duckdb.DuckDBPyConnection, event: Event, parts: list[pa.RecordBatch]) -> None:
    connection.register("rows", pa.Table.from_batches(parts, event.schema))
    connection.execute(f"INSERT INTO stored.{event.table} FROM rows")
    connection.unregister("rows")
    parts.clear()
