"""The texts that Sysmon compares, of a row and in SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from event_rows import Row
from procwire.engine import connect
from procwire.matching.folding import fold
from procwire.sysmon.forms import ADDRESSES, COLUMNS, NAMES_LOOKED_UP, TYPED, sysmon_texts, text_sql
from procwire.sysmon.manifest import NETWORK_FIELDS
from rule_cases import Changes, batch_of, row

BASE = {
    "RuleName": "-",
    "UtcTime": "2018-04-11 05:29:35.394",
    "ProcessGuid": "{A98268C1-957F-5ACD-0000-0010EB030000}",
    "ProcessId": "1000",
    "Image": "C:\\Windows\\System32\\svchost.exe",
    "User": "NT AUTHORITY\\SYSTEM",
    "Protocol": "tcp",
    "Initiated": "true",
    "SourceIsIpv6": "false",
    "SourceIp": "10.0.0.5",
    "SourceHostname": "-",
    "SourcePort": "49700",
    "SourcePortName": "-",
    "DestinationIsIpv6": "false",
    "DestinationIp": "1.2.3.4",
    "DestinationHostname": "-",
    "DestinationPort": "443",
    "DestinationPortName": "https",
}
NOTHING = dict.fromkeys(COLUMNS)
CASES: tuple[tuple[Changes, dict[str, str | None]], ...] = (
    ({}, {}),
    (NOTHING, {name: None if name in TYPED else "-" for name in NETWORK_FIELDS}),
    ({"RuleName": "x"}, {}),
    ({"UtcTime": datetime(2024, 12, 31, 23, 59, 59, 999_999, UTC)}, {"UtcTime": "2024-12-31 23:59:59.999"}),
    ({"UtcTime": datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-5)))}, {"UtcTime": "2024-01-01 05:00:00.000"}),
    ({"UtcTime": datetime(1601, 1, 1, tzinfo=UTC)}, {"UtcTime": "1601-01-01 00:00:00.000"}),
    ({"SourcePort": 0, "ProcessId": 2**32 - 1}, {"SourcePort": "0", "ProcessId": "4294967295"}),
    ({"Initiated": False, "SourceIsIpv6": True}, {"Initiated": "false", "SourceIsIpv6": "true"}),
    ({"SourceIp": "::", "DestinationIp": "fe80::ab:0:1"}, {
        "SourceIp": "0:0:0:0:0:0:0:0", "DestinationIp": "fe80:0:0:0:0:ab:0:1"}),
    ({"SourceIp": "::ffff:1.2.3.4"}, {"SourceIp": "0:0:0:0:0:ffff:102:304"}),
    ({"SourceIp": "1000:200:30:4:5:60:700:8000"}, {"SourceIp": "1000:200:30:4:5:60:700:8000"}),
    ({"SourceIp": "no:address"}, {"SourceIp": "no:address"}),
    ({"Image": "/usr/bin/ÄΣ", "SourceHostname": "a.b"}, {"Image": "/usr/bin/ÄΣ", "SourceHostname": "a.b"}),
)  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_texts(changes: Changes, expected: dict[str, str | None]) -> None:
    assert sysmon_texts(row(changes)) == BASE | expected


def test_texts_in_sql_are_the_same_folded() -> None:
    with connect(threads=1) as connection:
        connection.register("events", batch_of([row(changes) for changes, _ in CASES]))
        columns = ", ".join(f'{text_sql(name)} AS "{name}"' for name in COLUMNS)
        found = connection.sql(f"SELECT {columns} FROM events").to_arrow_table().to_pylist()
    expected = [
        {name: None if text is None else fold(text) for name, text in (BASE | texts).items()} for _, texts in CASES
    ]
    assert found == expected


def test_names_are_not_looked_up() -> None:
    named: Row = row(dict.fromkeys(NAMES_LOOKED_UP, "x"))
    assert {name: sysmon_texts(named)[name] for name in NAMES_LOOKED_UP} == dict.fromkeys(NAMES_LOOKED_UP, "x")
    assert sysmon_texts(named, dns_lookup=False) == BASE | dict.fromkeys(NAMES_LOOKED_UP, "-")
    assert {text_sql(name, dns_lookup=False) for name in NAMES_LOOKED_UP} == {"'-'"}


def test_every_field_of_event_3_has_its_column() -> None:
    assert tuple(COLUMNS) == NETWORK_FIELDS
    assert set(ADDRESSES) | TYPED | set(NAMES_LOOKED_UP) <= set(COLUMNS)
