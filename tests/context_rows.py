"""Build rows of process creations and DNS queries, and what they should add to a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pyarrow as pa

from procwire.event import DNS_QUERY, PROCESS_CREATION
from procwire.lake import Lake

Row = dict[str, Any]

START = datetime(2024, 5, 1, tzinfo=UTC)


def creation(at_s: float | None, guid: str | None, command_line: str, **changes: Any) -> Row:
    """Return a process, created this many seconds after START."""
    return {
        "event_creation_time": None if at_s is None else START + timedelta(seconds=at_s),
        "computer_name": "WS-1",
        "process_guid": guid,
        "process_command_line": command_line,
        "process_parent_name": f"parent of {command_line}",
        **changes,
    }


def query(at_s: float | None, guid: str | None, name: str, *answers: str, **changes: Any) -> Row:
    """Return a DNS query of a process."""
    return {
        "event_creation_time": None if at_s is None else START + timedelta(seconds=at_s),
        "computer_name": "WS-1",
        "process_guid": guid,
        "dns_query_name": name,
        "dns_query_results": "".join(f"{answer};" for answer in answers) or None,
        **changes,
    }


def creations(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PROCESS_CREATION.schema)


def queries(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=DNS_QUERY.schema)


def fill(lake: Lake, connections: pa.Table) -> None:
    """Add context to the connections of a lake: each process was created once or twice, and queried each address."""
    made, asked = [], []
    rows = connections.select(["computer_name", "process_guid", "event_creation_time", "dst_ip"]).to_pylist()
    for number, row in enumerate(rows[:2_000]):
        who = {name: row[name] for name in ("computer_name", "process_guid")}
        before = {**who, "event_creation_time": row["event_creation_time"], "record_id": number}
        if number % 3:
            made.append(creation(0, None, f"program -n {number % 40}") | before)
        if number % 5:
            answers = ("type:  5 alias.example.com", _as_sysmon_does(row["dst_ip"]), "::ffff:192.0.2.1")
            asked.append(query(0, None, f"name-{number % 70}.example.com", *answers) | before)
    for name, table in (("process_creations", creations(made)), ("dns_queries", queries(asked))):
        beside = lake.beside(name, create=True)
        assert beside is not None
        beside.append_logs(table, {"context": 1})


def _as_sysmon_does(ip: str | None) -> str:
    return "" if ip is None else f"::ffff:{ip}" if ip_address(ip).version == 4 else ip
