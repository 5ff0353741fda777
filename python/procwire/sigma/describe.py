"""Describe a match: when, which rule, which process talked to which peer, and which values made the rule match."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from procwire.paths import base_name
from procwire.plain import plain
from procwire.sinks.layout import shorten_middle
from procwire.words import counted

__all__ = ["Row", "alert_line", "reason", "shown_time", "value_text", "what_happened"]

Row = Mapping[str, Any]
"""A match: a row of `sigma.SCHEMA`, by column."""

_LONGEST_VALUE = 160


def alert_line(row: Row) -> str:
    """Return a line about a new match: its level, its rule, what happened, and why it matched."""
    text = " ".join(part for part in (what_happened(row), reason(row)) if part)
    return f"ALERT {row['rule_level']}: {plain(row['rule_title'])}: {text}"


def what_happened(row: Row) -> str:
    r"""Return what happened: `powershell.exe 4321 (CORP\alice) on WS1 → 203.0.113.5:443 tcp example.com`.

    For a correlation: how many events there were, and when. The text is safe for a terminal.
    """
    if row["correlated_events"] is not None:
        first, last = shown_time(row["first_seen"]), shown_time(row["last_seen"])
        return f"{counted(row['correlated_events'], 'event')}{_on(row)}, {first} to {last}"
    initiated = row["network_connection_initiated"]
    peer = "src" if initiated is False else "dst"
    # Unknown for udp flows that began before the recording.
    unknown = initiated is None and row["network_protocol"] == "udp"
    arrow = "↔" if unknown else "←" if peer == "src" else "→"
    name = row["process_name"] and base_name(row["process_name"])
    process = " ".join(str(part) for part in (name, row["process_id"]) if part is not None)
    user = f" ({row['user_name']})" if row["user_name"] else ""
    host = f" {row[f'{peer}_host_name']}" if row[f"{peer}_host_name"] else ""
    outcome = f", {row['outcome']}" if row["record_kind"] == "attempt" else ""
    protocol = f" {row['network_protocol']}" if row["network_protocol"] else ""
    return plain(f"{process or '-'}{user}{_on(row)} {arrow} {_endpoint(row, peer)}{protocol}{host}{outcome}")


def reason(row: Row) -> str:
    """Return the fields that made the rule match, such as `because DestinationPort 4444`; empty if there are none."""
    matched: dict[str, Any] = json.loads(row["matched"] or "{}")
    if not matched:
        return ""
    word = "because" if row["correlated_events"] is None else "of"
    return plain(f"{word} " + ", ".join(f"{name} {value_text(value)}" for name, value in matched.items()))


def shown_time(time: datetime | None) -> str:
    """Return a time as Sysmon writes it, such as `2020-10-20 11:22:33.123`; `-` for None."""
    return "-" if time is None else time.strftime("%Y-%m-%d %H:%M:%S.") + f"{time.microsecond // 1000:03}"


def value_text(value: object) -> str:
    """Return a value of a field as Sysmon writes it, shortened if it is long; `missing` for None."""
    if value is None:
        return "missing"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return shorten_middle(text, _LONGEST_VALUE)


def _on(row: Row) -> str:
    return f" on {row['computer_name']}" if row["computer_name"] else ""


def _endpoint(row: Row, end: str) -> str:
    address, port = row[f"{end}_ip"] or "-", row[f"{end}_port"]
    shown = f"[{address}]" if ":" in address else address
    return shown if port is None else f"{shown}:{port}"
