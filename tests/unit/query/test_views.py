"""The views over connections: which columns, what they count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from event_rows import BatchOf, Row, full_row
from procwire.engine import connect
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, LIVE_SCHEMA, SCHEMA
from procwire.query.views import VIEWS, prepare
from procwire.select import Selection

T0 = datetime(2024, 3, 1, 12, tzinfo=UTC)
A, B = "{A98268C1-957F-5ACD-0000-0010EB030000}", "{A98268C1-957F-5ACD-0000-0010EB030001}"


def prepared(*rows: Row, schema: pa.Schema = LIVE_SCHEMA, since: datetime | None = None) -> duckdb.DuckDBPyConnection:
    defaults = {"record_kind": "connection", "network_connection_initiated": True}
    full = [full_row({**defaults, **row}) for row in rows]
    connection = connect(threads=1)
    prepare(connection, pa.Table.from_pylist(full, schema=schema), since=since)
    return connection


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> Row:
    # Not fetchall, which wants pytz for times.
    [row] = connection.sql(sql).to_arrow_table().to_pylist()
    return dict(row)


def test_connections_has_every_column_in_the_tables_order() -> None:
    connection = prepared({})
    assert connection.sql("FROM connections").columns == [field.name for field in FIELDS + LIVE_FIELDS + DERIVED]
    kinds = connection.sql("FROM connections").to_arrow_table().schema.types
    assert [str(kind).replace("Etc/", "") for kind in kinds] == [
        str(field.type) for field in FIELDS + LIVE_FIELDS + DERIVED
    ]


def test_rows_of_a_log_are_connections_with_null_live_columns(batch_of: BatchOf) -> None:
    connection = connect(threads=1)
    prepare(connection, pa.Table.from_batches([batch_of({}, {"dst_port": 53})]))
    assert connection.sql("SELECT DISTINCT record_kind, sent_bytes, logged FROM connections").fetchall() == [
        ("connection", None, None)
    ]


def test_rows_without_a_kind_are_connections() -> None:
    assert one(prepared({"record_kind": None}), "SELECT record_kind FROM connections") == {"record_kind": "connection"}


def test_columns_of_another_table_stay(batch_of: BatchOf) -> None:
    """As `day` of the lake's; and what a table leaves out is null."""
    table = pa.Table.from_batches([batch_of({})]).select(["dst_ip"]).append_column("day", pa.array(["2018-04-11"]))
    connection = connect(threads=1)
    prepare(connection, table)
    row = one(connection, "SELECT day, dst_ip, process_name, process_base_name FROM connections")
    assert row == {"day": "2018-04-11", "dst_ip": "192.168.64.135", "process_name": None, "process_base_name": None}


def test_derived_columns_are_those_of_read(batch_of: BatchOf) -> None:
    batch = batch_of({}, {"process_name": "C:\\a\\b.exe", "user_name": "x", "process_guid": None})
    names = [field.name for field in DERIVED]
    connection = connect(threads=1)
    prepare(connection, pa.Table.from_batches([batch]))
    expected = [row for part in Selection(columns=names).apply([batch]) for row in part.to_pylist()]
    assert connection.sql(f"SELECT {', '.join(names)} FROM connections").to_arrow_table().to_pylist() == expected


def test_since_leaves_out_what_is_older() -> None:
    """By the time of the event, else by that of its record; what has neither is left out."""
    times = [T0, T0 - timedelta(microseconds=1), None]
    rows = [{"event_creation_time": time, "event_recorded_time": None, "dst_port": n} for n, time in enumerate(times)]
    rows.append({"event_creation_time": None, "event_recorded_time": T0, "dst_port": 3})
    assert prepared(*rows, since=T0).sql("SELECT dst_port FROM connections ORDER BY 1").fetchall() == [(0,), (3,)]


def test_processes_counts_connections_and_not_attempts_closes_or_losses() -> None:
    connection = prepared(
        {"process_guid": A, "event_creation_time": T0, "dst_ip": "1.1.1.1", "dst_port": 443},
        {"process_guid": A, "event_creation_time": T0 + timedelta(seconds=9), "dst_ip": "1.1.1.2", "dst_port": 443},
        {"process_guid": A, "event_creation_time": T0, "record_kind": "attempt", "dst_ip": "1.1.1.3", "dst_port": 22},
        {"process_guid": A, "event_creation_time": T0, "record_kind": "close", "dst_ip": "1.1.1.1", "dst_port": 443,
         "sent_bytes": 10, "received_bytes": 20},
        {"process_guid": A, "event_creation_time": T0, "network_connection_initiated": False},
        {"process_guid": A, "record_kind": "loss", "event_creation_time": T0 - timedelta(days=1)},
    )  # fmt: skip
    row = one(connection, "FROM processes")
    assert (row["connections"], row["attempts"], row["outbound"], row["inbound"]) == (3, 1, 2, 1)
    assert (row["dst_ips"], row["dst_ports"]) == (3, 2)
    assert (row["sent_bytes"], row["received_bytes"]) == (10, 20)
    assert (row["first_seen"], row["last_seen"]) == (T0, T0 + timedelta(seconds=9))


def test_processes_are_distinguished_by_computer_and_guid_and_else_by_id_and_name() -> None:
    keys = [("one", A, 4, "x"), ("two", A, 4, "x"), ("one", B, 4, "x"), ("one", None, 4, "x"), ("one", None, 5, "x"),
            ("one", None, 4, "y")]  # fmt: skip
    rows = [dict(zip(("computer_name", "process_guid", "process_id", "process_name"), key, strict=True))
            for key in keys]  # fmt: skip
    found = prepared(*rows, *rows).sql("SELECT computer_name, process_guid, process_id, process_name, connections "
                                       "FROM processes").fetchall()  # fmt: skip
    assert set(found) == {(*key, 2) for key in keys}


def test_destinations_are_those_that_were_called() -> None:
    connection = prepared(
        {"dst_ip": "1.1.1.1", "dst_host_name": "a", "dst_port": 443, "process_name": "x", "computer_name": "one"},
        {"dst_ip": "1.1.1.1", "dst_host_name": "a", "dst_port": 443, "process_name": "y", "computer_name": "two"},
        {"dst_ip": "1.1.1.1", "dst_host_name": "a", "dst_port": 443, "network_connection_initiated": False},
        {"dst_ip": "1.1.1.1", "dst_host_name": None, "dst_port": 80},
    )
    found = connection.sql("SELECT dst_port, connections, computers, process_names FROM destinations ORDER BY 1")
    assert found.fetchall() == [(80, 1, 1, 1), (443, 2, 2, 2)]


def test_pairs_counts_by_program_and_destination() -> None:
    place = {"dst_ip": "1.1.1.1", "dst_port": 443, "process_name": "/usr/bin/x"}
    connection = prepared({**place, "process_guid": A}, {**place, "process_guid": B}, {**place, "user_name": "other"})
    found = connection.sql("SELECT user_name, process_base_name, connections, processes FROM pairs ORDER BY ALL")
    assert found.fetchall() == [("NT AUTHORITY\\SYSTEM", "x", 2, 2), ("other", "x", 1, 1)]


def test_views_of_nothing_are_empty() -> None:
    connection = connect(threads=1)
    prepare(connection, SCHEMA.empty_table())
    for view in ("connections", *VIEWS):
        assert connection.sql(f"FROM {view}").fetchall() == []
