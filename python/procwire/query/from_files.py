"""Parquet and Arrow files as rows of an event, with standard names and the dictionary's types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import LocalFile, Served, literal, quote
from procwire.event import CONNECTION, LIVE_FIELDS, Event, Field
from procwire.event import field as field_named
from procwire.query.functions import create_functions
from procwire.query.views import SQL_TYPES

if TYPE_CHECKING:
    import duckdb

    from procwire.sources.tables import TableFile

__all__ = ["selections"]


def selections(
    connection: duckdb.DuckDBPyConnection, served: Served, tables: Iterable[TableFile]
) -> Iterator[tuple[Event, str]]:
    """Yield the SQL that selects the rows of files, with their event.

    There is one query for all Parquet files with the same columns, which `served` provides to the connection, and one
    for each Arrow file, which is loaded into the schema `stored`. Values that do not fit their column are counted in
    the files' ledgers.
    """
    import duckdb

    create_functions(connection)
    for number, (_, group) in enumerate(groupby(sorted(tables, key=_kind), key=_kind)):
        files = list(group)
        try:
            selection = _selection(connection, served, files, f"stored.arrow_{number}")
        except duckdb.Error as error:
            for file in files:
                file.account.error = f"cannot be queried as {file.event.rows}: {str(error).splitlines()[0]}"
        else:
            yield files[0].event, selection


def _kind(file: TableFile) -> tuple[str, ...]:
    """Return what files must have in common to be read by one query."""
    columns = [f"{column.name} {column.type}" for column in file.schema]
    return file.event.name, file.names, file.path if file.format == "arrow" else "", *columns


def _selection(connection: duckdb.DuckDBPyConnection, served: Served, files: Sequence[TableFile], stored: str) -> str:
    first = files[0]
    for file in files:
        for field in file.local_times:
            file.unreadable(field, 1, "times in UTC: all are null")
    if first.format == "arrow":
        connection.register("rows", pa.RecordBatchReader.from_batches(first.schema, first.batches()))
        connection.execute(f"CREATE TABLE {stored} AS {_rows(first, 'rows')}")
        connection.unregister("rows")
        return f"FROM {stored}"
    names = [served.add(partial(LocalFile, Path(file.path).absolute())) for file in files]
    selection = _rows(first, f"read_parquet([{', '.join(map(literal, names))}])")
    # DuckDB reports unsuitable types when it reads the first row.
    connection.sql(f"FROM ({selection}) LIMIT 1").to_arrow_table()
    for file in files:
        file.count(file.rows)
    return selection


def _rows(file: TableFile, relation: str) -> str:
    """Return SQL that selects the event's columns from a file."""
    stored = file.event.fields + (LIVE_FIELDS if file.event == CONNECTION else ())
    columns = [_column(field, file) for field in stored]
    query = f"SELECT {', '.join(column for column in columns if column)} FROM {relation}"
    kind = field_named("record_kind").named(file.names)
    # An alert repeats a connection that has its own row.
    return f"{query} WHERE {quote(kind)} IS DISTINCT FROM 'alert'" if kind in file.schema.names else query


def _column(field: Field, file: TableFile) -> str | None:
    name, kind = field.named(file.names), SQL_TYPES[field.type]
    if name in file.schema.names:
        if field in file.local_times:
            return f"CAST(NULL AS {kind}) AS {field.name}"
        return f"CAST({quote(name)} AS {kind}) AS {field.name}"
    if field.group == "address":
        text = next(other for other in file.event.fields if other.name == field.name.removesuffix("_bytes"))
        if text.named(file.names) in file.schema.names:
            return f"ip_bytes(CAST({quote(text.named(file.names))} AS VARCHAR)) AS {field.name}"
    return None
