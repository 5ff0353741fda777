"""`connect`: a DuckDB connection over a lake, logs, or a table, ready for questions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import connect as connect_engine
from procwire.engine import literal
from procwire.errors import InputError
from procwire.event import CONNECTION, DNS_QUERY, EVENTS, PROCESS_CREATION, Event
from procwire.lake.location import is_remote
from procwire.lake.views import prepare
from procwire.ledger import Ledger
from procwire.sources import read_events

if TYPE_CHECKING:
    import duckdb

    from procwire.lake import Lake
    from procwire.sources.logs import OnProgress

__all__ = ["connect", "connect_lake", "connect_logs"]

_STORED_ROWS = 1 << 17
"""Rows that DuckDB is given at a time: it packs them in groups of so many."""

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def connect(
    source: Paths | pa.Table | pa.RecordBatchReader | None = None, *, since: datetime | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views `connections`, `processes`, `destinations`, `pairs`, `process_creations`,
    `dns_queries` and `enriched`, and the functions on addresses (docs/sql.md). It is in memory, and reads no other
    file.

    source: the folder or URI of a lake; logs, as `read` takes them; or an Arrow table of the event's columns. Without
    one the lake that PROCWIRE_LAKE names, or else the user's own. since: leaves out what is older.

    Raises UsageError if there is no lake, InputError if not one of the logs could be read.

    >>> import procwire
    >>> database = procwire.connect("examples/sysmon.evtx")
    >>> database.sql("SELECT count(*) FROM connections WHERE ip_in(dst_ip, '10.0.0.0/8')").fetchall()
    [(0,)]
    """
    if isinstance(source, pa.Table | pa.RecordBatchReader):
        connection = connect_engine()
        prepare(connection, source if isinstance(source, pa.Table) else source.read_all(), since=since)
        return connection
    if source is None or (isinstance(source, str | os.PathLike) and _is_lake(source)):
        return connect_lake(source, since=since)
    ledger = Ledger()
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    connection = connect_logs(paths, since=since, ledger=ledger)
    if ledger.nothing_read:
        causes = "; ".join(f"{file.name}: {file.error}" for file in ledger.files[:3])
        raise InputError(causes or "found no file, expected a log")
    return connection


def _is_lake(source: str | os.PathLike[str]) -> bool:
    return is_remote(os.fspath(source)) or Path(source, "connections", "_delta_log").is_dir()


def connect_lake(
    location: str | os.PathLike[str] | None = None, *, since: datetime | None = None
) -> duckdb.DuckDBPyConnection:
    """`connect` to a lake's newest snapshot. Raises UsageError if there is none."""
    from procwire.lake import Lake

    lake = Lake.open(location)
    tables = {part.table.layout.name: part for part in lake.tables()}
    connection = connect_engine(
        folders=[] if is_remote(lake.location) else [part.table.uri for part in tables.values()]
    )
    # Of processes all: one may have been created long before what it does.
    start = {PROCESS_CREATION.table: None, DNS_QUERY.table: since, CONNECTION.table: since}
    relations = {name: _relation(connection, part, start[name]) for name, part in tables.items()}
    prepare(connection, relations.pop(CONNECTION.table), context=relations, since=since)
    return connection


def _relation(connection: duckdb.DuckDBPyConnection, lake: Lake, since: datetime | None) -> str | pa.Table:
    """What yields the rows of a lake's table."""
    import pyarrow.dataset as ds

    schema, name = lake.table.layout.schema, lake.table.layout.name
    files = lake.files(since)
    if not files:
        return schema.empty_table()
    if not is_remote(lake.location):
        return f"read_parquet([{', '.join(map(literal, files))}])"
    # DuckDB has no way to the object store that keeps it from the rest of the network.
    paths = [file.path for file in lake.snapshot(since)]
    connection.register(
        f"stored_{name}", ds.dataset(paths, schema=schema, format="parquet", filesystem=lake.table.files)
    )
    return f"stored_{name}"


def connect_logs(
    paths: Sequence[str | os.PathLike[str]],
    *,
    since: datetime | None = None,
    ledger: Ledger,
    on_progress: OnProgress | None = None,
) -> duckdb.DuckDBPyConnection:
    """`connect` to logs, which are read into DuckDB's memory; what does not fit there lies in a temporary folder."""
    connection = connect_engine()
    # Out of sight: the views are what is to be asked.
    connection.execute("CREATE SCHEMA stored")
    with closing(read_events(paths, ledger=ledger, on_progress=on_progress)) as batches:
        _store(connection, batches)
    context = {event.table: f"stored.{event.table}" for event in (PROCESS_CREATION, DNS_QUERY)}
    prepare(connection, f"stored.{CONNECTION.table}", context=context, since=since)
    return connection


def _store(connection: duckdb.DuckDBPyConnection, batches: Iterator[tuple[Event, pa.RecordBatch]]) -> None:
    """Append each batch to the table of its event."""
    for event in EVENTS:
        connection.register("rows", event.schema.empty_table())
        connection.execute(f"CREATE TABLE stored.{event.table} AS FROM rows")
    waiting: dict[Event, list[pa.RecordBatch]] = {event: [] for event in EVENTS}
    for event, batch in batches:
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
