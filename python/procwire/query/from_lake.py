"""DuckDB over a lake: queries the files of the newest snapshot."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import Limits, Served, literal, sql_errors
from procwire.engine import connect as connect_engine
from procwire.event import CONNECTION, PROCESS_CREATION
from procwire.lake.files import day_folder
from procwire.period import check_period
from procwire.query.views import prepare

if TYPE_CHECKING:
    import duckdb

    from procwire.lake import Lake

__all__ = ["connect_lake"]


def connect_lake(
    location: str | os.PathLike[str] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limits: Limits | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return DuckDB with the views over a lake's newest snapshot; the caller closes it.

    location: the lake's folder or URI; None for the default. since, until: start (included) and end (excluded) of the
    period, in UTC unless they have a zone. limits: None for the defaults.

    Raises UsageError if there is no lake, DamageError for a damaged file.
    """
    from procwire.lake import Lake

    check_period(since, until)
    lake = Lake.open(location)
    tables = {part.table.layout.name: part for part in lake.tables()}
    served = Served()
    connection = connect_engine(served=served, limits=limits)
    # All process creations: a process may be created long before its connections.
    bounds = {name: (None, None) if name == PROCESS_CREATION.table else (since, until) for name in tables}
    relations = {name: _relation(served, part, *bounds[name]) for name, part in tables.items()}
    # DuckDB reads the footer of a file, which may be damaged.
    with sql_errors():
        prepare(connection, relations.pop(CONNECTION.table), context=relations, since=since, until=until)
    return connection


def _relation(served: Served, lake: Lake, since: datetime | None, until: datetime | None) -> str | pa.Table:
    """Return the SQL that yields the rows of a lake's table, or an empty table if it has no files."""
    files = lake.snapshot(since, until)
    if not files:
        return lake.table.layout.schema.empty_table()
    # With the day in the name of a file, DuckDB opens only files of the days that a query needs.
    names = [served.add(lake.readable(file), folder=day_folder(file.day)) for file in files]
    # Needed for older files with fewer columns. DuckDB then reads every footer, so only set it if there are such files.
    by_name = ", union_by_name = true" if lake.table.is_widened else ""
    return f"read_parquet([{', '.join(map(literal, names))}], hive_partitioning = true{by_name})"
