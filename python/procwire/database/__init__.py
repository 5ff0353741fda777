"""`connect`: a database over a lake, logs, or a table, ready for questions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from procwire.database.database import Database
from procwire.database.lake import connect_lake
from procwire.database.logs import connect_logs
from procwire.engine import TIMEOUT_S, Limits
from procwire.engine import connect as connect_engine
from procwire.lake.location import is_remote
from procwire.lake.period import check_period
from procwire.lake.views import prepare
from procwire.ledger import Ledger
from procwire.sources.limits import UnpackLimits

__all__ = ["Database", "connect", "connect_lake", "connect_logs"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def connect(
    source: Paths | pa.Table | pa.RecordBatchReader | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    unpack: UnpackLimits | None = None,
    memory_bytes: int | None = None,
    spill_bytes: int | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> Database:
    """A database with the views `connections`, `processes`, `destinations`, `pairs`, `process_creations`,
    `dns_queries` and `enriched`, and the functions on addresses (docs/sql.md).

    It is in memory and only reads: each statement is one query, no SQL reads another file, writes one, reaches the
    network or changes a setting.

    source: the folder or URI of a lake; logs, as `read` takes them, and Parquet and Arrow files that `read` and
    `record` wrote; or an Arrow table of the event's columns. Without one the lake that PROCWIRE_LAKE names, or else the
    user's own. since, until: events from then on, and before then; without a zone in UTC. unpack: limits of what packed
    logs may become; beyond them is damage. memory_bytes, spill_bytes:
    limits of DuckDB's memory and of its temporary files; None for half of what there is. timeout_s: how long a query
    may take, in seconds; None for no limit.

    Raises UsageError if there is no lake, or for a period in which nothing can be; InputError if not one of the logs
    could be read.

    >>> import procwire
    >>> database = procwire.connect("examples/sysmon.evtx")
    >>> database.sql("SELECT count(*) FROM connections WHERE ip_in(dst_ip, '10.0.0.0/8')").fetchall()
    [(0,)]
    """
    check_period(since, until)
    limits = _limits(memory_bytes, spill_bytes, timeout_s)
    if isinstance(source, pa.Table | pa.RecordBatchReader):
        connection = connect_engine(limits=limits)
        prepare(connection, source if isinstance(source, pa.Table) else source.read_all(), since=since, until=until)
        return Database(connection)
    if source is None or (isinstance(source, str | os.PathLike) and _is_lake(source)):
        return Database(connect_lake(source, since=since, until=until, limits=limits))
    ledger = Ledger()
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    connection = connect_logs(paths, since=since, until=until, limits=limits, ledger=ledger, unpack=unpack)
    ledger.check_read()
    return Database(connection)


def _limits(memory_bytes: int | None, spill_bytes: int | None, timeout_s: float | None) -> Limits:
    given = {"memory_bytes": memory_bytes, "spill_bytes": spill_bytes}
    return replace(Limits(), **{name: value for name, value in given.items() if value is not None}, timeout_s=timeout_s)


def _is_lake(source: str | os.PathLike[str]) -> bool:
    return is_remote(os.fspath(source)) or Path(source, "connections", "_delta_log").is_dir()
