"""Sort a recording's rows: which of them are Sysmon's events, and where losses are among them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import NAMES, field

__all__ = ["ALERT", "ALERT_COLUMNS", "JSON_COLUMNS", "KIND", "alert_runs", "events", "loss_runs"]

KIND = "record_kind"
ALERT = "alert"
"""The kind of a row that reports a rule that an event matches."""
ALERT_COLUMNS = (
    "rule_id", "rule_title", "rule_level", "rule_tags", "rule_author", "matched", "correlated_events",
    "correlated_value", "first_seen", "last_seen",
)  # fmt: skip
"""What an alert has beside the event's columns: those of `sigma.SCHEMA`."""
JSON_COLUMNS = ("rule_tags", "matched", *(field("process_ancestry").named(names) for names in NAMES))
"""Those whose texts are JSON, under every name: what writes JSON writes them as values."""
_LOSS = "loss"
_EVENTS = pa.array(["connection", _LOSS])


def events(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that Sysmon has an event for: connections (3) and losses (255, its Error)."""
    kinds = batch.column(KIND)
    is_event = pc.is_in(kinds, value_set=_EVENTS)
    return batch if pc.all(is_event).as_py() else batch.filter(is_event)


def loss_runs(batch: pa.RecordBatch) -> Iterator[tuple[bool, pa.RecordBatch]]:
    """Yield the rows in order, split where losses begin and end; and whether they are losses."""
    return _runs(batch, _LOSS)


def alert_runs(batch: pa.RecordBatch) -> Iterator[tuple[bool, pa.RecordBatch]]:
    """Yield the rows in order, split where alerts begin and end; and whether they are alerts."""
    return _runs(batch, ALERT)


def _runs(batch: pa.RecordBatch, kind: str) -> Iterator[tuple[bool, pa.RecordBatch]]:
    if KIND not in batch.schema.names:
        yield False, batch
        return
    places = pc.indices_nonzero(pc.equal(batch.column(KIND), kind)).to_pylist()
    start = 0
    for place in places:
        if place > start:
            yield False, batch.slice(start, place - start)
        yield True, batch.slice(place, 1)
        start = place + 1
    if start < batch.num_rows:
        yield False, batch.slice(start)
