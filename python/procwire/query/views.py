"""The views for queries: `connections`, summaries of it, and the events that give it context."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from procwire.engine import quote
from procwire.event import CONNECTION, DNS_QUERY, LIVE_FIELDS, PROCESS_CREATION, Event, Field
from procwire.period import within
from procwire.query.enriched import enriched
from procwire.query.functions import create_functions

if TYPE_CHECKING:
    import duckdb

__all__ = ["SQL_TYPES", "VIEWS", "prepare"]

SQL_TYPES = {pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
              pa.binary(): "BLOB", pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ"}  # fmt: skip

# Attempts and losses are not connections, and a close belongs to a connection that has its own row.
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
    # Only initiated connections: the destination of the others is this machine.
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
"""The SQL of the views over `connections`, by name."""


Relation: TypeAlias = str | pa.Table


def prepare(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    *,
    context: Mapping[str, Relation] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Create the views and the functions on addresses in a DuckDB connection.

    The views are `connections`, `processes`, `destinations`, `pairs`, `process_creations`, `dns_queries` and
    `enriched`.

    relation: a table with the rows of event 3, or SQL for them as after FROM. The event's columns have their standard
    names; missing ones are null, but a row without a kind is a connection. Other columns are kept.
    context: the relations of events 1 and 22, by `event.Event.table`; None for no rows of either.
    since, until: omit the events before `since`, and those from `until` on.
    """
    create_functions(connection)
    rows = {name: _named(connection, rows) for name, rows in {**(context or {}), CONNECTION.table: relation}.items()}
    _create_view(connection, CONNECTION.table, _rows(connection, CONNECTION, rows, within(since, until)))
    _create_view(connection, PROCESS_CREATION.table, _rows(connection, PROCESS_CREATION, rows, within(since, until)))
    _create_view(connection, DNS_QUERY.table, _rows(connection, DNS_QUERY, rows, within(since, until)))
    for name, sql in VIEWS.items():
        _create_view(connection, name, sql)
    columns, creations = connection.sql("FROM connections").columns, _rows(connection, PROCESS_CREATION, rows)
    _create_view(connection, "enriched", enriched(columns, creations))


def _named(connection: duckdb.DuckDBPyConnection, relation: Relation) -> str:
    if isinstance(relation, str):
        return relation
    name = f"rows_{secrets.token_hex(4)}"
    connection.register(name, relation)
    return quote(name)


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")


def _rows(
    connection: duckdb.DuckDBPyConnection, event: Event, relations: Mapping[str, str], condition: str = ""
) -> str:
    relation = relations.get(event.table)
    present = [] if relation is None else connection.sql(f"SELECT * FROM {relation} LIMIT 0").columns
    stored = event.fields + (LIVE_FIELDS if event == CONNECTION else ())
    computed = {field.name for field in (*stored, *event.derived)}
    names = [_stored(field, field.name in present) for field in stored]
    names += [quote(name) for name in present if name not in computed]
    derived = [f"{field.sql} AS {quote(field.name)}" for field in event.derived]
    rows = f"SELECT {', '.join(names)} FROM {relation or '(SELECT 1) WHERE false'}"
    if relation is not None:
        rows += condition
    return f"SELECT *, {', '.join(derived)} FROM ({rows})"


def _stored(field: Field, is_present: bool) -> str:
    name = quote(field.name)
    if not is_present:
        null = "'connection'" if field.name == "record_kind" else "NULL"
        return f"{null}::{SQL_TYPES[field.type]} AS {name}"
    return f"coalesce({name}, 'connection') AS {name}" if field.name == "record_kind" else name
