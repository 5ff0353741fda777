"""Rows of a recording, built by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from event_rows import Row, address_bytes
from procwire.event import LIVE_FIELDS, LIVE_SCHEMA, fields

START = datetime(2026, 11, 24, 10, 0, 0, 125_000, UTC)
CURL: Row = {
    "event_creation_time": START,
    "process_guid": "{FFB12C03-B90C-6955-D204-00009C4900F2}",
    "process_id": 4711,
    "process_name": "/usr/bin/curl",
    "user_name": "alice",
    "network_protocol": "tcp",
    "network_connection_initiated": True,
    "src_is_ipv6": False,
    "src_ip": "10.0.0.5",
    "src_host_name": "testserver",
    "src_port": 41495,
    "dst_is_ipv6": False,
    "dst_ip": "93.184.216.34",
    "dst_host_name": "example.com",
    "dst_port": 443,
    "dst_port_name": "https",
    "event_recorded_time": START + timedelta(microseconds=3_210),
    "record_id": 1,
    "computer_name": "testserver",
    "provider_name": "Linux-Sysmon",
    "provider_guid": "{FF032593-A8D3-4F13-B0D6-01FC615A0F97}",
    "channel": "Linux-Sysmon/Operational",
    "event_id": 3,
    "event_version": 5,
    "event_level": 4,
    "event_task": 3,
    "event_opcode": 0,
    "event_keywords": "0x8000000000000000",
    "logger_process_id": 77,
    "logger_thread_id": 78,
    "logger_user_sid": "0",
    "record_kind": "connection",
    "outcome": "established",
    "connection_id": 4097,
    "attribution": "caller",
    "user_id": 1000,
    "process_command_line": "curl https://example.com",
}
SSHD: Row = {
    "process_name": "/usr/sbin/sshd",
    "process_id": 812,
    "user_name": "root",
    "network_connection_initiated": False,
    "src_is_ipv6": True,
    "src_ip": "2001:db8::9",
    "src_host_name": None,
    "src_port": 50022,
    "dst_is_ipv6": True,
    "dst_ip": "2001:db8::1",
    "dst_host_name": "testserver",
    "dst_port": 22,
    "dst_port_name": "ssh",
}
MIDWAY: Row = {"network_protocol": "udp", "network_connection_initiated": None, "outcome": None}
"""A flow that the recording met in the middle: its direction is not known."""
ORIGIN: Row = {
    "effective_user_id": 0,
    "process_image_device": 64_769,
    "process_image_inode": 1_837_251,
    "process_mount_namespace_id": 4_026_531_841,
    "process_image_state": "memfd",
    "process_name_truncated": True,
    "process_ancestry": r'["812 /tmp/\"b\\a\"", "1 /usr/lib/systemd/systemd"]',
    "host_name_server": "192.0.2.53",
    "nat_src_ip": "203.0.113.7",
    "nat_src_port": 65_535,
    "nat_dst_ip": "2001:db8::9",
    "nat_dst_port": 8_053,
    "interface_index": 2,
}
"""What identifies the process and the way beyond Sysmon's fields."""
ATTEMPT: Row = {"record_kind": "attempt", "outcome": "refused", "error_number": 111}
CLOSE: Row = {
    "record_kind": "close",
    "outcome": "closed-by-peer",
    "duration_us": 1_500_000,
    "sent_bytes": 517,
    "received_bytes": 4_096_000,
}
EXISTING: Row = {"record_kind": "existing"}
LOSS: Row = {
    **{field.name: None for field in (*fields("event"), *LIVE_FIELDS)},
    "event_creation_time": START,
    "event_id": 255,
    "record_kind": "loss",
    "events_lost": 12,
}
# What a log that Sysmon's forms are read from has, too; where it was read from is no part of the event.
KEPT = [field.name for field in fields("event", "system", "address")]


def recorded(*rows: Row) -> pa.RecordBatch:
    """A batch with a row for each dict: curl's connection with these changes."""
    whole = [{**CURL, **row} for row in rows]
    for row in whole:
        row |= {"src_ip_bytes": address_bytes(row["src_ip"]), "dst_ip_bytes": address_bytes(row["dst_ip"])}
    return pa.RecordBatch.from_pylist(whole, schema=LIVE_SCHEMA)


def numbered(start: int, count: int) -> pa.RecordBatch:
    """Connections with record ids from `start` on."""
    return recorded(*({"record_id": start + index, "src_port": 1024 + index % 60_000} for index in range(count)))
