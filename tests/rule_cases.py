"""Hold cases of Sysmon's rules, and the ways in which procwire evaluates them."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import cast

import duckdb
import pyarrow as pa

from event_rows import Row, full_row
from procwire.engine import connect
from procwire.event import SCHEMA
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.evaluate import decide
from procwire.sysmon.forms import COLUMNS, sysmon_texts
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse
from procwire.sysmon.sql import compile_sql

Changes = Mapping[str, object]
"""Sysmon's field names to values other than those of `EVENT`."""

EVENT: Changes = {
    "UtcTime": datetime(2018, 4, 11, 5, 29, 35, 394_000, UTC),
    "ProcessGuid": "{A98268C1-957F-5ACD-0000-0010EB030000}",
    "ProcessId": 1000,
    "Image": "C:\\Windows\\System32\\svchost.exe",
    "User": "NT AUTHORITY\\SYSTEM",
    "Protocol": "tcp",
    "Initiated": True,
    "SourceIsIpv6": False,
    "SourceIp": "10.0.0.5",
    "SourceHostname": None,
    "SourcePort": 49700,
    "SourcePortName": None,
    "DestinationIsIpv6": False,
    "DestinationIp": "1.2.3.4",
    "DestinationHostname": None,
    "DestinationPort": 443,
    "DestinationPortName": "https",
    "RuleName": None,
}
"""The event that every case asks about, but for its changes."""

NO, UNNAMED = None, "-"
"""What a configuration says of an event: not logged; logged by no named rule. Else the rule's name."""
Verdict = str | None


@dataclass(frozen=True)
class Ask:
    """Hold an event, and the verdict that the configuration must return."""

    changes: Changes
    verdict: Verdict
    strict_verdict: Verdict
    """With Sysmon's bug of the stale name."""


@dataclass(frozen=True)
class Case:
    """Hold a configuration, and the verdicts that it must return for some events."""

    title: str
    configuration: Configuration
    asks: tuple[Ask, ...]

    def verdicts(self, *, strict: bool) -> list[Verdict]:
        return [ask.strict_verdict if strict else ask.verdict for ask in self.asks]

    @property
    def rows(self) -> list[Row]:
        return [row(ask.changes) for ask in self.asks]


def case(
    title: str,
    snippet: str,
    *asks: tuple[Changes, Verdict] | tuple[Changes, Verdict, Verdict],
    schema: str = "4.90",
    lenient: bool = False,
) -> Case:
    """Return a case: a title, a piece of a configuration, and events with their expected verdicts.

    `<include>` and `<exclude>` are short for `<NetworkConnect onmatch="include">` and so on; the elements around the
    piece, down to <EventFiltering>, are added. A third verdict is that of strict compatibility, where it differs.
    """
    asked = tuple(Ask(changes, verdict, *(strict or (verdict,))) for changes, verdict, *strict in asks)
    return Case(title, configuration(snippet, schema=schema, lenient=lenient), asked)


def configuration(snippet: str, *, schema: str = "4.90", lenient: bool = False) -> Configuration:
    """Parse a piece of a configuration; short forms as for `case`."""
    return parse(document(snippet, schema=schema).encode(), lenient=lenient)


def document(snippet: str, *, schema: str = "4.90") -> str:
    """Return the complete configuration around a piece of one."""
    for onmatch in ("include", "exclude"):
        snippet = snippet.replace(f"<{onmatch}", f'<NetworkConnect onmatch="{onmatch}"')
        snippet = snippet.replace(f"</{onmatch}>", "</NetworkConnect>")
    if "<EventFiltering" not in snippet:
        snippet = f"<EventFiltering>{snippet}</EventFiltering>"
    return f'<Sysmon schemaversion="{schema}">{snippet}</Sysmon>'


def row(changes: Changes) -> Row:
    """Return a row of the event table: `EVENT` with changes, both under Sysmon's names."""
    return full_row({COLUMNS[name].name: value for name, value in {**EVENT, **changes}.items()})


def by_reference(configuration: Configuration, rows: list[Row], *, strict: bool = False) -> list[Verdict]:
    """Evaluate row by row, in plain Python."""
    texts = [sysmon_texts(row, dns_lookup=configuration.dns_lookup) for row in rows]
    decisions = [decide(configuration, text, strict=strict) for text in texts]
    return [decision.rule_name if decision.logged else NO for decision in decisions]


def by_sql(configuration: Configuration, rows: list[Row], *, strict: bool = False) -> list[Verdict]:
    """Evaluate all rows in DuckDB, with the compiled expression."""
    connection = _connection()
    connection.register("events", batch_of(rows))
    answer = connection.sql(f"SELECT {compile_sql(configuration, strict=strict)} FROM events").to_arrow_table()
    return cast(list[Verdict], answer.column(0).to_pylist())


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    # Connecting takes longer than a query; a connection that is still open at the end is reported as a leak.
    atexit.register(_connection.cache_clear)
    return connect(threads=1)


def by_rules(configuration: Configuration, rows: list[Row], *, strict: bool = False) -> list[Verdict]:
    """Evaluate all rows in one batch, with the code that `read` and `record` use."""
    return cast(list[Verdict], ConfigFilter(configuration, strict=strict).names(batch_of(rows)).to_pylist())


def batch_of(rows: list[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


Way = Callable[..., list[Verdict]]
WAYS: Mapping[str, Way] = {"reference": by_reference, "sql": by_sql, "rules": by_rules}
"""Each takes a configuration, rows and `strict`, and returns a verdict for each row."""
