"""Prepare a DuckDB connection with the view and the macros that hunts use, over given rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from event_rows import Row, address_bytes
from procwire.event import DERIVED, LIVE_SCHEMA
from procwire.hunts import find, load
from procwire.query.enriched import ADDED

START = datetime(2024, 5, 1, tzinfo=UTC)
HOUR_S = 3_600
DAY_S = 86_400

_MACROS = (
    "is_loopback(ip) AS ip LIKE '127.%' OR ip = '::1'",
    "is_multicast(ip) AS regexp_matches(ip, '^(22[4-9]|23\\d)\\.') OR ip LIKE 'ff%'",
    "is_private(ip) AS is_loopback(ip) OR regexp_matches(ip, '^(10|192\\.168|169\\.254|172\\.(1[6-9]|2\\d|3[01]))\\.')"
    " OR regexp_matches(ip, '^(fe80|f[cd]..):')",
)


def row(at_s: float = 0, **changes: Any) -> Row:
    """Return an outbound TCP connection, `at_s` seconds after START."""
    made: Row = {
        "event_creation_time": START + timedelta(seconds=at_s),
        "computer_name": "WS-1.corp.example",
        "process_name": "C:\\Program Files\\App\\app.exe",
        "user_name": "CORP\\ann",
        "network_protocol": "tcp",
        "network_connection_initiated": True,
        "src_ip": "10.0.0.5",
        "src_port": 50_000,
        "dst_ip": "203.0.113.9",
        "dst_port": 443,
        "provider_name": "Microsoft-Windows-Sysmon",
        "record_kind": "connection",
        **changes,
    }
    return {**made, "src_ip_bytes": address_bytes(made["src_ip"]), "dst_ip_bytes": address_bytes(made["dst_ip"])}


def rows(times_s: Iterable[float], **changes: Any) -> list[Row]:
    """Return outbound TCP connections at several times."""
    return [row(at_s, **changes) for at_s in times_s]


def table(made: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(made), schema=LIVE_SCHEMA)


def whole(made: pa.Table) -> pa.Table:
    """Return a log's rows with the columns that only a recording has."""
    missing = [field for field in LIVE_SCHEMA if field.name not in made.schema.names]
    for field in missing:
        made = made.append_column(field, pa.nulls(made.num_rows, field.type))
    return made


def connection(made: Sequence[Row] | pa.Table) -> duckdb.DuckDBPyConnection:
    """Open a connection with the view `connections` over the rows."""
    ground = duckdb.connect()
    ground.execute("SET TimeZone = 'UTC'")
    for macro in _MACROS:
        ground.execute(f"CREATE MACRO {macro}")
    ground.register("stored", whole(made) if isinstance(made, pa.Table) else table(made))
    derived = ", ".join(f"{field.sql} AS {field.name}" for field in DERIVED)
    ground.execute(f"CREATE VIEW connections AS SELECT *, {derived} FROM stored")
    # No process creation, no DNS query.
    added = [f"NULL::VARCHAR AS {name}" for name in ADDED if name not in LIVE_SCHEMA.names]
    ground.execute(f"CREATE VIEW enriched AS SELECT *, {', '.join(added)} FROM connections")
    return ground


def found(name: str, made: Sequence[Row], **parameters: object) -> list[Row]:
    """Return what a hunt that comes with procwire finds in the rows."""
    result: list[Row] = find(name, load()).run(connection(made), **parameters).read_all().to_pylist()
    return result
