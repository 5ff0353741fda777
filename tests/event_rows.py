"""Build rows of the event table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import pyarrow as pa

Row = dict[str, Any]
BatchOf = Callable[..., pa.RecordBatch]

MISSION_ROW: Row = {
    "event_creation_time": datetime(2018, 4, 11, 5, 29, 35, 394_000, UTC),
    "process_guid": "{A98268C1-957F-5ACD-0000-0010EB030000}",
    "process_id": 4,
    "process_name": "System",
    "user_name": "NT AUTHORITY\\SYSTEM",
    "network_protocol": "udp",
    "network_connection_initiated": False,
    "src_is_ipv6": False,
    "src_ip": "192.168.64.255",
    "src_port": 138,
    "src_port_name": "netbios-dgm",
    "dst_is_ipv6": False,
    "dst_ip": "192.168.64.135",
    "dst_host_name": "DESKTOP-WARDOG.localdomain",
    "dst_port": 138,
    "dst_port_name": "netbios-dgm",
    "event_recorded_time": datetime(2018, 4, 11, 5, 29, 36, 333_863, UTC),
    "record_id": 11750109,
    "computer_name": "DESKTOP-WARDOG",
    "provider_name": "Microsoft-Windows-Sysmon",
    "provider_guid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    "channel": "Microsoft-Windows-Sysmon/Operational",
    "event_id": 3,
    "event_version": 5,
    "event_level": 4,
    "event_task": 3,
    "event_opcode": 0,
    "event_keywords": "0x8000000000000000",
    "logger_process_id": 2152,
    "logger_thread_id": 3236,
    "logger_user_sid": "S-1-5-18",
    "source_file": "Sysmon.evtx",
    "source_offset": 4608,
    "recovered": False,
}
"""The mission's sample, docs of event 3."""


@lru_cache(4096)
def address_bytes(text: str | None) -> bytes | None:
    """Return the address's 16 bytes; None for other text."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    return address.packed if isinstance(address, IPv6Address) else bytes(10) + b"\xff\xff" + address.packed


def full_row(changes: Row) -> Row:
    """Return the mission's row with changes."""
    row = {**MISSION_ROW, **changes}
    return {**row, "src_ip_bytes": address_bytes(row["src_ip"]), "dst_ip_bytes": address_bytes(row["dst_ip"])}
