"""Build the rows of matches: a row with the rule, why it matched, and the event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from procwire.event import LIVE_SCHEMA
from procwire.matching.rendering import text_of
from procwire.sigma.matching.matcher import Found
from procwire.sigma.model.fields import ADDRESS_BYTES
from procwire.sigma.model.rule import Rule
from procwire.sigma.model.tree import Leaf

__all__ = ["NO_HITS", "SCHEMA", "as_json", "hit_batch", "hits_of", "rule_columns"]

_TIME = pa.timestamp("us", tz="UTC")
_SHOWN = {data: text for text, data in ADDRESS_BYTES.items()}

SCHEMA: pa.Schema = pa.schema(
    [
        ("rule_id", pa.string()),
        ("rule_title", pa.string()),
        ("rule_level", pa.string()),
        ("rule_tags", pa.list_(pa.string())),
        # The licence of Sigma's rules requests it.
        ("rule_author", pa.string()),
        ("matched", pa.string()),
        ("correlated_events", pa.int64()),
        ("correlated_value", pa.float64()),
        ("first_seen", _TIME),
        ("last_seen", _TIME),
        *LIVE_SCHEMA,
    ]
)
"""Columns of a match: the rule; `matched`, JSON of the fields that made it match and their values; for a correlation
how many events it took, the figure that its condition compares, and when; then the event's columns."""

NO_HITS: pa.RecordBatch = pa.RecordBatch.from_pylist([], schema=SCHEMA)


def hits_of(
    batch: pa.RecordBatch, rows: Sequence[int], found: Sequence[Iterable[Found]], rules: Sequence[Rule]
) -> pa.RecordBatch:
    """Return the matches of a batch: a row for each rule of each event."""
    if not rows:
        return NO_HITS
    pairs = [(row, one) for row, several in zip(rows, found, strict=True) for one in several]
    events = batch.take(pa.array([row for row, _ in pairs], pa.int64()))
    columns = rule_columns([rules[one.rule] for _, one in pairs])
    columns["matched"] = _matched(events, [one.reasons for _, one in pairs])
    return hit_batch(columns, events, len(pairs))


def hit_batch(columns: dict[str, pa.Array], events: pa.RecordBatch | None, row_count: int) -> pa.RecordBatch:
    """Return a batch of matches; columns without values are null."""
    arrays = []
    for field in SCHEMA:
        place = -1 if events is None else events.schema.get_field_index(field.name)
        if field.name in columns:
            array = columns[field.name]
        elif events is None or place < 0:
            array = pa.nulls(row_count, field.type)
        else:
            array = events.column(place)
        arrays.append(array if array.type == field.type else array.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def rule_columns(rules: Sequence[Rule]) -> dict[str, pa.Array]:
    """Return the columns that describe the rule."""
    return {
        "rule_id": pa.array([rule.id for rule in rules], pa.string()),
        "rule_title": pa.array([rule.title for rule in rules], pa.string()),
        "rule_level": pa.array([rule.level for rule in rules], pa.string()),
        "rule_tags": pa.array([rule.tags for rule in rules], pa.list_(pa.string())),
        "rule_author": pa.array([rule.author for rule in rules], pa.string()),
    }


def _matched(events: pa.RecordBatch, reasons: Sequence[tuple[Leaf, ...]]) -> pa.StringArray:
    needed = {_shown(leaf.column) for leaves in reasons for leaf in leaves} & set(events.schema.names)
    values = {name: events.column(name).to_pylist() for name in needed}
    return pa.array(
        [
            as_json({leaf.field: values[_shown(leaf.column)][row] if _shown(leaf.column) in values else None
                     for leaf in leaves if leaf.field})
            for row, leaves in enumerate(reasons)
        ],
        pa.string(),
    )  # fmt: skip


def _shown(column: str) -> str:
    return _SHOWN.get(column, column)


def as_json(values: dict[str, Any]) -> str:
    """Return fields and their values, for people and for programs."""
    return json.dumps(values, ensure_ascii=False, default=lambda value: text_of(value)
                      if isinstance(value, datetime) else str(value))  # fmt: skip
