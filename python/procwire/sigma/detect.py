"""Run rules over a lake or logs.

DuckDB returns the columns that rules need, which are matched in batches, and then the complete rows of the times with
matches. Spark finds the rows itself, by the rules' SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import literal
from procwire.errors import UsageError
from procwire.query.protocol import duckdb_of
from procwire.sigma.matching.correlation_stream import correlation_columns
from procwire.sigma.matching.hits import SCHEMA, hits_of
from procwire.sigma.matching.matcher import KINDS, Matcher
from procwire.sigma.matching.stream import SigmaStream
from procwire.sigma.model.fields import kind_of
from procwire.sigma.model.rule import Rule, RuleSet
from procwire.sigma.model.tree import leaves

if TYPE_CHECKING:
    import duckdb

    from procwire.choices import Level
    from procwire.query.protocol import Connection

__all__ = ["detect"]

_TYPES = {
    "text": "VARCHAR",
    "address": "VARCHAR",
    "bytes": "BLOB",
    "number": "BIGINT",
    "flag": "BOOLEAN",
    "time": "TIMESTAMPTZ",
}
_STAND_INS = {
    "record_kind": "'connection'",
    "dst_host_name": "dns_query_name",
    "dns_query_name": "CASE WHEN dst_host_name_origin = 'dns' THEN dst_host_name END",
}
_IS_EVENT = f"record_kind IN ({', '.join(map(literal, KINDS))})"
_ROWS_AT_ONCE = 122_880
_MOST_TESTS = 100


def detect(connection: Connection, ruleset: RuleSet, *, minimum_level: Level | None = None) -> pa.RecordBatchReader:
    """Return the matches of rules in a connection's data (`procwire.connect`, or Spark's), as batches of `SCHEMA`.

    There is a row for each event and rule, and for each time that a correlation held, in no particular order.

    minimum_level: omit rules below it.
    """
    wanted = ruleset.at_least(minimum_level) if minimum_level else ruleset
    return pa.RecordBatchReader.from_batches(SCHEMA, _matches(connection, wanted.rules))


def _matches(connection: Connection, rules: Sequence[Rule]) -> Iterator[pa.RecordBatch]:
    views = {view: _columns(connection, view) for view in ("connections", "enriched", "dns_queries")}
    for view, present in views.items():
        some = [rule for rule in rules if rule.tree is not None and view in _sources(rule, views)]
        if some:
            yield from _events(connection, view, present, some)
    for rule in rules:
        if rule.correlation is not None:
            # All rules of a correlation must see the same events.
            view = (
                "enriched"
                if views["enriched"] and any(one.needs_processes for one in rule.correlation.rules)
                else "connections"
            )
            yield from _correlation(connection, _Source(view, views[view], rule.correlation.rules), rule)


def _sources(rule: Rule, views: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the views that contain a rule's events.

    Names that were looked up are also in a recording's connections.
    """
    if rule.view == "dns_queries":
        return ("connections", *(("dns_queries",) if views["dns_queries"] else ()))
    return (rule.view if views[rule.view] else "connections",)


class _Source:
    """Hold a view, with substitutes for columns that rules need but it lacks."""

    def __init__(self, view: str, present: Sequence[str], rules: Sequence[Rule]) -> None:
        asked = dict.fromkeys(column for rule in rules for column in rule.columns)
        self.columns = list(asked)
        wanted = dict.fromkeys((*asked, "record_kind", "event_recorded_time", "dst_host_name"))
        added = [f"{_STAND_INS.get(name) or _null(name)} AS {name}" for name in wanted if name not in present]
        self.sql = f"(SELECT {', '.join(['*', *added])} FROM {view})" if added else view
        self.predicate = "\n  OR ".join(rule.sql for rule in rules)


def _null(name: str) -> str:
    return f"CAST(NULL AS {_TYPES[kind_of(name)]})"


def _columns(connection: Connection, view: str) -> list[str]:
    """Return the view's columns; empty if there is no such view."""
    import duckdb

    try:
        return list(connection.sql(f"SELECT * FROM {view} LIMIT 0").to_arrow_reader().schema.names)
    except (duckdb.CatalogException, UsageError):
        return []


def _events(
    connection: Connection, view: str, present: Sequence[str], rules: Sequence[Rule]
) -> Iterator[pa.RecordBatch]:
    database = duckdb_of(connection)
    for some in [rules] if database is not None else _few(rules):
        source, matcher = _Source(view, present, some), Matcher(some)
        if database is not None:
            batches = _whole_rows(database, source, matcher)
        else:
            query = f"SELECT * FROM {source.sql} WHERE {_IS_EVENT} AND (\n  {source.predicate})"
            batches = iter(connection.sql(query).to_arrow_reader())
        for batch in batches:
            hits = hits_of(batch, *matcher.find(batch), some)
            if hits.num_rows:
                yield hits


def _few(rules: Sequence[Rule]) -> Iterator[Sequence[Rule]]:
    """Yield groups of rules small enough for Spark to compile: a Java method has at most 64 KB."""
    some: list[Rule] = []
    tests = 0
    for rule in rules:
        own = sum(1 for _ in leaves(rule.tree)) if rule.tree is not None else 0
        if some and tests + own > _MOST_TESTS:
            yield some
            some, tests = [], 0
        some.append(rule)
        tests += own
    if some:
        yield some


def _whole_rows(connection: duckdb.DuckDBPyConnection, source: _Source, matcher: Matcher) -> Iterator[pa.RecordBatch]:
    """Yield the complete rows of the times with matches: few columns of all rows are read, all columns of few rows."""
    times: set[datetime | None] = set()
    names = dict.fromkeys(("event_creation_time", "record_kind", *source.columns))
    for batch in connection.sql(f"SELECT {', '.join(names)} FROM {source.sql}").to_arrow_reader(_ROWS_AT_ONCE):
        rows, _ = matcher.find(batch)
        times.update(batch.column(0).take(pa.array(rows, pa.int64())).to_pylist())
    without = " OR event_creation_time IS NULL" if None in times else ""
    query = f"SELECT * FROM {source.sql} WHERE event_creation_time IN (SELECT unnest($times)){without}"
    known = [time for time in times if time is not None]
    if times:
        yield from connection.sql(query, params={"times": known}).to_arrow_reader(_ROWS_AT_ONCE)


def _correlation(connection: Connection, source: _Source, rule: Rule) -> Iterator[pa.RecordBatch]:
    stream = SigmaStream(RuleSet((rule,)), live=False)
    names = dict.fromkeys(("record_kind", *correlation_columns(rule), *source.columns))
    query = (
        f"SELECT {', '.join(names)} FROM {source.sql} WHERE {_IS_EVENT} AND (\n  {source.predicate})\n"
        "ORDER BY coalesce(event_creation_time, event_recorded_time), record_id"
    )
    for batch in connection.sql(query).to_arrow_reader():
        yield stream.matches(batch)
    yield stream.finish()
