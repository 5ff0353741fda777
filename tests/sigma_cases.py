"""Build Sigma rules and events for tests, and evaluate them in procwire's three ways."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from textwrap import indent
from typing import Any

import duckdb
import pyarrow as pa
from sigma.rule import SigmaRule

from event_rows import address_bytes
from procwire.engine import connect
from procwire.event import FIELDS, LIVE_FIELDS, LIVE_SCHEMA
from procwire.sigma import RuleSet, SigmaStream, load, reference
from procwire.sysmon.forms import sysmon_texts

Event = Mapping[str, object]
"""Sysmon's field names to the values of the table."""

WINDOWS, LINUX = "Microsoft-Windows-Sysmon", "Linux-Sysmon"
_COLUMNS = {field.sysmon: field.name for field in (*FIELDS, *LIVE_FIELDS)}
_MORE = ("ProviderName", "Computer", "CommandLine", "ParentImage")


def document(detection: str, *, category: str = "network_connection", product: str = "windows") -> str:
    """Return a rule around a detection: the body of a selection; or named ones, with a condition."""
    if "condition:" not in detection:
        detection = f"selection:\n{indent(detection.strip(chr(10)), '    ')}\ncondition: selection\n"
    source = f"    category: {category}\n" + (f"    product: {product}\n" if product else "")
    return f"title: A\nlogsource:\n{source}detection:\n{indent(detection, '    ')}"


def loaded(*documents: str) -> RuleSet:
    """Load the rules of a file with these documents."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        file.write("\n---\n".join(documents))
        file.flush()
        return load([file.name])


def row(event: Event) -> dict[str, Any]:
    """Return the table's row of an event on Windows, with the bytes of its addresses."""
    found: dict[str, Any] = {_COLUMNS[name]: value for name, value in event.items()}
    found = {"provider_name": WINDOWS, "record_kind": "connection", **found}
    return {**found, "src_ip_bytes": address_bytes(found.get("src_ip")),
            "dst_ip_bytes": address_bytes(found.get("dst_ip"))}  # fmt: skip


def batch_of(events: Sequence[Event]) -> pa.RecordBatch:
    """Return the events as a batch, with their number as record id."""
    rows = [{**row(event), "record_id": number} for number, event in enumerate(events)]
    return pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)


def by_sql(rules: RuleSet, events: Sequence[Event]) -> list[bool]:
    """Return which events the SQL of the only rule finds."""
    [rule] = rules.rules
    connections = pa.Table.from_batches([batch_of(events)])
    with _engine().cursor() as connection:
        connection.register("connections", connections)
        found = connection.sql(f"SELECT record_id FROM connections WHERE {rule.sql}").fetchall()
    return [(number,) in found for number in range(len(events))]


def by_matches(rules: RuleSet, events: Sequence[Event]) -> list[bool]:
    """Return which events the matcher finds in a stream."""
    found = SigmaStream(rules).matches(batch_of(events))["record_id"].to_pylist()
    return [number in found for number in range(len(events))]


def by_reference(text: str, events: Sequence[Event]) -> list[bool]:
    """Return which events the rule matches by the specification, as the log's texts."""
    parsed = SigmaRule.from_yaml(text)
    return [reference.matches(parsed, _texts(event)) for event in events]


def _texts(event: Event) -> dict[str, str | None]:
    found = row(event)
    more = {name: found.get(_COLUMNS[name]) for name in _MORE}
    return {**sysmon_texts(found), "RuleName": found.get("rule_name"), **more}


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = connect(threads=1)
    atexit.register(connection.close)
    return connection


__all__ = ["LINUX", "WINDOWS", "Event", "batch_of", "by_matches", "by_reference", "by_sql", "document",
           "loaded", "row"]  # fmt: skip
