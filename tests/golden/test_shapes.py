"""Every encoding of one event yields that event: each field that the file carries, and never another value.

tests/data/shapes/README.md describes the event. A field is carried if the text of its value stands in the file. What an
encoding carries, but procwire leaves null, stands below with the reason; docs/formats.md has it, too.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import truth

import procwire
from procwire.sources import read_batches

SHAPES = truth.DATA / "shapes"
FILES = sorted(path.name for path in SHAPES.iterdir() if path.name != "README.md")

WRITTEN = datetime(2024, 5, 14, 9, 13, 28, 503441, UTC)
EVENT: dict[str, set[Any]] = {
    "event_creation_time": {datetime(2024, 5, 14, 9, 13, 27, 481000, UTC)},
    "process_guid": {"{A1B2C3D4-5E6F-6643-9A01-000000001A00}"},
    "process_id": {6712},
    "process_name": {"C:\\Users\\mara\\AppData\\Local\\Temp\\upd.exe", "/usr/bin/curl"},
    "user_name": {"CORP\\mara", "mara"},
    "network_protocol": {"tcp"},
    "network_connection_initiated": {True},
    "src_is_ipv6": {False},
    "src_ip": {"10.20.30.41"},
    "src_host_name": {"WS-17.corp.example"},
    "src_port": {50122},
    "src_port_name": set(),
    "dst_is_ipv6": {False},
    "dst_ip": {"203.0.113.77"},
    "dst_host_name": {"c2.bad.example"},
    "dst_port": {4444},
    "dst_port_name": set(),
    "rule_name": {"technique_id=T1571,technique_name=Non-Standard Port"},
    # Shippers cut the fraction off.
    "event_recorded_time": {WRITTEN, WRITTEN.replace(microsecond=503000), WRITTEN.replace(microsecond=0)},
    "record_id": {88123},
    "computer_name": {"WS-17.corp.example", "WS-17", "ws-17", "lin-3"},
    "provider_name": {"Microsoft-Windows-Sysmon", "Linux-Sysmon"},
    "provider_guid": {"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}", "{FF032593-A8D3-4F13-B0D6-01FC615A0F97}"},
    "channel": {"Microsoft-Windows-Sysmon/Operational", "Linux-Sysmon/Operational"},
    "event_id": {3},
    "event_version": {5},
    "event_level": {4},
    "event_task": {3},
    "event_opcode": {0},
    "event_keywords": {"0x8000000000000000"},
    "logger_process_id": {3120},
    "logger_thread_id": {4388, 3120},
    # Fluent Bit looks the account up.
    "logger_user_sid": {"S-1-5-18", "0", "NT AUTHORITY\\SYSTEM"},
}

# How a file that carries the column spells its value.
SPELLED: dict[str, str] = {
    "event_creation_time": r"2024-05-14[ T]09:13:27",
    "process_guid": r"(?i)\{?A1B2C3D4-5E6F-6643-9A01-000000001A00",
    "process_id": r"\b6712\b",
    "process_name": r"(?i)C:\\+Users\\+mara\\+AppData\\+Local\\+Temp\\+upd\.exe|/usr/bin/curl",
    "user_name": r"\bmara\b(?!\\)",
    "network_protocol": r"(?i)\btcp\b",
    "network_connection_initiated": r"(?i)\bInitiated\b\W{1,20}true|egress|outbound",
    "src_ip": r"\b10\.20\.30\.41\b",
    "src_host_name": r"(?i)source[-_. ]?(hostname|domain)\W{1,20}WS-17",
    "src_port": r"\b50122\b",
    "dst_ip": r"\b203\.0\.113\.77\b",
    "dst_host_name": r"\bc2\.bad\.example\b",
    "dst_port": r"\b4444\b",
    "rule_name": r"technique_id=T1571",
    "record_id": r"\b88123\b",
    "computer_name": r"(?i)\b(computer|computer_?name)\b\W{1,20}(WS-17|lin-3)",
    "channel": r"(?<!:)(?:Microsoft-Windows|Linux)-Sysmon/Operational",
}

# What some files say otherwise, on purpose.
OTHERWISE: dict[str, dict[str, set[Any]]] = {
    "csv_ragged.csv": {"process_name": {"C:\\a.exe"}},
    "eventviewer.csv": {"src_port": {50122, 50123}},
    "eventviewer.txt": {"src_port": {50122, 50123}},
    "eventviewer_nobom.csv": {"src_port": {50122, 50123}},
    "hayabusa_csv_timeline.csv": {"process_name": {"C:\\upd.exe"}},
    "journal_export_binary.bin": {"process_name": {"/tmp/a\nb"}},
    "sysmon_linux_unescaped_amp.log": {"process_name": {"/tmp/a&b"}},
    "sysmon_linux_unescaped_lt.log": {"process_name": {"/tmp/a<b"}},
    "text_rulename_holds_fields.log": {
        "process_name": {"C:\\Program Files (x86)\\A  B\\c d.exe"},
        "rule_name": {"Alert: User: suspicious Image: x"},
    },
    "agent8_sysmon_linux_original.ndjson": {"record_id": {24, 88123}},
    "chainsaw95_no_message.ndjson": {
        "event_creation_time": {datetime(2022, 8, 23, 11, 16, 15, 205000, UTC)},
        "event_recorded_time": {datetime(2022, 8, 23, 11, 16, 17, 337000, UTC)},
        "dst_ip": {"198.51.100.25"},
        "dst_port": {25},
    },
    "evtx_dump_default.json": {"record_id": {88123, 88124}},
    "ps51_converttojson_default_two_events.json": {"record_id": {88123, 88124}},
    "python_xmltodict.ndjson": {"event_keywords": {"0x8"}},
    "utctime_nofrac.xml": {"event_creation_time": {datetime(2024, 5, 14, 9, 13, 27, tzinfo=UTC)}},
    "val_ip_zone.xml": {"dst_ip": {"fe80::1:2:3:4"}},
}

# Files in which no event 3 of ours stands, or several.
ROWS: dict[str, int] = {
    "defender_devicenetworkevents.csv": 0,
    "defender_devicenetworkevents.json": 0,
    "event1_beats_shift.ndjson": 0,
    "eventviewer.csv": 2,
    "eventviewer.txt": 2,
    "eventviewer_nobom.csv": 2,
    "evtx_dump_default.json": 2,
    "ps51_converttojson_default_two_events.json": 2,
    "syslog_octet_counted_windows_msg.log": 2,
}

# Fields that a file carries and that stay null, with the reason.
NULL: dict[str, dict[str, str]] = {
    "wazuh_sysmon_linux.json": dict.fromkeys(
        ("src_host_name", "dst_host_name"), "full_log is the event as it was logged, and has no names"
    ),
}

# Files that are not read completely, or correctly, yet. This list only shrinks, until it is empty.
NOT_YET_READ: set[str] = set()


def read(name: str) -> tuple[list[dict[str, Any]], procwire.Ledger]:
    ledger = procwire.Ledger()
    rows = [row for batch in read_batches([SHAPES / name], ledger=ledger) for row in batch.to_pylist()]
    return rows, ledger


def text_of(path: Path) -> str:
    raw = path.read_bytes()
    if b"\0" in raw[:200] and path.suffix != ".bin":
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le")
    return raw.decode("utf-8-sig", "replace")


def wrong(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns with a value that the event does not have."""
    event = EVENT | OTHERWISE.get(name, {})
    return {column: row[column] for column in event if row[column] is not None and row[column] not in event[column]}


def missing(name: str, row: dict[str, Any]) -> set[str]:
    """Return the columns that are null although the file spells their value."""
    text = text_of(SHAPES / name)
    carried = {column for column, spelling in SPELLED.items() if re.search(spelling, text)}
    return {column for column in carried if row[column] is None} - NULL.get(name, {}).keys()


@pytest.mark.parametrize("name", [name for name in FILES if name not in NOT_YET_READ])
def test_no_encoding_yields_a_wrong_value(name: str) -> None:
    try:
        rows, _ = read(name)
    except procwire.InputError:
        rows = []
    assert [wrong(name, row) for row in rows if wrong(name, row)] == []
    assert len(rows) <= ROWS.get(name, 1)


@pytest.mark.parametrize("name", [name for name in FILES if name not in NOT_YET_READ])
def test_every_encoding_yields_every_field_that_it_carries(name: str) -> None:
    rows, _ = read(name)
    assert len(rows) == ROWS.get(name, 1)
    assert [missing(name, row) for row in rows if missing(name, row)] == []


def test_the_lists_name_only_files_that_exist() -> None:
    assert {*OTHERWISE, *ROWS, *NULL, *NOT_YET_READ} <= set(FILES)
