"""The data dictionary: its names, its order, its derived columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from event_rows import BatchOf, Row
from procwire.errors import UsageError
from procwire.event import DERIVED, EVENTS, FIELDS, GROUPS, LIVE_FIELDS, LOGGED, NAMES, SCHEMA, field, fields

if TYPE_CHECKING:
    from procwire.choices import Names

MISSION = [
    "event_creation_time", "process_guid", "process_id", "process_name", "user_name", "network_protocol",
    "network_connection_initiated", "src_is_ipv6", "src_ip", "src_host_name", "src_port", "src_port_name",
    "dst_is_ipv6", "dst_ip", "dst_host_name", "dst_port", "dst_port_name",
]  # fmt: skip


def derived(batch: pa.RecordBatch, name: str) -> list[Any]:
    """Return the values of a derived column."""
    table = pa.table(batch)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("event", table)
        values: list[Any] = connection.sql(f"SELECT {field(name).sql} FROM event").to_arrow_table()[0].to_pylist()
        return values


def test_table_starts_with_the_missions_fields_in_order() -> None:
    assert SCHEMA.names[:18] == [*MISSION, "rule_name"]


@pytest.mark.parametrize("names", NAMES)
def test_names_are_unique_in_every_vocabulary(names: Names) -> None:
    all_names = [entry.named(names) for entry in FIELDS + LIVE_FIELDS + DERIVED]
    assert len(all_names) == len(set(all_names))


def test_types_are_those_that_every_engine_has() -> None:
    """Delta Lake, DuckDB and Spark: no unsigned integers, microseconds."""
    allowed = {pa.string(), pa.int32(), pa.int64(), pa.bool_(), pa.binary(), pa.timestamp("us", tz="UTC")}
    assert {entry.type for entry in FIELDS + LIVE_FIELDS + DERIVED} <= allowed


def test_what_marks_rows_is_found_by_its_name() -> None:
    assert (LOGGED.name, LOGGED.type) == ("logged", pa.bool_())


def test_only_connections_have_a_local_side() -> None:
    assert [event.name for event in EVENTS if "local_side" in [entry.name for entry in event.derived]] == ["connection"]
    assert {len(DERIVED) - len(event.derived) for event in EVENTS[1:]} == {1}


def test_groups_make_up_the_table() -> None:
    assert [entry for group in GROUPS for entry in fields(group)] == [*FIELDS, *LIVE_FIELDS, *DERIVED]
    assert fields() == FIELDS


def test_event_and_system_fields_have_a_place_in_xml() -> None:
    for entry in FIELDS + LIVE_FIELDS + DERIVED:
        assert bool(entry.xml) == (entry.group in ("event", "system"))
        assert bool(entry.sql) == (entry.group == "derived")
        assert entry.description
        assert entry.sample


@pytest.mark.parametrize(
    ("names", "name"), [("ossem", "dst_port"), ("sysmon", "DestinationPort"), ("ossem-cdm", "DstPortNumber")]
)
def test_field_is_found_by_its_name(names: Names, name: str) -> None:
    assert field(name, names).name == "dst_port"


def test_unknown_field_gets_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean 'dst_port'"):
        field("dst_prt")


@pytest.mark.parametrize(
    ("name", "changes", "value"),
    [
        ("process_base_name", {"process_name": "C:\\Windows\\svchost.exe"}, "svchost.exe"),
        ("process_base_name", {"process_name": "/usr/bin/curl"}, "curl"),
        ("process_base_name", {}, "System"),
        ("process_base_name", {"process_name": None}, None),
        ("user_domain", {}, "NT AUTHORITY"),
        ("user_domain", {"user_name": "root"}, None),
        ("user_account", {}, "SYSTEM"),
        ("user_account", {"user_name": "root"}, "root"),
        ("process_start_time", {}, datetime(2018, 4, 11, 4, 56, 31, tzinfo=UTC)),
        ("process_start_time", {"process_guid": None}, None),
        ("process_start_time", {"process_guid": "{00000000-0000-0000-0000-000000000000}"}, None),
        ("local_side", {}, "src"),
        ("local_side", {"network_connection_initiated": None}, None),
        ("local_side", {"network_connection_initiated": True, "network_protocol": "tcp"}, "src"),
        ("local_side", {"network_connection_initiated": None, "provider_name": "Linux-Sysmon"}, "src"),
        ("local_side", {"network_connection_initiated": None, "provider_name": "Linux-Sysmon",
                        "network_protocol": "tcp"}, None),
        ("local_side", {"provider_name": "Linux-Sysmon"}, "dst"),
    ],
)  # fmt: skip
def test_derived_columns_have_their_values(batch_of: BatchOf, name: str, changes: Row, value: object) -> None:
    assert derived(batch_of(changes), name) == [value]
