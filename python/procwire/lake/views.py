"""The views that a question starts from: `connections`, and what is counted from it."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import literal, quote
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, Field
from procwire.lake.functions import create_functions

if TYPE_CHECKING:
    import duckdb

__all__ = ["VIEWS", "prepare"]

_SQL_TYPES = {pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
              pa.binary(): "BLOB", pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ"}  # fmt: skip

# An attempt made no connection, a close ends one that has its row already, a loss is none.
_COUNTS = """
    count(*) FILTER (WHERE record_kind IN ('connection', 'existing')) AS connections,
    count(*) FILTER (WHERE record_kind = 'attempt') AS attempts,
    min(event_creation_time) AS first_seen,
    max(event_creation_time) AS last_seen,
    sum(sent_bytes)::BIGINT AS sent_bytes,
    sum(received_bytes)::BIGINT AS received_bytes"""

VIEWS: dict[str, str] = {
    "processes": f"""
SELECT computer_name, process_guid,
    max(process_id) AS process_id,
    max(process_name) AS process_name,
    max(process_base_name) AS process_base_name,
    max(user_name) AS user_name,
    max(process_command_line) AS process_command_line,
    max(process_parent_name) AS process_parent_name,
    max(process_start_time) AS process_start_time,{_COUNTS},
    count(*) FILTER (WHERE record_kind IN ('connection', 'existing') AND network_connection_initiated) AS outbound,
    count(*) FILTER (WHERE record_kind IN ('connection', 'existing') AND NOT network_connection_initiated) AS inbound,
    count(DISTINCT dst_ip) FILTER (WHERE network_connection_initiated) AS dst_ips,
    count(DISTINCT dst_port) FILTER (WHERE network_connection_initiated) AS dst_ports
FROM connections
WHERE record_kind <> 'loss'
GROUP BY computer_name, process_guid,
    CASE WHEN process_guid IS NULL THEN process_id END, CASE WHEN process_guid IS NULL THEN process_name END""",
    # Of what was received, the destination is this machine.
    "destinations": f"""
SELECT dst_ip, dst_host_name, dst_port, network_protocol,
    max(dst_port_name) AS dst_port_name,{_COUNTS},
    count(DISTINCT computer_name) AS computers,
    count(DISTINCT process_name) AS process_names
FROM connections
WHERE record_kind <> 'loss' AND network_connection_initiated
GROUP BY dst_ip, dst_host_name, dst_port, network_protocol""",
    "pairs": f"""
SELECT computer_name, process_name, user_name, dst_ip, dst_host_name, dst_port, network_protocol,
    max(process_base_name) AS process_base_name,{_COUNTS},
    count(DISTINCT process_guid) AS processes
FROM connections
WHERE record_kind <> 'loss' AND network_connection_initiated
GROUP BY computer_name, process_name, user_name, dst_ip, dst_host_name, dst_port, network_protocol""",
}
"""Views over `connections` and their SQL."""


def prepare(connection: duckdb.DuckDBPyConnection, relation: str | pa.Table, *, since: datetime | None = None) -> None:
    """Make a DuckDB connection ready for questions: the views `connections`, `processes`, `destinations` and `pairs`,
    and the functions on addresses.

    relation: what yields the rows, as it stands after FROM, or a table. It has columns of the event's, under standard
    names; those that it lacks are null, save that a row without a kind is a connection. Others it has are kept.
    since: leaves out what is older.
    """
    if isinstance(relation, pa.Table):
        name = f"rows_{secrets.token_hex(4)}"
        connection.register(name, relation)
        relation = quote(name)
    create_functions(connection)
    connection.execute(f"CREATE OR REPLACE VIEW connections AS {_connections(connection, relation, since)}")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")


def _connections(connection: duckdb.DuckDBPyConnection, relation: str, since: datetime | None) -> str:
    present = connection.sql(f"SELECT * FROM {relation} LIMIT 0").columns
    stored = FIELDS + LIVE_FIELDS
    computed = {field.name for field in (*stored, *DERIVED)}
    names = [_stored(field, field.name in present) for field in stored]
    names += [quote(name) for name in present if name not in computed]
    derived = [f"{field.sql} AS {quote(field.name)}" for field in DERIVED]
    rows = f"SELECT {', '.join(names)} FROM {relation}"
    if since is not None:
        rows += (" WHERE coalesce(event_creation_time, event_recorded_time)"
                 f" >= TIMESTAMPTZ {literal(since.isoformat())}")  # fmt: skip
    return f"SELECT *, {', '.join(derived)} FROM ({rows})"


def _stored(field: Field, is_present: bool) -> str:
    name = quote(field.name)
    if not is_present:
        null = "'connection'" if field.name == "record_kind" else "NULL"
        return f"{null}::{_SQL_TYPES[field.type]} AS {name}"
    return f"coalesce({name}, 'connection') AS {name}" if field.name == "record_kind" else name
