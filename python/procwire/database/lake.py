"""`connect` to a lake: DuckDB reads the files of its newest snapshot."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import connect as connect_engine
from procwire.engine import literal
from procwire.event import CONNECTION, PROCESS_CREATION
from procwire.lake.location import is_remote
from procwire.lake.period import check_period
from procwire.lake.views import prepare

if TYPE_CHECKING:
    import duckdb

    from procwire.lake import Lake

__all__ = ["connect_lake"]


def connect_lake(
    location: str | os.PathLike[str] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> duckdb.DuckDBPyConnection:
    """`connect` to a lake's newest snapshot. Raises UsageError if there is none."""
    from procwire.lake import Lake

    check_period(since, until)

    lake = Lake.open(location)
    tables = {part.table.layout.name: part for part in lake.tables()}
    connection = connect_engine(
        folders=[] if is_remote(lake.location) else [part.table.uri for part in tables.values()]
    )
    # Of processes all: one may have been created long before what it does.
    bounds = {name: (None, None) if name == PROCESS_CREATION.table else (since, until) for name in tables}
    relations = {name: _relation(connection, part, *bounds[name]) for name, part in tables.items()}
    prepare(connection, relations.pop(CONNECTION.table), context=relations, since=since, until=until)
    return connection


def _relation(
    connection: duckdb.DuckDBPyConnection, lake: Lake, since: datetime | None, until: datetime | None
) -> str | pa.Table:
    """What yields the rows of a lake's table."""
    import pyarrow.dataset as ds

    schema, name = lake.table.layout.schema, lake.table.layout.name
    files = lake.files(since, until)
    if not files:
        return schema.empty_table()
    if not is_remote(lake.location):
        # Files of a time when the table had fewer columns: it reads every footer, so only where there are some.
        by_name = ", union_by_name = true" if lake.table.is_widened else ""
        return f"read_parquet([{', '.join(map(literal, files))}]{by_name})"
    # DuckDB has no way to the object store that keeps it from the rest of the network.
    paths = [file.path for file in lake.snapshot(since, until)]
    connection.register(
        f"stored_{name}", ds.dataset(paths, schema=schema, format="parquet", filesystem=lake.table.files)
    )
    return f"stored_{name}"
